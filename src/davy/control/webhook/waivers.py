"""The CustomResourceDefinition of waivers. They are in no namespace: one place, one right to write there."""

from typing import Any

from davy.control.webhook.place import Place

_TEXT = {"type": "string", "maxLength": 2048}
_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_INSTANT = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "format": "int32", "minimum": 0}

SPEC: dict[str, dict[str, Any]] = {
    "rule": _NAME,
    "object": {
        "type": "object",
        "required": ["kind", "name", "digest"],
        "properties": {
            "kind": _NAME,
            "name": _NAME,
            "namespace": {"type": "string", "maxLength": 63},
            "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        },
    },
    "reason": {"type": "string", "minLength": 1, "maxLength": 2048},
    "ticket": _NAME,
    "requester": _NAME,
    "requestedAt": _INSTANT,
    "expiresAt": _INSTANT,
    "approver": _TEXT,
    "approvedAt": _INSTANT,
    "approval": _TEXT,
    "uses": _COUNT,
    "used": _COUNT,
    "revokedBy": _TEXT,
    "revokedAt": _INSTANT,
    "breakGlass": {"type": "boolean"},
    "reviewedBy": _TEXT,
    "reviewedAt": _INSTANT,
}
"""Every field of a waiver."""

REQUIRED = ("rule", "object", "reason", "ticket", "requester", "requestedAt", "expiresAt")

_COLUMNS = {
    "Rule": ".spec.rule",
    "Object": ".spec.object.name",
    "Requester": ".spec.requester",
    "Approver": ".spec.approver",
    "Expires": ".spec.expiresAt",
}


def definition(place: Place) -> dict[str, Any]:
    """Write the definition."""
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": {"type": "object", "required": list(REQUIRED), "properties": SPEC}},
    }
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [
            {"name": name, "type": "string", "jsonPath": path} for name, path in _COLUMNS.items()
        ],
    }
    names = {"kind": "Waiver", "listKind": "WaiverList", "plural": "waivers", "singular": "waiver"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "waivers.davy.dev", "labels": dict(place.labels)},
        "spec": {"group": "davy.dev", "scope": "Cluster", "names": names, "versions": [version]},
    }
