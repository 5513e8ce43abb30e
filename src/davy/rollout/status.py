"""How a rollout looks from outside: phase, message and conditions, in Argo's words.

Sources: `utils/rollout/rolloututil.go` (phase and message) and `utils/conditions/conditions.go` (reasons and
formats) of argoproj/argo-rollouts, Apache-2.0.
"""

from enum import StrEnum

import msgspec

from davy.model.rollout import Rollout
from davy.rollout import plan
from davy.rollout.decision import Word
from davy.rollout.platform import Seen
from davy.rollout.readiness import fully_available, timed_out, timed_out_message
from davy.rollout.restart import restart_at
from davy.rollout.state import Aborted, Condition, RolloutState, Settled, Verifying, awaits_judge, pause_of


class RolloutPhase(StrEnum):
    """The one word for how a rollout is."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    DEGRADED = "Degraded"


class Status(msgspec.Struct, frozen=True):
    """The phase, and the message that explains it (empty when there is nothing to explain)."""

    phase: RolloutPhase
    message: str = ""


class ReplicaCounts(msgspec.Struct, frozen=True):
    """The block of numbers under `Replicas:`."""

    desired: int
    current: int
    updated: int
    ready: int
    available: int


def status(rollout: Rollout, state: RolloutState, seen: Seen, word: Word | None = None) -> Status:
    """Say how the rollout is; the first rule that fits wins.

    One that waits for its judge is Progressing, as one whose analysis is under way: nobody has to come, and
    `promote` would not end it. The message is the judge's `word`, the last that was heard.
    """
    progressing = _condition(state, "Progressing")
    if progressing and progressing.reason in ("RolloutAborted", "ProgressDeadlineExceeded"):
        return Status(RolloutPhase.DEGRADED, f"{progressing.reason}: {progressing.message}")
    if rollout.spec.paused:
        return Status(RolloutPhase.PAUSED, "manually paused")
    if pause := pause_of(state.progress):
        return Status(RolloutPhase.PAUSED, pause.reason)
    if word is not None and awaits_judge(state):
        return Status(RolloutPhase.PROGRESSING, f"Judge: {word.reason}")
    waits_for = _waits_for(rollout, state, seen)
    return Status(RolloutPhase.PROGRESSING, waits_for) if waits_for else Status(RolloutPhase.HEALTHY)


def _waits_for(rollout: Rollout, state: RolloutState, seen: Seen) -> str:
    """Say what a rollout that goes on is waiting for, nothing when it is done."""
    if restart_at(rollout) != state.restarted_at and restart_at(rollout) is not None:
        return "rollout is restarting"
    counts = count(rollout, state, seen)
    if counts.updated < counts.desired:
        return "more replicas need to be updated"
    if seen.count(state.current).available < counts.updated:
        return "updated replicas are still becoming available"
    if not plan.is_routed(rollout) and counts.current > counts.updated:
        return "old replicas are pending termination"
    if isinstance(state.progress, Settled):
        return ""
    if plan.blue_green(rollout) is None:
        return "waiting for all steps to complete"
    switched = isinstance(state.progress, Verifying)
    return (
        "waiting for post-promotion verification to complete" if switched else "active service cutover pending"
    )


def count(rollout: Rollout, state: RolloutState, seen: Seen) -> ReplicaCounts:
    """Count replicas as `kubectl argo rollouts get` shows them."""
    living = [pod for pod in seen.pods if pod.phase != "Terminating"]
    return ReplicaCounts(
        desired=rollout.spec.desired_replicas,
        current=len(living),
        updated=seen.count(state.current).created,
        ready=sum(pod.ready for pod in living),
        available=sum(pod.available for pod in living),
    )


def conditions(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> tuple[Condition, ...]:
    """Work the conditions out anew; one that says the same as before keeps its time."""
    before = {condition.type: condition for condition in state.conditions}
    wanted = (
        _available(rollout, state, seen, now),
        _progressing(rollout, state, seen, now),
        _paused(rollout, state, now),
        _completed(state, now),
        _healthy(rollout, state, seen, now),
    )
    return tuple(_keep_time(before.get(condition.type), condition) for condition in wanted)


def _available(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> Condition:
    serving = state.stable or state.current
    enough = sum(pod.available for pod in seen.pods) >= rollout.spec.desired_replicas and bool(serving)
    message = f"Rollout {'has' if enough else 'does not have'} minimum availability"
    return Condition("Available", enough, "AvailableReason", message, now)


def _progressing(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> Condition:
    name = f"{rollout.metadata.name}-{state.current}"
    match state.progress:
        case Aborted(cause=cause):
            message = f"Rollout aborted update to revision {state.newest.number}"
            return Condition(
                "Progressing", False, "RolloutAborted", message + (f": {cause}" if cause else ""), now
            )
        case Settled() if fully_available(rollout, state, seen):
            message = f'ReplicaSet "{name}" has successfully progressed.'
            return Condition("Progressing", True, "NewReplicaSetAvailable", message, now)
        case progress if pause_of(progress):
            return Condition("Progressing", True, "RolloutPaused", "Rollout is paused", now)
        case _:
            pass
    if timed_out(rollout, state, now):
        message = timed_out_message(rollout, state)
        return Condition("Progressing", False, "ProgressDeadlineExceeded", message, now)
    message = f'ReplicaSet "{name}" is progressing.'
    return Condition("Progressing", True, "ReplicaSetUpdated", message, now)


def _paused(rollout: Rollout, state: RolloutState, now: float) -> Condition:
    if rollout.spec.paused or pause_of(state.progress):
        return Condition("Paused", True, "RolloutPaused", "Rollout is paused", now)
    return Condition("Paused", False, "RolloutResumed", "Rollout is resumed", now)


def _completed(state: RolloutState, now: float) -> Condition:
    number, name = state.newest.number, state.current
    if isinstance(state.progress, Settled):
        message = f"Rollout completed update to revision {number} ({name}): {state.progress.reason}"
        return Condition("Completed", True, "RolloutCompleted", message, now)
    message = f"Rollout not completed, started update to revision {number} ({name})"
    return Condition("Completed", False, "RolloutCompleted", message, now)


def _healthy(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> Condition:
    counts = count(rollout, state, seen)
    settled = isinstance(state.progress, Settled)
    healthy = (
        settled and counts.updated == counts.desired == counts.current and counts.available >= counts.desired
    )
    message = "Rollout is healthy" if healthy else "Rollout is not healthy"
    return Condition("Healthy", healthy, "RolloutHealthy", message, now)


def _keep_time(before: Condition | None, after: Condition) -> Condition:
    """Keep the time of a condition that has not changed."""
    if before is None or msgspec.structs.replace(before, since=after.since) != after:
        return after
    return before


def _condition(state: RolloutState, kind: str) -> Condition | None:
    """Find a condition by its type."""
    return next((condition for condition in state.conditions if condition.type == kind), None)
