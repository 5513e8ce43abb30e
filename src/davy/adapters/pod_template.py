"""What a pod template comes to as one local process: its container, its ports, its environment, its argv.

Nothing here starts anything. What cannot be done on one machine is refused here, since a variable or a check
that is silently left out makes another program of it.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from davy.errors import Refused
from davy.model.key import Key
from davy.model.meta import PodMeta
from davy.model.part import IntOrString
from davy.model.pod import Container, EnvVar, LifecycleHandler, PodTemplateSpec, Probe

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
HASH_LABEL = "rollouts-pod-template-hash"
PORT = "PORT"

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_SAME_FOR_ALL = {
    "spec.nodeName": "localhost",
    "spec.serviceAccountName": "default",
    "status.hostIP": "127.0.0.1",
    "status.hostIPs": "127.0.0.1",
    "status.podIP": "127.0.0.1",
    "status.podIPs": "127.0.0.1",
}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9]")


class PodFacts(msgspec.Struct, frozen=True):
    """Who a replica is, as its own environment may ask. `ports` maps declared ports to those it has here."""

    name: str
    uid: str
    key: Key
    hash: str
    ports: Mapping[str, int]


def container_of(template: PodTemplateSpec) -> Container:
    """Return the container that is run.

    Raises:
        Refused: there is more than one and nothing says which, or something in it cannot be done here.
    """
    containers = {container.name: container for container in template.spec.containers}
    wanted = template.metadata.annotations.get(DEFAULT_CONTAINER, "")
    if not containers or (wanted and wanted not in containers):
        raise Refused(f"the pod template has no container{f' named {wanted}' if wanted else ''}")
    if len(containers) > 1 and not wanted:
        raise Refused(
            f"the pod template has the containers {', '.join(containers)}, and one machine runs one of them",
            hint=f"name it in the template's annotations: {DEFAULT_CONTAINER}: {next(iter(containers))}",
        )
    container = containers[wanted] if wanted else next(iter(containers.values()))
    _refuse_the_impossible(template, container)
    return container


def port_names(container: Container) -> list[str]:
    """List the ports that a replica needs, by number and by name, the one that takes traffic first.

    A port that only a probe or a hook mentions counts as declared: in a cluster the process listens there too.
    """
    named = [str(port.container_port) for port in container.ports if port.protocol == "TCP"]
    names = {port.name for port in container.ports}
    used = [str(port) for port in _ports_used(container) if port not in names]
    return list(dict.fromkeys([*named, *used])) or [PORT]


def port_map(container: Container, local: Mapping[str, int]) -> dict[str, int]:
    """Map the numbers and the names of declared ports to the ports that a replica has here."""
    names = {port.name: str(port.container_port) for port in container.ports if port.name}
    return {**local, **{name: local[number] for name, number in names.items() if number in local}}


def environment(
    base: Mapping[str, str], template: PodTemplateSpec, container: Container, facts: PodFacts
) -> dict[str, str]:
    """Make the environment of a replica.

    As in Kubernetes, `$(NAME)` in a value stands for what was defined before it. `PORT` is where it has to
    listen, `PORT_<NAME>` where for each further port, by name and by number.
    """
    further = {
        f"{PORT}_{_NOT_IN_A_NAME.sub('_', name).upper()}": str(port)
        for name, port in facts.ports.items()
        if name != PORT
    }
    first = str(next(iter(facts.ports.values())))
    values = {**base, **further, PORT: first, "POD_NAME": facts.name, "HOSTNAME": facts.name}
    for variable in container.env:
        if (value := value_of(variable, template.metadata, facts, values)) is not None:
            values[variable.name] = value
    return values


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; `$$` is a dollar, and what is not known stays as it is.

    Kubernetes, `third_party/forked/golang/expansion`.
    """

    def replacement(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else values.get(found[1], found[0])

    return _REFERENCE.sub(replacement, text)


def local_port(port: IntOrString, ports: Mapping[str, int]) -> int:
    """Translate a port of the manifest to the one that the replica has here."""
    return ports.get(str(port)) or int(port)


def value_of(variable: EnvVar, metadata: PodMeta, facts: PodFacts, values: Mapping[str, str]) -> str | None:
    """Return a variable's value, None when it stays undefined."""
    if variable.value_from is None:
        return expand(variable.value, values)
    if variable.value_from.field_ref is None:
        return None
    path = variable.value_from.field_ref.field_path
    if found := _SUBSCRIPT.fullmatch(path):
        of_pod = {**metadata.labels, HASH_LABEL: facts.hash} if found[1] == "labels" else metadata.annotations
        return of_pod.get(found[2], "")
    own = {"metadata.name": facts.name, "metadata.namespace": facts.key.namespace, "metadata.uid": facts.uid}
    return {**_SAME_FOR_ALL, **own}[path]


def _refuse_the_impossible(template: PodTemplateSpec, container: Container) -> None:
    """Refuse what would make another program of it if it were left out."""
    if template.spec.init_containers:
        raise Refused(
            "the pod template has init containers, which one machine does not run",
            hint="let the build of its ImageMap or its command do what they do",
        )
    if container.env_from:
        raise Refused(
            f"container {container.name} takes its environment from ConfigMaps or Secrets (envFrom)",
            hint="write the variables into env",
        )
    for variable in container.env:
        if reason := _unanswerable(variable):
            raise Refused(
                f"container {container.name}: variable {variable.name} {reason}",
                hint="give it a plain value, or optional: true to go without",
            )
    names = {port.name for port in container.ports}
    for port in _ports_used(container):
        if isinstance(port, str) and port not in names and not port.isdecimal():
            raise Refused(
                f"container {container.name}: a probe or a hook names port {port}, which is not declared"
            )
    if any(probe.grpc is not None for probe in _probes(container)):
        raise Refused(
            f"container {container.name} has a grpc probe, which one machine does not make",
            hint="use tcpSocket or exec",
        )


def _unanswerable(variable: EnvVar) -> str:
    """Say why there is no value for a variable on one machine; nothing when there is one, or none is needed."""
    source = variable.value_from
    if source is None:
        return ""
    for reference, kind in ((source.secret_key_ref, "Secret"), (source.config_map_key_ref, "ConfigMap")):
        if reference is not None and not reference.optional:
            return f"comes from the {kind} {reference.name}, and there are none on one machine"
    if source.resource_field_ref is not None or source.file_key_ref is not None:
        return "comes from a resource or a file of the pod, which one machine does not have"
    if source.field_ref is not None:
        path = source.field_ref.field_path
        own = ("metadata.name", "metadata.namespace", "metadata.uid")
        if path not in own and path not in _SAME_FOR_ALL and not _SUBSCRIPT.fullmatch(path):
            return f"names the field {path}, which a pod does not have"
    return ""


def _probes(container: Container) -> list[Probe]:
    probes = (container.startup_probe, container.readiness_probe, container.liveness_probe)
    return [probe for probe in probes if probe is not None]


def _ports_used(container: Container) -> Iterable[IntOrString]:
    """Name the ports that probes and hooks speak to on the replica itself."""
    asking: list[Probe | LifecycleHandler] = [*_probes(container)]
    if container.lifecycle is not None and container.lifecycle.pre_stop is not None:
        asking.append(container.lifecycle.pre_stop)
    for each in asking:
        for action in (each.http_get, each.tcp_socket):
            if action is not None and not action.host:
                yield action.port
