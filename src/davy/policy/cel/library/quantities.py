"""Quantities of Kubernetes, e.g. `1.5Gi` or `200m`, exact, with what their 64 bits can and cannot say."""

import re
from dataclasses import dataclass
from functools import lru_cache

from davy.policy.cel.errors import CelError
from davy.policy.cel.numbers import LARGEST_INT, SMALLEST_INT
from davy.policy.cel.signature import Library
from davy.policy.cel.values import Opaque

QUANTITIES = Library()
SHAPE = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(|[eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)")
TENS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
TWOS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
NANO = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Quantity(Opaque):
    """An amount, in billionths. `scale` is the power of ten it was written in, None if beyond 64 bits."""

    nanos: int
    scale: int | None

    type_name = "kubernetes.Quantity"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    @property
    def integer(self) -> int | None:
        """The amount as an int64, None where the API server cannot tell: `1000m` is none, though it is 1."""
        if self.scale is None or self.scale < 0:
            return None
        whole = self.nanos // NANO
        return whole if SMALLEST_INT <= whole <= LARGEST_INT else None


@QUANTITIES.define("quantity", "(string) -> quantity")
@lru_cache(maxsize=1024)
def quantity(text: str) -> Quantity:
    """Read a quantity."""
    found = SHAPE.fullmatch(text) if text and len(text) < 1000 else None
    if found is None:
        raise CelError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    sign, whole, part, suffix = found[1], found[2].lstrip("0"), found[3] or "", found[4]
    number = int((whole + part) or "0")
    if suffix in TWOS:
        amount = number << TWOS[suffix]
        room = 15 - len(whole) - TWOS[suffix] * 3 // 10 - 1 if not part else -1
        scale: int | None = 0 if room >= 0 else None
        power = -len(part)
    else:
        power = (TENS[suffix] if suffix in TENS else _exponent(suffix)) - len(part)
        amount = number
        scale = power if len(whole) + len(part) <= 18 and power >= -9 else None
    nanos = _rounded_up(amount, power + 9)
    return Quantity(-nanos if sign == "-" else nanos, scale)


def _exponent(suffix: str) -> int:
    if len(suffix) > 5:
        raise CelError("unable to parse quantity's suffix")
    return int(suffix[1:])


def _rounded_up(amount: int, power: int) -> int:
    factor: int = 10 ** abs(power)
    return amount * factor if power >= 0 else -(-amount // factor)


@QUANTITIES.define("isQuantity", "(string) -> bool")
def is_quantity(text: str) -> bool:
    """Say whether a text is a quantity."""
    try:
        quantity(text)
    except CelError:
        return False
    return True


@QUANTITIES.define("isInteger", "quantity.() -> bool")
def is_integer(found: Quantity) -> bool:
    """Say whether `asInteger` has an answer."""
    return found.integer is not None


@QUANTITIES.define("asInteger", "quantity.() -> int")
def as_integer(found: Quantity) -> int:
    """Return the amount as an int."""
    if found.integer is None:
        raise CelError("cannot convert value to integer")
    return found.integer


@QUANTITIES.define("asApproximateFloat", "quantity.() -> double")
def as_approximate_float(found: Quantity) -> float:
    """Return the double next to the amount."""
    return found.nanos / NANO


@QUANTITIES.define("compareTo", "quantity.(quantity) -> int")
def compare_to(one: Quantity, other: Quantity) -> int:
    """Return -1, 0 or 1 as one is less than, equal to or greater than the other."""
    return (one.nanos > other.nanos) - (one.nanos < other.nanos)


@QUANTITIES.define("isLessThan", "quantity.(quantity) -> bool")
def is_less_than(one: Quantity, other: Quantity) -> bool:
    """Say whether it is less than another."""
    return one.nanos < other.nanos


@QUANTITIES.define("isGreaterThan", "quantity.(quantity) -> bool")
def is_greater_than(one: Quantity, other: Quantity) -> bool:
    """Say whether it is greater than another."""
    return one.nanos > other.nanos


@QUANTITIES.define("add", "quantity.(quantity) -> quantity")
def add(one: Quantity, other: Quantity) -> Quantity:
    """Add two quantities."""
    return Quantity(one.nanos + other.nanos, _scale(one, other))


@QUANTITIES.define("add", "quantity.(int) -> quantity")
def add_int(one: Quantity, other: int) -> Quantity:
    """Add a number."""
    return add(one, Quantity(other * NANO, 0))


@QUANTITIES.define("sub", "quantity.(quantity) -> quantity")
def sub(one: Quantity, other: Quantity) -> Quantity:
    """Take one quantity off another."""
    return Quantity(one.nanos - other.nanos, _scale(one, other))


@QUANTITIES.define("sub", "quantity.(int) -> quantity")
def sub_int(one: Quantity, other: int) -> Quantity:
    """Take a number off."""
    return sub(one, Quantity(other * NANO, 0))


def _scale(one: Quantity, other: Quantity) -> int | None:
    if one.scale is None or other.scale is None:
        return None
    if not other.nanos:
        return one.scale
    return min(one.scale, other.scale) if one.nanos else other.scale
