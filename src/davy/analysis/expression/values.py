"""What the operators do with values: Go's arithmetic, equality and order, as expr-lang's `vm/runtime` has them.

Integers are 64 bits wide and wrap; `/` and `**` always give floats; an integer meets a float as a float; NaN is
in no order with anything. A Python value stands for a Go value: None, bool, int, float, str, bytes, list
(`[]interface {}`), tuple and range (arrays of one type), dict (`map[string]interface {}`), `AnyMap`, and the
times of `moments`.
"""

import math
import operator as operators
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import Function, kind_of, type_name
from davy.analysis.expression.meter import MAX_DEPTH, Meter
from davy.analysis.expression.moments import Duration, Instant, Named, Zone

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1


ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


class AnyMap(dict[tuple[type, object], object]):
    """A map whose keys need not be strings: to Go 1, 1.0 and true are three keys, to a dict they are one."""

    @classmethod
    def key(cls, value: object) -> tuple[type, object]:
        """Return the key under which a value is found; raise `Fault` for one that Go cannot hash."""
        if isinstance(value, (list, tuple, range, dict, bytes)):
            raise Fault(f"hash of unhashable type: {type_name(value)}")
        return type(value), value

    def plain_keys(self) -> Iterator[object]:
        """Yield the keys as the values that they are."""
        return (value for _, value in self)


Array = (list, tuple, range, bytes)


def is_number(value: object) -> bool:
    """Tell whether it is an int or a float; a bool is neither."""
    return type(value) is int or type(value) is float


def wrapped(number: int) -> int:
    """Keep the 64 bits that Go keeps."""
    if SMALLEST <= number <= LARGEST:
        return number
    return (number - SMALLEST) % 2**64 + SMALLEST


def mismatch(operator: str, left: object, right: object) -> Fault:
    """The refusal of two values that an operator cannot join."""
    return Fault(f"invalid operation: {type_name(left)} {operator} {type_name(right)}")


def add(left: object, right: object, meter: Meter) -> object:
    """Numbers, texts, durations, and a time and a duration."""
    match left, right:
        case (int() | float(), int() | float()) if is_number(left) and is_number(right):
            return wrapped(left + right) if type(left) is type(right) is int else float(left) + float(right)
        case str(), str():
            meter.spend_text(len(left) + len(right))
            return left + right
        case Duration(), Duration():
            return Duration(wrapped(left.nanoseconds + right.nanoseconds))
        case (Instant(), Duration()):
            return Instant(left.nanoseconds + right.nanoseconds, left.zone)
        case (Duration(), Instant()):
            return Instant(left.nanoseconds + right.nanoseconds, right.zone)
    raise mismatch("+", left, right)


def subtract(left: object, right: object) -> object:
    """Numbers, durations, two times, and a duration from a time."""
    match left, right:
        case (int() | float(), int() | float()) if is_number(left) and is_number(right):
            return wrapped(left - right) if type(left) is type(right) is int else float(left) - float(right)
        case (Duration(), Duration()):
            return Duration(wrapped(left.nanoseconds - right.nanoseconds))
        case (Instant(), Instant()):
            return Duration(max(SMALLEST, min(LARGEST, left.nanoseconds - right.nanoseconds)))
        case (Instant(), Duration()):
            return Instant(left.nanoseconds - right.nanoseconds, left.zone)
    raise mismatch("-", left, right)


def multiply(left: object, right: object) -> object:
    """Numbers, and a number and a duration."""
    match left, right:
        case (int() | float(), int() | float()) if is_number(left) and is_number(right):
            return wrapped(left * right) if type(left) is type(right) is int else float(left) * float(right)
        case (Duration(), Duration()):
            return Duration(wrapped(left.nanoseconds * right.nanoseconds))
        case (Duration(), int() | float()) if is_number(right):
            product = multiply(left.nanoseconds, right)
            return Duration(product) if isinstance(product, int) else product
        case (int() | float(), Duration()) if is_number(left):
            return multiply(right, left)
    raise mismatch("*", left, right)


def divide(left: object, right: object) -> float:
    """Always in floats, so that division by zero is infinite or NaN, never an error."""
    if not (is_number(left) and is_number(right)):
        raise mismatch("/", left, right)
    dividend, divisor = as_float(left), as_float(right)
    if divisor == 0:
        sign = math.copysign(1, divisor)
        return math.nan if dividend == 0 or math.isnan(dividend) else math.copysign(math.inf, dividend) * sign
    return dividend / divisor


def remainder(left: object, right: object) -> int:
    """Of integers only, with the sign of the dividend."""
    if not (isinstance(left, int) and type(left) is type(right) is int):
        raise mismatch("%", left, right)
    if right == 0:
        raise Fault("runtime error: integer divide by zero")
    result = abs(left) % abs(right)
    return -result if left < 0 else result


def power(left: object, right: object) -> float:
    """Go's math.Pow: what is too large is infinite, and what is no real number is NaN."""
    base, exponent = as_float(left), as_float(right)
    odd = abs(math.fmod(exponent, 2)) == 1 if math.isfinite(exponent) else False
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base == 0:
            return math.copysign(math.inf, base) if odd else math.inf
        return math.nan


def negate(value: object) -> object:
    """Change the sign of a number."""
    if isinstance(value, (int, float)) and is_number(value):
        return wrapped(-value) if isinstance(value, int) else -value
    raise Fault(f"invalid operation: - {type_name(value)}")


def as_float(value: object) -> float:
    """Take a number as a float; raise `Fault` for anything else."""
    if isinstance(value, (int, float)) and is_number(value):
        return float(value)
    raise Fault(f"invalid operation: float({type_name(value)})")


def as_int(value: object) -> int:
    """Take a number as an integer, decimals cut off; raise `Fault` for anything else."""
    if isinstance(value, (int, float)) and is_number(value):
        return value if isinstance(value, int) else float_to_int(value)
    raise Fault(f"invalid operation: int({type_name(value)})")


def float_to_int(value: float) -> int:
    """Cut the decimals off; what 64 bits cannot hold is the smallest integer, as on amd64."""
    # 2**63 is exact as a float, and the first that does not fit; every comparison with NaN is false.
    return int(value) if -(2.0**63) <= value < 2.0**63 else SMALLEST


def ordered(operator: str, left: object, right: object) -> bool:
    """Compare by `<`, `<=`, `>` or `>=`: two numbers, texts, times or durations."""
    pair = _comparable(left, right)
    if pair is None:
        raise mismatch(operator, left, right)
    return ORDERS[operator](*pair)


def _comparable(left: object, right: object) -> tuple[float, float] | tuple[str, str] | None:
    match left, right:
        case (int() | float(), int() | float()) if is_number(left) and is_number(right):
            return (left, right) if type(left) is type(right) else (float(left), float(right))
        case str(), str():
            return left, right
        case Duration(), Duration():
            return left.nanoseconds, right.nanoseconds
        case Instant(), Instant():
            return left.nanoseconds, right.nanoseconds
    return None


def equal(left: object, right: object, meter: Meter, depth: int = 0) -> bool:
    """Compare by `==`: numbers by value, arrays by element, maps by Go's deep equality, other types never."""
    if isinstance(left, Array) and isinstance(right, Array):
        depth = meter.descend(depth)
        return len(left) == len(right) and all(
            equal(ours, theirs, meter, depth) for ours, theirs in zip(left, right, strict=True)
        )
    if isinstance(left, dict):
        return same(left, right, meter, depth)
    if is_number(left) and is_number(right) and type(left) is not type(right):
        return as_float(left) == as_float(right)
    return _same_scalar(left, right, meter)


def same(left: object, right: object, meter: Meter, depth: int = 0) -> bool:
    """Compare as Go's reflect.DeepEqual does: the types have to be the same too, at every level."""
    meter.spend(1)
    if isinstance(left, dict) and isinstance(right, dict) and type(left) is type(right):
        depth = meter.descend(depth)
        return left.keys() == right.keys() and all(same(left[key], right[key], meter, depth) for key in left)
    if isinstance(left, Array) and isinstance(right, Array) and kind_of(left) is kind_of(right):
        depth = meter.descend(depth)
        return len(left) == len(right) and all(
            same(ours, theirs, meter, depth) for ours, theirs in zip(left, right, strict=True)
        )
    return _same_scalar(left, right, meter)


def _same_scalar(left: object, right: object, meter: Meter) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, Instant) and isinstance(right, Instant):
        return left.nanoseconds == right.nanoseconds
    if isinstance(left, str):
        meter.spend_text(len(left))
    return left == right


def contained(item: object, container: object, meter: Meter) -> bool:
    """`item in container`: an element of an array, or a key of a map; nothing is in nil."""
    match container:
        case None:
            return False
        case list() | tuple() | bytes():
            meter.spend(len(container))
            return any(equal(item, element, meter) for element in container)
        case range():
            # Only an int is looked up without going through all of it.
            whole = int(item) if type(item) is float and item.is_integer() else item
            return type(whole) is int and whole in container
        case AnyMap():
            return AnyMap.key(item) in container
        case dict():
            return map_key(item, container) in container
    raise Fault(f'operator "in" not defined on {type_name(container)}')


def map_key(key: object, container: Mapping[object, object]) -> object:
    """Return what a map has the key under; nil is the key of nothing in a map of strings."""
    if isinstance(container, AnyMap):
        return AnyMap.key(key)
    if key is None or isinstance(key, str):
        return key
    raise Fault(f"cannot use {type_name(key)} to get an element from {type_name(container)}")


def fetch(container: object, key: object, meter: Meter) -> object:
    """`container[key]`: an element (a negative index counts from the end), or what a map has, or nil."""
    match container:
        case dict():
            missing: object = [] if isinstance(container, Groups) else None
            return container.get(map_key(key, container), missing)
        case list() | tuple() | range() | bytes() | str():
            items = elements(container, meter)
            index = as_int(key)
            place = index + len(items) if index < 0 else index
            if not 0 <= place < len(items):
                raise Fault(f"index out of range: {place} (array length is {len(items)})")
            return items[place]
    raise Fault(
        f"cannot fetch {key if isinstance(key, (str, int)) else kind_of(key)} from {type_name(container)}"
    )


class Groups(AnyMap):
    """What groupBy returns: a group that is not there is empty, not nil."""


def elements(value: object, meter: Meter) -> Sequence[object]:
    """Return what is in an array, in order; a text is the array of its bytes, as in Go."""
    match value:
        case list() | tuple() | range() | bytes():
            return value
        case str():
            meter.spend_text(len(value))
            return value.encode()
    raise Fault(f"cannot go through {type_name(value)}: it is no array")


def sliced(value: object, start: object, stop: object, meter: Meter) -> object:
    """`value[start:stop]`: bounds too large or crossed give less or nothing, negative ones count back."""
    if not isinstance(value, (list, tuple, range, bytes, str)):
        raise Fault(f"cannot slice {type_name(value)}")
    items = elements(value, meter)
    size = len(items)
    first = 0 if start is None else as_int(start)
    last = size if stop is None else as_int(stop)
    first = max(0, first + size) if first < 0 else first
    last = max(0, last + size) if last < 0 else last
    meter.spend(1 + max(0, min(last, size) - first))
    part = items[first : max(first, last)]
    # Half of a character is the replacement character, as it is wherever Go prints it.
    return part.decode("utf-8", "replace") if isinstance(value, str) and isinstance(part, bytes) else part


def counted(start: object, stop: object, meter: Meter) -> range:
    """`start..stop`, both included."""
    first, last = as_int(start), as_int(stop)
    meter.spend(max(0, last - first + 1))
    return range(first, last + 1)


_SCALARS: Final = frozenset({type(None), bool, float, Function, Duration, Instant, Named, Zone})


def admitted(value: object, depth: int = 0) -> object:
    """Copy a value from outside into the values of the language; raise `Fault` for what is none of them.

    Integers of more than 64 bits become floats, as they do when Go reads JSON; half a surrogate pair in a text
    becomes the replacement character. Everything past this door is one of the types that this module names.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is str and value.isascii():  # type: ignore[attr-defined]
        return value
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int):
        return _admitted_integer(value)
    if isinstance(value, (bytes, float)):
        return bytes(value) if isinstance(value, bytes) else float(value)
    if depth > MAX_DEPTH:
        raise Fault(f"the value nests deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {_admitted_key(key): admitted(item, depth + 1) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple([admitted(item, depth + 1) for item in value])
    if isinstance(value, list):
        return [admitted(item, depth + 1) for item in value]
    raise Fault(f"a value of the Python type {kind.__name__} has no meaning in an expression")


def _admitted_integer(value: int) -> object:
    if SMALLEST <= value <= LARGEST:
        return int(value)
    try:
        return float(value)
    except OverflowError:
        raise Fault("the number is too large for 64 bits") from None


def _admitted_key(key: object) -> str:
    if not isinstance(key, str):
        raise Fault(f"a key of the Python type {type(key).__name__} has no meaning in an expression")
    return str(admitted(key))


def released(value: object, meter: Meter, depth: int = 0) -> object:
    """Turn a value of the language into one of Python: ranges to lists, and maps with the keys that they have.

    It is paid for, since a small expression can make a value that holds the same part a million times.
    """
    match value:
        case AnyMap():
            depth = meter.descend(depth)
            items = zip(value.plain_keys(), value.values(), strict=True)
            return {key: released(item, meter, depth) for key, item in items}
        case dict():
            depth = meter.descend(depth)
            return {key: released(item, meter, depth) for key, item in value.items()}
        case list() | range():
            depth = meter.descend(depth)
            return [released(item, meter, depth) for item in value]
        case tuple():
            meter.spend(len(value))
    return value
