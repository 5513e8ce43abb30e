"""The rule pack: what progressive delivery asks of manifests, as templates that stock Gatekeeper runs.

Its texts are data of this package, and read here and nowhere else.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from davy.policy.pack.example import Example, Examples, read_examples
from davy.policy.pack.gatekeeper import constraints, template
from davy.policy.pack.mend import Edit, mend
from davy.policy.pack.native import Engine, Native, enforced, left_out, native, policy
from davy.policy.pack.rule import PROFILES, PackRule, Parameter, Profile, Section, parameters, section
from davy.policy.review import Object

__all__ = [
    "COMMON",
    "PROFILES",
    "RULES",
    "SECTIONS",
    "Edit",
    "Engine",
    "Example",
    "Examples",
    "Native",
    "PackRule",
    "Parameter",
    "Profile",
    "Section",
    "cel",
    "cel_objects",
    "examples",
    "library",
    "mend",
    "not_in_cel",
    "objects",
    "rego",
]

_NAMES = ("workloads", "tampering", "strategy", "change", "analysis", "traffic", "flags")


def _text(kind: str, name: str) -> str:
    return files(__name__).joinpath(kind, name).read_text("utf-8")


COMMON: tuple[Parameter, ...] = parameters(_text("rules", "common.toml"))
"""The parameters that every section takes."""

SECTIONS: tuple[Section, ...] = tuple(section(name, _text("rules", f"{name}.toml"), COMMON) for name in _NAMES)
"""The sections, A to G."""

RULES: Mapping[str, PackRule] = {rule.id: rule for found in SECTIONS for rule in found.rules}
"""Every rule by its id."""


@cache
def library() -> str:
    """Return the Rego that all sections share, `package lib.davy`."""
    return _text("rego", "lib.rego")


@cache
def rego(name: str) -> str:
    """Return the Rego of a section."""
    return _text("rego", f"{name}.rego")


def objects(profile: Profile) -> tuple[Object, ...]:
    """Return the pack in a profile: its templates, then its constraints.

    Every template is there in every profile, so that going from one to another leaves nothing undefined.
    """
    templates = tuple(template(found, rego(found.name), library()) for found in SECTIONS)
    return (*templates, *(made for found in SECTIONS for made in constraints(found, profile)))


@cache
def examples() -> Mapping[str, Examples]:
    """Return the examples of every rule, by its id."""
    shared = _text("examples", "objects.yaml")
    return {
        rule: found
        for name in _NAMES
        for rule, found in read_examples(_text("examples", f"{name}.yaml"), shared).items()
    }


@cache
def cel(name: str) -> tuple[Native, ...]:
    """Return the rules of a section as CEL says them."""
    return native(_text("cel", "common.toml"), _text("cel", f"{name}.toml"))


def cel_objects(profile: Profile, engine: Engine) -> tuple[Object, ...]:
    """Return the pack in a profile for an engine that reads CEL; `not_in_cel` says what is missing."""
    return tuple(
        made
        for found in SECTIONS
        for each in cel(found.name)
        if (action := RULES[each.rule].severity[profile]) != "off"
        for made in enforced(
            policy(each, RULES[each.rule], found.parameters, found.settings(profile), engine), action
        )
    )


def not_in_cel(profile: Profile) -> Mapping[str, str]:
    """Name the rules of a profile that `cel_objects` leaves out, and why."""
    return {
        rule: why
        for name in _NAMES
        for rule, why in left_out(_text("cel", f"{name}.toml")).items()
        if RULES[rule].severity[profile] != "off"
    }
