"""`units.parse` (quantities as Kubernetes writes them) and `units.parse_bytes`."""

import re
from fractions import Fraction
from functools import lru_cache

from davy.policy.rego.arithmetic import in_64_bits, rounded
from davy.policy.rego.budget import LARGEST_NUMBER, BudgetExceeded
from davy.policy.rego.builtin import Builtin, BuiltinError, text
from davy.policy.rego.values import Value

_PARTS = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(.*)", re.DOTALL)
_LETTERS = "kmgtpe"
_DECIMAL = {letter: Fraction(1000 ** (power + 1)) for power, letter in enumerate(_LETTERS)}
_BINARY = {f"{letter}i": Fraction(1024 ** (power + 1)) for power, letter in enumerate(_LETTERS)}
_QUANTITIES = {"": Fraction(1), **_DECIMAL, **_BINARY}
_BYTES = {**_QUANTITIES, **{f"{unit}b": factor for unit, factor in _QUANTITIES.items() if unit}}


def parse(value: Value) -> int | float:
    """Read a quantity: `10Ki`, `1.5M`; `m` is milli and `M` is mega."""
    written = text(value, 1)
    return (_parsed if len(written) < 50 else _parsed.__wrapped__)(written)


@lru_cache(maxsize=4096)
def _parsed(written: str) -> int | float:
    found, unit = _taken(written)
    factor = Fraction(1, 1000) if unit == "m" else _QUANTITIES.get(unit.lower())
    if factor is None:
        raise BuiltinError(f"unit {unit} not recognized")
    amount = in_64_bits(found * factor)
    return amount.numerator if amount.denominator == 1 else rounded(amount)


def parse_bytes(value: Value) -> int:
    """Read a size in bytes: `10KiB`, `1.5mb`; whatever is less than a byte is dropped."""
    found, unit = _taken(text(value, 1).lower())
    factor = _BYTES.get(unit)
    if factor is None:
        raise BuiltinError(f"byte unit {unit} not recognized")
    return int(in_64_bits(found * factor))


def _taken(value: str) -> tuple[Fraction, str]:
    found = _PARTS.fullmatch(value.replace('"', ""))
    if found is None:
        raise BuiltinError("no amount provided")
    power = re.search("[eE](.*)", found[1])
    if (power is not None and abs(int(power[1][:9])) > LARGEST_NUMBER) or len(found[1]) > LARGEST_NUMBER:
        raise BudgetExceeded("an amount that nobody could compute with")
    return Fraction(found[1].rstrip(".")), found[2]


FAMILY = (Builtin("units.parse", 1, parse), Builtin("units.parse_bytes", 1, parse_bytes))
