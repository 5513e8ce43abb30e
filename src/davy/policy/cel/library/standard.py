"""The functions that every CEL has: sizes, texts, conversions, and the signatures of the operators."""

import math
from collections.abc import Callable
from typing import Any

from davy.policy.cel import operators
from davy.policy.cel.budget import Budget
from davy.policy.cel.errors import CelError
from davy.policy.cel.library.patterns import pattern
from davy.policy.cel.numbers import Uint, int64, shortest, uint64, whole
from davy.policy.cel.signature import Library
from davy.policy.cel.values import TypeName, Value, type_name

STANDARD = Library()

SAME = {
    "_+_": ("int", "uint", "double", "string", "bytes", "list(T)", "duration"),
    "_-_": ("int", "uint", "double", "duration"),
    "_*_": ("int", "uint", "double"),
    "_/_": ("int", "uint", "double"),
    "_%_": ("int", "uint"),
}
RUN: dict[str, Callable[..., Value]] = {
    "_+_": operators.add,
    "_-_": operators.subtract,
    "_*_": operators.multiply,
    "_/_": operators.divide,
    "_%_": operators.modulo,
    "_<_": operators.less,
    "_<=_": operators.at_most,
    "_>_": operators.greater,
    "_>=_": operators.at_least,
    "_==_": operators.equal,
    "_!=_": operators.unequal,
    "@in": operators.member,
    "!_": operators.invert,
    "-_": operators.negate,
}
METERED = frozenset(("_+_", "_==_", "_!=_", "@in"))

for _name, _types in SAME.items():
    for _type in _types:
        STANDARD.add(_name, f"({_type}, {_type}) -> {_type}", RUN[_name])
for _left, _right, _result, _name in (
    ("timestamp", "duration", "timestamp", "_+_"),
    ("duration", "timestamp", "timestamp", "_+_"),
    ("timestamp", "timestamp", "duration", "_-_"),
    ("timestamp", "duration", "timestamp", "_-_"),
):
    STANDARD.add(_name, f"({_left}, {_right}) -> {_result}", RUN[_name])
for _name in ("_<_", "_<=_", "_>_", "_>=_"):
    for _type in ("bool", "string", "bytes", "timestamp", "duration"):
        STANDARD.add(_name, f"({_type}, {_type}) -> bool", RUN[_name])
    for _type in ("int", "uint", "double"):
        for _other in ("int", "uint", "double"):
            STANDARD.add(_name, f"({_type}, {_other}) -> bool", RUN[_name])
for _name in ("_==_", "_!=_"):
    STANDARD.add(_name, "(T, T) -> bool", RUN[_name])
STANDARD.add("@in", "(T, list(T)) -> bool", RUN["@in"])
STANDARD.add("@in", "(K, map(K, V)) -> bool", RUN["@in"])
STANDARD.add("!_", "(bool) -> bool", RUN["!_"])
STANDARD.add("-_", "(int) -> int", RUN["-_"])
STANDARD.add("-_", "(double) -> double", RUN["-_"])


@STANDARD.define(
    "size",
    *[
        form % sort
        for sort in ("string", "bytes", "list(T)", "map(K, V)")
        for form in ("(%s) -> int", "%s.() -> int")
    ],
)
def size(value: Any) -> int:
    """Count characters, bytes, elements or entries."""
    return len(value)


@STANDARD.define("startsWith", "string.(string) -> bool")
def starts_with(text: str, beginning: str) -> bool:
    """Say whether a text begins with another."""
    return text.startswith(beginning)


@STANDARD.define("endsWith", "string.(string) -> bool")
def ends_with(text: str, end: str) -> bool:
    """Say whether a text ends with another."""
    return text.endswith(end)


@STANDARD.define("contains", "string.(string) -> bool")
def contains(text: str, part: str) -> bool:
    """Say whether a text has another in it."""
    return part in text


@STANDARD.define("matches", "string.(string) -> bool", "(string, string) -> bool", metered=True)
def matches(budget: Budget, text: str, wanted: str) -> bool:
    """Say whether a pattern is found in a text."""
    budget.spend(len(text) // 10 + len(wanted) // 4)
    return pattern(wanted).search(text) is not None


STANDARD.literals["matches"] = pattern


@STANDARD.define("type", "(T) -> type(T)")
def type_(value: Value) -> TypeName:
    """Return the type of a value."""
    return type_name(value)


@STANDARD.define("dyn", "(T) -> dyn")
def dyn(value: Value) -> Value:
    """Return a value, of which the checker then knows nothing."""
    return value


@STANDARD.define("string", "(int) -> string", "(uint) -> string")
def string_of_integer(number: int) -> str:
    """Write a number."""
    return str(int(number))


@STANDARD.define("string", "(string) -> string")
@STANDARD.define("int", "(int) -> int")
@STANDARD.define("uint", "(uint) -> uint")
@STANDARD.define("double", "(double) -> double")
@STANDARD.define("bool", "(bool) -> bool")
@STANDARD.define("bytes", "(bytes) -> bytes")
def same(value: Value) -> Value:
    """Return what is of the type already."""
    return value


STANDARD.add("string", "(double) -> string", shortest)


@STANDARD.define("string", "(bool) -> string")
def string_of_bool(value: bool) -> str:
    """Write a bool."""
    return "true" if value else "false"


@STANDARD.define("string", "(bytes) -> string")
def string_of_bytes(value: bytes) -> str:
    """Read UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise CelError("invalid UTF-8 in bytes, cannot convert to string") from None


@STANDARD.define("bytes", "(string) -> bytes")
def bytes_of_string(text: str) -> bytes:
    """Write UTF-8; halves of characters, which JSON may hold, are replaced."""
    return text.encode(errors="replace")


@STANDARD.define("int", "(uint) -> int")
def int_of_uint(number: Uint) -> int:
    """Return a uint as an int."""
    return int64(int(number))


STANDARD.add("int", "(double) -> int", whole)


@STANDARD.define("int", "(string) -> int")
def int_of_string(text: str) -> int:
    """Read an int: digits, with a sign or without."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if digits.isascii() and digits.isdigit() and len(digits) < 100:
        number = int(text)
        if -(1 << 63) <= number < 1 << 63:
            return number
    raise _unreadable("int")


@STANDARD.define("uint", "(string) -> uint")
def uint_of_string(text: str) -> Uint:
    """Read a uint."""
    if text.isascii() and text.isdigit() and len(text) < 100 and int(text) < 1 << 64:
        return Uint(int(text))
    raise _unreadable("uint")


@STANDARD.define("uint", "(int) -> uint")
def uint_of_int(number: int) -> Uint:
    """Return an int as a uint."""
    return uint64(number)


@STANDARD.define("uint", "(double) -> uint")
def uint_of_double(number: float) -> Uint:
    """Cut a double down to a uint."""
    if math.isfinite(number) and -1 < number < 1 << 64 and not number < 0:
        return Uint(int(number))
    raise CelError("unsigned integer overflow")


@STANDARD.define("double", "(int) -> double", "(uint) -> double")
def double_of_integer(number: int) -> float:
    """Return the double next to a number."""
    return float(number)


@STANDARD.define("double", "(string) -> double")
def double_of_string(text: str) -> float:
    """Read a double as Go does: hexadecimal ones too, and no spaces."""
    plain = text.lower().lstrip("+-") if text[:2] not in ("+-", "-+", "++", "--") else "?"
    try:
        if not text.isascii() or text != text.strip():
            raise ValueError(text)
        number = _hexadecimal(text) if plain.startswith("0x") else float(text)
    except (ValueError, OverflowError):
        raise _unreadable("double") from None
    if math.isinf(number) and plain not in ("inf", "infinity"):
        raise _unreadable("double")
    return number


def _hexadecimal(text: str) -> float:
    if "p" not in text.lower():
        raise ValueError(text)
    return float.fromhex(text.replace("_", ""))


@STANDARD.define("bool", "(string) -> bool")
def bool_of_string(text: str) -> bool:
    """Read a bool as Go does."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise _unreadable("bool")


def _unreadable(wanted: str) -> CelError:
    return CelError(f"type conversion error from 'string' to '{wanted}'")
