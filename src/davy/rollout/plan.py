"""What a manifest asks for, step by step: weights, scales and routes, and how a step is called.

Sources: `utils/replicaset/canary.go` of argoproj/argo-rollouts (Apache-2.0) for what holds on a step.
"""

from collections.abc import Mapping

from davy.model.rollout import BlueGreenStrategy, CanaryStep, CanaryStrategy, Rollout, SetCanaryScale
from davy.model.steps import RolloutAnalysisBackground, SetHeaderRoute, SetMirrorRoute

ARGO_SCALE_DOWN_DELAY_S = 30
"""How long what an experiment ran stays up where it does not say."""


def canary(rollout: Rollout) -> CanaryStrategy:
    """Return the canary strategy, which has to be there."""
    strategy = rollout.spec.strategy.canary
    assert strategy is not None
    return strategy


def blue_green(rollout: Rollout) -> BlueGreenStrategy | None:
    """Return the blue/green strategy, None for a canary."""
    return rollout.spec.strategy.blue_green


def strategy(rollout: Rollout) -> CanaryStrategy | BlueGreenStrategy:
    """Return the strategy, whichever it is, for what both have."""
    return blue_green(rollout) or canary(rollout)


def steps(rollout: Rollout) -> tuple[CanaryStep, ...]:
    """Return the steps; a plain rolling update and blue/green have none."""
    strategy = rollout.spec.strategy.canary
    return () if strategy is None else strategy.steps


def full_weight(rollout: Rollout) -> int:
    """Return the weight that means all of the traffic."""
    strategy = rollout.spec.strategy.canary
    return 100 if strategy is None else strategy.full_weight


def background(rollout: Rollout) -> RolloutAnalysisBackground | None:
    """Return the analysis beside the steps, None without one or where it would begin after the last."""
    strategy = rollout.spec.strategy.canary
    analysis = None if strategy is None else strategy.analysis
    return None if analysis is None or (analysis.starting_step or 0) > len(steps(rollout)) else analysis


def is_routed(rollout: Rollout) -> bool:
    """Say whether requests are split by a router, rather than by the ratio of pods."""
    strategy = rollout.spec.strategy.canary
    return strategy is None or strategy.traffic_routing is not None


def set_weight(rollout: Rollout, index: int) -> int:
    """Return the weight that holds on step `index`: the last setWeight at or before it, else 0."""
    plan = steps(rollout)
    if index >= len(plan):
        return full_weight(rollout)
    weights = [step.set_weight for step in plan[: index + 1] if step.set_weight is not None]
    return weights[-1] if weights else 0


def first_weight(rollout: Rollout) -> int:
    """Return the weight with which the first traffic is to come, 0 where no step gives any."""
    return next((step.set_weight for step in steps(rollout) if step.set_weight), 0)


def asks_for_more(rollout: Rollout, index: int) -> bool:
    """Say whether the step after `index` sends more users to a canary that has some.

    It does with a greater weight, with a route for some headers, and with an experiment that takes users for
    the new version. What comes after the last step is promotion, which is another question.
    """
    plan, held = steps(rollout), set_weight(rollout, index)
    if index + 1 >= len(plan) or not held:
        return False
    following = plan[index + 1]
    sides = following.experiment.templates if following.experiment is not None else ()
    return (
        set_weight(rollout, index + 1) > held
        or (following.set_header_route is not None and bool(following.set_header_route.match))
        or any(side.spec_ref == "canary" and side.weight for side in sides)
    )


def set_scale(rollout: Rollout, index: int) -> SetCanaryScale | None:
    """Return the scale that holds on step `index` apart from the weight, None where replicas follow the weight.

    It is the last setCanaryScale at or before the step; `matchTrafficWeight` ends it, as the last step does.
    """
    plan = steps(rollout)
    if index >= len(plan) or not is_routed(rollout):
        return None
    scales = [step.set_canary_scale for step in plan[: index + 1] if step.set_canary_scale is not None]
    return scales[-1] if scales and not scales[-1].match_traffic_weight else None


def set_routes(rollout: Rollout, index: int) -> tuple[SetHeaderRoute | SetMirrorRoute, ...]:
    """Return the header and mirror routes that hold on step `index`, in the order of `managedRoutes`.

    A later step of the same name takes the place of an earlier one, and takes it away when it matches nothing.
    """
    held: dict[str, SetHeaderRoute | SetMirrorRoute] = {}
    for step in steps(rollout)[: index + 1]:
        route = step.set_header_route or step.set_mirror_route
        if route is not None:
            held[route.name] = route
    return tuple(held[name] for name in _managed(rollout, held) if held[name].match)


def _managed(rollout: Rollout, held: Mapping[str, object]) -> list[str]:
    """Order the names of routes."""
    strategy = rollout.spec.strategy.canary
    routing = None if strategy is None else strategy.traffic_routing
    return [route.name for route in (routing.managed_routes if routing else ()) if route.name in held]


def describe(step: CanaryStep) -> str:
    """Say in a few words what a step does, as Argo does in its events."""
    if step.set_weight is not None:
        return f"setWeight: {step.set_weight}"
    if step.pause is not None:
        return "pause" if step.pause.duration is None else f"pause: {step.pause.duration}"
    if step.set_canary_scale is not None:
        return f"setCanaryScale: {_scale(step.set_canary_scale)}"
    if step.set_header_route is not None:
        return f"setHeaderRoute: {step.set_header_route.name}"
    if step.set_mirror_route is not None:
        return f"setMirrorRoute: {step.set_mirror_route.name}"
    return "analysis" if step.experiment is None else "experiment"


def _scale(scale: SetCanaryScale) -> str:
    if scale.match_traffic_weight:
        return "matchTrafficWeight"
    if scale.weight is not None:
        return f"{scale.weight} %"
    return f"{scale.replicas} replica{'' if scale.replicas == 1 else 's'}"
