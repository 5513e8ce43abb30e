"""No rule of the pack can be undefined by what is missing from an object: the trap that lets all through.

OPA evaluates the operands of a negated call outside of the negation. One that is undefined makes the whole body
undefined, so that the rule never fires and nobody notices. The pack reads objects through functions that have a
value for every input; this holds it to them.
"""

import re

import pytest

from davy.policy import pack

TEXTS = {section.name: pack.rego(section.name) for section in pack.SECTIONS}
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
COMMENTS = re.compile(r"#.*|^(import|package) .*", re.MULTILINE)
INVENTORY = re.compile(r"\bdata\.inventory\S*")
INTO = re.compile(r"\b(?!davy\.|array\.|regex\.)([a-z_]+)\.([a-zA-Z_]+)")
OWN = {"step", "path", "percent", "field"}
"""Fields of objects that the rules make themselves, and that are always there."""


def code(text: str) -> str:
    """The code alone: what is in the inventory may be missing, and then there is nothing to say of it."""
    return INVENTORY.sub("[]", STRINGS.sub('""', COMMENTS.sub("", text)))


@pytest.mark.parametrize("name", TEXTS)
def test_a_section_reaches_into_objects_only_through_the_library(name: str) -> None:
    reached = {match[0] for match in INTO.finditer(code(TEXTS[name])) if match[2] not in OWN}
    assert reached == set()
    assert "input." not in code(TEXTS[name])
    assert "object.get" not in code(TEXTS[name])


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_negated_has_operands_that_are_always_there(name: str) -> None:
    """Names, texts, and functions of the library that are total."""
    total = {"at", "list", "map", "text", "number", "parameter", "seconds"}
    own_total = {"annotation"}
    for line in code(TEXTS[name]).splitlines():
        found = re.match(r"\s*not (.*)", line)
        if not found:
            continue
        for called in re.findall(r"([a-z_.]+)\(", found[1])[1:]:
            assert called.removeprefix("davy.") in total | own_total, line
        assert "[_]" not in found[1], line
        assert not re.search(r"\[[a-z_.]+\]\[", found[1]), line


def test_the_total_functions_of_the_library_have_an_else_without_a_condition() -> None:
    text = pack.library()
    for name in ("at", "list", "map", "text", "number", "seconds"):
        body = re.search(rf"^{name}\(.*?^\}}\n\n", text, re.MULTILINE | re.DOTALL)
        assert body, name
        assert re.search(r"else = \S+ \{\n\ttrue\n\}\n\n$", body[0]), name


def test_the_lint_sees_the_trap() -> None:
    trap = "violation[found] {\n\tnot startswith(davy.subject.metadata.name, prefix)\n\tnot spec.paused\n}"
    assert [match[0] for match in INTO.finditer(code(trap))] == ["subject.metadata", "spec.paused"]
