"""Lists, as Kubernetes and `ext.Lists` of cel-go have them, and lists taken for sets."""

from functools import cmp_to_key, reduce
from itertools import pairwise
from typing import Any

from davy.policy.cel.budget import Budget
from davy.policy.cel.errors import CelError
from davy.policy.cel.operators import add, comparable, compared, equal, is_list, no_overload
from davy.policy.cel.signature import Library
from davy.policy.cel.values import NONE, Duration, Optional, Value

LISTS = Library()
SETS = Library()
COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
SUMMABLE = ("int", "uint", "double", "duration")
LONGEST_RANGE = 1_000_000


@LISTS.define("isSorted", *[f"list({sort}).() -> bool" for sort in COMPARABLE], metered=True)
def is_sorted(budget: Budget, values: list[Value]) -> bool:
    """Say whether no element is greater than the one after it."""
    budget.spend(len(values))
    return all(compared(one, other) <= 0 for one, other in pairwise(values))


@LISTS.define("sum", *[f"list({sort}).() -> {sort}" for sort in SUMMABLE], metered=True)
def sum_(budget: Budget, values: list[Value]) -> Value:
    """Add the elements up; nothing is 0."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float | Duration):
            no_overload()
    return reduce(lambda one, other: add(budget, one, other), values) if values else 0


@LISTS.define("min", *[f"list({sort}).() -> {sort}" for sort in COMPARABLE], metered=True)
def min_(budget: Budget, values: list[Value]) -> Value:
    """Return the least element."""
    budget.spend(len(values))
    if not values:
        raise CelError("min called on empty list")
    return reduce(lambda one, other: other if compared(other, one) < 0 else one, values)


@LISTS.define("max", *[f"list({sort}).() -> {sort}" for sort in COMPARABLE], metered=True)
def max_(budget: Budget, values: list[Value]) -> Value:
    """Return the greatest element."""
    budget.spend(len(values))
    if not values:
        raise CelError("max called on empty list")
    return reduce(lambda one, other: other if compared(other, one) > 0 else one, values)


@LISTS.define("indexOf", "list(T).(T) -> int", metered=True)
def index_of(budget: Budget, values: list[Value], wanted: Value) -> int:
    """Return the first place of an element, -1 if it has none."""
    budget.spend(len(values))
    return next((place for place, value in enumerate(values) if equal(budget, value, wanted)), -1)


@LISTS.define("lastIndexOf", "list(T).(T) -> int", metered=True)
def last_index_of(budget: Budget, values: list[Value], wanted: Value) -> int:
    """Return the last place of an element, -1 if it has none."""
    budget.spend(len(values))
    places = range(len(values) - 1, -1, -1)
    return next((place for place in places if equal(budget, values[place], wanted)), -1)


@LISTS.define("lists.range", "(int) -> list(int)", metered=True)
def range_(budget: Budget, length: int) -> list[int]:
    """Return the numbers from 0 on, so many."""
    if length < 0:
        raise CelError(f"lists.range: size must be non-negative, got {length}")
    if length > LONGEST_RANGE:
        raise CelError(f"lists.range: size {length} exceeds maximum allowed ({LONGEST_RANGE})")
    budget.spend(length)
    return list(range(length))


@LISTS.define(
    "flatten",
    "list(list(T)).() -> list(T)",
    "list(dyn).(int) -> list(dyn)",
    metered=True,
)
def flatten(budget: Budget, values: list[Any], depth: int = 1) -> list[Value]:
    """Put the elements of inner lists in the place of these, one level deep or more."""
    if depth < 0:
        raise CelError("level must be non-negative")
    found: list[Value] = []
    for value in values:
        if depth > 0 and is_list(value):
            found.extend(flatten(budget, value, depth - 1))
        else:
            found.append(value)
    budget.spend(len(found))
    return found


@LISTS.define("slice", "list(T).(int, int) -> list(T)", metered=True)
def slice_(budget: Budget, values: list[Value], start: int, end: int) -> list[Value]:
    """Return the elements from a place on, up to another."""
    if start < 0 or end < 0:
        raise CelError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise CelError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(values):
        raise CelError(f"cannot slice({start}, {end}), list is length {len(values)}")
    budget.spend(end - start)
    return values[start:end]


@LISTS.define("sort", *[f"list({sort}).() -> list({sort})" for sort in COMPARABLE], metered=True)
def sort(budget: Budget, values: list[Any]) -> list[Value]:
    """Sort elements of one type."""
    budget.spend(len(values) * max(1, len(values).bit_length()))
    comparable(values)
    return sorted(values, key=cmp_to_key(compared))


@LISTS.define("distinct", "list(T).() -> list(T)", metered=True)
def distinct(budget: Budget, values: list[Value]) -> list[Value]:
    """Return each element once, in the order in which they came."""
    found: list[Value] = []
    for value in values:
        if not _among(budget, value, found):
            found.append(value)
    return found


@LISTS.define("reverse", "list(T).() -> list(T)", metered=True)
def reverse(budget: Budget, values: list[Value]) -> list[Value]:
    """Turn a list around."""
    budget.spend(len(values))
    return values[::-1]


@LISTS.define("first", "list(T).() -> optional(T)")
def first(values: list[Value]) -> Optional:
    """Return the first element, if there is one."""
    return Optional(values[0]) if values else NONE


@LISTS.define("last", "list(T).() -> optional(T)")
def last(values: list[Value]) -> Optional:
    """Return the last element, if there is one."""
    return Optional(values[-1]) if values else NONE


@SETS.define("sets.contains", "(list(T), list(T)) -> bool", metered=True)
def contains(budget: Budget, values: list[Value], wanted: list[Value]) -> bool:
    """Say whether one has all elements of the other."""
    return all(_among(budget, value, values) for value in wanted)


@SETS.define("sets.equivalent", "(list(T), list(T)) -> bool", metered=True)
def equivalent(budget: Budget, one: list[Value], other: list[Value]) -> bool:
    """Say whether both have the same elements."""
    return contains(budget, one, other) and contains(budget, other, one)


@SETS.define("sets.intersects", "(list(T), list(T)) -> bool", metered=True)
def intersects(budget: Budget, one: list[Value], other: list[Value]) -> bool:
    """Say whether they have an element in common."""
    return any(_among(budget, value, other) for value in one)


def _among(budget: Budget, value: Value, values: list[Value]) -> bool:
    budget.spend(1 + len(values) // 10)
    return any(equal(budget, value, held) for held in values)
