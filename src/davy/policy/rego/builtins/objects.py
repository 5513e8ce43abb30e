"""Builtins over objects."""

from functools import reduce

from davy.policy.rego.budget import check_comparisons
from davy.policy.rego.builtin import Builtin, refuse
from davy.policy.rego.builtins.aggregates import array
from davy.policy.rego.values import UNDEFINED, Key, RegoSet, Value, equal, key_of, measured, value_of


def mapping(value: Value, position: int) -> dict[Key, Value]:
    """Take an argument that has to be an object."""
    return value if type(value) is dict else refuse(position, value, "object")


def at(value: Value, key: Value) -> Value:
    """What stands at a key of an object or a place of an array; of a set the element itself; or `UNDEFINED`."""
    if type(value) is dict:
        return value.get(key_of(key), UNDEFINED)
    if type(value) is RegoSet:
        return value.get(key)
    if type(value) is list and type(key) in (int, float) and key == int(key) and 0 <= key < len(value):
        return value[int(key)]
    return UNDEFINED


def get(found: Value, key: Value, default: Value) -> Value:
    """What stands at a key, or at a path of keys; else the default."""
    if type(found) is not dict:
        refuse(1, found, "object")
    if type(key) is not list:
        return found.get(key_of(key), default)
    value: Value = found
    for step in key:
        if type(value) is dict and type(step) is str:
            if step not in value:
                return default
            value = value[step]
        elif (value := at(value, step)) is UNDEFINED:
            return default
    return value


def keys(found: Value) -> RegoSet:
    """The keys, as a set."""
    return RegoSet(map(value_of, mapping(found, 1)))


def _named(names: Value) -> set[Key]:
    if type(names) is dict:
        return set(names)
    if type(names) is RegoSet:
        return set(names.keys())
    return set(map(key_of, names)) if type(names) is list else refuse(2, names, "object", "array", "set")


def keep(found: Value, names: Value) -> dict[Key, Value]:
    """The pairs whose keys are named."""
    pairs, wanted = mapping(found, 1), _named(names)
    return {key: value for key, value in pairs.items() if key in wanted}


def remove(found: Value, names: Value) -> dict[Key, Value]:
    """The pairs whose keys are not named."""
    pairs, unwanted = mapping(found, 1), _named(names)
    return {key: value for key, value in pairs.items() if key not in unwanted}


def subset(larger: Value, smaller: Value) -> bool:
    """Whether one value is in another: pairs in an object, elements in a set, a run of elements in an array."""
    found = _within(larger, smaller)
    if found is not None:
        return found
    if type(larger) is list and type(smaller) is RegoSet:
        return smaller.issubset(RegoSet(larger))
    return refuse(1, larger, "array", "object", "set")


def _within(larger: Value, smaller: Value) -> bool | None:
    """Answer for two collections of one type, None for anything else."""
    if type(larger) is not type(smaller):
        return None
    if type(larger) is dict:
        return all(key in larger and _same_or_within(larger[key], value) for key, value in smaller.items())
    if type(larger) is RegoSet:
        return bool(smaller.issubset(larger))
    if type(larger) is list:
        return _run(larger, smaller)
    return None


def _same_or_within(larger: Value, smaller: Value) -> bool:
    found = _within(larger, smaller)
    return equal(larger, smaller) if found is None else found


def _run(larger: list[Value], smaller: list[Value]) -> bool:
    size = len(smaller)
    if not size:
        return True
    starts = [place for place in range(len(larger) - size + 1) if equal(larger[place], smaller[0])]
    check_comparisons(len(starts) * size)
    return any(equal(larger[start : start + size], smaller) for start in starts)


def union(first: Value, second: Value) -> dict[Key, Value]:
    """Put two objects into one; where both have a key the second wins, unless both have objects there."""
    return _merged(measured(mapping(first, 1)), measured(mapping(second, 2)))


def _merged(first: dict[Key, Value], second: dict[Key, Value]) -> dict[Key, Value]:
    made = dict(first)
    for key, value in second.items():
        before = made.get(key)
        made[key] = _merged(before, value) if type(before) is dict and type(value) is dict else value
    return made


def union_n(objects: Value) -> dict[Key, Value]:
    """Put objects into one, the last one wins."""
    return reduce(_merged, (measured(mapping(found, 1)) for found in array(objects, 1)), {})


FAMILY = (
    Builtin("object.get", 3, get),
    Builtin("object.keys", 1, keys),
    Builtin("object.filter", 2, keep),
    Builtin("object.remove", 2, remove),
    Builtin("object.subset", 2, subset),
    Builtin("object.union", 2, union),
    Builtin("object.union_n", 1, union_n),
)
