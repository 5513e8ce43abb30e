"""The macros that go over lists and maps, at the time of an evaluation. Each turn is paid for in advance."""

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import Any

from davy.policy.cel.budget import Budget
from davy.policy.cel.errors import CelError, OutOfBudget
from davy.policy.cel.operators import boolean, comparable, compared, has_key, is_list, is_map, no_overload, put
from davy.policy.cel.values import NONE, Optional, Value, sort_of

GO_NAMES = {
    "int": "Int", "uint": "Uint", "double": "Double", "string": "String", "bool": "Bool", "bytes": "Bytes",
    "null_type": "Null", "google.protobuf.Duration": "Duration", "google.protobuf.Timestamp": "Timestamp",
}  # fmt: skip
Turn = tuple[Value, ...]


def elements(budget: Budget, value: Any) -> Iterable[Value]:
    """Return the elements of a list, or the keys of a map."""
    if not is_list(value) and not is_map(value):
        raise _not_iterable(value)
    budget.spend(len(value))
    return value  # type: ignore[no-any-return]


def turns(budget: Budget, value: Any) -> Iterable[Turn]:
    """Return places and elements of a list, or keys and values of a map."""
    if is_map(value):
        budget.spend(len(value))
        return value.items()  # type: ignore[no-any-return]
    if not is_list(value):
        raise _not_iterable(value)
    budget.spend(len(value))
    return enumerate(value)


def _not_iterable(value: Value) -> CelError:
    sort = sort_of(type(value))
    return CelError(f"got 'types.{GO_NAMES.get(sort, sort)}', expected iterable type")


def every(over: Iterable[Turn], test: Callable[..., Value]) -> bool:
    """`all`: false as soon as one turn is, whatever the others are; else the first error."""
    return _settled(over, test, False)


def some(over: Iterable[Turn], test: Callable[..., Value]) -> bool:
    """`exists`: true as soon as one turn is, whatever the others are; else the first error."""
    return _settled(over, test, True)


def _settled(over: Iterable[Turn], test: Callable[..., Value], wanted: bool) -> bool:
    error: CelError | None = None
    for turn in over:
        try:
            if boolean(test(*turn)) is wanted:
                return wanted
        except OutOfBudget:
            raise
        except CelError as raised:
            error = error or raised
    if error is not None:
        raise error
    return not wanted


def one(over: Iterable[Turn], test: Callable[..., Value]) -> bool:
    """`exists_one`: whether exactly one turn is true; no error is absorbed."""
    return sum([boolean(test(*turn)) for turn in over]) == 1


def singles(over: Iterable[Value]) -> Iterable[Turn]:
    """Make turns of one name each."""
    return ((value,) for value in over)


def mapped(over: Iterable[Turn]) -> dict[Any, Value]:
    """`transformMap`: a map of keys and what became of their values."""
    found: dict[Any, Value] = {}
    for key, value in over:
        put(found, key, value)
    return found


def entered(over: Iterable[Any]) -> dict[Any, Value]:
    """`transformMapEntry`: one map of many, of which no two may have the same key."""
    found: dict[Any, Value] = {}
    for entry in over:
        if not is_map(entry):
            no_overload()
        for key, value in entry.items():
            if has_key(found, key):
                raise CelError(f"insert failed: key {key} already exists")
            put(found, key, value)
    return found


def in_order(over: Any, key: Callable[[Value], Value]) -> list[Value]:
    """`sortBy`: sorted by what becomes of each element."""
    if not is_list(over):
        raise CelError("no such overload: @sortByAssociatedKeys")
    keyed: list[tuple[Any, Value]] = [(key(value), value) for value in over]
    comparable([found for found, _ in keyed])
    return [value for _, value in sorted(keyed, key=cmp_to_key(_in_order))]


def _in_order(one: tuple[Any, Value], other: tuple[Any, Value]) -> int:
    return compared(one[0], other[0])


def if_present(value: Value, change: Callable[[Value], Value]) -> Optional:
    """`optMap`."""
    optional = _optional(value)
    return Optional(change(optional.value)) if optional.present else NONE


def then_present(value: Value, change: Callable[[Value], Value]) -> Value:
    """`optFlatMap`."""
    optional = _optional(value)
    return change(optional.value) if optional.present else NONE


def _optional(value: Value) -> Optional:
    if isinstance(value, Optional):
        return value
    raise CelError(f"no such overload: hasValue({sort_of(type(value))})")
