"""The pack in CEL: for Kyverno, and for an API server by itself. One policy a rule, each to be excused.

CEL sees one object. Rules that need to look at others are left out and named, never passed over in silence.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from davy.policy.pack.gatekeeper import LABELS
from davy.policy.pack.rule import PackRule, Parameter
from davy.policy.review import Json, Object

Engine = Literal["kyverno", "vap"]

_SCOPES: Mapping[str, str] = {
    "any": "",
    "written": "variables.untouched || ",
    "place": "!(variables.prod) || ",
    "prod": "!(variables.prod) || variables.untouched || ",
    "governed": "!(variables.governed) || variables.untouched || ",
}
"""What else lets an object through: it is not in production, nothing that is judged changes."""

_USED = re.compile(r"\bvariables\.([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Native:
    """A rule in CEL.

    Args:
        rule: its id.
        resources: what it is about, as rules of a webhook say it.
        operations: when it is asked.
        holds: what is true of an object that the rule has nothing against.
        variables: what it may use, in an order in which each needs only those before it.
        note: in what it is less than the rule in Rego.
    """

    rule: str
    resources: tuple[tuple[str, ...], ...]
    operations: tuple[str, ...]
    holds: str
    variables: Mapping[str, str]
    note: str


def native(common: str, section: str) -> tuple[Native, ...]:
    """Read the rules of a section, and what it shares with the others."""
    shared, table = tomllib.loads(common), tomllib.loads(section)
    return tuple(
        Native(
            rule=rule,
            resources=tuple(tuple(shared["resources"][name]) for name in row["resources"]),
            operations=tuple(row.get("operations", ("CREATE", "UPDATE"))),
            holds=f"{_SCOPES[row['scope']]}({row['holds']})",
            variables={**shared["variables"], **table.get("variables", {}), **row.get("variables", {})},
            note=row.get("note", ""),
        )
        for rule, row in table["rules"].items()
    )


def left_out(section: str) -> dict[str, str]:
    """Name the rules of a section that CEL cannot ask, and why."""
    found: dict[str, str] = tomllib.loads(section).get("left_out", {})
    return found


def policy(
    found: Native, rule: PackRule, parameters: Iterable[Parameter], settings: Mapping[str, Json], engine: Engine
) -> dict[str, Json]:
    """Make the policy of a rule; parameters stand in it as variables, so that they can be changed there."""
    values = {each.name: json.dumps(settings.get(each.name, each.default)) for each in parameters}
    spec: dict[str, Json] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [_asked(group, found.operations) for group in found.resources]},
        "variables": [
            {"name": name, "expression": expression}
            for name, expression in _needed(found.holds, {**values, **found.variables})
        ],
        "validations": [{"expression": found.holds, "message": f"{rule.id}: {rule.title}; {rule.fix}"}],
    }
    annotations = {"davy.dev/rule": rule.id, "davy.dev/why": rule.why}
    if found.note:
        annotations["davy.dev/note"] = found.note
    metadata = {"name": name_of(rule.id), "labels": LABELS, "annotations": annotations}
    if engine == "vap":
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": metadata,
            "spec": spec,
        }
    return {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "ValidatingPolicy",
        "metadata": metadata,
        "spec": {
            "validationActions": [],
            "evaluation": {"background": {"enabled": False}},  # there is no request then
            "autogen": {"podControllers": {"controllers": []}},  # the rules name the kinds they are about
            **spec,
        },
    }


def enforced(found: dict[str, Json], action: Literal["deny", "warn"]) -> tuple[Object, ...]:
    """Say what a policy leads to: Kyverno's says it itself, the API server's has a binding that does."""
    actions = ["Deny" if action == "deny" else "Warn"]
    if found["kind"] == "ValidatingPolicy":
        return ({**found, "spec": {**found["spec"], "validationActions": actions}},)
    name = found["metadata"]["name"]
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"policyName": name, "validationActions": actions},
    }
    return (found, binding)


def name_of(rule: str) -> str:
    """Name the policy of a rule."""
    return f"davy-{rule.lower()}"


def _asked(group: tuple[str, ...], operations: tuple[str, ...]) -> Json:
    return {
        "apiGroups": [group[0]],
        "apiVersions": ["*"],
        "operations": list(operations),
        "resources": list(group[1:]),
    }


def _needed(expression: str, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give the variables that an expression needs, and those that these need, in their order."""
    needed: set[str] = set()
    wanted = set(_USED.findall(expression))
    while wanted:
        name = wanted.pop()
        needed.add(name)
        wanted |= set(_USED.findall(variables[name])) - needed
    return ((name, text) for name, text in variables.items() if name in needed)
