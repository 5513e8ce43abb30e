"""Who an object is, and how objects are selected by their labels."""

from collections.abc import Mapping
from typing import Any

import msgspec

from davy.model.key import Key
from davy.model.part import Int64, Opaque, Part


class TemplateMeta(Part, frozen=True):
    """The metadata of something that is made from a template, and so needs no name of its own.

    What only a server fills in is accepted, so that `kubectl get -o yaml` can be loaded as it is.
    """

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    generate_name: str = ""
    generation: Int64 = 0
    uid: str = ""
    resource_version: str = ""
    self_link: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: Int64 | None = None
    owner_references: tuple[Opaque, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[Any, ...] = ()
    cluster_name: str = ""


class PodMeta(TemplateMeta, frozen=True):
    """The metadata of a pod template; a name in it means nothing to Kubernetes."""

    name: str = ""
    namespace: str = ""


class ObjectMeta(TemplateMeta, frozen=True, kw_only=True):
    """The metadata of an object, which has a name."""

    name: str
    namespace: str = "default"

    @property
    def key(self) -> Key:
        """The name by which the object is known."""
        return Key(self.namespace, self.name)


class LabelSelectorRequirement(Part, frozen=True):
    """One expression of a selector; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels meet this expression."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


class LabelSelector(Part, frozen=True):
    """A set of labels that something has to carry, all of them."""

    match_labels: Mapping[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels meet all of the selector; an empty selector meets everything."""
        return self.match_labels.items() <= labels.items() and all(
            expression.matches(labels) for expression in self.match_expressions
        )


class Manifest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What every document has at its top."""

    metadata: ObjectMeta

    @property
    def key(self) -> Key:
        """The name by which the object is known among those of its kind."""
        return self.metadata.key
