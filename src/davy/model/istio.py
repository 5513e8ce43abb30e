"""The VirtualService of Istio, as far as a Rollout refers to it; the rest is carried along."""

from typing import Any

from davy.model.meta import Manifest
from davy.model.part import Int32, Opaque, Part


class Port(Part, frozen=True):
    """A port by number."""

    number: Int32 = 0


class Destination(Part, frozen=True):
    """A service, or one subset of it."""

    host: str
    subset: str = ""
    port: Port | None = None


class RouteDestination(Part, frozen=True):
    """A destination and its share of the traffic."""

    destination: Destination
    weight: Int32 = 0
    headers: Opaque | None = None


class HTTPRoute(Part, frozen=True):
    """An HTTP route; `name` is what a Rollout selects it by."""

    name: str = ""
    match: tuple[Opaque, ...] = ()
    route: tuple[RouteDestination, ...] = ()
    cors_policy: Opaque | None = None
    delegate: Opaque | None = None
    direct_response: Opaque | None = None
    fault: Opaque | None = None
    headers: Opaque | None = None
    mirror: Opaque | None = None
    mirror_percent: Any = None
    mirror_percentage: Opaque | None = None
    mirrors: tuple[Opaque, ...] = ()
    redirect: Opaque | None = None
    retries: Opaque | None = None
    rewrite: Opaque | None = None
    timeout: str | None = None


class TLSMatch(Part, frozen=True):
    """Which TLS connections a route takes."""

    sni_hosts: tuple[str, ...] = ()
    port: Int32 = 0
    destination_subnets: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    source_labels: Opaque | None = None
    source_namespace: str = ""


class TLSRoute(Part, frozen=True):
    """A TLS route, selected by port and server name."""

    match: tuple[TLSMatch, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class TCPMatch(Part, frozen=True):
    """Which TCP connections a route takes."""

    port: Int32 = 0
    destination_subnets: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    source_labels: Opaque | None = None
    source_namespace: str = ""
    source_subnet: str = ""


class TCPRoute(Part, frozen=True):
    """A TCP route, selected by port."""

    match: tuple[TCPMatch, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class VirtualServiceSpec(Part, frozen=True):
    """Hosts, gateways and routes."""

    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HTTPRoute, ...] = ()
    tls: tuple[TLSRoute, ...] = ()
    tcp: tuple[TCPRoute, ...] = ()
    export_to: tuple[str, ...] = ()


class VirtualService(Manifest, frozen=True, kw_only=True):
    """The routes in which Istio keeps the weights."""

    spec: VirtualServiceSpec = VirtualServiceSpec()
    api_version: str = "networking.istio.io/v1"
    kind: str = "VirtualService"
