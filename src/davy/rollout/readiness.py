"""What is seen, held against what the plan asks for: replicas that are there, and what the data plane serves.

Sources: `AtDesiredReplicaCountsForCanary` and the thresholds in `utils/replicaset/canary.go`, the progress
deadline in `utils/conditions/conditions.go` and `rollout/sync.go` of argoproj/argo-rollouts (Apache-2.0).
"""

from davy.model.rollout import ReplicaProgressThreshold, Rollout
from davy.model.side_route import HeaderRoute
from davy.rollout import plan, replicas
from davy.rollout.platform import Count, Seen
from davy.rollout.state import (
    Aborted,
    Previewing,
    RolloutState,
    Settled,
    Stepping,
    Verifying,
    awaits_judge,
    pause_of,
)


def at_desired(rollout: Rollout, state: RolloutState, seen: Seen) -> bool:
    """Say whether both sides have the replicas that the step asks for, the new ones available."""
    canary, stable = state.newest, state.revision(state.stable)
    if plan.is_routed(rollout):
        goal = routed_counts(rollout, state)
    else:
        goal = _counts_by_ratio(rollout, state)
        if any(seen.count(other.hash).available for other in state.revisions if other not in (canary, stable)):
            return False
    if canary.replicas != goal.canary or not _enough(rollout, goal.canary, seen.count(canary.hash)):
        return False
    if plan.canary(rollout).dynamic_stable_scale:
        return True
    return stable.replicas == goal.stable == seen.count(stable.hash).created


def routed_counts(rollout: Rollout, state: RolloutState) -> replicas.Counts:
    """Size both sides of a canary whose traffic a router splits, as the step that it is on asks for."""
    strategy, progress = plan.canary(rollout), state.progress
    index = progress.index if isinstance(progress, Stepping) else len(plan.steps(rollout))
    scale = plan.set_scale(rollout, index)
    shrinks = strategy.dynamic_stable_scale and state.bake is None
    return replicas.routed(
        rollout.spec.desired_replicas,
        plan.set_weight(rollout, index),
        whole=strategy.full_weight,
        least=strategy.min_pods_per_replica_set,
        scale=None if scale is None else replicas.CanaryScale(scale.weight, scale.replicas),
        stable_weight=state.weights.get(state.stable, 0) if shrinks else None,
    )


def _counts_by_ratio(rollout: Rollout, state: RolloutState) -> replicas.Counts:
    """Size both sides of a canary whose traffic follows its pods, as the step that it is on asks for."""
    assert isinstance(state.progress, Stepping)
    strategy, n = plan.canary(rollout), rollout.spec.desired_replicas
    bounds = replicas.resolve_bounds(strategy.max_surge, strategy.max_unavailable, n)
    weight = plan.set_weight(rollout, state.progress.index)
    return replicas.approximate(n, weight, strategy.full_weight, bounds.surge)


def serves(rollout: Rollout, state: RolloutState, seen: Seen, weight: int) -> bool:
    """Say whether the data plane serves the weight of a step; without a router, the split of the pods."""
    weights = {hash_: share for hash_, share in (seen.weights or {}).items() if share}
    if not plan.is_routed(rollout):
        return weights == ratio_split(rollout, state, seen)
    return weights.get(state.current, 0) == weight and sum(weights.values()) == plan.full_weight(rollout)


def ratio_split(rollout: Rollout, state: RolloutState, seen: Seen) -> dict[str, int]:
    """Split by what is available of each version; with nothing available, leave things as they are.

    Replicas that are to go count no more, and on a step the new version counts for no more than that is worth.
    A version in the middle that was replaced keeps users only for as long as its replicas are needed, and one
    that lost them with an abort gets none.
    """
    meant = {state.current, state.stable, *state.weights}
    shares = {
        each.hash: min(seen.count(each.hash).available, each.replicas)
        for each in state.revisions
        if each.hash in meant
    }
    if isinstance(state.progress, Stepping):
        shares[state.current] = min(shares[state.current], _counts_by_ratio(rollout, state).canary)
    found = {hash_: share for hash_, share in shares.items() if share}
    staffed = {each.hash for each in state.revisions if each.replicas}
    kept = {hash_: weight for hash_, weight in state.weights.items() if hash_ in staffed}
    return found or kept or {state.stable: plan.full_weight(rollout)}


def meets_users(state: RolloutState, seen: Seen) -> bool:
    """Say whether the data plane lets users meet the new version: by weight, by a header, in an experiment.

    A copy of a request meets nobody, and neither do the callers of a preview.
    """
    weights = seen.weights or {}
    sides = [side.hash for side in state.sides if side.of == "canary"]
    by_header = any(isinstance(route, HeaderRoute) and route.hash == state.current for route in seen.routes)
    return by_header or any(weights.get(hash_, 0) > 0 for hash_ in (state.current, *sides))


def carries_everything(rollout: Rollout, state: RolloutState, seen: Seen) -> bool:
    """Say whether the data plane sends all the traffic to the current version; scaled to zero, it need not."""
    if rollout.spec.desired_replicas == 0:
        return True
    return {hash_ for hash_, weight in (seen.weights or {}).items() if weight} == {state.current}


def fully_available(rollout: Rollout, state: RolloutState, seen: Seen) -> bool:
    """Say whether the current version alone could carry everything."""
    counts, n = seen.count(state.current), rollout.spec.desired_replicas
    return counts.available >= n or threshold_met(rollout, n, counts.available)


def threshold_met(rollout: Rollout, desired: int, available: int) -> bool:
    """Say whether as much of a version is available as `replicaProgressThreshold` asks for, where it does."""
    threshold = _threshold(rollout)
    if threshold is None:
        return False
    if threshold.type == "Pods":
        return available >= threshold.value
    return available * 100 >= desired * threshold.value


def _threshold(rollout: Rollout) -> ReplicaProgressThreshold | None:
    strategy = rollout.spec.strategy.canary
    return None if strategy is None else strategy.replica_progress_threshold


def _enough(rollout: Rollout, wanted: int, seen: Count) -> bool:
    """Say whether a canary has the replicas that it should have, or as many as count as that."""
    if _threshold(rollout) is not None:
        return threshold_met(rollout, wanted, seen.available)
    return wanted == seen.created == seen.available


def timed_out(rollout: Rollout, state: RolloutState, now: float) -> bool:
    """Say whether replicas should have made progress and have not, as Argo's progress deadline does."""
    progress = state.progress
    if rollout.spec.paused or isinstance(progress, Settled | Aborted) or pause_of(progress):
        return False
    if awaits_judge(state):
        return False
    if isinstance(progress, Previewing | Verifying) and progress.run:
        return False
    if isinstance(progress, Stepping):
        if progress.index >= len(plan.steps(rollout)):
            return False
        step = plan.steps(rollout)[progress.index]
        if step.set_weight is None and step.set_canary_scale is None:
            return False
    return now >= state.progressed_at + rollout.spec.progress_deadline_s


def timed_out_message(rollout: Rollout, state: RolloutState) -> str:
    """Say which replicas are stuck, in Argo's words."""
    return f'ReplicaSet "{rollout.metadata.name}-{state.current}" has timed out progressing.'
