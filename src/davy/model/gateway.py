"""The HTTPRoute of the Gateway API, as far as a Rollout refers to it; the rest is carried along."""

from davy.model.meta import Manifest
from davy.model.part import Int32, Opaque, Part


class ParentRef(Part, frozen=True):
    """The Gateway, or the Service, that a route is attached to."""

    name: str
    group: str = ""
    kind: str = ""
    namespace: str = ""
    section_name: str = ""
    port: Int32 | None = None


class BackendRef(Part, frozen=True):
    """A service and its share of the traffic; a weight that is not written is 1."""

    name: str
    port: Int32 | None = None
    weight: Int32 = 1
    group: str = ""
    kind: str = "Service"
    namespace: str = ""
    filters: tuple[Opaque, ...] = ()


class HTTPRouteRule(Part, frozen=True):
    """Some requests and the services that answer them."""

    name: str = ""
    matches: tuple[Opaque, ...] = ()
    backend_refs: tuple[BackendRef, ...] = ()
    filters: tuple[Opaque, ...] = ()
    retry: Opaque | None = None
    session_persistence: Opaque | None = None
    timeouts: Opaque | None = None


class HTTPRouteSpec(Part, frozen=True):
    """Where a route is attached, for which hosts, and its rules."""

    parent_refs: tuple[ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRouteRule, ...] = ()
    use_default_gateways: str = ""


class HTTPRoute(Manifest, frozen=True, kw_only=True):
    """The rules in which a gateway keeps the weights."""

    spec: HTTPRouteSpec = HTTPRouteSpec()
    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "HTTPRoute"
