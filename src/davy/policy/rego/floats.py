"""Numbers that are not whole, printed as OPA prints what it has computed: Go's `%g`."""

from decimal import Decimal


def float_text(value: float) -> str:
    """Print a number: `1.25e-05`, `1.2345675e+06`, and `2.0` and `1000.0` as somebody has written them.

    OPA computes no whole number with a point. One from a million on comes from Gatekeeper, which reads numbers
    as `float64` before OPA sees them: `1e+06`.
    """
    return with_exponent(value) or repr(value)


def with_exponent(value: float) -> str:
    """Print what Go's `%g` prints with an exponent: from a million on, below `0.0001`; else return nothing."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    power = len(digits) + exponent - 1
    if -5 < power < 6 or not value:
        return ""
    fraction = f".{''.join(map(str, digits[1:]))}" if len(digits) > 1 else ""
    return f"{'-' * sign}{digits[0]}{fraction}e{power:+03d}"
