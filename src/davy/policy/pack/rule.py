"""What a rule of the pack is, and how the table of its section tells of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from davy.policy.review import Json

Profile = Literal["starter", "standard", "strict"]
PROFILES: tuple[Profile, ...] = ("starter", "standard", "strict")
"""By the number of teams: fewer than 5 are told, 5 to 20 are held to the core, more than 20 to all of it."""

Severity = Literal["deny", "warn", "off"]

SCHEMAS: Mapping[str, Json] = {
    "text": {"type": "string"},
    "number": {"type": "integer"},
    "flag": {"type": "boolean"},
    "names": {"type": "array", "items": {"type": "string"}},
}
"""The sorts of parameters, each as a part of the schema of a constraint."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What teams may set differently; `profiles` says where a profile does not take the default."""

    name: str
    schema: str
    default: Json
    about: str
    profiles: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class PackRule:
    """One rule, as people meet it.

    Args:
        id: what a violation and a waiver name, e.g. `PD022`. It never changes and is never used again.
        section: the kind of the constraint that has it.
        title: what is wrong, in a few words.
        why: what comes of it, in a sentence.
        fix: how to mend it, in a sentence.
        machine_fix: whether `mend` can do that.
        severity: what it leads to in each profile.
    """

    id: str
    section: str
    title: str
    why: str
    fix: str
    machine_fix: bool
    severity: Mapping[Profile, Severity]


@dataclass(frozen=True, slots=True)
class Section:
    """Rules about one thing, that is one ConstraintTemplate; `name` is that of its files.

    `inventory` names what the rules look up beside the object, as `group/version/Kind`.
    """

    name: str
    kind: str
    about: str
    match: tuple[Mapping[str, Json], ...]
    inventory: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    rules: tuple[PackRule, ...]

    def chosen(self, profile: Profile, severity: Severity) -> tuple[str, ...]:
        """Name the rules that have a severity in a profile."""
        return tuple(rule.id for rule in self.rules if rule.severity[profile] == severity)

    def settings(self, profile: Profile) -> dict[str, Json]:
        """Return the parameters that a profile sets otherwise than by default."""
        return {
            parameter.name: parameter.profiles[profile]
            for parameter in self.parameters
            if profile in parameter.profiles
        }


def parameters(text: str) -> tuple[Parameter, ...]:
    """Read the parameters in the table of a section, or those that are common to all."""
    return tuple(
        Parameter(name, found["schema"], found["default"], found["about"], found.get("profiles", {}))
        for name, found in tomllib.loads(text).get("parameters", {}).items()
    )


def section(name: str, text: str, common: tuple[Parameter, ...]) -> Section:
    """Read the table of a section."""
    table = tomllib.loads(text)
    return Section(
        name=name,
        kind=table["kind"],
        about=table["about"],
        match=tuple(table["match"]),
        inventory=tuple(table["inventory"]),
        parameters=(*parameters(text), *common),
        rules=tuple(_rule(id_, table["kind"], row) for id_, row in table["rules"].items()),
    )


def _rule(id_: str, kind: str, row: Mapping[str, Any]) -> PackRule:
    return PackRule(
        id=id_,
        section=kind,
        title=row["title"],
        why=row["why"],
        fix=row["fix"],
        machine_fix=row.get("machine_fix", False),
        severity=dict(zip(PROFILES, row["severity"], strict=True)),
    )
