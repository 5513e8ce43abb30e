"""The examples of a rule: what it fires on and what it lets pass, as data that docs and tests share.

An example names an object of `objects.yaml` and what is different about it, path by path:

    object: rollout
    set: {"spec.strategy.canary.steps[0].setWeight": 60}
    drop: [spec.strategy.canary.analysis]
"""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from davy.policy.review import Json, Kind, Object, Operation, Resource, Review

_STEP = re.compile(r'\.?([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]+)\]|\[("(?:[^"\\]|\\.)*")\]')


@dataclass(frozen=True, slots=True)
class Example:
    """One review, and what the pack says of it.

    Args:
        note: what somebody did, in a few words.
        object, old: the object as it is to be and as it was; on DELETE there is only `old`.
        operation: empty where a file is looked at, as in CI.
        user: who asks, empty where nobody knows.
        namespace, namespace_labels: where it goes.
        inventory: what else is there.
        parameters: what the constraint says beside its rules.
        resource, sub_resource: what the API server calls it, e.g. `deployments` and `scale`.
        fires: every rule that fires on it; none for one that passes.
        path: the field that the rule points to.
    """

    note: str
    object: Object | None
    old: Object | None
    operation: Operation
    user: str
    namespace: str
    namespace_labels: Mapping[str, str]
    inventory: tuple[Object, ...]
    parameters: Mapping[str, Json]
    resource: str
    sub_resource: str
    fires: frozenset[str]
    path: str

    @property
    def review(self) -> Review:
        """The request that is judged."""
        subject = self.old if self.object is None else self.object
        assert subject is not None  # an example is about something
        kind = Kind.of(subject)
        return Review(
            kind=kind,
            object=self.object,
            old_object=self.old,
            operation=self.operation,
            name=subject["metadata"].get("name", ""),
            namespace=self.namespace,
            namespace_object={"metadata": {"name": self.namespace, "labels": dict(self.namespace_labels)}}
            if self.namespace
            else None,
            resource=Resource(kind.group, kind.version, self.resource) if self.resource else None,
            sub_resource=self.sub_resource,
            user={"username": self.user} if self.user else {},
        )


@dataclass(frozen=True, slots=True)
class Examples:
    """What a rule fires on, and what comes near and passes."""

    firing: tuple[Example, ...]
    passing: tuple[Example, ...]


def read_examples(text: str, objects: str) -> dict[str, Examples]:
    """Read the examples of a section, by rule; `objects` is the text of the objects that they start from."""
    bases: dict[str, Any] = _yaml(objects)
    return {
        rule: Examples(
            tuple(_example(row, bases, rule) for row in rows["firing"]),
            tuple(_example(row, bases, "") for row in rows["passing"]),
        )
        for rule, rows in _yaml(text).items()
    }


def steps(path: str) -> list[str | int]:
    """Take a path apart: `spec.steps[0]`, `metadata.labels["app.kubernetes.io/name"]`."""
    return [
        int(number) if number else json.loads(quoted) if quoted else word
        for word, number, quoted in _STEP.findall(path)
    ]


def _yaml(text: str) -> Any:
    from ruamel.yaml import YAML  # only who reads examples needs it

    return YAML(typ="safe", pure=True).load(text)


def _example(row: Mapping[str, Any], bases: Mapping[str, Any], rule: str) -> Example:
    subject = _made(row, bases)
    old = None
    if "old" in row:
        old = _made(row["old"], bases) if isinstance(row["old"], dict) else _made({"object": row["old"]}, bases)
    operation: Operation = row.get("operation", "CREATE" if old is None else "UPDATE")
    deleted = operation == "DELETE"
    return Example(
        note=row["note"],
        object=None if deleted else subject,
        old=subject if deleted else old,
        operation=operation,
        user=row.get("user", "alice@example.com" if operation else ""),
        namespace=row.get("namespace", subject["metadata"].get("namespace", "")),
        namespace_labels=row.get("namespaceLabels", {}),
        inventory=tuple(
            _made(found if isinstance(found, dict) else {"object": found}, bases)
            for found in row.get("inventory", ["template", "cluster-template"])
        ),
        parameters=row.get("parameters", {}),
        resource=row.get("resource", ""),
        sub_resource=row.get("subResource", ""),
        fires=frozenset({rule, *row.get("also", [])} - {""}),
        path=row.get("path", ""),
    )


def _made(row: Mapping[str, Any], bases: Mapping[str, Any]) -> Any:
    """Make an object from another one and what is different about it."""
    made = deepcopy(bases[row["object"]])
    for path in row.get("drop", []):
        _around(made, path).pop(steps(path)[-1])
    for path, value in row.get("set", {}).items():
        _around(made, path)[steps(path)[-1]] = deepcopy(value)
    return made


def _around(made: Any, path: str) -> Any:
    """Return what holds the last step of a path; objects that are not there yet are made."""
    for step in steps(path)[:-1]:
        made = made[step] if isinstance(step, int) else made.setdefault(step, {})
    return made
