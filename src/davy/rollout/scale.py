"""How many replicas each revision gets, and which share of the traffic.

Both follow from the progress of the update and from what is seen; neither remembers anything of its own but
the moment at which replicas that are no longer needed may go.
"""

from typing import assert_never

from davy.model.rollout import Rollout
from davy.rollout import canary, replicas
from davy.rollout.platform import Seen
from davy.rollout.state import Aborted, Initial, Promoting, RolloutState, Settled, Stepping


def scale(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> RolloutState:
    """Give every revision the replicas that it should have now.

    A rollout that is paused by its manifest keeps what it has, except that an abort is never kept waiting.
    """
    if rollout.spec.paused and not isinstance(state.progress, Aborted):
        return state
    match state.progress:
        case Initial():
            return _resize(state, state.current, rollout.spec.desired_replicas)
        case Settled():
            return _scale_settled(rollout, state, now)
        case Stepping() | Promoting() | Aborted():
            if canary.strategy(rollout).traffic_routing is None:
                return _scale_by_ratio(rollout, state, seen)
            return _scale_routed(rollout, state, seen, now)
        case _:
            assert_never(state.progress)


def split(rollout: Rollout, state: RolloutState, seen: Seen) -> dict[str, int]:
    """Decide the share of traffic of each hash.

    An abort gives all of it to stable, whatever stable looks like. Anything else never sends traffic where
    nothing is available, and moves more of it only when the side that receives it can carry it.
    """
    whole = canary.strategy(rollout).full_weight
    available = seen.count(state.current).available
    match state.progress:
        case Initial():
            return {state.current: whole} if available else state.weights
        case Settled():
            return {state.current: whole}
        case Aborted():
            return {state.stable: whole}
        case Stepping() | Promoting():
            if canary.strategy(rollout).traffic_routing is None:
                return canary.ratio_split(state, seen)
            return _routed_split(rollout, state, seen)
        case _:
            assert_never(state.progress)


def _scale_settled(rollout: Rollout, state: RolloutState, now: float) -> RolloutState:
    """Keep what was stable until now for as long as the manifest says, then let it go."""
    state = _resize(state, state.current, rollout.spec.desired_replicas)
    for old in state.revisions:
        if old.hash == state.current or old.replicas == 0:
            continue
        if old.scale_down_at is None:
            state = state.changing(old.hash, scale_down_at=now + canary.strategy(rollout).scale_down_delay_s)
        elif now >= old.scale_down_at:
            state = _resize(state, old.hash, 0)
    return state


def _scale_routed(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> RolloutState:
    """Size a canary whose traffic a router splits: stable stays whole, revisions in the middle go at once."""
    plan, progress = canary.strategy(rollout), state.progress
    n, whole, least = (
        rollout.spec.desired_replicas,
        canary.strategy(rollout).full_weight,
        plan.min_pods_per_replica_set,
    )
    for other in state.revisions:
        if other.hash not in (state.current, state.stable):
            state = _resize(state, other.hash, 0)
    state = _resize(state, state.stable, n)
    if isinstance(progress, Aborted):
        return _scale_aborted(rollout, state, seen, now)
    weight = canary.set_weight(rollout, progress.index) if isinstance(progress, Stepping) else whole
    return _resize(state, state.current, replicas.routed(n, weight, whole=whole, least=least).canary)


def _scale_aborted(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> RolloutState:
    """Keep an aborted canary for a while, counted from the moment stable can carry everything."""
    delay = canary.strategy(rollout).abort_scale_down_delay_s
    if delay is None:
        return state
    aborted = state.newest
    if aborted.scale_down_at is None:
        if seen.count(state.stable).available < rollout.spec.desired_replicas:
            return state
        return state.changing(state.current, scale_down_at=now + delay)
    return _resize(state, state.current, 0) if now >= aborted.scale_down_at else state


def _scale_by_ratio(rollout: Rollout, state: RolloutState, seen: Seen) -> RolloutState:
    """Take one step of a canary whose traffic follows the ratio of its pods; older revisions go first."""
    plan, n, progress = canary.strategy(rollout), rollout.spec.desired_replicas, state.progress
    older = [other for other in state.revisions if other.hash not in (state.current, state.stable)]
    for other in older:
        state = _resize(state, other.hash, 0)
    weight = 0 if isinstance(progress, Aborted) else canary.strategy(rollout).full_weight
    if isinstance(progress, Stepping):
        weight = canary.set_weight(rollout, progress.index)
    new, stable = state.newest, state.revision(state.stable)
    counts = replicas.step_towards(
        n,
        weight,
        replicas.resolve_bounds(plan.max_surge, plan.max_unavailable, n),
        replicas.Scale(new.replicas, seen.count(new.hash).available),
        replicas.Scale(stable.replicas, seen.count(stable.hash).available),
        older=sum(seen.count(other.hash).created for other in older),
        whole=canary.strategy(rollout).full_weight,
    )
    return _resize(_resize(state, new.hash, counts.canary), stable.hash, counts.stable)


def _routed_split(rollout: Rollout, state: RolloutState, seen: Seen) -> dict[str, int]:
    """Split by the weight of the step, once the replicas for it are there."""
    whole, n, progress = canary.strategy(rollout).full_weight, rollout.spec.desired_replicas, state.progress
    if seen.count(state.current).available == 0:
        return {state.stable: whole, state.current: 0}
    if isinstance(progress, Stepping):
        index = progress.index if canary.at_desired(rollout, state, seen) else progress.index - 1
        weight = canary.set_weight(rollout, index)
    elif canary.fully_available(rollout, state, seen):
        return {state.current: whole}
    else:
        weight = state.weights.get(state.current, 0)
    if seen.count(state.stable).available < (whole - weight) * n // whole:
        return state.weights
    return {state.stable: whole - weight, state.current: weight}


def _resize(state: RolloutState, hash_: str, count: int) -> RolloutState:
    """Give a revision another number of replicas; one that runs again has no date to go."""
    revision = state.revision(hash_)
    if revision.replicas == count:
        return state
    return state.changing(hash_, replicas=count, scale_down_at=None)
