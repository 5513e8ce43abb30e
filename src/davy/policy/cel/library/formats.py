"""`format` of texts: `"%s has %d".format([name, 3])`, with the figures as the API server writes them."""

import math
from collections.abc import Callable
from typing import Any

from davy.policy.cel.budget import Budget
from davy.policy.cel.errors import CelError
from davy.policy.cel.library.moments import string_of_duration, string_of_timestamp
from davy.policy.cel.numbers import shortest
from davy.policy.cel.operators import is_list, is_map
from davy.policy.cel.signature import Library
from davy.policy.cel.values import Duration, Instant, TypeName, Value, sort_of

FORMATS = Library()
HIGH = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
MOST_DIGITS = 100
SHOWABLE = "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"


@FORMATS.define("format", "string.(list(dyn)) -> string", metered=True)
def format_(budget: Budget, text: str, values: list[Value]) -> str:
    """Fill values into a text."""
    made, at, used = [], 0, 0
    while (place := text.find("%", at)) >= 0:
        made.append(text[at:place])
        clause, at, digits = _clause(text, place + 1)
        if clause == "%":
            made.append("%")
            continue
        if used >= len(values):
            raise CelError(f"index {used} out of range")
        try:
            made.append(_written(budget, clause, digits, values[used]))
        except CelError as error:
            raise CelError(f"error during formatting: {error.message}") from None
        used += 1
    made.append(text[at:])
    budget.spend(sum(map(len, made)) // 10)
    return "".join(made)


def clauses(text: str) -> int:
    """Count the values that a text wants.

    Raises:
        CelError: one of its clauses is none.
    """
    count, at = 0, 0
    while (place := text.find("%", at)) >= 0:
        clause, at, _digits = _clause(text, place + 1)
        count += clause != "%"
    return count


def _clause(text: str, at: int) -> tuple[str, int, int]:
    digits = ""
    if text[at : at + 1] == ".":
        at += 1
        while text[at : at + 1].isdigit() and text[at].isascii():
            digits += text[at]
            at += 1
        if not digits or int(digits[:4]) > MOST_DIGITS:
            raise CelError(
                f"could not parse formatting clause: precision has to be a number up to {MOST_DIGITS}"
            )
    if at >= len(text):
        raise CelError("unexpected end of string")
    if text[at] not in WRITERS and text[at] != "%":
        raise CelError(f'could not parse formatting clause: unrecognized formatting clause "{text[at]}"')
    return text[at], at + 1, int(digits) if digits else 6


def _written(budget: Budget, clause: str, digits: int, value: Any) -> str:
    if clause == "s":
        return shown(budget, value)
    return WRITERS[clause](value, digits)


def shown(budget: Budget, value: Any) -> str:
    """Write any value for a person to read."""
    match sort_of(type(value)):
        case "string":
            return str(value)
        case "double":
            return shortest(value)
        case "bytes":
            return str(value.decode(errors="replace"))
        case Instant.type_name:
            return string_of_timestamp(value)
        case Duration.type_name:
            return string_of_duration(value)
        case _:
            return _inside(budget, value)


def _inside(budget: Budget, value: Any) -> str:
    budget.spend(1)
    match sort_of(type(value)):
        case "string":
            return f'"{value}"'
        case "double":
            return _fixed(value, 6)
        case "int" | "uint":
            return str(int(value))
        case "bool":
            return "true" if value else "false"
        case "null_type":
            return "null"
        case "bytes":
            return f'b"{value.decode(errors="replace")}"'
        case "list" if is_list(value):
            return "[" + ", ".join([_inside(budget, part) for part in value]) + "]"
        case "map" if is_map(value):
            entries = sorted([(_inside(budget, key), _inside(budget, part)) for key, part in value.items()])
            return "{" + ", ".join([f"{key}:{part}" for key, part in entries]) + "}"
        case Instant.type_name:
            return f'timestamp("{string_of_timestamp(value)}")'
        case Duration.type_name:
            return f'duration("{string_of_duration(value)}")'
        case TypeName.type_name:
            return str(value.name)
        case sort:
            raise CelError(f"string clause can only be used on {SHOWABLE}, was given {sort}")


def _decimal(value: Any, _: int) -> str:
    sort = sort_of(type(value))
    if sort not in ("int", "uint"):
        raise CelError(f"decimal clause can only be used on integers, was given {sort}")
    return str(int(value))


def _double(value: Any, clause: str) -> float:
    sort = sort_of(type(value))
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if sort != "double":
        raise CelError(f"{clause} clause can only be used on doubles, was given {sort}")
    return float(value)


def _fixed_clause(value: Any, digits: int) -> str:
    return _grouped(_double(value, "fixed-point"), digits)


def _grouped(number: float, digits: int) -> str:
    return _fixed(number, digits) if not math.isfinite(number) else f"{number:,.{digits}f}"


def _fixed(number: float, digits: int) -> str:
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "∞" if number > 0 else "-∞"
    return f"{number:.{digits}f}"


def _scientific(value: Any, _digits: int) -> str:
    number = _double(value, "scientific")
    if not math.isfinite(number):
        return _fixed(number, 6).rjust(6)
    figures, _, power = f"{number:.6e}".partition("e")
    exponent = int(power)
    return f"{figures}×10" + ("-" * (exponent < 0) + f"{abs(exponent):02d}").translate(HIGH)


def _hexadecimal(value: Any, _: int) -> str:
    match sort_of(type(value)):
        case "int" | "uint":
            return format(int(value), "x")
        case "string":
            return str(value.encode(errors="replace").hex())
        case "bytes":
            return str(value.hex())
        case sort:
            raise CelError(
                f"only integers, byte buffers, and strings can be formatted as hex, was given {sort}"
            )


def _octal(value: Any, _: int) -> str:
    sort = sort_of(type(value))
    if sort not in ("int", "uint"):
        raise CelError(f"octal clause can only be used on integers, was given {sort}")
    return format(int(value), "o")


def _binary(value: Any, _: int) -> str:
    sort = sort_of(type(value))
    if sort not in ("int", "uint", "bool"):
        raise CelError(f"only integers and bools can be formatted as binary, was given {sort}")
    return format(int(value), "b")


WRITERS: dict[str, Callable[[Any, int], str]] = {
    "s": _decimal,
    "d": _decimal,
    "f": _fixed_clause,
    "e": _scientific,
    "x": _hexadecimal,
    "X": lambda value, digits: _hexadecimal(value, digits).upper(),
    "o": _octal,
    "b": _binary,
}
