"""Which share of the traffic each version gets.

An abort gives all of it to stable, whatever stable looks like. Anything else never sends traffic where nothing
is available, and moves more of it only when the side that receives it can carry it.
"""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from davy.model.rollout import Rollout
from davy.rollout import plan
from davy.rollout.platform import Seen
from davy.rollout.readiness import at_desired, fully_available, ratio_split, threshold_met
from davy.rollout.state import (
    Aborted,
    Initial,
    Previewing,
    Promoting,
    RolloutState,
    Settled,
    Side,
    Stepping,
    Verifying,
    lacks_evidence,
)

RAMP_S = 30.0
"""Seconds within which a stable version that was scaled down takes everything back, ready or not."""


def split(rollout: Rollout, state: RolloutState, seen: Seen, now: float) -> dict[str, int]:
    """Decide the share of traffic of each hash."""
    whole = plan.full_weight(rollout)
    match state.progress:
        case Initial():
            return {state.current: whole} if seen.count(state.current).available else state.weights
        case Settled(at=at):
            return _give_back(rollout, state, seen, to=state.current, since=at, now=now)
        case Aborted(at=at):
            return _give_back(rollout, state, seen, to=state.stable, since=at, now=now)
        case Previewing():
            return {state.stable: whole}
        case Verifying():
            return {state.current: whole}
        case Stepping() | Promoting():
            if not plan.is_routed(rollout):
                return _by_ratio(rollout, state, seen)
            return _routed(rollout, state, seen)
        case _:
            assert_never(state.progress)


def rescaled(rollout: Rollout, state: RolloutState) -> RolloutState:
    """Return the state with the split that was last decided in the weights of the manifest as it is now.

    An edit may have given `maxTrafficWeight` another value, or put a router where pods made the split.
    """
    whole, total = plan.full_weight(rollout), sum(state.weights.values())
    if not plan.is_routed(rollout) or total in (0, whole):
        return state
    weights = {hash_: weight * whole // total for hash_, weight in state.weights.items()}
    rest = state.stable or state.current
    weights[rest] = weights.get(rest, 0) + whole - sum(weights.values())
    return msgspec.structs.replace(state, weights=weights)


def ramps_until(rollout: Rollout, state: RolloutState) -> float | None:
    """Say when a stable version that comes up again gets everything at the latest, None where it has it."""
    if isinstance(state.progress, Aborted | Settled) and len(_serving(state.weights)) > 1:
        return state.progress.at + RAMP_S
    return None


def _by_ratio(rollout: Rollout, state: RolloutState, seen: Seen) -> dict[str, int]:
    """Split by the pods; while evidence is missing, pods that come up late change nothing."""
    if lacks_evidence(state.progress) and seen.count(state.current).available:
        return state.weights
    return ratio_split(rollout, state, seen)


def _routed(rollout: Rollout, state: RolloutState, seen: Seen) -> dict[str, int]:
    """Split by the weight of the step, once the replicas for it are there.

    A canary whose replicas were all gone while the judge was waited for gets back what it had: without traffic
    there is nothing to be judged. What a judge doubts that had everything has half of it, so that the two can
    be compared.
    """
    whole, n, progress = plan.full_weight(rollout), rollout.spec.desired_replicas, state.progress
    if seen.count(state.current).available == 0:
        return _with_sides(state, seen, {state.stable: whole, state.current: 0})
    held = state.weights.get(state.current, 0)
    if isinstance(progress, Stepping) and progress.index < len(plan.steps(rollout)):
        ready = at_desired(rollout, state, seen) and not progress.withheld
        index = progress.index if ready else progress.index - 1
        weight = plan.set_weight(rollout, index)
        if lacks_evidence(progress):
            weight = min(weight, held)
    elif isinstance(progress, Stepping) and progress.waits is not None:
        weight = plan.set_weight(rollout, len(plan.steps(rollout)) - 1)
    elif isinstance(progress, Promoting) and fully_available(rollout, state, seen):
        weight = progress.weight if progress.waits else whole
    else:
        weight = held
    if state.bake is not None and state.bake.halved:
        weight = min(weight, whole // 2)
    stable, wanted = seen.count(state.stable).available, state.revision(state.stable).replicas
    if stable < (whole - weight) * n // whole and not threshold_met(rollout, wanted, stable):
        weight = held
    return _with_sides(state, seen, {state.stable: whole - weight, state.current: weight})


def _with_sides(state: RolloutState, seen: Seen, weights: dict[str, int]) -> dict[str, int]:
    """Take the shares of an experiment's sides off the stable version's, while the experiment measures.

    One that waits for evidence measures nothing any more: it is run again from its beginning, or aborted.
    """
    progress = state.progress
    if not isinstance(progress, Stepping) or progress.experiment is None or lacks_evidence(progress):
        return weights
    sides: list[Side] = [side for side in state.sides if side.weight]
    if progress.experiment.available_at is None or any(not seen.count(side.hash).available for side in sides):
        return weights
    taken = sum(side.weight for side in sides)
    return {
        **weights,
        state.stable: max(0, weights[state.stable] - taken),
        **{side.hash: side.weight for side in sides},
    }


def _give_back(
    rollout: Rollout, state: RolloutState, seen: Seen, *, to: str, since: float, now: float
) -> dict[str, int]:
    """Give everything to one version.

    At once, unless it was scaled down on purpose while another had its users (`dynamicStableScale`): then it
    gets as much as it can carry, more as it grows, and everything when `RAMP_S` have passed.
    """
    whole, n = plan.full_weight(rollout), rollout.spec.desired_replicas
    strategy = rollout.spec.strategy.canary
    others = {hash_: weight for hash_, weight in _serving(state.weights).items() if hash_ != to}
    if strategy is None or not strategy.dynamic_stable_scale or len(others) != 1 or now >= since + RAMP_S:
        return {to: whole}
    [(other, held)] = others.items()
    lacking = max(0, n - seen.count(to).available)
    stays = any(each.hash == other and each.replicas for each in state.revisions)
    left = min(held, -(-whole * lacking // max(1, n))) if stays and seen.count(other).available else 0
    return {to: whole - left, other: left} if left else {to: whole}


def _serving(weights: Mapping[str, int]) -> dict[str, int]:
    return {hash_: weight for hash_, weight in weights.items() if weight}
