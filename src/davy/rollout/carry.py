"""Weights that no replica can carry: without a router, traffic follows pods, and few pods make coarse weights.

Argo Rollouts takes such a step at once and without a canary pod, so that every analysis after it measures
nothing. Davy refuses the manifest instead.
"""

from davy.model.rollout import Rollout
from davy.rollout.plan import describe
from davy.rollout.replicas import approximate, resolve_bounds


def uncarried(rollout: Rollout) -> tuple[tuple[int, str], ...]:
    """Find the setWeight steps that leave the canary without a pod: their index, and why."""
    plan = rollout.spec.strategy.canary
    n = rollout.spec.desired_replicas
    if plan is None or n == 0:
        return ()
    found = []
    for index, step in enumerate(plan.steps):
        weight = step.set_weight or 0
        if weight > 0 and plan.traffic_routing is None:
            surge = resolve_bounds(plan.max_surge, plan.max_unavailable, n).surge
            if approximate(n, weight, plan.full_weight, surge).canary == 0:
                reason = f"{weight} % of {n} replicas with maxSurge {surge} is no replica at all"
                found.append((index, f"{describe(step)}: {reason}"))
    return tuple(found)
