"""Base64 and numbers, as cel-go has them: Kyverno offers these, the API server does not."""

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any

from davy.policy.cel.errors import CelError
from davy.policy.cel.numbers import Uint, int64
from davy.policy.cel.operators import compared, no_overload
from davy.policy.cel.signature import Library
from davy.policy.cel.values import Value

ENCODERS = Library()
MATHS = Library()
NUMBERS = ("int", "uint", "double")


@ENCODERS.define("base64.encode", "(bytes) -> string")
def encode(value: bytes) -> str:
    """Write bytes in base64."""
    return base64.b64encode(value).decode()


@ENCODERS.define("base64.decode", "(string) -> bytes")
def decode(text: str) -> bytes:
    """Read base64, with or without the signs that fill it up."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4) if "=" not in text else text, validate=True)
    except (binascii.Error, ValueError):
        raise CelError("illegal base64 data") from None


def _chosen(better: Callable[[int], bool], name: str) -> Callable[..., Value]:
    def choose(*values: Any) -> Value:
        if len(values) == 1 and isinstance(values[0], list | tuple):
            values = tuple(values[0])
        if not values:
            raise CelError(f"math.@{name}(list) argument must not be empty")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float):
                no_overload()
        best = values[0]
        for value in values[1:]:
            if better(compared(value, best)):
                best = value
        return best

    return choose


for _name, _run in (
    ("greatest", _chosen(lambda order: order > 0, "max")),
    ("least", _chosen(lambda order: order < 0, "min")),
):
    for _sort in NUMBERS:
        MATHS.add(f"math.{_name}", f"({_sort}) -> {_sort}", _run)
        MATHS.add(f"math.{_name}", f"(list({_sort})) -> {_sort}", _run)
        for _other in NUMBERS:
            MATHS.add(f"math.{_name}", f"({_sort}, {_other}) -> {_sort if _sort == _other else 'dyn'}", _run)
    for _count in range(3, 11):
        MATHS.add(f"math.{_name}", f"({', '.join(['dyn'] * _count)}) -> dyn", _run)


@MATHS.define("math.abs", "(int) -> int", "(uint) -> uint", "(double) -> double")
def abs_(number: Any) -> Value:
    """Return a number without its sign."""
    if isinstance(number, Uint):
        return number
    return int64(abs(number)) if isinstance(number, int) else abs(number)


@MATHS.define("math.sign", "(int) -> int", "(uint) -> uint", "(double) -> double")
def sign(number: Any) -> Value:
    """Return -1, 0 or 1, as a number of the same type."""
    if isinstance(number, float):
        return number if math.isnan(number) or not number else math.copysign(1.0, number)
    found = (number > 0) - (number < 0)
    return Uint(found) if isinstance(number, Uint) else found


def _rounded(round_: Callable[[float], int]) -> Callable[[float], float]:
    return lambda number: number if not math.isfinite(number) else math.copysign(float(round_(number)), number)


for _name, _round in (
    ("ceil", math.ceil),
    ("floor", math.floor),
    ("trunc", math.trunc),
    (
        "round",
        lambda number: math.trunc(number + math.copysign(0.5, number)) if abs(number) < 2**52 else int(number),
    ),
):
    MATHS.add(f"math.{_name}", "(double) -> double", _rounded(_round))
MATHS.add("math.isNaN", "(double) -> bool", math.isnan)
MATHS.add("math.isInf", "(double) -> bool", math.isinf)
MATHS.add("math.isFinite", "(double) -> bool", math.isfinite)


@MATHS.define("math.sqrt", "(double) -> double", "(int) -> double", "(uint) -> double")
def sqrt(number: float) -> float:
    """Return the square root; that of a number below zero is not a number."""
    return math.sqrt(number) if number >= 0 else math.nan


def _wrapped(number: int, unsigned: bool) -> Value:
    number &= (1 << 64) - 1
    if unsigned:
        return Uint(number)
    return number - (1 << 64) if number >= 1 << 63 else number


def _bits(combine: Callable[[int, int], int]) -> Callable[[int, int], Value]:
    return lambda one, other: _wrapped(combine(int(one), int(other)), isinstance(one, Uint))


for _name, _combine in (
    ("bitOr", lambda one, other: one | other),
    ("bitAnd", lambda one, other: one & other),
    ("bitXor", lambda one, other: one ^ other),
):
    for _sort in ("int", "uint"):
        MATHS.add(f"math.{_name}", f"({_sort}, {_sort}) -> {_sort}", _bits(_combine))


@MATHS.define("math.bitNot", "(int) -> int", "(uint) -> uint")
def bit_not(number: int) -> Value:
    """Turn every bit over."""
    return _wrapped(~int(number), isinstance(number, Uint))


@MATHS.define("math.bitShiftLeft", "(int, int) -> int", "(uint, int) -> uint")
def bit_shift_left(number: int, bits: int) -> Value:
    """Move bits up; those that leave are gone."""
    if bits < 0:
        raise CelError(f"math.bitShiftLeft() negative offset: {bits}")
    return _wrapped(int(number) << bits if bits < 64 else 0, isinstance(number, Uint))


@MATHS.define("math.bitShiftRight", "(int, int) -> int", "(uint, int) -> uint")
def bit_shift_right(number: int, bits: int) -> Value:
    """Move bits down; what comes in is 0, even below zero."""
    if bits < 0:
        raise CelError(f"math.bitShiftRight() negative offset: {bits}")
    return _wrapped((int(number) & ((1 << 64) - 1)) >> bits, isinstance(number, Uint))
