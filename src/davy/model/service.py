"""The Service of Kubernetes: the name that traffic is addressed to."""

from collections.abc import Mapping

import msgspec

from davy.model.meta import Manifest
from davy.model.part import Int32, IntOrString, Opaque, Part


class ServicePort(Part, frozen=True):
    """A port of the service and the port of the pods behind it."""

    port: Int32
    name: str = ""
    target_port: IntOrString | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None
    node_port: Int32 = 0


class ServiceSpec(Part, frozen=True):
    """Ports and the pods behind them; the fields below `selector` are carried along."""

    ports: tuple[ServicePort, ...] = ()
    selector: Mapping[str, str] = {}
    type: str = "ClusterIP"
    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: Int32 = 0
    internal_traffic_policy: str | None = None
    ip_families: tuple[str, ...] = ()
    ip_family: str | None = None
    ip_family_policy: str | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: tuple[str, ...] = ()
    publish_not_ready_addresses: bool = False
    session_affinity: str = ""
    session_affinity_config: Opaque | None = None
    topology_keys: tuple[str, ...] = ()
    traffic_distribution: str | None = None


class Service(Manifest, frozen=True, kw_only=True):
    """A name under which some pods are reached."""

    spec: ServiceSpec = ServiceSpec()
    api_version: str = "v1"
    kind: str = "Service"
