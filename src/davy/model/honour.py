"""What the embedded engine does not act on, said of every field that was written.

Every field is in one of three tables: `HONOURED`, `IGNORED` (a note, DV012) or `REFUSED` (an error, DV011,
since a gate or a part of the program would be missing). A path in a table stands for everything below it; a
test holds that no field is forgotten. Fields that are as if they had not been written are not told of.
"""

from collections.abc import Callable, Iterator
from functools import cache

import msgspec

from davy.model.document import Document
from davy.model.finding import Finding
from davy.model.honoured import HONOURED, IGNORED, REFUSED, SERVER_SIDE
from davy.model.pod import KeySelector, PodTemplateSpec
from davy.model.providers import PLUGINS, MetricProvider
from davy.model.rollout import Rollout
from davy.model.source import join
from davy.model.workload import Deployment, PodTemplate, ReplicaSet, template_of, template_path

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def unhonoured(
    document: Document, installed: Callable[[str], bool] = PLUGINS.__contains__
) -> tuple[Finding, ...]:
    """Return a finding for everything in a document that the embedded engine does not act on.

    Args:
        document: what was written.
        installed: says of a name whether a metric provider is installed; what that measures is acted on.
    """
    return tuple(_findings(document, installed))


def is_told_of(kind: str, pattern: str) -> bool | None:
    """Say whether a field is told of, None if it is in no table; `[]` in a pattern stands for any item."""
    if pattern in REFUSED.get(kind, {}) or pattern in IGNORED.get(kind, {}) or pattern in IGNORED[""]:
        return True
    return False if pattern in HONOURED.get(kind, ()) or pattern in SERVER_SIDE else None


def _findings(document: Document, installed: Callable[[str], bool]) -> Iterator[Finding]:
    if document.has("status"):
        title = "`status` is not read: it is for the engine to say"
        yield document.finding("DV012", "status", title, severity="note", part="key")
    for path, pattern in _told_of(document.value, "", "", document.kind, installed):
        yield _finding(document, path, pattern, document.kind)
    match document.value:
        case Rollout() as rollout:
            yield from _other_containers(document, "spec.template", rollout.spec.template)
        case Deployment() | ReplicaSet() | PodTemplate() as workload:
            yield from _told_of_template(
                document, template_path(document.kind), template_of(workload), installed
            )


def _told_of_template(
    document: Document, path: str, template: PodTemplateSpec, installed: Callable[[str], bool]
) -> Iterator[Finding]:
    """Tell of a pod template that a rollout takes as of one of its own."""
    for below, pattern in _told_of(template, path, "spec.template", "Rollout", installed):
        yield _finding(document, below, pattern, "Rollout")
    yield from _other_containers(document, path, template)


def _told_of(
    struct: msgspec.Struct, path: str, pattern: str, kind: str, installed: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    """Walk over what was written and find what is told of, the uppermost path of each."""
    for field in _fields(type(struct)):
        value = getattr(struct, field.name)
        below, shape = join(path, field.encode_name), join(pattern, field.encode_name)
        told = is_told_of(kind, shape)
        if told is False or _is_default(field, value) or _is_optional(value):
            continue
        if told:
            if not isinstance(struct, MetricProvider):
                yield below, shape
            elif not installed(struct.name):
                yield join(below, struct.name) if field.name == "plugin" else below, shape
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                yield from _told_of(item, join(below, index), f"{shape}[]", kind, installed)
        else:
            yield from _told_of(value, below, shape, kind, installed)


@cache
def _fields(struct: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(struct)


def _is_default(field: msgspec.structs.FieldInfo, value: object) -> bool:
    """Say whether a field is as if it had not been written."""
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(value == field.default_factory())
    return bool(value == field.default)


def _is_optional(value: object) -> bool:
    """Say whether a variable may go without the Secret or ConfigMap that it names."""
    return isinstance(value, KeySelector) and value.optional


def _finding(document: Document, path: str, pattern: str, kind: str) -> Finding:
    name = path.rpartition('["')[2].removesuffix('"]') if path.endswith('"]') else path.rpartition(".")[2]
    refused = REFUSED.get(kind, {})
    if pattern in refused:
        title = f"`{name}` is not run by the embedded engine yet: {refused[pattern]}"
        return document.finding("DV011", path, title, part="key")
    why = IGNORED.get(kind, {}).get(pattern) or IGNORED[""][pattern]
    return document.finding("DV012", path, f"`{name}` is not acted on: {why}", severity="note", part="key")


def _other_containers(document: Document, place: str, template: PodTemplateSpec) -> Iterator[Finding]:
    """Tell of the containers that are not run, since one machine runs one of them."""
    names = [container.name for container in template.spec.containers]
    chosen = template.metadata.annotations.get(DEFAULT_CONTAINER)
    for index, name in enumerate(names):
        path = f"{place}.spec.containers[{index}]"
        if chosen is not None and name != chosen:
            title = f"the container {name} is not run: one machine runs one of them, {chosen}"
            yield document.finding("DV012", path, title, severity="note")
        elif chosen is None and index > 0:
            title = f"the container {name} is not run by the embedded engine yet: one machine runs one of them"
            fix = f"name the one in the template's annotations: {DEFAULT_CONTAINER}: {names[0]}"
            yield document.finding("DV011", path, title, fix=fix)
