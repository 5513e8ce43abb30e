"""Builtins over arrays, sets and what counts, adds up or sorts them."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from functools import reduce

from davy.policy.rego.arithmetic import exact, in_64_bits, plus, rounded, times
from davy.policy.rego.budget import BudgetExceeded, check_collection
from davy.policy.rego.builtin import Builtin, BuiltinError, number, place, refuse
from davy.policy.rego.values import UNDEFINED, RegoSet, Value, equal, key_of, measured, sort, sort_key


def several(value: Value, position: int) -> Iterable[Value]:
    """Take an argument that has to be an array or a set."""
    return value if type(value) is list or type(value) is RegoSet else refuse(position, value, "array", "set")


def array(value: Value, position: int) -> list[Value]:
    """Take an argument that has to be an array."""
    return value if type(value) is list else refuse(position, value, "array")


def collected(value: Value, position: int) -> RegoSet:
    """Take an argument that has to be a set."""
    return value if type(value) is RegoSet else refuse(position, value, "set")


def count(value: Value) -> int:
    """How many elements, pairs or characters there are."""
    if type(value) in (list, dict, RegoSet, str):
        return len(value)
    return refuse(1, value, "array", "object", "set", "string")


def total(values: Value) -> int | float:
    """Add numbers up."""
    found = [0, *_numbers(values)]
    if all(type(value) is int for value in found):
        return reduce(plus, found)
    made = Fraction(0)
    for value in found:
        made = in_64_bits(made + exact(value))
    return rounded(made)


def _numbers(values: Value) -> list[int | float]:
    """Take numbers; a `1e21` is as whole as what it stands for."""
    found = [number(value, 1) for value in several(values, 1)]
    return [int(exact(value)) if type(value) is float and value.is_integer() else value for value in found]


def product(values: Value) -> int | float:
    """Multiply numbers."""
    found = [1, *_numbers(values)]
    if all(type(value) is int for value in found):
        return reduce(times, found)
    made = 1.0
    for value in found:
        made = _double(Fraction(made) * exact(value))
    return int(Decimal(repr(made))) if made.is_integer() else made


def _double(value: Fraction) -> float:
    """Round to a double: OPA starts a product from one, and keeps its 53 bits."""
    try:
        return float(value)
    except OverflowError as error:
        raise BudgetExceeded("the product is too large") from error


def _extreme(choose: Callable[..., Value]) -> Callable[[Value], Value]:
    def call(values: Value) -> Value:
        found = list(several(values, 1))
        if not found:
            raise BuiltinError("nothing to choose from")
        measured(found)
        return choose(found, key=sort_key)

    return call


def any_true(values: Value) -> bool:
    """Whether one element is `true`."""
    return any(value is True for value in several(values, 1))


def all_true(values: Value) -> bool:
    """Whether every element is `true`."""
    return all(value is True for value in several(values, 1))


def concat(first: Value, second: Value) -> list[Value]:
    """Put one array after another."""
    ours, theirs = array(first, 1), array(second, 2)
    check_collection(len(ours) + len(theirs))
    return ours + theirs


def cut(values: Value, start: Value, stop: Value) -> list[Value]:
    """Take a part of an array; places beyond its ends are its ends."""
    found, first, last = array(values, 1), place(start, 2), place(stop, 3)
    return found[max(first, 0) : max(last, 0)]


def flatten(values: Value) -> list[Value]:
    """Put the elements of arrays in their place, one level deep."""
    made: list[Value] = []
    for value in array(values, 1):
        made += value if type(value) is list else [value]
        check_collection(len(made))
    return made


def union(sets: Value) -> RegoSet:
    """What is in any of the sets."""
    return reduce(RegoSet.union, _sets(sets), RegoSet())


def intersection(sets: Value) -> RegoSet:
    """What is in all of the sets; of no sets it is nothing."""
    found = _sets(sets)
    return reduce(RegoSet.intersection, found) if found else RegoSet()


def _sets(sets: Value) -> list[RegoSet]:
    return [collected(one, 1) for one in collected(sets, 1)]


def member(value: Value, values: Value) -> bool:
    """`value in values`: among the elements, or the values of an object; false where that is no collection."""
    if type(values) is RegoSet:
        return value in values
    if type(values) is dict:
        values = list(values.values())
    if type(values) is not list:
        return False
    return value in values if type(value) is str else any(equal(value, found) for found in values)


def member_at(key: Value, value: Value, values: Value) -> bool:
    """`key, value in values`: whether just this stands there."""
    if type(values) is dict:
        found = values.get(key_of(key), UNDEFINED)
    elif type(values) is list and type(key) in (int, float) and key == int(key) and 0 <= key < len(values):
        found = values[int(key)]
    elif type(values) is RegoSet and equal(key, value):
        found = values.get(key)
    else:
        return False
    return found is not UNDEFINED and equal(found, value)


FAMILY = (
    Builtin("count", 1, count),
    Builtin("sum", 1, total),
    Builtin("product", 1, product),
    Builtin("max", 1, _extreme(max)),
    Builtin("min", 1, _extreme(min)),
    Builtin("sort", 1, lambda values: sort(several(values, 1))),
    Builtin("any", 1, any_true),
    Builtin("all", 1, all_true),
    Builtin("array.concat", 2, concat),
    Builtin("array.slice", 3, cut),
    Builtin("array.flatten", 1, flatten),
    Builtin("array.reverse", 1, lambda values: array(values, 1)[::-1]),
    Builtin("union", 1, union),
    Builtin("intersection", 1, intersection),
    Builtin("set_diff", 2, lambda left, right: collected(left, 1).difference(collected(right, 2))),
    Builtin("internal.member_2", 2, member),
    Builtin("internal.member_3", 3, member_at),
)
