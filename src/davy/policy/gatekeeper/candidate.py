"""What a constraint's `spec.match` looks at: one object with its namespace, read once for all constraints."""

from collections.abc import Mapping
from dataclasses import dataclass

from davy.policy.inventory import Inventory
from davy.policy.review import Json, Kind, Object, Review

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object in the terms of `spec.match`.

    Args:
        namespace: the name that `namespaces` are held against; None cannot disqualify.
        namespace_labels: None where the object lives in a namespace that is not known.
        in_namespace: it has a namespace, or one was supplied with it.
    """

    group: str
    kind: str
    name: str
    generate_name: str
    labels: Labels
    namespace: str | None
    namespace_labels: Labels | None
    in_namespace: bool
    cluster_wide: bool
    is_namespace: bool
    generated: bool


def candidates(review: Review, namespace: Object | None) -> tuple[Candidate, ...]:
    """Read the object and the old object of a review: if either matches, so does the review."""
    both = (review.subject if review.operation == "DELETE" else review.object, review.old_object)
    return tuple(_candidate(found, namespace, review.generated) for found in both if found)


def namespace_of(review: Review, inventory: Inventory) -> Object | None:
    """Find the Namespace that a review is about: the one that came with it, else the one that is there."""
    if review.namespace_object is not None or not review.namespace:
        return review.namespace_object
    return inventory.namespace(review.namespace)


def metadata_of(found: Object) -> Object:
    """Return the metadata of an object, empty where it has none."""
    metadata = found.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def text_of(found: Object, name: str) -> str:
    """Return a text, empty where there is none."""
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _candidate(found: Object, namespace: Object | None, generated: bool) -> Candidate:
    kind, metadata = Kind.of(found), metadata_of(found)
    name, own, labels = text_of(metadata, "name"), text_of(metadata, "namespace"), _labels(metadata)
    is_namespace = kind.kind == "Namespace" and not kind.group
    if is_namespace:
        held: str | None = name
    elif namespace is not None:
        held = text_of(metadata_of(namespace), "name")
    else:
        held = own or None
    return Candidate(
        group=kind.group,
        kind=kind.kind,
        name=name,
        generate_name=text_of(metadata, "generateName"),
        labels=labels,
        namespace=held,
        namespace_labels=None if namespace is None else _labels(metadata_of(namespace)),
        in_namespace=bool(own) or namespace is not None,
        cluster_wide=not own and namespace is None and not is_namespace,
        is_namespace=is_namespace,
        generated=generated,
    )


def _labels(metadata: Object) -> Labels:
    """Read labels as apimachinery does: one that is no text, and there are none."""
    labels: Json = metadata.get("labels")
    if not isinstance(labels, Mapping) or not all(isinstance(value, str) for value in labels.values()):
        return {}
    return labels
