"""How the canary's share of the traffic is written down for each router: a canary's `trafficRouting`."""

from collections.abc import Mapping
from typing import Any

from davy.model.part import Int32, Int64, Part


class TLSRoute(Part, frozen=True):
    """TLS routes of a VirtualService, by port and server name."""

    port: Int64 = 0
    sni_hosts: tuple[str, ...] = ()


class TCPRoute(Part, frozen=True):
    """TCP routes of a VirtualService, by port."""

    port: Int64 = 0


class IstioVirtualService(Part, frozen=True):
    """Which routes of which VirtualService carry the weights."""

    name: str
    routes: tuple[str, ...] = ()
    tls_routes: tuple[TLSRoute, ...] = ()
    tcp_routes: tuple[TCPRoute, ...] = ()


class IstioDestinationRule(Part, frozen=True):
    """Which subsets of which DestinationRule are canary and stable."""

    name: str
    canary_subset_name: str
    stable_subset_name: str
    additional_subset_names: tuple[str, ...] = ()


class IstioTrafficRouting(Part, frozen=True):
    """Weights in one or several VirtualServices, by service or by subset."""

    virtual_service: IstioVirtualService | None = None
    virtual_services: tuple[IstioVirtualService, ...] = ()
    destination_rule: IstioDestinationRule | None = None


class NginxTrafficRouting(Part, frozen=True):
    """Weights as annotations of a second Ingress."""

    stable_ingress: str = ""
    stable_ingresses: tuple[str, ...] = ()
    annotation_prefix: str = ""
    additional_ingress_annotations: Mapping[str, str] = {}
    canary_ingress_annotations: Mapping[str, str] = {}


class StickinessConfig(Part, frozen=True):
    """Whether a load balancer keeps users on the target group they met first."""

    enabled: bool
    duration_seconds: Int64


class ALBTrafficRouting(Part, frozen=True):
    """Weights as an action annotation of an AWS load balancer's Ingress."""

    service_port: Int32
    ingress: str = ""
    ingresses: tuple[str, ...] = ()
    root_service: str = ""
    annotation_prefix: str = ""
    stickiness_config: StickinessConfig | None = None


class SMITrafficRouting(Part, frozen=True):
    """Weights in a TrafficSplit."""

    root_service: str = ""
    traffic_split_name: str = ""


class AmbassadorTrafficRouting(Part, frozen=True):
    """Weights in a copy of each Mapping."""

    mappings: tuple[str, ...]


class TraefikTrafficRouting(Part, frozen=True):
    """Weights in a TraefikService."""

    weighted_traefik_service_name: str


class ApisixRoute(Part, frozen=True):
    """Which rules of which ApisixRoute carry the weights."""

    name: str
    rules: tuple[str, ...] = ()


class ApisixTrafficRouting(Part, frozen=True):
    """Weights in an ApisixRoute."""

    route: ApisixRoute | None = None


class AppMeshVirtualService(Part, frozen=True):
    """Which routes of which App Mesh virtual service carry the weights."""

    name: str
    routes: tuple[str, ...] = ()


class AppMeshVirtualNodeReference(Part, frozen=True):
    """A virtual node by name."""

    name: str


class AppMeshVirtualNodeGroup(Part, frozen=True):
    """The virtual nodes of both versions."""

    canary_virtual_node_ref: AppMeshVirtualNodeReference
    stable_virtual_node_ref: AppMeshVirtualNodeReference


class AppMeshTrafficRouting(Part, frozen=True):
    """Weights in an App Mesh VirtualRouter."""

    virtual_service: AppMeshVirtualService | None = None
    virtual_node_group: AppMeshVirtualNodeGroup | None = None


class ManagedRoute(Part, frozen=True):
    """The name of a route that header and mirror steps may create and remove."""

    name: str


class RolloutTrafficRouting(Part, frozen=True):
    """Whose routes carry the weights, and how fine they are; several routers may be named at once."""

    istio: IstioTrafficRouting | None = None
    nginx: NginxTrafficRouting | None = None
    alb: ALBTrafficRouting | None = None
    smi: SMITrafficRouting | None = None
    ambassador: AmbassadorTrafficRouting | None = None
    app_mesh: AppMeshTrafficRouting | None = None
    traefik: TraefikTrafficRouting | None = None
    apisix: ApisixTrafficRouting | None = None
    plugins: Mapping[str, Any] = {}
    managed_routes: tuple[ManagedRoute, ...] = ()
    max_traffic_weight: Int32 | None = None
