"""Waivers as files: what stands in one, and how one is written."""

from typing import Any

import msgspec

from davy.model.instant import BadInstant, parse_instant, written
from davy.model.meta import ObjectMeta
from davy.model.waiver import INSTANTS, WaivedObject, WaiverSpec
from davy.model.waiver import Waiver as Manifest
from davy.policy.review import Object
from davy.policy.waivers import Waiver

API_VERSION, KIND = "davy.dev/v1alpha1", "Waiver"
_ALIKE = (
    "rule",
    "reason",
    "ticket",
    "requester",
    "approver",
    "approval",
    "uses",
    "used",
    "revoked_by",
    "break_glass",
    "reviewed_by",
)


def waiver_of(manifest: Manifest) -> Waiver:
    """Make sense of a manifest that was read and found valid.

    Raises:
        BadInstant: it was not: one of its instants is none.
    """
    spec, whom = manifest.spec, manifest.spec.object
    times: dict[str, Any] = {
        field: parse_instant(text) if (text := getattr(spec, field)) else 0.0 for field in INSTANTS
    }
    return Waiver(
        id=manifest.metadata.name,
        kind=whom.kind,
        namespace=whom.namespace,
        name=whom.name,
        digest=whom.digest,
        **{field: getattr(spec, field) for field in _ALIKE},
        **times,
    )


def manifest_of(waiver: Waiver) -> Manifest:
    """Write a waiver as a manifest; read back it is the same waiver, to the millisecond."""
    times: dict[str, Any] = {field: written(at) if (at := getattr(waiver, field)) else "" for field in INSTANTS}
    whom = WaivedObject(waiver.kind, waiver.name, waiver.digest, waiver.namespace)
    spec = WaiverSpec(object=whom, **{field: getattr(waiver, field) for field in _ALIKE}, **times)
    return Manifest(metadata=ObjectMeta(name=waiver.id), spec=spec)


def document_of(waiver: Waiver) -> dict[str, Any]:
    """Write a waiver as the JSON of its manifest, in the order in which people read it."""
    body = msgspec.to_builtins(manifest_of(waiver))
    return {name: body[name] for name in ("apiVersion", "kind", "metadata", "spec")}


def is_waiver(found: Object) -> bool:
    """Say whether JSON is a waiver's."""
    return found.get("kind") == KIND and found.get("apiVersion") == API_VERSION


def read(found: Object) -> Waiver:
    """Read a waiver from the JSON of its manifest.

    Raises:
        ValueError: it is none; the message says why.
    """
    try:
        return waiver_of(msgspec.convert(found, Manifest))
    except (msgspec.ValidationError, BadInstant) as error:
        raise ValueError(f"this is no waiver: {error}") from error
