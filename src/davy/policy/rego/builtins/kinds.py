"""Builtins that ask for a type, or insist on one."""

from collections.abc import Callable

from davy.policy.rego.builtin import Builtin, refuse
from davy.policy.rego.values import RegoSet, Value, type_name


def _is(*kinds: type) -> Callable[[Value], bool]:
    return lambda value: type(value) in kinds


def _insist(kind: type, name: str) -> Callable[[Value], Value]:
    return lambda value: value if type(value) is kind else refuse(1, value, name)


def cast_array(value: Value) -> list[Value]:
    """An array, made of a set if it is one."""
    return list(value) if type(value) in (list, RegoSet) else refuse(1, value, "array", "set")


def cast_set(value: Value) -> RegoSet:
    """A set, made of an array if it is one."""
    return RegoSet(value) if type(value) in (list, RegoSet) else refuse(1, value, "array", "set")


FAMILY = (
    Builtin("is_array", 1, _is(list)),
    Builtin("is_boolean", 1, _is(bool)),
    Builtin("is_null", 1, _is(type(None))),
    Builtin("is_number", 1, _is(int, float)),
    Builtin("is_object", 1, _is(dict)),
    Builtin("is_set", 1, _is(RegoSet)),
    Builtin("is_string", 1, _is(str)),
    Builtin("type_name", 1, type_name),
    Builtin("cast_array", 1, cast_array),
    Builtin("cast_boolean", 1, _insist(bool, "boolean")),
    Builtin("cast_null", 1, _insist(type(None), "null")),
    Builtin("cast_object", 1, _insist(dict, "object")),
    Builtin("cast_set", 1, cast_set),
    Builtin("cast_string", 1, _insist(str, "string")),
)
