"""`yaml.marshal`: YAML as OPA writes it, which is as Go's YAML does, keys sorted as people sort them."""

import re
from collections.abc import Iterator
from functools import cmp_to_key
from typing import TYPE_CHECKING

from davy.policy.rego.budget import check_text
from davy.policy.rego.builtin import Builtin
from davy.policy.rego.builtins.verb import unsigned
from davy.policy.rego.values import Value, json_text, to_json

if TYPE_CHECKING:
    from yaml import Event

_NO_TEXT = re.compile(
    r"|[yYnN~]|yes|Yes|YES|on|On|ON|no|No|NO|off|Off|OFF|true|True|TRUE|false|False|FALSE|null|Null|NULL|<<"
    r"|\.(?:nan|NaN|NAN)|[-+]?\.(?:inf|Inf|INF)"
    r"|[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*)"
    r"|[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]| )[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:Z|[+-][0-9:]+)?)?"
)
"""What is a text and would be read as something else if it stood without quotes."""

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
"""What Go's YAML does not take for letters, and writes as `\\U0001F600`."""

_DIGITS = re.compile("[0-9]*")
_DIGITS_BEFORE = re.compile(r"[0-9]+\Z")


def marshal(value: Value) -> str:
    """Write YAML."""
    from yaml import emit

    check_text(len(json_text(value)))
    written = emit(_document(to_json(value)), Dumper=_emitter(), allow_unicode=True, width=2**31)
    assert isinstance(written, str)
    return written.removeprefix("--- ").removesuffix("...\n")


def _emitter() -> type:
    """Make the writer: Go's indents a list that is the value of a key, and has tabs in blocks."""
    from yaml import ScalarEvent
    from yaml.emitter import Emitter

    class Indented(Emitter):  # type: ignore[misc]
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, indentless=False)

        def check_simple_key(self) -> bool:
            empty = isinstance(self.event, ScalarEvent) and not self.event.value
            return empty or bool(super().check_simple_key())

        def analyze_scalar(self, scalar: str) -> object:
            found = super().analyze_scalar(scalar.replace("\t", "x") if "\n" in scalar else scalar)
            found.scalar = scalar
            return found

    return Indented


def _document(value: Value) -> "Iterator[Event]":
    from yaml import events

    yield events.StreamStartEvent()
    yield events.DocumentStartEvent(explicit=False)
    yield from _events(value)
    yield events.DocumentEndEvent(explicit=False)
    yield events.StreamEndEvent()


def _events(value: Value) -> "Iterator[Event]":
    from yaml import events

    match value:
        case list():
            yield events.SequenceStartEvent(None, None, implicit=True, flow_style=not value)
            for item in value:
                yield from _events(item)
            yield events.SequenceEndEvent()
        case dict():
            yield events.MappingStartEvent(None, None, implicit=True, flow_style=not value)
            for key in sorted(value, key=cmp_to_key(_as_people_sort)):
                yield from _events(key)
                yield from _events(value[key])
            yield events.MappingEndEvent()
        case str() if "\n" in value and not _ASTRAL.search(value):
            yield events.ScalarEvent(None, None, (True, True), value, style="|")
        case str() if _NO_TEXT.fullmatch(value) or _ASTRAL.search(value):
            yield events.ScalarEvent(None, None, (True, True), value, style='"')
        case str():
            yield events.ScalarEvent(None, None, (True, True), value)
        case _:
            yield events.ScalarEvent(None, None, (True, True), _scalar(value))


def _scalar(value: Value) -> str:
    if type(value) is int and -(2**63) <= value < 2**64:
        return str(value)
    if type(value) in (int, float):
        return f"{'-' if value < 0 else ''}{unsigned(abs(float(value)), 'g', None)}"
    return json_text(value)


def _as_people_sort(left: str, right: str) -> int:
    """Say which key comes first: signs, numbers by their value, letters."""
    shared = next((at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None)
    if shared is None:
        return len(left) - len(right)
    one, other = left[shared], right[shared]
    if one.isalpha() or other.isalpha():
        if one.isalpha() and other.isalpha():
            return -1 if one < other else 1
        after_digits = shared > 0 and left[shared - 1].isdecimal()
        return -1 if one.isalpha() is after_digits else 1
    numbers = _number(left, shared, "0" in (one, other)), _number(right, shared, "0" in (one, other))
    if numbers[0] != numbers[1]:
        return -1 if numbers[0] < numbers[1] else 1
    return -1 if one < other else 1


def _number(key: str, at: int, zero: bool) -> tuple[int, int]:
    """Read the digits from a place on; zeros count for something behind other digits."""
    digits = _DIGITS.match(key, at)
    assert digits is not None
    before = _DIGITS_BEFORE.search(key, 0, at) if zero else None
    lead = "1" if before is not None and before[0].strip("0") else ""
    return int(lead + digits[0][:400] or 0), len(digits[0])


FAMILY = (Builtin("yaml.marshal", 1, marshal),)
