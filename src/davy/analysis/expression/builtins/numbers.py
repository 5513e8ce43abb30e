"""Numbers: rounding, conversion, the extremes and middles of many, and bits."""

import functools
import math
import operator as operators
import re
from collections.abc import Callable, Iterator
from typing import Final

from davy.analysis.expression.builtins.signature import (
    A_NUMBER,
    AN_INT,
    ANYTHING,
    Builtin,
    Parameter,
    exactly,
    same_as_first,
)
from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import (
    DURATION,
    FLOAT,
    INT,
    MONTH,
    STRING,
    UNKNOWN,
    WEEKDAY,
    is_array,
    kind_of,
    type_name,
)
from davy.analysis.expression.kinds import NUMBERS as NUMBER_KINDS
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.moments import Duration, Named
from davy.analysis.expression.values import (
    Array,
    as_float,
    as_int,
    elements,
    is_number,
    ordered,
    wrapped,
)

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL: Final = re.compile(
    r"[+-]?(?:inf|infinity)|nan|[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:e[+-]?[0-9_]+)?", re.IGNORECASE
)
_HEXADECIMAL: Final = re.compile(r"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[+-]?[0-9]+", re.IGNORECASE)
_NUMBER_OR_ARRAY: Final = Parameter(
    "number or array", lambda kind: kind in NUMBER_KINDS or kind is DURATION or is_array(kind)
)


def parse_int(text: str) -> int | None:
    """Read a 64-bit integer in decimal digits, as Go's strconv.Atoi does."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if wrapped(number) == number else None


def parse_float(text: str) -> float | None:
    """Read a float as Go's strconv.ParseFloat does; one that is too large is none."""
    if _HEXADECIMAL.fullmatch(text):
        try:
            return float.fromhex(text)
        except OverflowError:
            return None
    if _DECIMAL.fullmatch(text) is None or "__" in text or text.endswith("_"):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isinf(number) and "i" not in text.lower() else number


def _numeric(function: str, value: object) -> int | float:
    if isinstance(value, (int, float)) and is_number(value):
        return value
    raise Fault(f"invalid argument for {function} (type {type_name(value)})")


def _abs(meter: Meter, value: object) -> int | float:
    number = _numeric("abs", value)
    # Go leaves a negative zero as it is.
    return wrapped(-number) if isinstance(number, int) and number < 0 else -number if number < 0 else number


def _rounding(name: str, rounding: Callable[[float], float]) -> Builtin:
    def call(meter: Meter, value: object) -> float:
        number = float(_numeric(name, value))
        # Go keeps the sign of a zero, and there is nothing to round in what is not finite.
        return math.copysign(rounding(number), number) if math.isfinite(number) else number

    return Builtin(name, (A_NUMBER,), FLOAT, call)


def _half_away_from_zero(number: float) -> float:
    whole = math.trunc(number)
    return float(whole + (abs(number - whole) >= 0.5) * (1 if number > 0 else -1))


def _int(meter: Meter, value: object) -> int:
    match value:
        case str():
            number = parse_int(value)
            if number is None:
                raise Fault(f"invalid operation: int({value[:40]})")
            return number
        case Duration():
            return value.nanoseconds
        case Named():
            return value.number
    return as_int(value)


def _float(meter: Meter, value: object) -> float:
    if isinstance(value, str):
        number = parse_float(value)
        if number is None:
            raise Fault(f"invalid operation: float({value[:40]})")
        return number
    return as_float(value)


def _flat(values: tuple[object, ...], meter: Meter, depth: int = 0) -> Iterator[object]:
    """Yield the arguments, and the elements of those that are arrays."""
    for value in values:
        meter.spend(1)
        if isinstance(value, Array):
            yield from _flat(tuple(elements(value, meter)), meter, meter.descend(depth))
        else:
            yield value


def _extreme(name: str, operator: str) -> Builtin:
    def call(meter: Meter, *values: object) -> object:
        if len(values) == 1 and not isinstance(values[0], Array):
            return values[0]
        best: object = None
        for value in _flat(values, meter):
            if not isinstance(value, Duration):
                _numeric(name, value)
            if best is None or ordered(operator, value, best):
                best = value
        return best

    return Builtin(name, (_NUMBER_OR_ARRAY,), same_as_first, call, repeats=True)


def _numbers(name: str, values: tuple[object, ...], meter: Meter) -> list[float]:
    return [float(_numeric(name, value)) for value in _flat(values, meter)]


def _mean(meter: Meter, *values: object) -> float:
    numbers = _numbers("mean", values, meter)
    # One by one as Go adds them: sum() and fsum() round otherwise, and fsum refuses infinities of both signs.
    return functools.reduce(operators.add, numbers, 0.0) / len(numbers) if numbers else 0.0


def _median(meter: Meter, *values: object) -> float:
    numbers = sorted(_numbers("median", values, meter))
    if not numbers:
        return 0.0
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def _kind_name(meter: Meter, value: object) -> str:
    kind = kind_of(value)
    if is_array(kind):
        return "array"
    return {"unknown": "nil", "float64": "float", "*time.Location": "time.Location"}.get(
        kind.name, "map" if kind.key else kind.name
    )


def _bits(name: str, operation: Callable[..., int], count: int = 2) -> Builtin:
    def call(meter: Meter, *values: object) -> int:
        for value in values:
            if type(value) is not int:
                raise Fault(f"cannot use {type_name(value)} as argument (type int) to call {name}")
        return wrapped(operation(*values))

    return Builtin(name, (AN_INT,) * count, INT, call)


def _shift_count(count: int) -> int:
    if count < 0:
        raise Fault(f"invalid operation: negative shift count {count} (type int)")
    return min(count, 64)


NUMBERS: Final = (
    Builtin("abs", (A_NUMBER,), same_as_first, _abs),
    _rounding("ceil", lambda number: float(math.ceil(number))),
    _rounding("floor", lambda number: float(math.floor(number))),
    _rounding("round", _half_away_from_zero),
    Builtin("int", (exactly(INT, FLOAT, STRING, DURATION, MONTH, WEEKDAY),), INT, _int),
    Builtin("float", (exactly(INT, FLOAT, STRING),), FLOAT, _float),
    _extreme("min", "<"),
    _extreme("max", ">"),
    Builtin("mean", (_NUMBER_OR_ARRAY,), UNKNOWN, _mean, repeats=True),
    Builtin("median", (_NUMBER_OR_ARRAY,), UNKNOWN, _median, repeats=True),
    Builtin("type", (ANYTHING,), STRING, _kind_name),
    _bits("bitand", lambda left, right: left & right),
    _bits("bitor", lambda left, right: left | right),
    _bits("bitxor", lambda left, right: left ^ right),
    _bits("bitnand", lambda left, right: left & ~right),
    _bits("bitshl", lambda number, count: number << _shift_count(count)),
    _bits("bitshr", lambda number, count: number >> _shift_count(count)),
    _bits("bitushr", lambda number, count: (number % 2**64) >> _shift_count(count)),
    _bits("bitnot", lambda number: ~number, count=1),
)
