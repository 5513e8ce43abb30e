"""The routes that a rollout's router changes: that they are there, and lead to both versions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from davy.model.check import nearest
from davy.model.checks.complaints import Complaints
from davy.model.gateway import HTTPRoute
from davy.model.index import Index
from davy.model.istio import HTTPRoute as HTTP
from davy.model.istio import RouteDestination, TCPRoute, TLSRoute, VirtualService
from davy.model.rollout import CanaryStrategy, Rollout
from davy.model.routing import IstioDestinationRule, IstioVirtualService

_ROUTING = "spec.strategy.canary.trafficRouting"

#: The name under which Argo's Gateway API plug-in is configured.
GATEWAY_PLUGIN = "argoproj-labs/gatewayAPI"


def check_routes(rollout: Rollout, index: Index, complaints: Complaints) -> None:
    """Check the VirtualServices and HTTPRoutes of a rollout.

    One that is not among the documents is a warning only: it may be on the cluster already, and the embedded
    engine does without.
    """
    canary = rollout.spec.strategy.canary
    if canary is None or canary.traffic_routing is None:
        return
    namespace = rollout.metadata.namespace
    for path, wanted in _virtual_services(canary):
        _check_virtual_service(path, wanted, canary, namespace, index, complaints)
    for path, name, within in _http_routes(canary):
        _check_http_route(path, name, within or namespace, canary, index, complaints)


def _virtual_services(canary: CanaryStrategy) -> Iterator[tuple[str, IstioVirtualService]]:
    istio = canary.traffic_routing.istio if canary.traffic_routing is not None else None
    if istio is None:
        return
    if istio.virtual_service is not None:
        yield f"{_ROUTING}.istio.virtualService", istio.virtual_service
    for number, wanted in enumerate(istio.virtual_services):
        yield f"{_ROUTING}.istio.virtualServices[{number}]", wanted


def _check_virtual_service(
    path: str,
    wanted: IstioVirtualService,
    canary: CanaryStrategy,
    namespace: str,
    index: Index,
    complaints: Complaints,
) -> None:
    name, dot, within = wanted.name.removesuffix(".cluster.local").rpartition(".")
    if not dot:
        name, within = wanted.name, namespace
    found = index.get("VirtualService", within, name)
    if found is None:
        _warn_missing(f"{path}.name", "VirtualService", name, index.names("VirtualService", within), complaints)
        return
    assert isinstance(found, VirtualService)
    if not found.spec.http and not found.spec.tls and not found.spec.tcp:
        title = "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"
        complaints.add(f"{path}.name", title, part="value")
    named = [route.name for route in found.spec.http if route.name]
    for number, route in enumerate(wanted.routes):
        if route not in named:
            _complain_of_route(f"{path}.routes[{number}]", name, route, named, complaints)
    managed = [route.name for route in canary.traffic_routing.managed_routes] if canary.traffic_routing else []
    chosen = {
        "HTTP": _http(wanted, [route for route in found.spec.http if route.name not in managed]),
        "TLS": _tls(wanted, found.spec.tls),
        "TCP": _tcp(wanted, found.spec.tcp),
    }
    for protocol, routes in chosen.items():
        if isinstance(routes, str):
            reasons = [routes]
        else:
            reasons = [reason for route in routes for reason in _missing_destinations(route.route, canary)]
        for reason in dict.fromkeys(reasons):
            title = f"Istio VirtualService has invalid {protocol} routes. Error: {reason}"
            complaints.add(f"{path}.name", title, code="DV010", part="value")


def _http(wanted: IstioVirtualService, routes: Sequence[HTTP]) -> Sequence[HTTP] | str:
    """Choose the HTTP routes that carry the weights, or say in Argo's words why that cannot be done."""
    if not wanted.routes and len(routes) > 1:
        return (
            "spec.http[] should be set in VirtualService and it must have exactly one route when omitting "
            "spec.strategy.canary.trafficRouting.istio.virtualService.routes"
        )
    return [route for route in routes if not wanted.routes or route.name in wanted.routes]


def _tls(wanted: IstioVirtualService, routes: Sequence[TLSRoute]) -> Sequence[TLSRoute] | str:
    """Choose the TLS routes that carry the weights: those with exactly the port and the server names."""
    if not wanted.tls_routes and len(routes) > 1:
        return (
            "spec.tls[] should be set in VirtualService and it must have exactly one route when omitting "
            "spec.strategy.canary.trafficRouting.istio.virtualService.tlsRoutes"
        )
    if not wanted.tls_routes or not routes:
        return routes
    asked = [(asked.port, set(asked.sni_hosts)) for asked in wanted.tls_routes]
    names = [{host for match in route.match for host in match.sni_hosts} for route in routes]
    found = [(_port(route), hosts) for route, hosts in zip(routes, names, strict=True)]
    if any(one not in found for one in asked):
        return "No matching TLS routes found in the defined Virtual Service."
    return [route for route, seen in zip(routes, found, strict=True) if seen in asked]


def _tcp(wanted: IstioVirtualService, routes: Sequence[TCPRoute]) -> Sequence[TCPRoute] | str:
    """Choose the TCP routes that carry the weights: those with the port."""
    if not wanted.tcp_routes and len(routes) > 1:
        return (
            "spec.tcp[] should be set in VirtualService and it must have exactly one route when omitting "
            "spec.strategy.canary.trafficRouting.istio.virtualService.tcpRoutes"
        )
    if not wanted.tcp_routes or not routes:
        return routes
    asked = {asked.port for asked in wanted.tcp_routes}
    if not asked <= {_port(route) for route in routes}:
        return "No matching TCP routes found in the defined Virtual Service."
    return [route for route in routes if _port(route) in asked]


def _port(route: TLSRoute | TCPRoute) -> int | None:
    """Return the one port of a route, 0 where it names none; several never match."""
    ports = {match.port for match in route.match} or {0}
    return ports.pop() if len(ports) == 1 else None


def _rule(canary: CanaryStrategy) -> IstioDestinationRule | None:
    routing = canary.traffic_routing
    return routing.istio.destination_rule if routing is not None and routing.istio is not None else None


def _missing_destinations(destinations: Sequence[RouteDestination], canary: CanaryStrategy) -> Iterator[str]:
    """Name, in Argo's words, the versions that a route does not lead to."""
    rule = _rule(canary)
    if rule is not None:
        subsets = {each.destination.subset for each in destinations}
        for role, subset in (("Canary", rule.canary_subset_name), ("Stable", rule.stable_subset_name)):
            if subset not in subsets:
                yield f"{role} DestinationRule subset '{subset}' not found in route"
        return
    hosts = {each.destination.host.partition(".")[0] for each in destinations}
    for role, service in _services(canary):
        if service not in hosts:
            yield f"{role} Service '{service}' not found in route"


def _services(canary: CanaryStrategy) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the services of both versions; with ping-pong either may be either."""
    if canary.ping_pong is not None:
        return ("Canary", canary.ping_pong.ping_service), ("Stable", canary.ping_pong.pong_service)
    return ("Canary", canary.canary_service), ("Stable", canary.stable_service)


def _complain_of_route(path: str, name: str, route: str, known: list[str], complaints: Complaints) -> None:
    meant = nearest(route, known)
    label = f"did you mean {meant}?" if meant else ""
    fix = f"routes there: {', '.join(known)}" if known else "give the route a name"
    title = f"HTTP Route '{route}' is not found in the defined Virtual Service {name}."
    complaints.add(path, title, code="DV010", part="value", label=label, fix=fix)


def _http_routes(canary: CanaryStrategy) -> Iterator[tuple[str, str, str]]:
    """Go through the HTTPRoutes that the Gateway API plug-in is told of: path, name, namespace."""
    routing = canary.traffic_routing
    config = routing.plugins.get(GATEWAY_PLUGIN) if routing is not None else None
    if not isinstance(config, Mapping):
        return
    path = f'{_ROUTING}.plugins["{GATEWAY_PLUGIN}"]'
    namespace = str(config.get("namespace") or "")
    if isinstance(config.get("httpRoute"), str):
        yield f"{path}.httpRoute", config["httpRoute"], namespace
    routes: Any = config.get("httpRoutes")
    for number, route in enumerate(routes if isinstance(routes, list | tuple) else ()):
        if isinstance(route, Mapping) and isinstance(route.get("name"), str):
            yield f"{path}.httpRoutes[{number}].name", route["name"], namespace


def _check_http_route(
    path: str, name: str, namespace: str, canary: CanaryStrategy, index: Index, complaints: Complaints
) -> None:
    found = index.get("HTTPRoute", namespace, name)
    if found is None:
        _warn_missing(path, "HTTPRoute", name, index.names("HTTPRoute", namespace), complaints)
        return
    assert isinstance(found, HTTPRoute)
    for number, rule in enumerate(found.spec.rules):
        backends = [backend.name for backend in rule.backend_refs]
        for role, service in _services(canary):
            if service not in backends:
                title = f"{role} Service '{service}' not found in rule {number} of HTTPRoute {name}"
                complaints.add(path, title, code="DV010", part="value")


def _warn_missing(path: str, kind: str, name: str, known: list[str], complaints: Complaints) -> None:
    meant = nearest(name, known)
    label = f"did you mean {meant}?" if meant else "it has to be on the cluster"
    title = f"{kind} '{name}' is not among these manifests"
    complaints.add(path, title, code="DV010", severity="warning", part="value", label=label)
