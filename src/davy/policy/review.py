"""What a policy is asked about: one object that somebody wants to create, change or delete."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Json = Any
"""What JSON can hold. It is handed on as it was read: nobody changes an object that is under review."""

Object = Mapping[str, Json]
"""A manifest as JSON, e.g. `{"apiVersion": "apps/v1", "kind": "Deployment", …}`."""

Operation = Literal["", "CREATE", "UPDATE", "DELETE", "CONNECT"]
"""What is to happen; empty where a manifest is looked at and nobody knows, as `gator` and an audit do."""


class Kind(NamedTuple):
    """What sort of object it is; the group of the core API is empty."""

    group: str
    version: str
    kind: str

    @classmethod
    def of(cls, found: Object) -> "Kind":
        """Read `apiVersion` and `kind` of an object; what is missing, or is no text, is empty."""
        api_version, kind = (_text(found.get(name)) for name in ("apiVersion", "kind"))
        group, _, version = api_version.rpartition("/")
        return cls(group, version, kind)

    @property
    def api_version(self) -> str:
        """The group and version in one, as a manifest writes them: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version


class Resource(NamedTuple):
    """What the API server calls it in a path, e.g. `deployments` of `apps`, `v1`."""

    group: str = ""
    version: str = ""
    resource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One AdmissionRequest (`admission.k8s.io/v1`), or what is known of one where a file is looked at.

    On DELETE `object` is None, as the API server sends it; `subject` is what to look at.
    """

    kind: Kind
    object: Object | None
    old_object: Object | None = None
    operation: Operation = ""
    name: str = ""
    namespace: str = ""
    namespace_object: Object | None = None
    resource: Resource | None = None
    sub_resource: str = ""
    request_kind: Kind | None = None
    request_resource: Resource | None = None
    user: Object = field(default_factory=dict)
    options: Object | None = None
    dry_run: bool = False
    uid: str = ""
    generated: bool = False

    @property
    def subject(self) -> Object:
        """The object that is judged: the one that is to be, on DELETE the one that is."""
        found = self.old_object if self.operation == "DELETE" else self.object
        return {} if found is None else found


def review_of(found: Object, *, old: Object | None = None, namespace: str = "") -> Review:
    """Make a review of a manifest, as the API server would make it of a request.

    Args:
        found: the manifest.
        old: the same object as it is now, if that is known: then it is an UPDATE.
        namespace: where it goes when the manifest does not say; it is written into the object that is
            reviewed, as the API server does, since policies read `object.metadata.namespace`.
    """
    metadata = found.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    own = _text(metadata.get("namespace"))
    if namespace and not own:
        found = {**found, "metadata": {**metadata, "namespace": namespace}}
    return Review(
        kind=Kind.of(found),
        object=found,
        old_object=old,
        operation="" if old is None else "UPDATE",
        name=_text(metadata.get("name")),
        namespace=own or namespace,
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
