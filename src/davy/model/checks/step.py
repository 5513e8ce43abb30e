"""What has to hold of one step of a canary."""

import re

from davy.model.checks.complaints import Complaints
from davy.model.checks.rollout_analysis import validate_rollout_analysis
from davy.model.rollout import CanaryStrategy
from davy.model.routing import RolloutTrafficRouting
from davy.model.source import join
from davy.model.steps import (
    CanaryStep,
    RolloutPause,
    SetCanaryScale,
    SetHeaderRoute,
    SetMirrorRoute,
    StringMatch,
)

_KINDS = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
_ROUTING = "spec.strategy.canary.trafficRouting"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
_SOME_VALUE = "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
_ONE_VALUE = "StringMatch match value must have exactly one of the following: exact, regex, prefix"


def validate_step(path: str, step: CanaryStep, canary: CanaryStrategy, complaints: Complaints) -> None:
    """Hold a step against `ValidateRolloutStrategyCanary` of Argo Rollouts; a step is one thing."""
    kinds = [name for name in step.__struct_fields__ if getattr(step, name) is not None]
    if len(kinds) != 1:
        label = "this is nothing: write `pause: {}` to wait for somebody" if not kinds else "these are several"
        complaints.add(path, _KINDS, label=label, fix="make each of them a step of its own" if kinds else "")
    routing = canary.traffic_routing
    if step.set_weight is not None and not 0 <= step.set_weight <= canary.full_weight:
        title = f"SetWeight needs to be between 0 and {canary.full_weight}"
        complaints.add(f"{path}.setWeight", title, part="value")
    if step.pause is not None:
        _validate_pause(f"{path}.pause", step.pause, complaints)
    if step.analysis is not None:
        validate_rollout_analysis(f"{path}.analysis", step.analysis, complaints)
    if step.set_canary_scale is not None:
        _validate_scale(f"{path}.setCanaryScale", step.set_canary_scale, routing, complaints)
    if step.set_header_route is not None:
        _validate_header_route(f"{path}.setHeaderRoute", step.set_header_route, routing, complaints)
    if step.set_mirror_route is not None:
        _validate_mirror_route(f"{path}.setMirrorRoute", step.set_mirror_route, routing, complaints)


def _validate_pause(path: str, pause: RolloutPause, complaints: Complaints) -> None:
    if pause.seconds is not None and pause.seconds < 0:
        fix = "write seconds, or a duration such as 90s, 15m or 24h"
        complaints.add(f"{path}.duration", "Duration needs to be greater than 0", part="value", fix=fix)


def _validate_scale(
    path: str, scale: SetCanaryScale, routing: RolloutTrafficRouting | None, complaints: Complaints
) -> None:
    if routing is None:
        complaints.add(path, "SetCanaryScale requires TrafficRouting to be set", part="key")
    if (scale.weight is not None) + (scale.replicas is not None) + scale.match_traffic_weight != 1:
        title = "SetCanaryScale needs exactly one of weight, replicas and matchTrafficWeight"
        complaints.add(path, title, part="key")
    complaints.check_least(f"{path}.weight", scale.weight)
    complaints.check_least(f"{path}.replicas", scale.replicas)


def _validate_header_route(
    path: str, route: SetHeaderRoute, routing: RolloutTrafficRouting | None, complaints: Complaints
) -> None:
    if routing is None or not (routing.istio or routing.alb or routing.apisix or routing.plugins):
        title = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix"
        complaints.add(path, title, part="key")
        return
    for index, match in enumerate(route.match):
        below = f"{path}.match[{index}]"
        value = match.header_value
        _validate_header(f"{below}.headerName", match.header_name, complaints)
        if routing.alb is not None and value is not None:
            if not value.exact or value.regex or value.prefix:
                title = "SetHeaderRoute match value invalid. ALB supports 'exact' value only"
                complaints.add(f"{below}.headerValue", title, part="key")
        else:
            _validate_match(f"{below}.headerValue", value, complaints)
    _validate_managed(path, route.name, routing, complaints)


def _validate_mirror_route(
    path: str, route: SetMirrorRoute, routing: RolloutTrafficRouting | None, complaints: Complaints
) -> None:
    if routing is None or not (routing.istio or routing.plugins):
        title = "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins"
        complaints.add(path, title, part="key")
    if route.percentage is not None and not 0 <= route.percentage <= 100:
        complaints.add(f"{path}.percentage", "a percentage is between 0 and 100", part="value")
    for index, match in enumerate(route.match):
        below = f"{path}.match[{index}]"
        if match.method is not None:
            _validate_match(f"{below}.method", match.method, complaints)
        if match.path is not None:
            _validate_match(f"{below}.path", match.path, complaints)
        for header, value in match.headers.items():
            _validate_header(join(f"{below}.headers", header), header, complaints)
            _validate_match(join(f"{below}.headers", header), value, complaints)
    if routing is not None:
        _validate_managed(path, route.name, routing, complaints)


def _validate_header(path: str, name: str, complaints: Complaints) -> None:
    """Refuse a header that no request can have, since a proxy takes no route with it."""
    if not _HEADER.fullmatch(name):
        complaints.add(path, f"{name!r} is not the name of a header")


def _validate_match(path: str, match: StringMatch | None, complaints: Complaints) -> None:
    values = [text for text in (match.exact, match.prefix, match.regex) if text] if match else []
    if not values:
        complaints.add(path, _SOME_VALUE)
    elif len(values) > 1:
        complaints.add(path, _ONE_VALUE, part="key")
    elif match is not None and match.regex:
        complaints.check_pattern(f"{path}.regex", match.regex)


def _validate_managed(path: str, name: str, routing: RolloutTrafficRouting, complaints: Complaints) -> None:
    if not routing.managed_routes:
        title = f"Rollout has missing field '{_ROUTING}.managedRoutes'"
        complaints.add(f"{_ROUTING}.managedRoutes", title, code="DV007", part="key")
    elif name not in [managed.name for managed in routing.managed_routes]:
        title = f"Steps define a route that does not exist in {_ROUTING}.managedRoutes"
        complaints.add(f"{path}.name", title, fix=f"add `- name: {name}` there")
