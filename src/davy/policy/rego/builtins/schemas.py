"""JSON Schema: `json.verify_schema` and `json.match_schema`, drafts 4, 6 and 7 together as OPA has them.

Judged here and not by a package: schemas and documents come from people we do not know, so patterns go through
RE2, nothing is fetched, and every keyword that is looked at is a step of the budget.
"""

from collections.abc import Iterator
from typing import Any

from davy.policy.rego.builtin import Builtin, BuiltinError, Context
from davy.policy.rego.builtins.encoding import parsed_json
from davy.policy.rego.builtins.patterns import compiled
from davy.policy.rego.builtins.schema_judge import Judge, followed
from davy.policy.rego.values import Value, key_of, to_json

_TYPES = frozenset(("array", "boolean", "integer", "number", "null", "object", "string"))
_SCHEMA = ("additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
_SCHEMAS = ("allOf", "anyOf", "oneOf")
_NAMED = ("properties", "patternProperties", "definitions")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_NUMBERS = ("minimum", "maximum", "multipleOf")
_BOUNDS = ("exclusiveMinimum", "exclusiveMaximum")


def verify(context: Context, schema: Value) -> list[Value]:
    """Say whether something is a schema, and what is wrong with it."""
    try:
        _read(context, schema)
    except BuiltinError as error:
        return [False, f"jsonschema: {error}"]
    return [True, None]


def match(context: Context, document: Value, schema: Value) -> list[Value]:
    """Say whether a document fits a schema, and every way in which it does not."""
    given = _given(document)
    judge = Judge(_read(context, schema), context.budget)
    found = [word._asdict() for word in judge.words(judge.root, given, "(Root)")]
    return [not found, found]


def _given(value: Value) -> Value:
    """Read a schema or a document, which may be written as JSON."""
    if type(value) is str:
        try:
            return parsed_json(value)
        except BuiltinError as error:
            raise BuiltinError("invalid JSON string") from error
    if type(value) is not dict and type(value) is not list:
        raise BuiltinError("wrong type, expected string or object")
    return to_json(value)


def _read(context: Context, schema: Value) -> dict[str, Any]:
    """Take a schema, all of which makes sense.

    Raises:
        BuiltinError: it does not.
    """
    root = _given(schema)
    if type(root) is not dict:
        raise BuiltinError("schema is invalid")
    todo: list[Value] = [root]
    seen: set[int] = set()
    while todo:
        here = todo.pop()
        if type(here) is bool or id(here) in seen:
            continue
        if type(here) is not dict:
            raise BuiltinError("a schema must be an object or a boolean")
        context.budget.spend()
        seen.add(id(here))
        if "$ref" in here:
            todo.append(followed(root, here["$ref"]))
        _check(here)
        todo += _within(here)
    return root


def _within(here: dict[str, Any]) -> Iterator[Value]:
    """Give the schemas in a schema."""
    yield from (here[name] for name in _SCHEMA if name in here)
    for name in _SCHEMAS:
        yield from here.get(name, ())
    for name in _NAMED:
        yield from here.get(name, {}).values()
    yield from (inner for inner in here.get("dependencies", {}).values() if type(inner) is not list)
    items = here.get("items", [])
    yield from items if type(items) is list else [items]


def _check(here: dict[str, Any]) -> None:
    """Refuse keywords with a value that they cannot have."""
    _check_type(here.get("type", []))
    for name in (*_NAMED, "dependencies"):
        if type(here.get(name, {})) is not dict:
            raise BuiltinError(f"{name} must be of type object")
    for name in _SCHEMAS:
        if name in here and not (type(here[name]) is list and here[name]):
            raise BuiltinError(f"{name} must be an array of schemas")
    for name in _COUNTS:
        count = here.get(name, 0)
        if not (type(count) in (int, float) and count >= 0 and count == int(count)):
            raise BuiltinError(f"{name} must be an integer that is not negative")
    for what in ("Length", "Items", "Properties"):
        if here.get(f"min{what}", 0) > here.get(f"max{what}", here.get(f"min{what}", 0)):
            raise BuiltinError(f"min{what} cannot be greater than max{what}")
    for name in _NUMBERS:
        if type(here.get(name, 0)) not in (int, float):
            raise BuiltinError(f"{name} must be of a number")
    if here.get("multipleOf", 1) <= 0:
        raise BuiltinError("multipleOf must be strictly greater than 0")
    for name in _BOUNDS:
        bound = here.get(name, 0)
        if type(bound) is bool and name.removeprefix("exclusive").lower() not in here:
            raise BuiltinError(f"{name} of true or false needs a bound")
        if type(bound) not in (bool, int, float):
            raise BuiltinError(f"{name} must be a number or a boolean")
    _check_names("required", here.get("required", []))
    for inner in here.get("dependencies", {}).values():
        _check_names("dependencies", inner if type(inner) is list else [])
    if not (type(here.get("enum", [0])) is list and here.get("enum", [0])):
        raise BuiltinError("enum must be an array with values")
    if len(set(map(key_of, here.get("enum", ())))) < len(here.get("enum", ())):
        raise BuiltinError("enum must not have a value twice")
    if type(here.get("uniqueItems", True)) is not bool or type(here.get("format", "")) is not str:
        raise BuiltinError("uniqueItems must be a boolean and format a string")
    for pattern in (here.get("pattern", ""), *here.get("patternProperties", ())):
        if type(pattern) is not str:
            raise BuiltinError("pattern must be a string")
        compiled(pattern)


def _check_type(wanted: Value) -> None:
    names = wanted if type(wanted) is list else [wanted]
    for name in names:
        if type(name) is not str:
            raise BuiltinError("type must be a string or an array of strings")
        if name not in _TYPES:
            raise BuiltinError(f"has a primitive type that is NOT VALID -- given: /{name}/")
    if len(set(names)) < len(names):
        raise BuiltinError("type must not name a type twice")


def _check_names(keyword: str, names: Value) -> None:
    if type(names) is not list or any(type(name) is not str for name in names):
        raise BuiltinError(f"{keyword} must be of an array of strings")


FAMILY = (
    Builtin("json.verify_schema", 1, verify, contextual=True),
    Builtin("json.match_schema", 2, match, contextual=True),
)
