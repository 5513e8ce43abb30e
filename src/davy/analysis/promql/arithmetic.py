"""Numbers as Go has them: what Python raises an exception for is a NaN or an infinity in PromQL."""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from davy.analysis.promql.syntax import Operator

NAN: Final = math.nan
INFINITY: Final = math.inf


def divide(dividend: float, divisor: float) -> float:
    """Divide; by zero gives an infinity with the sign of both, and NaN for 0/0."""
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or dividend != dividend:
        return NAN
    return math.copysign(INFINITY, dividend) * math.copysign(1.0, divisor)


def modulo(dividend: float, divisor: float) -> float:
    """Give the remainder with the sign of the dividend (Go's math.Mod)."""
    try:
        return math.fmod(dividend, divisor)
    except ValueError:
        return NAN


def power(base: float, exponent: float) -> float:
    """Raise to a power (Go's math.Pow)."""
    odd = math.isfinite(exponent) and exponent % 2 == 1
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -INFINITY if base < 0 and odd else INFINITY
    except ValueError:
        if base == 0:
            return math.copysign(INFINITY, base) if odd else INFINITY
        return NAN


ARITHMETIC: Final[dict[Operator, Callable[[float, float], float]]] = {
    Operator.ADD: lambda left, right: left + right,
    Operator.SUBTRACT: lambda left, right: left - right,
    Operator.MULTIPLY: lambda left, right: left * right,
    Operator.DIVIDE: divide,
    Operator.MODULO: modulo,
    Operator.POWER: power,
    Operator.ATAN2: math.atan2,
}
COMPARISONS: Final[dict[Operator, Callable[[float, float], bool]]] = {
    Operator.EQUAL: lambda left, right: left == right,
    Operator.NOT_EQUAL: lambda left, right: left != right,
    Operator.GREATER: lambda left, right: left > right,
    Operator.LESS: lambda left, right: left < right,
    Operator.GREATER_EQUAL: lambda left, right: left >= right,
    Operator.LESS_EQUAL: lambda left, right: left <= right,
}


def total(values: Sequence[float]) -> float:
    """Sum without loss; infinities and overflow go where plain addition sends them."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values, 0.0)


def mean(values: Sequence[float]) -> float:
    """Average; where the sum overflows, as a running mean that does not (as Prometheus 3 does).

    It never lies outside of what it averages, as dividing a rounded sum could: a threshold may be that close.
    """
    summed = total(values)
    average = _running_mean(values) if math.isinf(summed) else summed / len(values)
    return min(max(average, min(values)), max(values))


def _running_mean(values: Sequence[float]) -> float:
    running = 0.0
    for count, value in enumerate(values, 1):
        running = running * ((count - 1) / count) + value / count
    return running


def variance(values: Sequence[float]) -> float:
    """Population variance, in two passes; NaN where a value is not finite."""
    if not all(map(math.isfinite, values)):
        return NAN
    centre = mean(values)
    return total([(value - centre) * (value - centre) for value in values]) / len(values)


def deviation(values: Sequence[float]) -> float:
    """Population standard deviation."""
    return math.sqrt(variance(values))


def smallest(values: Sequence[float]) -> float:
    """Give the minimum; NaN only where there is nothing else."""
    return min((value for value in values if value == value), default=NAN)


def largest(values: Sequence[float]) -> float:
    """Give the maximum; NaN only where there is nothing else."""
    return max((value for value in values if value == value), default=NAN)


def quantile(rank: float, values: Sequence[float]) -> float:
    """Interpolate between the closest ranks; NaN sorts below everything.

    A rank below 0 gives -Inf and one above 1 gives +Inf, as in Prometheus.
    """
    if rank != rank:
        return NAN
    if rank < 0:
        return -INFINITY
    if rank > 1:
        return INFINITY
    ordered = sorted(values, key=nan_first)
    place = rank * (len(ordered) - 1)
    lower = math.floor(place)
    upper = min(len(ordered) - 1, lower + 1)
    weight = place - lower
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def nan_first(value: float) -> tuple[bool, float]:
    """Order numbers with NaN at the beginning."""
    return (True, value) if value == value else (False, 0.0)


def nan_last(value: float) -> tuple[bool, float]:
    """Order numbers with NaN at the end."""
    return (False, value) if value == value else (True, 0.0)


def greater(left: float, right: float) -> float:
    """Give the greater of two; +Inf wins over NaN, NaN over the rest (Go's math.Max)."""
    if INFINITY in (left, right):
        return INFINITY
    return NAN if left != left or right != right else max(left, right)


def lesser(left: float, right: float) -> float:
    """Give the lesser of two; -Inf wins over NaN, NaN over the rest (Go's math.Min)."""
    return -greater(-left, -right)


def floor(value: float) -> float:
    """Round down; infinities and NaN stay, and so does the sign of zero."""
    return math.copysign(float(math.floor(value)), value) if math.isfinite(value) else value


def ceiling(value: float) -> float:
    """Round up; infinities and NaN stay, and so does the sign of zero."""
    return -floor(-value)


def written(value: float) -> str:
    """Write a number as a label value: the shortest digits that read back, never an exponent."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return format(Decimal(repr(value)), "f").removesuffix(".0")
