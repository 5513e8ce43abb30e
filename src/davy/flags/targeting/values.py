"""JsonLogic's values: what is true, what is a number, what is text, what is equal.

As the reference implementation has them (jsonlogic.com, JavaScript's coercions); nothing here ever raises.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

NAN = math.nan
INFINITY = math.inf

_LARGEST = 2**64
_DEPTH = 16
_DECIMAL = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|Infinity)")
_BASED = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")


def truthy(value: Any) -> bool:
    """Say what counts as true: not null, false, zero, NaN, an empty text or an empty list."""
    return isinstance(value, Mapping) or (bool(value) and value == value)


def number(value: Any) -> int | float:
    """Make a number of anything, NaN where it is none; instants are milliseconds since the epoch."""
    kind = type(value)
    if kind is float:
        return float(value)
    if kind is int or kind is bool:
        return int(value) if -_LARGEST <= value <= _LARGEST else _rounded(value)
    if value is None:
        return 0
    if isinstance(value, str):
        return _number_of_text(value)
    if isinstance(value, list | tuple):
        return _number_of_text(text(value))
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000
    return NAN


def text(value: Any, depth: int = _DEPTH) -> str:
    """Make a text of anything, as JavaScript's `String` does."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -_LARGEST <= value <= _LARGEST:
        return str(value)
    if isinstance(value, int | float):
        return _text_of_float(number(value))
    if isinstance(value, list | tuple):
        return ",".join(joined(item, depth - 1) for item in value) if depth else ""
    return value.isoformat() if isinstance(value, datetime) else "[object Object]"


def joined(value: Any, depth: int = _DEPTH) -> str:
    """Make a text of something among others, where null is nothing."""
    return "" if value is None else text(value, depth)


def loosely_equal(left: Any, right: Any) -> bool:
    """Compare with JavaScript's `==`: null is only null, lists and objects are only themselves."""
    if left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    structured = _is_structured(left), _is_structured(right)
    if all(structured):
        return left is right
    if any(structured):
        plain, other = (right, left) if structured[0] else (left, right)
        return plain == text(other) if isinstance(plain, str) else number(plain) == number(text(other))
    return number(left) == number(right)


def strictly_equal(left: Any, right: Any) -> bool:
    """Compare with JavaScript's `===`: of one type, numbers being one type."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if _is_structured(left) or _is_structured(right):
        return left is right
    return type(left) is type(right) and bool(left == right)


def less(left: Any, right: Any) -> bool:
    """Compare with JavaScript's `<`: two texts as texts, all else as numbers."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    return number(left) < number(right)


def less_equal(left: Any, right: Any) -> bool:
    """Compare with JavaScript's `<=`: two texts as texts, all else as numbers."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return left <= right
    return number(left) <= number(right)


def _is_structured(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping)


def _primitive(value: Any) -> Any:
    return text(value) if _is_structured(value) else value


def _number_of_text(value: str) -> int | float:
    value = value.strip()
    if not value:
        return 0
    if value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if _DECIMAL.fullmatch(value):
        return float(value)
    return _rounded(int(value, 0)) if len(value) < 300 and _BASED.fullmatch(value) else NAN


def _rounded(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return INFINITY if value > 0 else -INFINITY


def _text_of_float(value: float) -> str:
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
