"""How many replicas a weight is worth: Argo Rollouts' arithmetic, case for case.

Source of the rules: `utils/replicaset/canary.go` of argoproj/argo-rollouts (Apache-2.0), checked against
what its own functions answer (tests/cases/argo_basic_canary_replicas.json, argo_traffic_routed_replicas.json).
"""

from dataclasses import dataclass
from math import ceil, floor

IntOrPercent = int | str


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a rolling update may leave the wanted number of replicas, in replicas."""

    surge: int
    unavailable: int


@dataclass(frozen=True, slots=True)
class Scale:
    """One side of a canary: the replicas asked for, and how many of them are available."""

    wanted: int
    available: int

    @property
    def serving(self) -> int:
        """Available replicas, those that are about to go not among them."""
        return min(self.available, self.wanted)


@dataclass(frozen=True, slots=True)
class Counts:
    """Replicas of the canary and of the stable revision."""

    canary: int
    stable: int

    @property
    def total(self) -> int:
        """Replicas of both."""
        return self.canary + self.stable


def resolve_bounds(surge: IntOrPercent | None, unavailable: IntOrPercent | None, replicas: int) -> Bounds:
    """Turn `maxSurge` and `maxUnavailable` into replicas.

    A string is a percentage with or without its sign, as upstream reads it. Surge is rounded up and
    unavailable down; a rollout that could never move gets one unavailable replica.
    """
    surging = _share("25" if surge is None else surge, replicas, ceil)
    missing = _share("25" if unavailable is None else unavailable, replicas, floor)
    if surging == 0 and missing == 0:
        missing = 1
    return Bounds(surging, missing)


def approximate(replicas: int, weight: int, whole: int, surge: int) -> Counts:
    """Find the pod counts whose ratio comes closest to `weight` of `whole`.

    Without a router the ratio of pods is the ratio of traffic. One surge replica may be used to come closer;
    a side is never left without a pod unless it is meant to have none.
    """
    if replicas == 0:
        return Counts(0, 0)
    empty_side_allowed = weight in (0, whole) or (replicas == 1 and surge == 0)
    candidates: list[Counts] = []
    for total in (replicas, replicas + 1) if surge > 0 else (replicas,):
        up, down = -(-replicas * weight // whole), replicas * weight // whole
        tied = (2 * total * weight) % whole == 0 and (2 * total * weight // whole) % 2 == 1
        if up < total or empty_side_allowed:
            candidates.append(Counts(up, total - up))
        if not tied and (down != 0 or empty_side_allowed):
            candidates.append(Counts(down, total - down))
    best = min(candidates, key=lambda counts: abs(counts.canary * whole / counts.total - weight), default=None)
    return best or Counts(0, replicas)


def step_towards(
    replicas: int,
    weight: int,
    bounds: Bounds,
    canary: Scale,
    stable: Scale,
    *,
    older: int = 0,
    whole: int = 100,
) -> Counts:
    """Take one step of a canary without a router towards its weight.

    Never more than `replicas + surge` pods, never fewer than `replicas - unavailable` available ones; the
    stable side grows first, and nothing shrinks while `older` revisions still have pods.
    """
    goal = approximate(replicas, weight, whole, bounds.surge)
    limit = replicas + bounds.surge
    room = max(0, limit - canary.wanted - stable.wanted - older)
    new_stable = min(max(goal.stable, stable.wanted), stable.wanted + room)
    room -= new_stable - stable.wanted
    new_canary = min(max(goal.canary, canary.wanted), canary.wanted + room)
    if older > 0:
        return Counts(new_canary, new_stable)

    least = replicas - bounds.unavailable
    if goal.canary >= canary.wanted:
        spare = canary.serving + stable.wanted - least
        if spare > 0:
            new_stable = _drain(stable.wanted, goal.stable, spare, new_stable)
            new_canary -= max(0, new_canary + new_stable - limit)
    else:
        spare = canary.wanted + stable.serving - least
        if spare > 0:
            new_canary = _drain(canary.wanted, goal.canary, spare, new_canary)
            excess = max(0, new_canary + new_stable - limit)
            from_stable = min(excess, max(0, new_stable - least))
            new_stable -= from_stable
            new_canary -= excess - from_stable
    return Counts(new_canary, new_stable)


@dataclass(frozen=True, slots=True)
class CanaryScale:
    """What a setCanaryScale step asks for: replicas as they are, or the share that a weight is worth."""

    weight: int | None
    replicas: int | None


def routed(
    replicas: int,
    weight: int,
    *,
    whole: int = 100,
    least: int | None = None,
    scale: CanaryScale | None = None,
    stable_weight: int | None = None,
    canary_weight: int = 0,
) -> Counts:
    """Size both sides of a canary whose traffic a router splits.

    Args:
        replicas: how many the rollout has.
        weight: the canary's weight that is wanted.
        whole: the weight that means everything.
        least: `minPodsPerReplicaSet`, the floor of a side that has any pods, capped at `replicas`.
        scale: what a setCanaryScale step asks for instead of what the weight is worth.
        stable_weight: the weight that the stable side has now, where it shrinks as the canary grows
            (`dynamicStableScale`); None keeps it whole.
        canary_weight: the weight that the canary still has and has to be able to carry.
    """
    if scale is not None and scale.replicas is not None:
        canary = scale.replicas
    else:
        share = weight if scale is None or scale.weight is None else scale.weight
        carried = max(_worth(replicas, share, whole), _worth(replicas, canary_weight, whole))
        canary = _at_least(carried, least, replicas)
    if stable_weight is None:
        return Counts(canary, replicas)
    stable = max(_worth(replicas, whole - weight, whole), _worth(replicas, stable_weight, whole))
    return Counts(canary, _at_least(stable, least, replicas))


def _worth(replicas: int, weight: int, whole: int) -> int:
    """Say how many replicas a weight is worth, rounded up."""
    return -(-replicas * weight // whole)


def _at_least(count: int, least: int | None, replicas: int) -> int:
    """Raise a side that has any pods to the floor."""
    return count if count == 0 or least is None else max(count, min(least, replicas))


def _share(value: IntOrPercent, replicas: int, rounding: "type[int] | object") -> int:
    """Resolve one bound, rounding a percentage by `rounding`."""
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%"))
    return -(-replicas * percent // 100) if rounding is ceil else replicas * percent // 100


def _drain(wanted: int, goal: int, spare: int, now: int) -> int:
    """Give up to `spare` replicas back, down to `goal`; `now` is what growing made of it."""
    return now if wanted <= goal else max(goal, wanted - spare)
