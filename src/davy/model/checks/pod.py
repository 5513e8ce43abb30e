"""What has to hold of a pod template, as far as a rollout of it can go wrong."""

import re

from davy.model.checks.complaints import Complaints
from davy.model.pod import Container, LifecycleHandler, PodTemplateSpec, Probe

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?", re.ASCII)
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*", re.ASCII)


def validate_pod_template(path: str, template: PodTemplateSpec, complaints: Complaints) -> None:
    """Hold the pod template at a path against `ValidatePodTemplateSpecForReplicaSet` of Kubernetes."""
    complaints.check_labels(f"{path}.metadata.labels", tuple(template.metadata.labels.items()))
    complaints.check_origin(f"{path}.metadata.annotations", template.metadata.annotations)
    spec = template.spec
    if not spec.containers:
        title = f"`{path}.spec.containers` is missing: Required value"
        complaints.add(f"{path}.spec.containers", title, code="DV007", part="key")
    containers = spec.containers + spec.init_containers
    complaints.check_unique(f"{path}.spec.containers", "name", [container.name for container in containers])
    for field, group in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(group):
            _validate_container(f"{path}.spec.{field}[{index}]", container, complaints)
    if spec.restart_policy not in ("", "Always"):
        title = f'`{path}.spec.restartPolicy` is {spec.restart_policy!r}: supported values: "Always"'
        complaints.add(f"{path}.spec.restartPolicy", title, part="value")
    if spec.active_deadline_seconds is not None:
        title = "activeDeadlineSeconds in ReplicaSet is not Supported"
        complaints.add(f"{path}.spec.activeDeadlineSeconds", title)
    complaints.check_least(f"{path}.spec.terminationGracePeriodSeconds", spec.termination_grace_period_seconds)


def _validate_container(path: str, container: Container, complaints: Complaints) -> None:
    if not _LABEL.fullmatch(container.name):
        fix = "use small letters, digits and `-`"
        complaints.add(
            f"{path}.name", f"{container.name!r} is not a name for a container", part="value", fix=fix
        )
    if not container.image:
        complaints.add(path, f"`{path}.image` is missing: Required value", code="DV007")
    _validate_ports(path, container, complaints)
    for index, variable in enumerate(container.env):
        if not _VARIABLE.fullmatch(variable.name):
            title = f"{variable.name!r} is not a name for a variable"
            complaints.add(f"{path}.env[{index}].name", title, part="value")
        if variable.value and variable.value_from is not None:
            title = "may not be specified when `value` is not empty"
            complaints.add(f"{path}.env[{index}].valueFrom", title, part="key")
    for field, probe in (
        ("readinessProbe", container.readiness_probe),
        ("livenessProbe", container.liveness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if probe is not None:
            _validate_probe(f"{path}.{field}", probe, container, complaints)
    if container.lifecycle is not None and container.lifecycle.pre_stop is not None:
        _validate_handler(f"{path}.lifecycle.preStop", container.lifecycle.pre_stop, complaints)


def _validate_ports(path: str, container: Container, complaints: Complaints) -> None:
    names = [port.name for port in container.ports if port.name]
    complaints.check_unique(f"{path}.ports", "name", names)
    for index, port in enumerate(container.ports):
        below = f"{path}.ports[{index}]"
        complaints.check_port(f"{below}.containerPort", port.container_port)
        if port.name and not _PORT_NAME.fullmatch(port.name):
            title = f"{port.name!r} is not a name for a port"
            fix = "use at most 15 small letters, digits and `-`, with at least one letter"
            complaints.add(f"{below}.name", title, part="value", fix=fix)


def _validate_probe(path: str, probe: Probe, container: Container, complaints: Complaints) -> None:
    handlers = (probe.http_get, probe.tcp_socket, probe.exec, probe.grpc)
    if sum(handler is not None for handler in handlers) != 1:
        complaints.add(path, "a probe needs exactly one of httpGet, tcpSocket, exec and grpc", part="key")
    for field, value, least in (
        ("initialDelaySeconds", probe.initial_delay_seconds, 0),
        ("periodSeconds", probe.period_seconds, 1),
        ("timeoutSeconds", probe.timeout_seconds, 1),
        ("successThreshold", probe.success_threshold, 1),
        ("failureThreshold", probe.failure_threshold, 1),
    ):
        complaints.check_least(f"{path}.{field}", value, least)
    for field, action in (("httpGet", probe.http_get), ("tcpSocket", probe.tcp_socket)):
        if action is None:
            continue
        if isinstance(action.port, int):
            complaints.check_port(f"{path}.{field}.port", action.port)
        elif action.port not in [port.name for port in container.ports]:
            title = f"no port of this container is called {action.port!r}"
            named = ", ".join(port.name for port in container.ports if port.name)
            fix = f"its ports: {named}" if named else "give the port a `name`, or write its number"
            complaints.add(f"{path}.{field}.port", title, code="DV010", part="value", fix=fix)
    if probe.http_get is not None:
        complaints.check_one_of(f"{path}.httpGet.scheme", probe.http_get.scheme.upper(), ("HTTP", "HTTPS"))
    if probe.exec is not None and not probe.exec.command:
        complaints.add(f"{path}.exec", "a command is missing", code="DV007", part="key")


def _validate_handler(path: str, handler: LifecycleHandler, complaints: Complaints) -> None:
    handlers = (handler.exec, handler.http_get, handler.sleep, handler.tcp_socket)
    if sum(one is not None for one in handlers) != 1:
        complaints.add(path, "exactly one of exec, httpGet, sleep and tcpSocket is needed", part="key")
    if handler.exec is not None and not handler.exec.command:
        complaints.add(f"{path}.exec", "a command is missing", code="DV007", part="key")
    if handler.sleep is not None:
        complaints.check_least(f"{path}.sleep.seconds", handler.sleep.seconds)
