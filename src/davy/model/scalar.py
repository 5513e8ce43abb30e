"""Plain scalars as the cluster reads them: go-yaml v2, then JSON (`sigs.k8s.io/yaml`, goyaml.v2/resolve.go).

`on`, `off`, `yes`, `no`, `y` and `n` are booleans there, `012` is ten, `12:30:00` and dates are text. Other
readers of YAML see other values; `disagreement` says so.
"""

import math
import re
from datetime import date

#: What JSON can hold besides lists and mappings.
Value = None | bool | int | float | str

_TRUE = frozenset(["true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"])
_FALSE = frozenset(["false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"])
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_NOT_JSON = re.compile(r"[-+]?(?:\.(?:nan|NaN|NAN|inf|Inf|INF)|NaN|Infinity)")
_NUMERIC = frozenset("+-.0123456789")

_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])", re.ASCII)
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt ].*)?", re.ASCII | re.DOTALL)

_FLOAT_1_1 = re.compile(r"[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+][0-9]+)?", re.ASCII)
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
_INTEGER_1_2 = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)

_DIGITS = 400
_BASES = {"x": 16, "o": 8, "b": 2}


class BadScalar(ValueError):
    """JSON cannot hold this scalar, or some reader breaks on it."""


def read(text: str) -> Value:
    """Return what a plain scalar means to the cluster.

    A number without a fraction is an int, since JSON knows one sort of number: `5.0` is a 5 there.

    Raises:
        BadScalar: it is not a number, not a finite one, or a day that no calendar has.
    """
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _NOT_JSON.fullmatch(text):
        raise BadScalar("JSON has no number for it")
    if text[0] not in _NUMERIC:
        return text
    _check_date(text)
    return _number(text)


def is_plain(text: str) -> bool:
    """Say whether every reader takes a plain scalar for the text that it is."""
    try:
        return read(text) == text and not disagreement(text, text)
    except BadScalar:
        return False


def disagreement(text: str, value: Value) -> str:
    """Say what another reader makes of a plain scalar that the cluster reads as `value`; often nothing."""
    if isinstance(value, bool):
        return "" if text.lower() in ("true", "false") else "a YAML 1.2 reader takes it as text"
    if text in _NULL or text[0] not in _NUMERIC:
        return ""
    if _BASE_60.fullmatch(text):
        return "a YAML 1.1 reader takes it as a number to the base of 60"
    if isinstance(value, str):
        return ""
    if _number_1_2(text) != value:
        other = _number_1_2(text)
        return f"a YAML 1.2 reader takes it as {'text' if other is None else other}"
    if not (_INTEGER.fullmatch(text) and "o" not in text.lower()) and not _FLOAT_1_1.fullmatch(text):
        return "a YAML 1.1 reader takes it as text"
    return ""


def _check_date(text: str) -> None:
    found = _DATE.fullmatch(text)
    if found is None:
        return
    try:
        date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError as error:
        raise BadScalar("there is no such day") from error


def _number(text: str) -> int | float | str:
    plain = _BETWEEN_DIGITS.sub("", text) if text[0] == "." else text.replace("_", "")
    integer, real = _INTEGER.fullmatch(plain), _FLOAT.fullmatch(plain)
    if len(plain) > _DIGITS and (integer or real):
        raise BadScalar(f"a number of more than {_DIGITS} digits is one that no reader can hold")
    if integer:
        number = _integer(integer[1], integer[2])
        if -(2**63) <= number < 2**64:
            return number
    if real:
        return _float(plain)
    return text


def _integer(sign: str, digits: str) -> int:
    base = _BASES.get(digits[1:2].lower(), 8 if digits.startswith("0") else 10)
    number = int(digits[2:] if digits[1:2].isalpha() else digits, base)
    return -number if sign == "-" else number


def _float(text: str) -> int | float:
    number = float(text)
    if math.isinf(number):
        raise BadScalar("it is beyond the numbers that JSON readers hold")
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _number_1_2(text: str) -> int | float | None:
    if _INTEGER_1_2.fullmatch(text):
        return int(text[2:], _BASES[text[1]]) if text[1:2] in ("o", "x") else int(text)
    return _float(text) if _FLOAT.fullmatch(text) else None
