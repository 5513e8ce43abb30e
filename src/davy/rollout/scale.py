"""How many replicas each revision gets.

It follows from the progress of the update and from what is seen; nothing is remembered but the moment at which
replicas that are no longer needed may go.
"""

from typing import assert_never

import msgspec

from davy.model.rollout import Rollout
from davy.rollout import blue_green, plan, replicas
from davy.rollout.platform import Seen
from davy.rollout.readiness import routed_counts
from davy.rollout.state import (
    Aborted,
    Initial,
    Previewing,
    Promoting,
    Revision,
    RolloutState,
    Settled,
    Stepping,
    Verifying,
    lacks_evidence,
)


def scale(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> RolloutState:
    """Give every revision the replicas that it should have now.

    A rollout that is paused by its manifest keeps what it has, except that neither an abort is kept waiting nor
    a stable version that was gone back to. So does one that waits for evidence, as in Argo.
    """
    if rollout.spec.paused and not isinstance(state.progress, Aborted):
        back = isinstance(state.progress, Settled)
        least = rollout.spec.desired_replicas if back else 0
        return _resize(state, state.current, max(state.newest.replicas, least))
    if lacks_evidence(state.progress):
        return state
    state = _scale_sides(state, now)
    match state.progress:
        case Initial():
            return _resize(state, state.current, rollout.spec.desired_replicas)
        case Settled():
            return _scale_settled(rollout, state, now)
        case Aborted() if plan.is_routed(rollout):
            return _scale_aborted(rollout, state, seen, now)
        case Stepping() | Promoting() | Aborted():
            if plan.is_routed(rollout):
                return _scale_routed(rollout, state, now)
            return _scale_by_ratio(rollout, state, seen)
        case Previewing() | Verifying():
            return _scale_blue_green(rollout, state, now)
        case _:
            assert_never(state.progress)


def _scale_sides(state: RolloutState, now: float) -> RolloutState:
    """Let the sides of an experiment go when their time has come."""
    kept = tuple(side for side in state.sides if side.scale_down_at is None or now < side.scale_down_at)
    return state if len(kept) == len(state.sides) else msgspec.structs.replace(state, sides=kept)


def _scale_settled(rollout: Rollout, state: RolloutState, now: float) -> RolloutState:
    """Keep what was stable until now for as long as the manifest says, then let it go.

    A stable version that is still coming up does not lose the help of the one that has its users meanwhile.
    """
    state = _resize(state, state.current, rollout.spec.desired_replicas)
    old = [revision for revision in state.revisions if revision.hash != state.current and revision.replicas]
    for revision in old:
        if state.weights.get(revision.hash, 0):
            continue
        if revision.scale_down_at is None:
            state = state.changing(revision.hash, scale_down_at=now + plan.strategy(rollout).scale_down_delay_s)
    for revision in old:
        due = state.revision(revision.hash).scale_down_at
        if due is not None and (now >= due or revision.hash in _beyond_limit(rollout, old)):
            state = _resize(state, revision.hash, 0)
    return state


def _beyond_limit(rollout: Rollout, old: list[Revision]) -> set[str]:
    """Name the old revisions that may not wait, since `scaleDownDelayRevisionLimit` newer ones do."""
    limit = plan.strategy(rollout).scale_down_delay_revision_limit
    if limit is None:
        return set()
    newest_first = sorted(old, key=lambda revision: -revision.number)
    return {revision.hash for revision in newest_first[limit:]}


def _scale_blue_green(rollout: Rollout, state: RolloutState, now: float) -> RolloutState:
    """Keep the active side whole; the preview is small until the switch is allowed, if it is to be."""
    n, progress = rollout.spec.desired_replicas, state.progress
    waits = isinstance(progress, Previewing) and not progress.approved
    state = _drop_others(state, now)
    state = _resize(state, state.stable, n)
    return _resize(state, state.current, blue_green.preview_replicas(rollout) if waits else n)


def _scale_routed(rollout: Rollout, state: RolloutState, now: float) -> RolloutState:
    """Size a canary whose traffic a router splits; revisions in the middle go at once."""
    counts = routed_counts(rollout, state)
    state = _drop_others(state, now)
    return _resize(_resize(state, state.stable, counts.stable), state.current, counts.canary)


def _scale_aborted(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> RolloutState:
    """Keep an aborted version for a while, counted from the moment stable can carry everything."""
    n = rollout.spec.desired_replicas
    state = _resize(_drop_others(state, now), state.stable, n)
    delay = plan.strategy(rollout).abort_scale_down_delay_s
    if _follows_traffic(rollout):
        whole, weight = plan.full_weight(rollout), state.weights.get(state.current, 0)
        return _resize(state, state.current, replicas.routed(n, 0, whole=whole, canary_weight=weight).canary)
    if delay is None:
        return state
    if state.newest.scale_down_at is None:
        if seen.count(state.stable).available < n:
            return state
        return state.changing(state.current, scale_down_at=now + delay)
    return _resize(state, state.current, 0) if now >= state.newest.scale_down_at else state


def _follows_traffic(rollout: Rollout) -> bool:
    """Say whether an aborted canary shrinks with its traffic, since no time was written that it stays for."""
    strategy = rollout.spec.strategy.canary
    explicit = strategy is not None and strategy.abort_scale_down_delay_seconds is not None
    return strategy is not None and strategy.dynamic_stable_scale and not explicit


def _scale_by_ratio(rollout: Rollout, state: RolloutState, seen: Seen) -> RolloutState:
    """Take one step of a canary whose traffic follows the ratio of its pods; older revisions go first."""
    strategy, n, progress = plan.canary(rollout), rollout.spec.desired_replicas, state.progress
    if isinstance(progress, Stepping) and progress.index >= len(strategy.steps):
        return state  # more replicas were more traffic, which has to wait for the end of the steps
    older = [other for other in state.revisions if other.hash not in (state.current, state.stable)]
    bounds = replicas.resolve_bounds(strategy.max_surge, strategy.max_unavailable, n)
    state = _drain(state, older, seen, least=n - bounds.unavailable)
    weight = 0 if isinstance(progress, Aborted) else strategy.full_weight
    if isinstance(progress, Stepping):
        weight = plan.set_weight(rollout, progress.index)
    elif isinstance(progress, Promoting) and progress.waits:
        weight = progress.weight
    new, stable = state.newest, state.revision(state.stable)
    counts = replicas.step_towards(
        n,
        weight,
        bounds,
        replicas.Scale(new.replicas, seen.count(new.hash).available),
        replicas.Scale(stable.replicas, seen.count(stable.hash).available),
        older=sum(seen.count(other.hash).created for other in older),
        whole=strategy.full_weight,
    )
    return _resize(_resize(state, new.hash, counts.canary), stable.hash, counts.stable)


def _drain(state: RolloutState, older: list[Revision], seen: Seen, *, least: int) -> RolloutState:
    """Let the replicas of older revisions go, of those that are available as many as are not needed."""
    serving = {each.hash: min(seen.count(each.hash).available, each.replicas) for each in state.revisions}
    spare = max(0, sum(serving.values()) - least)
    for other in older:
        gone = min(serving[other.hash], spare)
        spare -= gone
        state = _resize(state, other.hash, serving[other.hash] - gone)
    return state


def _drop_others(state: RolloutState, now: float) -> RolloutState:
    """Let the revisions go that are neither new nor stable; those that wait out a delay go when it is over."""
    for other in state.revisions:
        waits = other.scale_down_at is not None and now < other.scale_down_at
        if other.hash not in (state.current, state.stable) and not waits:
            state = _resize(state, other.hash, 0)
    return state


def _resize(state: RolloutState, hash_: str, count: int) -> RolloutState:
    """Give a revision another number of replicas; one that runs again has no date to go."""
    revision = state.revision(hash_)
    if revision.replicas == count:
        return state
    return state.changing(hash_, replicas=count, scale_down_at=None)
