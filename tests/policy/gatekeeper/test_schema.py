"""Parameters are held to their schema as an API server holds a custom resource to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.gatekeeper.schema import hold, same, verify

OBJECT = {"type": "object"}


def held(schema: Any, value: Any, **more: Any) -> tuple[Any, list[tuple[str, str]], list[str]]:
    verify(schema, "schema")
    found, told = hold(schema, value, "p", **more)
    return found, told.errors, told.unknown


def wrong(schema: Any, value: Any) -> list[str]:
    return [path for path, _ in held(schema, value)[1]]


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (OBJECT, [{}, {"a": 1}], [[], "x", 1, None]),
        ({"type": "array"}, [[], [1]], [{}, "x", None]),
        ({"type": "string"}, ["", "x"], [1, True, None]),
        ({"type": "boolean"}, [True, False], [1, 0, "yes"]),
        ({"type": "integer"}, [1, 1.0], [1.5, True, "1"]),
        ({"type": "number"}, [1, 1.5], [True, "1"]),
        ({"type": "string", "nullable": True}, ["x", None], [1]),
        ({"x-kubernetes-int-or-string": True}, [1, "1"], [True, 1.5, None, []]),
        ({"enum": ["a", 1]}, ["a", 1, 1.0], ["b", True]),
        ({"type": "string", "pattern": "^a+$"}, ["aa"], ["", "b"]),
        ({"type": "string", "minLength": 1, "maxLength": 2}, ["a", "aé"], ["", "abc"]),
        ({"type": "array", "minItems": 1, "maxItems": 2}, [[1]], [[], [1, 2, 3]]),
        ({"type": "array", "uniqueItems": True}, [[1, 2], [1, True]], [[1, 1.0], [{"a": [1]}, {"a": [1]}]]),
        ({"type": "object", "minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 2}]),
        ({"minimum": 1, "maximum": 3}, [1, 3, "x"], [0, 4]),
        ({"minimum": 1, "exclusiveMinimum": True, "maximum": 3, "exclusiveMaximum": True}, [2], [1, 3]),
        ({"multipleOf": 2}, [4], [3]),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, ["x", 1], [[], 1.5]),
        ({"oneOf": [{"minimum": 2}, {"maximum": 3}]}, [1, 4], [2, 3]),
        ({"not": {"enum": ["x"]}}, ["y"], ["x"]),
    ],
)
def test_a_value_fits_or_does_not(schema: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if wrong(schema, value)] == []
    assert [value for value in bad if not wrong(schema, value)] == []


def test_what_is_wrong_inside_is_told_with_its_place() -> None:
    schema = {
        "type": "object",
        "required": ["name", "list"],
        "properties": {
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
        },
        "additionalProperties": {"type": "string"},
    }
    assert wrong(schema, {"list": [{"n": 1}, {"n": "x"}], "other": 1}) == ["p.name", "p.list[1].n", "p.other"]
    assert wrong({"anyOf": [{"properties": {"a": {"type": "string"}}}]}, {"a": 1}) == ["p"]


def test_fields_that_nobody_knows_are_told_unless_they_are_kept() -> None:
    inside = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert held(inside, {"a": "x", "b": 1})[1:] == ([], ["p.b"])
    assert held(inside, {"a": "x", "b": 1}, legacy=True)[1:] == ([], [])
    assert held({**inside, "x-kubernetes-preserve-unknown-fields": True}, {"b": 1})[1:] == ([], [])
    assert held({**inside, "additionalProperties": True}, {"b": 1})[1:] == ([], [])
    assert held({**inside, "additionalProperties": False}, {"b": 1})[1:] == ([], ["p.b"])


def test_defaults_are_filled_in_where_something_is_missing_or_null() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "default": "x"},
            "b": {"type": "object", "default": {}, "properties": {"c": {"type": "integer", "default": 7}}},
            "d": {"type": "string", "default": "y", "nullable": True},
        },
    }
    assert held(schema, {})[0] == {"a": "x", "b": {"c": 7}, "d": "y"}
    assert held(schema, {"a": None, "d": None})[0] == {"a": "x", "b": {"c": 7}, "d": None}
    given_before = {"a": "z"}
    held(schema, given_before)
    assert given_before == {"a": "z"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text("ab", max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("ab"), below, max_size=2),
    max_leaves=8,
)


@given(VALUES)
def test_any_value_is_the_same_as_itself_and_fits_a_schema_that_asks_nothing(value: Any) -> None:
    assert same(value, value)
    assert held({"x-kubernetes-preserve-unknown-fields": True}, value) == (value, [], [])
    assert wrong({"enum": [value]}, value) == []


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ([], "schema"),
        ({"type": "text"}, "schema.type"),
        ({"pattern": "("}, "schema.pattern"),
        ({"pattern": 1}, "schema.pattern"),
        ({"enum": "a"}, "schema.enum"),
        ({"required": {"a": 1}}, "schema.required"),
        ({"properties": []}, "schema.properties"),
        ({"properties": {"a": {"type": "text"}}}, "schema.properties.a.type"),
        ({"items": "x"}, "schema.items"),
        ({"properties": {"a": None}}, "schema.properties.a"),
        ({"allOf": [None]}, "schema.allOf[0]"),
        ({"type": ["string"]}, "schema.type"),
        ({"additionalProperties": "x"}, "schema.additionalProperties"),
        ({"not": "x"}, "schema.not"),
        ({"oneOf": [{"type": "x"}]}, "schema.oneOf[0].type"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema: Any, path: str) -> None:
    with pytest.raises(Malformed) as error:
        verify(schema, "schema")
    assert error.value.path == path


def test_a_schema_without_an_end_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"items": deep}
    with pytest.raises(Malformed, match="deeper than 32"):
        verify(deep, "schema")
