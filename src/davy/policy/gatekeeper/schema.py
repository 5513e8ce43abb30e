"""The schema of a constraint's parameters, as the API server holds a custom resource to it.

A structural OpenAPI v3 schema: it fills in defaults, and it says what does not fit and what it does not know.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from davy.policy.gatekeeper.malformed import Malformed, join, listed, mapping, named
from davy.policy.gatekeeper.regexp import regexp
from davy.policy.review import Json, Object

DEPTH = 32
"""How deep a schema may go."""

TYPES: Mapping[str, Callable[[Json], bool]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _number(value) and float(value).is_integer(),
    "number": lambda value: _number(value),
}


@dataclass(slots=True)
class Held:
    """What came of holding a value to a schema.

    Args:
        errors: (path, sentence) of everything that does not fit.
        unknown: paths of fields that the schema does not have: an API server drops them.
    """

    errors: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def hold(schema: Object, value: Json, path: str, *, legacy: bool = False) -> tuple[Json, Held]:
    """Return a value with the defaults of a schema filled in, and what is wrong with it.

    With `legacy` (a template's `legacySchema: true`) fields without a schema are kept.
    """
    held = Held()
    return _hold(schema, value, path, held, legacy), held


def verify(schema: Json, path: str, depth: int = 0) -> None:
    """Make sure that a schema is one that can be held to.

    Raises:
        Malformed: it is not.
    """
    if depth > DEPTH:
        raise Malformed(path, f"this goes deeper than {DEPTH} schemas within each other")
    if schema is None and depth:
        raise Malformed(path, "there has to be a schema")
    known = mapping(schema, path)
    kind = known.get("type")
    if kind is not None and (not isinstance(kind, str) or kind not in TYPES):
        raise Malformed(f"{path}.type", f"{kind!r} is no type", f"use {', '.join(TYPES)}")
    if known.get("pattern") is not None:
        regexp(known["pattern"], f"{path}.pattern")
    for name in ("enum", "required"):
        listed(known.get(name), f"{path}.{name}")
    for name, below in mapping(known.get("properties"), f"{path}.properties").items():
        verify(below, f"{path}.properties.{name}", depth + 1)
    for name in ("items", "not", "additionalProperties"):
        if known.get(name) is not None and not (
            name == "additionalProperties" and isinstance(known[name], bool)
        ):
            verify(known[name], f"{path}.{name}", depth + 1)
    for name in ("allOf", "anyOf", "oneOf"):
        for at, below in enumerate(listed(known.get(name), f"{path}.{name}")):
            verify(below, f"{path}.{name}[{at}]", depth + 1)


def _hold(schema: Object, value: Json, path: str, held: Held, legacy: bool) -> Json:
    if value is None and schema.get("nullable"):
        return None
    held.errors += ((path, sentence) for sentence in _mismatches(schema, value))
    keep = legacy or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    match value:
        case Mapping():
            value = _hold_mapping(schema, value, path, held, legacy, keep)
        case list() if isinstance(schema.get("items"), Mapping):
            value = [
                _hold(schema["items"], each, f"{path}[{at}]", held, legacy) for at, each in enumerate(value)
            ]
        case _:
            pass
    held.errors += ((path, sentence) for sentence in _combined(schema, value, path))
    return value


def _hold_mapping(schema: Object, value: Object, path: str, held: Held, legacy: bool, keep: bool) -> Object:
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    found = {
        **value,
        **{
            name: below["default"]
            for name, below in properties.items()
            if "default" in below and _lacks(value, name, below)
        },
    }
    for name in listed(schema.get("required"), path):
        if name not in found:
            held.errors.append((join(path, str(name)), "this is required"))
    for name, inside in found.items():
        if name in properties:
            found[name] = _hold(properties[name], inside, join(path, name), held, legacy)
        elif isinstance(more, Mapping):
            found[name] = _hold(more, inside, join(path, name), held, legacy)
        elif not keep and not more:
            held.unknown.append(join(path, name))
    return found


def _lacks(value: Object, name: str, schema: Object) -> bool:
    """Say whether a default is to be filled in: null counts as missing unless it may be there."""
    return name not in value or (value[name] is None and not schema.get("nullable"))


def _mismatches(schema: Object, value: Json) -> Iterator[str]:
    """Say what of a value itself, not of what it holds, does not fit."""
    kind = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"this has to be a whole number or a text and is {named(value)}"
            return
    elif kind is not None and not TYPES[kind](value):
        yield f"this has to be of type {kind} and is {named(value)}"
        return
    enum = schema.get("enum")
    if enum and not any(same(value, each) for each in enum):
        yield f"this has to be one of {', '.join(json.dumps(each) for each in enum)}"
    match value:
        case str():
            yield from _mismatched_text(schema, value)
        case list():
            yield from _mismatched_size(schema, len(value), "Items", "items")
            if schema.get("uniqueItems") and any(same(a, b) for at, a in enumerate(value) for b in value[:at]):
                yield "no item may be there twice"
        case Mapping():
            yield from _mismatched_size(schema, len(value), "Properties", "fields")
        case _ if _number(value):
            yield from _mismatched_number(schema, value)
        case _:
            pass


def _mismatched_text(schema: Object, value: str) -> Iterator[str]:
    yield from _mismatched_size(schema, len(value), "Length", "characters")
    pattern = schema.get("pattern")
    if pattern is not None and not regexp(pattern, "").search(value):
        yield f"this has to match {pattern}"


def _mismatched_size(schema: Object, size: int, name: str, what: str) -> Iterator[str]:
    least, most = schema.get(f"min{name}"), schema.get(f"max{name}")
    if _number(least) and size < least:
        yield f"there have to be at least {least} {what}, and there are {size}"
    if _number(most) and size > most:
        yield f"there may be at most {most} {what}, and there are {size}"


def _mismatched_number(schema: Object, value: float) -> Iterator[str]:
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if _number(least) and (value < least or (value == least and schema.get("exclusiveMinimum"))):
        yield f"this has to be {'more than' if schema.get('exclusiveMinimum') else 'at least'} {least}"
    if _number(most) and (value > most or (value == most and schema.get("exclusiveMaximum"))):
        yield f"this has to be {'less than' if schema.get('exclusiveMaximum') else 'at most'} {most}"
    if _number(step) and step > 0 and value % step:
        yield f"this has to be a multiple of {step}"


def _combined(schema: Object, value: Json, path: str) -> Iterator[str]:
    """Hold a value to schemas that are put together; they fill in nothing and know no fields of their own."""
    for below in schema.get("allOf") or ():
        yield from _misfits(below, value, path)
    alternatives = [not list(_misfits(below, value, path)) for below in schema.get("anyOf") or ()]
    if alternatives and not any(alternatives):
        yield "this fits none of the alternatives (anyOf)"
    alternatives = [not list(_misfits(below, value, path)) for below in schema.get("oneOf") or ()]
    if alternatives and sum(alternatives) != 1:
        yield f"this has to fit exactly one of the alternatives (oneOf) and fits {sum(alternatives)}"
    if schema.get("not") is not None and not list(_misfits(schema["not"], value, path)):
        yield "this fits what it must not (not)"


def _misfits(schema: Object, value: Json, path: str) -> list[str]:
    held = Held()
    _hold(schema, value, path, held, legacy=True)
    return [f"{where}: {sentence}" if where != path else sentence for where, sentence in held.errors]


def same(one: Json, other: Json) -> bool:
    """Compare as JSON does: `true` is not 1, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def _number(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
