"""Numbers as CEL has them: int64, uint64 and double, with overflow an error and never a wrong number."""

import math

from davy.policy.cel.errors import CelError

SMALLEST_INT, LARGEST_INT, LARGEST_UINT = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1


class Uint(int):
    """A uint. What is computed with it is an int again, so the operators make it anew."""

    __slots__ = ()


NUMBERS = frozenset((int, float, Uint))


def int64(number: int) -> int:
    """Return a number that is an int64.

    Raises:
        CelError: it is none.
    """
    if SMALLEST_INT <= number <= LARGEST_INT:
        return number
    raise CelError("integer overflow")


def uint64(number: int) -> Uint:
    """Return a number that is a uint64.

    Raises:
        CelError: it is none.
    """
    if 0 <= number <= LARGEST_UINT:
        return Uint(number)
    raise CelError("unsigned integer overflow")


def quotient(dividend: int, divisor: int) -> int:
    """Divide, towards zero."""
    if divisor == 0:
        raise CelError("division by zero")
    found = abs(dividend) // abs(divisor)
    return found if (dividend < 0) == (divisor < 0) else -found


def remainder(dividend: int, divisor: int) -> int:
    """Return what is left of a division towards zero; it has the sign of the dividend."""
    if divisor == 0:
        raise CelError("modulus by zero")
    return dividend - divisor * quotient(dividend, divisor)


def divided(dividend: float, divisor: float) -> float:
    """Divide doubles: by zero there are infinities, and no errors."""
    if divisor:
        return dividend / divisor
    if not dividend or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def whole(number: float) -> int:
    """Cut a double down to an int."""
    if math.isfinite(number) and SMALLEST_INT < number < LARGEST_INT:
        return math.trunc(number)
    raise CelError("integer overflow")


def shortest(number: float) -> str:
    """Write a double as Go's `%g` does: the fewest digits that tell it from all others."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    text = repr(abs(number))
    digits, _, power = text.partition("e")
    before, _, after = digits.partition(".")
    after = "" if after == "0" else after
    exponent = int(power or 0) + len(before) - 1
    figures = (before + after).lstrip("0")
    exponent -= len(before + after) - len((before + after).lstrip("0"))
    figures = figures.rstrip("0")
    sign = "-" if number < 0 else ""
    if -5 < exponent < 6:
        return sign + _positional(figures, exponent)
    rest = "." + figures[1:] if len(figures) > 1 else ""
    return f"{sign}{figures[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _positional(figures: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + figures
    whole_part = figures[: exponent + 1].ljust(exponent + 1, "0")
    rest = figures[exponent + 1 :]
    return whole_part + ("." + rest if rest else "")
