"""Rego's operators. Whole numbers are exact, others are computed in decimals and kept with OPA's 64 bits.

OPA computes with Go's `big.Float` of 64 bits over the decimal text, so `0.1 + 0.2` is `0.3`, not what binary
doubles make of it. What comes out whole is an `int`.
"""

import operator
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

from davy.policy.rego.budget import LARGEST_NUMBER, BudgetExceeded
from davy.policy.rego.builtin import Builtin, BuiltinError, number, refuse
from davy.policy.rego.values import RegoSet, Value, compare, equal

Number: TypeAlias = "int | float"

_BITS = 64
_REMEMBERED = 4096
_LARGEST = 10**LARGEST_NUMBER


def exact(value: Number) -> Fraction:
    """Take a number for the decimal that it is printed as."""
    return Fraction(value) if type(value) is int else Fraction(repr(value))


def rounded(value: Fraction) -> Number:
    """Round to what OPA keeps: whole numbers become `int`, others the nearest `float`."""
    kept = in_64_bits(value)
    if kept.denominator > 1:
        return _double(kept)
    if abs(kept) < 1 << _BITS:
        return kept.numerator
    return next(filter(lambda found: in_64_bits(Fraction(found)) == kept, _shorter(bounded(kept.numerator))))


def _shorter(value: int) -> Iterator[int]:
    """Give a number with fewer of its digits first: Go prints as many as tell it from its neighbours."""
    digits = len(str(abs(value)))
    return (round(value, -zeros) for zeros in range(digits, -1, -1))


def in_64_bits(value: Fraction) -> Fraction:
    """Round to 64 bits, half to even, as a `big.Float` does."""
    if value.denominator == 1 and abs(value.numerator) < 1 << _BITS:
        return value
    spare = abs(value.numerator).bit_length() - value.denominator.bit_length() - _BITS
    unit = Fraction(2) ** spare
    count = abs(value) / unit
    if count >= 1 << _BITS:
        unit, count = unit * 2, count / 2
    return round(count) * unit if value > 0 else -round(count) * unit


def _double(value: Fraction) -> Number:
    near = float(value)
    return int(near) if near.is_integer() and abs(near) < 1 << 50 else near


def bounded(value: int) -> int:
    """Let a whole number through that is not too large.

    Raises:
        BudgetExceeded: it is.
    """
    if -_LARGEST < value < _LARGEST:
        return value
    raise BudgetExceeded(f"a number would have more than {LARGEST_NUMBER} digits")


@lru_cache(_REMEMBERED)
def _computed(operate: Callable[[Any, Any], Any], left: Number, right: Number) -> Number:
    """Compute with decimals, which takes some time, so that it is done once for the same numbers."""
    first, second = exact(left), exact(right)
    found: Fraction = operate(first, second)
    whole = operate is not operator.truediv and first.denominator == second.denominator == 1
    return bounded(found.numerator) if whole else rounded(found)


def plus(left: Value, right: Value) -> Number:
    """`+`: numbers."""
    if type(left) is int and type(right) is int:
        return bounded(left + right)
    return _computed(operator.add, number(left, 1), number(right, 2))


def minus(left: Value, right: Value) -> Value:
    """`-`: numbers, or what one set has that another has not."""
    if type(left) is int and type(right) is int:
        return bounded(left - right)
    if type(left) is RegoSet and type(right) is RegoSet:
        return left.difference(right)
    if type(left) is RegoSet:
        refuse(2, right, "set")
    if type(right) is RegoSet:
        refuse(2, right, "number") if type(left) in (int, float) else refuse(1, left, "number", "set")
    return _computed(operator.sub, number(left, 1), number(right, 2))


def times(left: Value, right: Value) -> Number:
    """`*`: numbers."""
    if type(left) is int and type(right) is int:
        return bounded(left * right)
    return _computed(operator.mul, number(left, 1), number(right, 2))


def divide(left: Value, right: Value) -> Number:
    """`/`: numbers; by zero it is undefined."""
    dividend, divisor = number(left, 1), number(right, 2)
    if not divisor:
        raise BuiltinError("divide by zero")
    if type(dividend) is int and type(divisor) is int and not dividend % divisor:
        return dividend // divisor
    return _computed(operator.truediv, dividend, divisor)


def remainder(left: Value, right: Value) -> int:
    """`%`: whole numbers, with the sign of the dividend; by zero it is undefined."""
    dividend, divisor = number(left, 1), number(right, 2)
    if dividend != int(dividend) or divisor != int(divisor):
        raise BuiltinError("modulo on floating-point number")
    if not divisor:
        raise BuiltinError("modulo by zero")
    found = abs(int(dividend)) % abs(int(divisor))
    return -found if dividend < 0 else found


def intersection(left: Value, right: Value) -> RegoSet:
    """`&`: what two sets share."""
    return _set(left, 1).intersection(_set(right, 2))


def union(left: Value, right: Value) -> RegoSet:
    """`|`: what is in one set or the other."""
    return _set(left, 1).union(_set(right, 2))


def _set(value: Value, position: int) -> RegoSet:
    return value if type(value) is RegoSet else refuse(position, value, "set")


def unequal(left: Value, right: Value) -> bool:
    """`!=`: whatever they are."""
    return not equal(left, right)


def _ordered(test: Callable[[int, int], bool]) -> Callable[[Value, Value], bool]:
    return lambda left, right: test(compare(left, right), 0)


less = _ordered(operator.lt)
less_or_equal = _ordered(operator.le)
greater = _ordered(operator.gt)
greater_or_equal = _ordered(operator.ge)

FAMILY = (
    Builtin("plus", 2, plus),
    Builtin("minus", 2, minus),
    Builtin("mul", 2, times),
    Builtin("div", 2, divide),
    Builtin("rem", 2, remainder),
    Builtin("and", 2, intersection),
    Builtin("or", 2, union),
    Builtin("eq", 2, equal),
    Builtin("assign", 2, equal),
    Builtin("equal", 2, equal),
    Builtin("neq", 2, unequal),
    Builtin("lt", 2, less),
    Builtin("lte", 2, less_or_equal),
    Builtin("gt", 2, greater),
    Builtin("gte", 2, greater_or_equal),
)
