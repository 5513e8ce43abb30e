"""What the signs of the language do with values, at the time of an evaluation."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from davy.policy.cel.budget import Budget
from davy.policy.cel.errors import CelError, OutOfBudget
from davy.policy.cel.numbers import NUMBERS, Uint, divided, int64, quotient, remainder, shortest, uint64
from davy.policy.cel.values import NONE, Duration, Instant, Optional, Value, sort_of

ORDERED = frozenset((int, float, Uint, str, bytes, bool, Instant, Duration))


def no_overload(*_: Value) -> NoReturn:
    """Refuse values that an operator is not for."""
    raise CelError("no such overload")


def boolean(value: Value) -> bool:
    """Return a value that is a bool; `no such overload` for any other."""
    if value is True or value is False:
        return value
    no_overload()


def is_list(value: Value) -> bool:
    """Say whether it is a list; no text is one."""
    return type(value) is list or sort_of(type(value)) == "list"


def is_map(value: Value) -> bool:
    """Say whether it is a map."""
    return type(value) is dict or isinstance(value, Mapping)


def equal(budget: Budget, one: Value, other: Value) -> bool:
    """Compare by value. Numbers of different types are equal if they are the same number; nothing raises."""
    sort, against = type(one), type(other)
    if sort is against and sort in (str, bool, int, float):
        return one == other
    if sort in NUMBERS and against in NUMBERS:
        return one == other
    return _deeply_equal(budget, one, other)


def _deeply_equal(budget: Budget, one: Any, other: Any) -> bool:
    if is_list(one):
        if not is_list(other) or len(one) != len(other):
            return False
        budget.spend(len(one))
        return all(equal(budget, a, b) for a, b in zip(one, other, strict=True))
    if is_map(one):
        if not is_map(other) or len(one) != len(other):
            return False
        budget.spend(len(one))
        return all(has_key(other, key) and equal(budget, value, other[key]) for key, value in one.items())
    if isinstance(one, Optional) and isinstance(other, Optional):
        return one.present == other.present and (not one.present or equal(budget, one.value, other.value))
    return sort_of(type(one)) == sort_of(type(other)) and bool(one == other)


def unequal(budget: Budget, one: Value, other: Value) -> bool:
    """The opposite of `equal`."""
    return not equal(budget, one, other)


def compared(one: Any, other: Any) -> int:
    """Return -1, 0 or 1 as one is less than, equal to or greater than the other."""
    sort, against = type(one), type(other)
    alike = (sort is against and sort in ORDERED) or (sort in NUMBERS and against in NUMBERS)
    if not alike and not (isinstance(one, str) and isinstance(other, str)):
        no_overload()
    if isinstance(one, Instant | Duration):
        one, other = one.ns, other.ns
    if isinstance(one, float | int) and (math.isnan(one) or math.isnan(other)):
        raise CelError("NaN values cannot be ordered")
    return int(one > other) - int(one < other)


def comparable(values: Sequence[Value]) -> None:
    """Refuse what cannot be sorted: it has no order, or is of several types.

    Raises:
        CelError: it cannot.
    """
    for value in values:
        if type(value) not in ORDERED:
            raise CelError("list elements must be comparable")
        if type(value) is not type(values[0]):
            raise CelError("list elements must have the same type")


def less(one: Value, other: Value) -> bool:
    """`<`."""
    return compared(one, other) < 0


def at_most(one: Value, other: Value) -> bool:
    """`<=`."""
    return compared(one, other) <= 0


def greater(one: Value, other: Value) -> bool:
    """`>`."""
    return compared(one, other) > 0


def at_least(one: Value, other: Value) -> bool:
    """`>=`."""
    return compared(one, other) >= 0


def has_key(found: Mapping[Any, Value], key: Value) -> bool:
    """Say whether a map has a key. To Python True is 1; to CEL it is not."""
    if type(key) is str:
        return key in found
    try:
        if key not in found:
            return False
    except TypeError:  # a list or a map: no key of a manifest
        return False
    if type(key) not in NUMBERS and type(key) is not bool:
        return True
    return any(held == key and (type(held) is bool) == (type(key) is bool) for held in found)


def member(budget: Budget, value: Value, found: Any) -> bool:
    """`in`: of a list, or among the keys of a map."""
    if is_map(found):
        return has_key(found, value)
    if not is_list(found):
        no_overload()
    budget.spend(len(found) // 10)
    return any(equal(budget, value, held) for held in found)


def field(value: Any, name: str) -> Value:
    """`value.name`."""
    if is_map(value):
        try:
            return value[name]
        except KeyError:
            raise CelError(f"no such key: {name}") from None
    if isinstance(value, Optional):
        return optional_field(value, name)
    if is_list(value):
        raise CelError("unsupported index type 'string' in list")
    raise CelError(f"no such key: {name}")


def presence(value: Any, name: str) -> bool:
    """`has(value.name)`."""
    if is_map(value):
        return name in value
    if isinstance(value, Optional):
        return optional_field(value, name).present
    if is_list(value):
        raise CelError("unsupported index type 'string' in list")
    return False


def index(value: Any, key: Any) -> Value:
    """`value[key]`."""
    if type(value) is list and type(key) is int and 0 <= key < len(value):
        found: Value = value[key]
        return found
    if isinstance(value, Optional):
        return optional_index(value, key)
    found = _looked_up(value, key)
    if found.present:
        return found.value
    if is_list(value):
        raise CelError(f"index out of bounds: {_shown(key)}")
    raise CelError(f"no such key: {_shown(key)}")


def optional_index(value: Any, key: Any) -> Optional:
    """`value[?key]`."""
    if isinstance(value, Optional):
        return _looked_up(value.value, key) if value.present else NONE
    return _looked_up(value, key)


def optional_field(value: Any, name: str) -> Optional:
    """`value.?name`."""
    if type(value) is Optional:
        if not value.present:
            return NONE
        value = value.value
    if type(value) is dict:
        return Optional(value[name]) if name in value else NONE
    return optional_index(value, name)


KEYS = frozenset(("string", "int", "uint", "double", "bool"))


def _looked_up(value: Any, key: Any) -> Optional:
    if sort_of(type(key)) not in KEYS:
        raise CelError(f"invalid qualifier type: {sort_of(type(key))}")
    if is_map(value):
        return Optional(value[key]) if has_key(value, key) else NONE
    if not is_list(value):
        return NONE
    place = _place(key)
    return Optional(value[place]) if 0 <= place < len(value) else NONE


def _place(key: Any) -> int:
    sort = sort_of(type(key))
    if sort in ("int", "uint"):
        return int(key)
    if sort != "double":
        raise CelError(f"unsupported index type '{sort}' in list")
    if key != key // 1:
        raise CelError(f"unsupported index value {shortest(key)} in list")
    return int(key)


def _shown(key: Any) -> str:
    if type(key) is bool:
        return str(key).lower()
    return shortest(key) if type(key) is float else str(key)


def add(budget: Budget, one: Any, other: Any) -> Value:
    """`+`."""
    sort, against = sort_of(type(one)), sort_of(type(other))
    match sort, against:
        case "int", "int":
            return int64(one + other)
        case "string", "string":
            budget.spend((len(one) + len(other)) // 10)
            return one + other
        case "double", "double":
            return one + other
        case "uint", "uint":
            return uint64(int(one) + int(other))
        case "list", "list":
            budget.spend(len(one) + len(other))
            return [*one, *other]
        case "bytes", "bytes":
            budget.spend((len(one) + len(other)) // 10)
            return one + other
        case Duration.type_name, Duration.type_name:
            return Duration(one.ns + other.ns)
        case Instant.type_name, Duration.type_name:
            return Instant(one.ns + other.ns, one.offset)
        case Duration.type_name, Instant.type_name:
            return Instant(one.ns + other.ns, other.offset)
        case _:
            no_overload()


def subtract(one: Any, other: Any) -> Value:
    """`-` between two values."""
    match sort_of(type(one)), sort_of(type(other)):
        case "int", "int":
            return int64(one - other)
        case "double", "double":
            return one - other
        case "uint", "uint":
            return uint64(int(one) - int(other))
        case Duration.type_name, Duration.type_name:
            return Duration(one.ns - other.ns)
        case Instant.type_name, Instant.type_name:
            return Duration(one.ns - other.ns)
        case Instant.type_name, Duration.type_name:
            return Instant(one.ns - other.ns, one.offset)
        case _:
            no_overload()


def multiply(one: Any, other: Any) -> Value:
    """`*`."""
    match sort_of(type(one)), sort_of(type(other)):
        case "int", "int":
            return int64(one * other)
        case "double", "double":
            return one * other
        case "uint", "uint":
            return uint64(int(one) * int(other))
        case _:
            no_overload()


def divide(one: Any, other: Any) -> Value:
    """`/`."""
    match sort_of(type(one)), sort_of(type(other)):
        case "int", "int":
            return int64(quotient(one, other))
        case "double", "double":
            return divided(one, other)
        case "uint", "uint":
            return Uint(quotient(int(one), int(other)))
        case _:
            no_overload()


def modulo(one: Any, other: Any) -> Value:
    """`%`."""
    match sort_of(type(one)), sort_of(type(other)):
        case "int", "int":
            int64(quotient(one, other) if other else 0)
            return remainder(one, other)
        case "uint", "uint":
            return Uint(remainder(int(one), int(other)))
        case _:
            no_overload()


def negate(value: Any) -> Value:
    """`-` in front of a value."""
    match sort_of(type(value)):
        case "int":
            return int64(-value)
        case "double":
            return -value
        case _:
            no_overload()


def invert(value: Value) -> bool:
    """`!`."""
    return not boolean(value)


def conjunction(*operands: Callable[[], Value]) -> bool:
    """`&&`: false as soon as one operand is, whatever the others are; else their first error."""
    return _settled(operands, False)


def disjunction(*operands: Callable[[], Value]) -> bool:
    """`||`: true as soon as one operand is, whatever the others are; else their first error."""
    return _settled(operands, True)


def _settled(operands: Iterable[Callable[[], Value]], wanted: bool) -> bool:
    error: CelError | None = None
    for operand in operands:
        try:
            if boolean(operand()) is wanted:
                return wanted
        except OutOfBudget:
            raise
        except CelError as raised:
            error = error or raised
    if error is not None:
        raise error
    return not wanted


def list_from(*items: tuple[bool, Any]) -> list[Value]:
    """Build a list of which some items may be absent."""
    found = []
    for optional, item in items:
        if not optional:
            found.append(item)
        elif not isinstance(item, Optional):
            no_overload()
        elif item.present:
            found.append(item.value)
    return found


def map_from(*entries: tuple[bool, Any, Any]) -> dict[Any, Value]:
    """Build a map of which some entries may be absent."""
    found: dict[Any, Value] = {}
    for optional, key, value in entries:
        if optional:
            if not isinstance(value, Optional):
                no_overload()
            if not value.present:
                continue
            value = value.value
        put(found, key, value)
    return found


def put(found: dict[Any, Value], key: Any, value: Value) -> None:
    """Add an entry to a map that is being built."""
    if sort_of(type(key)) in ("list", "map", "dyn") or isinstance(key, Optional):
        raise CelError(f"unsupported key type: {sort_of(type(key))}")
    if key in found and not has_key(found, key):
        raise CelError("a map cannot have both bools and numbers for keys here")
    found[key] = value
