"""Restarts: replicas that are older than `restartAt` are replaced, a few at a time.

Source: `rollout/restart.go` of argoproj/argo-rollouts (Apache-2.0).
"""

from datetime import datetime

from davy.model.rollout import Rollout
from davy.rollout import plan, replicas
from davy.rollout.platform import Pod, Seen
from davy.rollout.state import RolloutState


def restart_at(rollout: Rollout) -> float | None:
    """Return the time that the manifest wants every replica to be younger than, in seconds since the epoch."""
    wanted = rollout.spec.restart_at
    return None if wanted is None else datetime.fromisoformat(wanted).timestamp()


def restarting(rollout: Rollout, state: RolloutState, now: float) -> bool:
    """Say whether a restart is due and has not been carried out."""
    at = restart_at(rollout)
    return at is not None and at <= now and at != state.restarted_at


def evictions(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> tuple[str, ...]:
    """Name the replicas that are to go next: of stable first, then of the new version, then of others.

    No more than `maxUnavailable` (one at least) are missing at a time.
    """
    if not restarting(rollout, state, now):
        return ()
    wanted = sum(revision.replicas for revision in state.revisions)
    missing = max(0, wanted - sum(seen.count(revision.hash).available for revision in state.revisions))
    order = {state.stable: 0, state.current: 1 if state.current != state.stable else 0}
    old = sorted(_older(rollout, seen), key=lambda pod: (order.get(pod.hash, 2), pod.started_at, pod.name))
    unwell = [pod for pod in old if not pod.available]
    well = [pod for pod in old if pod.available]
    return tuple(pod.name for pod in (*unwell, *well[: max(0, _at_a_time(rollout) - missing)]))


def is_restarted(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> bool:
    """Say whether a restart that is due has nothing left to replace."""
    return restarting(rollout, state, now) and not _older(rollout, seen)


def _older(rollout: Rollout, seen: Seen) -> list[Pod]:
    at = restart_at(rollout)
    assert at is not None
    return [pod for pod in seen.pods if pod.phase != "Terminating" and pod.started_at < at]


def _at_a_time(rollout: Rollout) -> int:
    strategy = plan.strategy(rollout)
    return max(
        1, replicas.resolve_bounds(0, strategy.max_unavailable, rollout.spec.desired_replicas).unavailable
    )
