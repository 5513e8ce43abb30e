"""Builtins over numbers and their bits."""

import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction

from davy.policy.rego.arithmetic import exact, in_64_bits, rounded
from davy.policy.rego.budget import LARGEST_NUMBER, BudgetExceeded, check_collection
from davy.policy.rego.builtin import Builtin, BuiltinError, Context, number, refuse, text, whole
from davy.policy.rego.values import Value, number_of

_WRITTEN = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?((?:[eE][+-]?[0-9]+)?)")


def to_number(value: Value) -> int | float:
    """Make a number of a text, a boolean (1 and 0) or null (0)."""
    match value:
        case None:
            return 0
        case bool():
            return int(value)
        case int() | float():
            return value
        case str():
            found = written(value)
            if found is None:
                raise BuiltinError("invalid syntax")
            return found
        case _:
            return refuse(1, value, "null", "boolean", "number", "string")


def written(value: str) -> int | float | None:
    """Read a number as Go's `strconv.ParseFloat` does: `+1`, `.5`, `5.` and `007` too."""
    found = _WRITTEN.fullmatch(value)
    if found is None or not (found[2] or found[3] or "0" in value.lower().partition("e")[0]):
        return None
    sign, whole_part, fraction, exponent = found.groups()
    point = f".{fraction}" if fraction else ""
    made = number_of(f"{'-' if sign == '-' else ''}{whole_part or '0'}{point}{exponent}")
    return None if type(made) is int and exponent and abs(made) > 2**1024 else made


def absolute(value: Value) -> int | float:
    """A number without its sign."""
    found = number(value, 1)
    return abs(found) if abs(found) < 2**63 else rounded(abs(exact(found)))


def round_half_up(value: Value) -> int:
    """The nearest whole number, halves away from zero."""
    found = number(value, 1)
    nearest = int(abs(exact(found)) + Fraction(1, 2))
    return in_64_bits(Fraction(nearest if found > 0 else -nearest)).numerator


def ceil(value: Value) -> int:
    """The next whole number up, as OPA finds it: of -0.5 it is 1."""
    found = exact(number(value, 1))
    cut = math.trunc(found)
    return _kept(cut if cut == found or cut < 0 else cut + 1)


def floor(value: Value) -> int:
    """The next whole number down, as OPA finds it: of -0.5 it is 0."""
    found = exact(number(value, 1))
    cut = math.trunc(found)
    return _kept(cut if cut == found or cut >= 0 else cut - 1)


def _kept(value: int) -> int:
    return in_64_bits(Fraction(value)).numerator


def spread(first: Value, last: Value) -> list[int]:
    """Whole numbers from one to another, both included, up or down."""
    return _range(whole(first, 1), whole(last, 2), 1)


def spread_step(first: Value, last: Value, step: Value) -> list[int]:
    """Every so many whole numbers from one to another."""
    start, stop, stride = whole(first, 1), whole(last, 2), whole(step, 3)
    if stride <= 0:
        raise BuiltinError("step must be a positive number above zero")
    return _range(start, stop, stride)


def _range(start: int, stop: int, stride: int) -> list[int]:
    check_collection(abs(stop - start) // stride)
    return list(range(start, stop + 1, stride) if start <= stop else range(start, stop - 1, -stride))


def intn(context: Context, name: Value, limit: Value) -> int:
    """A number below a limit that looks random: the same for the same name all through an evaluation."""
    key, below = text(name, 1), abs(whole(limit, 2))
    if not below:
        return 0
    from hashlib import sha256

    digest = sha256(f"{context.seed}/{below}/{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest, "big") % below


def _bits(operate: Callable[[int, int], int]) -> Callable[[Value, Value], int]:
    return lambda left, right: operate(whole(left, 1), whole(right, 2))


def shift_left(value: Value, places: Value) -> int:
    """Shift bits up."""
    found, count = whole(value, 1), _places(places)
    if found.bit_length() + count > LARGEST_NUMBER * 3:
        raise BudgetExceeded(f"a number would have more than {LARGEST_NUMBER} digits")
    return found << count


def shift_right(value: Value, places: Value) -> int:
    """Shift bits down."""
    return whole(value, 1) >> _places(places)


def _places(value: Value) -> int:
    count = whole(value, 2)
    if count < 0:
        raise BuiltinError("operand 2 must be an unsigned integer number but got a negative integer")
    return count


FAMILY = (
    Builtin("to_number", 1, to_number),
    Builtin("abs", 1, absolute),
    Builtin("round", 1, round_half_up),
    Builtin("ceil", 1, ceil),
    Builtin("floor", 1, floor),
    Builtin("numbers.range", 2, spread),
    Builtin("numbers.range_step", 3, spread_step),
    Builtin("rand.intn", 2, intn, contextual=True),
    Builtin("bits.and", 2, _bits(operator.and_)),
    Builtin("bits.or", 2, _bits(operator.or_)),
    Builtin("bits.xor", 2, _bits(operator.xor)),
    Builtin("bits.negate", 1, lambda value: ~whole(value, 1)),
    Builtin("bits.lsh", 2, shift_left),
    Builtin("bits.rsh", 2, shift_right),
)
