"""Asking the pack what it says of an example, on Davy's own engine."""

from collections.abc import Mapping, Sequence
from functools import cache

from davy.policy import pack
from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.pack.gatekeeper import match, template
from davy.policy.review import Json, Object
from davy.policy.ruleset import Ruleset, read

CASES = [
    (rule, example)
    for rule, examples in pack.examples().items()
    for example in (*examples.firing, *examples.passing)
]
FIRING = [(rule, example) for rule, examples in pack.examples().items() for example in examples.firing]


def constraint(section: pack.Section, parameters: Mapping[str, Json]) -> Object:
    """A constraint of a section that enforces all of its rules, on everything."""
    return {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": section.kind,
        "metadata": {"name": section.name},
        "spec": {"match": match(section), "parameters": dict(parameters)},
    }


def policies(parameters: Mapping[str, Json], *, texts: Mapping[str, str] | None = None) -> Ruleset:
    """All sections with these parameters; `texts` has other Rego for some of them."""
    made: list[Object] = []
    for section in pack.SECTIONS:
        taken = {
            name: value
            for name, value in parameters.items()
            if name in {parameter.name for parameter in section.parameters}
        }
        rego = (texts or {}).get(section.name, pack.rego(section.name))
        made += [template(section, rego, pack.library()), constraint(section, taken)]
    return _read(tuple(made)) if texts is None else read(made)


def said(example: pack.Example, ruleset: Ruleset | None = None) -> Sequence[Violation]:
    """What all sections have against an example."""
    asked = ruleset or policies(example.parameters)
    return asked.judge(example.review, Inventory(example.inventory), Point.ADMISSION)


_seen: dict[str, Ruleset] = {}


def _read(made: tuple[Object, ...]) -> Ruleset:
    """Read once for each set of parameters."""
    key = repr([found["spec"].get("parameters") for found in made])
    if key not in _seen:
        ruleset = read(made)
        assert ruleset.problems == ()
        _seen[key] = ruleset
    return _seen[key]


@cache
def section_of(rule: str) -> pack.Section:
    """The section of a rule."""
    return next(section for section in pack.SECTIONS if rule in {found.id for found in section.rules})
