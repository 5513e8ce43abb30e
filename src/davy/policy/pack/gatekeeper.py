"""The pack as Gatekeeper takes it: one ConstraintTemplate a section, and at most two constraints of each."""

import json

from davy.policy.pack.rule import SCHEMAS, Profile, Section
from davy.policy.review import Json, Object

LABELS = {"davy.dev/pack": "progressive"}
"""What every object of the pack is labelled with."""


def template(section: Section, rego: str, library: str) -> Object:
    """Make the ConstraintTemplate of a section; a cluster keeps what its schema names."""
    annotations = {
        "metadata.gatekeeper.sh/title": section.kind,
        "description": section.about,
    }
    if section.inventory:
        annotations["metadata.gatekeeper.sh/requires-sync-data"] = _sync_data(section.inventory)
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": section.kind.lower(), "labels": LABELS, "annotations": annotations},
        "spec": {
            "crd": {
                "spec": {
                    "names": {"kind": section.kind},
                    "validation": {"openAPIV3Schema": _schema(section)},
                }
            },
            "targets": [{"target": "admission.k8s.gatekeeper.sh", "rego": rego, "libs": [library]}],
        },
    }


def constraints(section: Section, profile: Profile) -> tuple[Object, ...]:
    """Make the constraints of a section: one for what a profile denies, one for what it warns of."""
    return tuple(
        {
            "apiVersion": "constraints.gatekeeper.sh/v1beta1",
            "kind": section.kind,
            "metadata": {"name": f"davy-{section.name}-{action}", "labels": LABELS},
            "spec": {
                "enforcementAction": action,
                "match": match(section),
                "parameters": {"rules": list(rules), **section.settings(profile)},
            },
        }
        for action in ("deny", "warn")
        if (rules := section.chosen(profile, action))
    )


def match(section: Section) -> Json:
    """Say what the constraints of a section look at: what somebody wrote, not what will be made of it."""
    return {"kinds": [dict(kinds) for kinds in section.match], "source": "Original"}


def _schema(section: Section) -> Json:
    """Write the schema of the parameters; what they are by default stands in their description."""
    rules = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "enum": [rule.id for rule in section.rules]},
        "description": "which rules; all of them unless they are named",
    }
    others = {
        parameter.name: {
            **SCHEMAS[parameter.schema],
            "description": f"{parameter.about} (default: {json.dumps(parameter.default)})",
        }
        for parameter in section.parameters
    }
    return {"type": "object", "properties": {"rules": rules, **others}}


def _sync_data(inventory: tuple[str, ...]) -> str:
    """Say what Gatekeeper has to keep at hand, in the spelling of its annotation: a JSON text in quotes."""
    wanted = []
    for entry in inventory:
        group, version, kind = entry.split("/")
        wanted.append([{"groups": [group], "versions": [version], "kinds": [kind]}])
    return f'"{json.dumps(wanted)}"'
