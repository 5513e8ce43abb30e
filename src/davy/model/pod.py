"""The pod template as far as a local process can be made of it; the rest is carried along, and said so."""

from collections.abc import Mapping
from typing import Any

import msgspec

from davy.model.meta import PodMeta
from davy.model.part import Int32, Int64, IntOrString, Opaque, Part


class EnvVarSource(Part, frozen=True):
    """Where the value of a variable comes from; only `field_ref` can be answered on one machine."""

    field_ref: "ObjectFieldSelector | None" = None
    resource_field_ref: Opaque | None = None
    config_map_key_ref: "KeySelector | None" = None
    secret_key_ref: "KeySelector | None" = None
    file_key_ref: Opaque | None = None


class ObjectFieldSelector(Part, frozen=True):
    """A field of the pod itself, e.g. `metadata.name` or `status.podIP`."""

    field_path: str
    api_version: str = ""


class KeySelector(Part, frozen=True):
    """A key of a ConfigMap or a Secret."""

    key: str
    name: str = ""
    optional: bool = False


class EnvVar(Part, frozen=True):
    """One variable of the environment; `$(OTHER)` in its value is expanded as in Kubernetes."""

    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class ContainerPort(Part, frozen=True):
    """A port that the container listens on."""

    container_port: Int32
    name: str = ""
    protocol: str = "TCP"
    host_port: Int32 = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class HTTPHeader(Part, frozen=True):
    """A header that a probe sends."""

    name: str
    value: str


class ExecAction(Part, frozen=True):
    """A command that has to exit with 0."""

    command: tuple[str, ...] = ()


class HTTPGetAction(Part, frozen=True):
    """A request that has to be answered with 200 to 399; `port` is a number or the name of a port."""

    port: IntOrString
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Part, frozen=True):
    """A port that has to accept a connection."""

    port: IntOrString
    host: str = ""


class Probe(Part, frozen=True):
    """How to see that a container has started, is ready or alive: one handler and its timings in seconds."""

    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    exec: ExecAction | None = None
    grpc: Opaque | None = None
    initial_delay_seconds: Int32 = 0
    period_seconds: Int32 = 10
    timeout_seconds: Int32 = 1
    success_threshold: Int32 = 1
    failure_threshold: Int32 = 3
    termination_grace_period_seconds: Int64 | None = None


class SleepAction(Part, frozen=True):
    """Wait before going on."""

    seconds: Int64


class LifecycleHandler(Part, frozen=True):
    """What is done around the life of a container."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Part, frozen=True):
    """What is done after a container started and before it is stopped."""

    pre_stop: LifecycleHandler | None = None
    post_start: LifecycleHandler | None = None
    stop_signal: str | None = None


class ResourceRequirements(Part, frozen=True):
    """What a container asks for and may use; quantities are carried as written."""

    limits: Mapping[str, int | float | str] = {}
    requests: Mapping[str, int | float | str] = {}
    claims: tuple[Opaque, ...] = ()


class Container(Part, frozen=True):
    """One container; on one machine it is one process."""

    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    working_dir: str = ""
    lifecycle: Lifecycle | None = None
    resources: ResourceRequirements = ResourceRequirements()
    env_from: tuple[Opaque, ...] = ()
    volume_mounts: tuple[Opaque, ...] = ()
    volume_devices: tuple[Opaque, ...] = ()
    security_context: Opaque | None = None
    image_pull_policy: str = ""
    resize_policy: tuple[Opaque, ...] = ()
    restart_policy: str | None = None
    restart_policy_rules: tuple[Opaque, ...] = ()
    termination_message_path: str = ""
    termination_message_policy: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


class PodSpec(Part, frozen=True):
    """The specification of a pod.

    Fields below `termination_grace_period_seconds` mean nothing to a local process. They are named here so that
    real manifests load and misspelt ones do not.
    """

    containers: tuple[Container, ...] = ()
    termination_grace_period_seconds: Int64 | None = None
    active_deadline_seconds: Int64 | None = None
    affinity: Opaque | None = None
    automount_service_account_token: bool | None = None
    dns_config: Opaque | None = None
    dns_policy: str = ""
    enable_service_links: bool | None = None
    ephemeral_containers: tuple[Opaque, ...] = ()
    host_aliases: tuple[Opaque, ...] = ()
    host_ipc: bool = msgspec.field(default=False, name="hostIPC")
    host_network: bool = False
    host_pid: bool = msgspec.field(default=False, name="hostPID")
    host_users: bool | None = None
    hostname: str = ""
    hostname_override: str | None = None
    image_pull_secrets: tuple[Opaque, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""
    node_selector: Mapping[str, str] = {}
    os: Opaque | None = None
    overhead: Mapping[str, Any] = {}
    preemption_policy: str | None = None
    priority: Int32 | None = None
    priority_class_name: str = ""
    readiness_gates: tuple[Opaque, ...] = ()
    resource_claims: tuple[Opaque, ...] = ()
    resources: Opaque | None = None
    restart_policy: str = ""
    runtime_class_name: str | None = None
    scheduler_name: str = ""
    scheduling_gates: tuple[Opaque, ...] = ()
    security_context: Opaque | None = None
    service_account: str = ""
    service_account_name: str = ""
    set_hostname_as_fqdn: bool | None = msgspec.field(default=None, name="setHostnameAsFQDN")
    share_process_namespace: bool | None = None
    subdomain: str = ""
    tolerations: tuple[Opaque, ...] = ()
    topology_spread_constraints: tuple[Opaque, ...] = ()
    volumes: tuple[Opaque, ...] = ()

    @property
    def termination_grace_s(self) -> int:
        """Seconds between SIGTERM and SIGKILL: 30 unless written otherwise."""
        seconds = self.termination_grace_period_seconds
        return 30 if seconds is None else seconds


class PodTemplateSpec(Part, frozen=True):
    """What the pods of one revision are made from; its hash identifies the revision."""

    metadata: PodMeta = PodMeta()
    spec: PodSpec = PodSpec()
