"""One name for what people wrote of an object, the same wherever the object is met.

CI has the file, admission what the API server made of it, the engine what it read. What servers and
controllers write is left out, and kinds that Davy reads are spelt in its own way first: `paused: false` and
nothing at all are the same to everybody who reads them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from davy.model.kinds import KINDS
from davy.policy.review import Json, Kind, Object

_NOT_WRITTEN = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision",
        "rollout.argoproj.io/revision",
        "rollout.argoproj.io/workload-generation",
    }
)
"""Annotations that programs write, each time anew."""


def digest_of(found: Object) -> str:
    """Hash what people write of an object: `sha256:` and 64 digits.

    An object without a namespace is taken to be in `default`; the API version counts by its group alone.
    """
    return sha256(_canonical(found))


def sha256(value: Json) -> str:
    """Hash a value by its one spelling in JSON: keys sorted, no white space."""
    return "sha256:" + hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def _canonical(found: Object) -> dict[str, Json]:
    spelt = _spelt(found)
    metadata = spelt.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    annotations = metadata.get("annotations")
    written = {
        key: value
        for key, value in (annotations.items() if isinstance(annotations, Mapping) else ())
        if key not in _NOT_WRITTEN
    }
    kind = Kind.of(found)
    body = {key: value for key, value in spelt.items() if key not in _TOP}
    return {
        "body": _without_nothing(body),
        "group": kind.group,
        "kind": kind.kind,
        "name": metadata.get("name") or metadata.get("generateName") or "",
        "namespace": metadata.get("namespace") or "default",
        "labels": _without_nothing(metadata.get("labels") or {}),
        "annotations": _without_nothing(written),
    }


_TOP = frozenset({"apiVersion", "kind", "metadata", "status"})


def _spelt(found: Object) -> Mapping[str, Json]:
    """Spell an object of a kind that is read here as it is stored; any other is what it is."""
    known = KINDS.get(Kind.of(found).kind)
    if known is None or found.get("apiVersion") not in known[0]:
        return found
    written = {key: value for key, value in found.items() if key != "status"}
    try:
        spelt: dict[str, Json] = msgspec.to_builtins(msgspec.convert(_without_nothing(written), known[1]))
    except (msgspec.ValidationError, RecursionError):
        return found
    return spelt


def _without_nothing(value: Any) -> Any:
    """Leave out fields that are null: to Kubernetes they are not there."""
    match value:
        case Mapping():
            return {str(key): _without_nothing(each) for key, each in value.items() if each is not None}
        case list() | tuple():
            return [_without_nothing(each) for each in value]
        case _:
            return value
