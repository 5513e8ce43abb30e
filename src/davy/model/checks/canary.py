"""What has to hold of a canary strategy."""

from davy.model.checks.complaints import Complaints
from davy.model.checks.experiment import validate_experiment
from davy.model.checks.rollout_analysis import validate_rollout_analysis
from davy.model.checks.step import validate_step
from davy.model.part import IntOrString, int_value
from davy.model.rollout import AntiAffinity, CanaryStrategy, RolloutAnalysisBackground
from davy.model.routing import RolloutTrafficRouting

_PATH = "spec.strategy.canary"
_SERVICES = "Canary service and Stable service must to be set to use Traffic Routing"


def validate_canary(canary: CanaryStrategy, complaints: Complaints) -> None:
    """Hold a canary strategy against `ValidateRolloutStrategyCanary` of Argo Rollouts."""
    _validate_bounds(canary, complaints)
    if canary.canary_service and canary.canary_service == canary.stable_service:
        title = (
            "This rollout uses the same service for the stable and canary services, "
            "but two different services are required."
        )
        complaints.add(f"{_PATH}.stableService", title)
    _validate_ping_pong(canary, complaints)
    if canary.traffic_routing is None:
        _validate_without_routing(canary, complaints)
    else:
        _validate_routing(canary, canary.traffic_routing, complaints)
    for index, step in enumerate(canary.steps):
        validate_step(f"{_PATH}.steps[{index}]", step, canary, complaints)
        if step.experiment is not None:
            weights = [each.set_weight for each in canary.steps[:index] if each.set_weight is not None]
            path, weight = f"{_PATH}.steps[{index}].experiment", weights[-1] if weights else 0
            validate_experiment(path, step.experiment, canary, weight, complaints)
    if canary.analysis is not None:
        validate_rollout_analysis(f"{_PATH}.analysis", canary.analysis, complaints)
        _validate_start(canary, canary.analysis, complaints)
    validate_anti_affinity(f"{_PATH}.antiAffinity", canary.anti_affinity, complaints)


def _validate_start(
    canary: CanaryStrategy, analysis: RolloutAnalysisBackground, complaints: Complaints
) -> None:
    """Refuse a background analysis that begins after everything else has ended."""
    path, start, count = f"{_PATH}.analysis.startingStep", analysis.starting_step, len(canary.steps)
    complaints.check_least(path, start)
    if start is not None and start > count:
        title = f"`startingStep` is {start} of {count} steps: this analysis would never run"
        complaints.add(path, title, part="value", fix=f"write a step from 0 to {count}")


def validate_anti_affinity(path: str, affinity: AntiAffinity | None, complaints: Complaints) -> None:
    """Refuse an anti-affinity that is none, or two."""
    if affinity is None:
        return
    preferred = affinity.preferred_during_scheduling_ignored_during_execution
    required = affinity.required_during_scheduling_ignored_during_execution
    if (preferred is None) == (required is None):
        complaints.add(path, "AntiAffinity must have exactly one strategy listed", part="key")
    if preferred is not None and not 1 <= preferred.weight <= 100:
        below = f"{path}.preferredDuringSchedulingIgnoredDuringExecution.weight"
        complaints.add(below, "AntiAffinity weight must be between 1-100")


def _validate_bounds(canary: CanaryStrategy, complaints: Complaints) -> None:
    complaints.check_bound(f"{_PATH}.maxSurge", canary.max_surge)
    complaints.check_bound(f"{_PATH}.maxUnavailable", canary.max_unavailable)
    if _is_zero(canary.max_surge) and _is_zero(canary.max_unavailable):
        fix = "let one of them be at least 1"
        complaints.add(f"{_PATH}.maxSurge", "MaxSurge and MaxUnavailable both can not be zero", fix=fix)
    for field, value in (
        ("scaleDownDelaySeconds", canary.scale_down_delay_seconds),
        ("scaleDownDelayRevisionLimit", canary.scale_down_delay_revision_limit),
        ("abortScaleDownDelaySeconds", canary.abort_scale_down_delay_seconds),
        ("minPodsPerReplicaSet", canary.min_pods_per_replica_set),
    ):
        complaints.check_least(f"{_PATH}.{field}", value)
    threshold = canary.replica_progress_threshold
    if threshold is not None:
        complaints.check_one_of(f"{_PATH}.replicaProgressThreshold.type", threshold.type, ("Percent", "Pods"))
        complaints.check_least(f"{_PATH}.replicaProgressThreshold.value", threshold.value)


def _is_zero(bound: IntOrString | None) -> bool:
    """Say whether a bound was written as nothing; one that was not written is 25 %."""
    return bound is not None and int_value(bound.rstrip("%") if isinstance(bound, str) else bound) == 0


def _validate_ping_pong(canary: CanaryStrategy, complaints: Complaints) -> None:
    ping_pong, routing = canary.ping_pong, canary.traffic_routing
    if ping_pong is None:
        return
    path = f"{_PATH}.pingPong"
    for field, service in (("pingService", ping_pong.ping_service), ("pongService", ping_pong.pong_service)):
        if not service:
            title = "Ping service and Pong service must to be set to use Ping-Pong feature"
            complaints.add(f"{path}.{field}", title)
    if ping_pong.ping_service == ping_pong.pong_service:
        title = (
            "This rollout uses the same service for the ping and pong services, "
            "but two different services are required."
        )
        complaints.add(f"{path}.pingService", title)
    if routing is None:
        return
    if routing.alb is None and routing.istio is None and not routing.plugins:
        title = "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only"
        complaints.add(path, title, part="key")
    if routing.alb is not None and not routing.alb.root_service:
        title = "Root service field is required for the configuration with ALB and ping-pong feature enabled"
        complaints.add(f"{_PATH}.trafficRouting.alb.rootService", title)


def _validate_without_routing(canary: CanaryStrategy, complaints: Complaints) -> None:
    if canary.scale_down_delay_seconds is not None:
        title = "Canary scaleDownDelaySeconds can only be used with traffic routing"
        complaints.add(f"{_PATH}.scaleDownDelaySeconds", title)
    if canary.dynamic_stable_scale:
        title = "Canary dynamicStableScale can only be used with traffic routing"
        complaints.add(f"{_PATH}.dynamicStableScale", title)


def _validate_routing(canary: CanaryStrategy, routing: RolloutTrafficRouting, complaints: Complaints) -> None:
    if _needs_services(canary, routing):
        for field, service in (
            ("stableService", canary.stable_service),
            ("canaryService", canary.canary_service),
        ):
            if not service:
                complaints.add(f"{_PATH}.{field}", _SERVICES, code="DV007", label=f"`{field}` is missing")
    if canary.scale_down_delay_seconds is not None and canary.dynamic_stable_scale:
        title = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
        complaints.add(f"{_PATH}.dynamicStableScale", title)
    path = f"{_PATH}.trafficRouting"
    if routing.max_traffic_weight is not None:
        complaints.check_least(f"{path}.maxTrafficWeight", routing.max_traffic_weight, 1)
        if routing.nginx is None and not routing.plugins:
            title = "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins"
            complaints.add(f"{path}.maxTrafficWeight", title)
    _validate_routers(path, routing, complaints)


def _needs_services(canary: CanaryStrategy, routing: RolloutTrafficRouting) -> bool:
    """Say whether a router finds the versions by their services (`requireCanaryStableServices`)."""
    by_service = (
        routing.smi,
        routing.apisix,
        routing.ambassador,
        routing.nginx,
        routing.app_mesh,
        routing.traefik,
    )
    if any(router is not None for router in by_service):
        return True
    if canary.ping_pong is not None:
        return False
    return routing.alb is not None or (routing.istio is not None and routing.istio.destination_rule is None)


def _validate_routers(path: str, routing: RolloutTrafficRouting, complaints: Complaints) -> None:
    istio, nginx, alb = routing.istio, routing.nginx, routing.alb
    if istio is not None and (istio.virtual_service is None) == (not istio.virtual_services):
        title = "either VirtualService or VirtualServices must be configured"
        complaints.add(f"{path}.istio", title, part="key")
    if nginx is not None and bool(nginx.stable_ingress) == bool(nginx.stable_ingresses):
        which = "Both" if nginx.stable_ingress else "Neither"
        title = f"Either StableIngress or StableIngresses must be configured. {which} are configured."
        complaints.add(f"{path}.nginx", title, part="key")
    if alb is not None and bool(alb.ingress) == bool(alb.ingresses):
        which = "Both" if alb.ingress else "Neither"
        title = f"Either Ingress or Ingresses must be configured. {which} are configured."
        complaints.add(f"{path}.alb", title, part="key")
