"""How values look as text: Go's `%v`, its quoting, and its JSON."""

import base64
import json
import re
from decimal import Decimal
from math import isfinite, isinf, isnan
from typing import Final

from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import Function, type_name
from davy.analysis.expression.layouts import write
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.moments import Duration, Instant, Named, Zone
from davy.analysis.expression.values import AnyMap, admitted

# From these powers of ten on, numbers are written with an exponent.
_PLAIN_VERB: Final = range(-4, 21)
_VERB: Final = range(-4, 6)
_JSON: Final = range(-6, 21)
# What Go escapes in JSON beyond what JSON demands, so that a page may hold it.
_HTML: Final = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


def shown(value: object, meter: Meter, depth: int = 0) -> str:
    """Write a value as `string()` and Go's `%v` do."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case str():
            meter.spend_text(len(value))
            return value
        case float():
            return show_float(value, _VERB)
        case dict():
            depth = meter.descend(depth)
            pairs = [
                f"{shown(key, meter, depth)}:{shown(item, meter, depth)}" for key, item in _sorted_items(value)
            ]
            return f"map[{' '.join(pairs)}]"
        case list() | tuple() | range() | bytes():
            depth = meter.descend(depth)
            return f"[{' '.join([shown(item, meter, depth) for item in value])}]"
        case Instant():
            return show_instant(value)
        case Function():
            return "func"
    meter.spend(1)
    return str(value)


def show_instant(value: Instant) -> str:
    """Write an instant as Go's Time.String does."""
    return write(value, "2006-01-02 15:04:05.999999999 -0700 MST")


def _sorted_items(value: dict[object, object]) -> list[tuple[object, object]]:
    items = (
        list(zip(value.plain_keys(), value.values(), strict=True))
        if isinstance(value, AnyMap)
        else [*value.items()]
    )
    return sorted(
        items, key=lambda item: (type(item[0]).__name__, item[0] if isinstance(item[0], str) else repr(item[0]))
    )


def show_float(value: float, plain: range = _PLAIN_VERB) -> str:
    """Write the shortest digits that give the number back, outside of the plain powers with an exponent."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    sign, digits, _ = Decimal(repr(value)).as_tuple()
    power = Decimal(repr(value)).adjusted()
    significant = "".join(map(str, digits)).rstrip("0")
    if power in plain:
        text = f"{Decimal(repr(abs(value))):f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa = significant if len(significant) == 1 else f"{significant[0]}.{significant[1:]}"
        text = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return f"-{text}" if sign else text


def quoted(text: str) -> str:
    """Write a text in double quotes as Go's `%q` does."""
    simple = {
        '"': '\\"',
        "\\": "\\\\",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
    parts = []
    for character in text:
        number = ord(character)
        if character in simple:
            parts.append(simple[character])
        elif character.isprintable():
            parts.append(character)
        elif number < 0x80:
            parts.append(f"\\x{number:02x}")
        else:
            parts.append(f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")
    return f'"{"".join(parts)}"'


def to_json(value: object, meter: Meter, indent: str = "", depth: int = 0) -> str:
    """Write JSON as Go's MarshalIndent does, two spaces a level, keys in order."""
    match value:
        case dict() if not isinstance(value, AnyMap):
            depth = meter.descend(depth)
            inner = indent + "  "
            lines = [f"{_json_text(key)}: {to_json(value[key], meter, inner, depth)}" for key in sorted(value)]
            return _json_block("{", lines, "}", indent)
        case list() | tuple() | range():
            depth = meter.descend(depth)
            inner = indent + "  "
            return _json_block("[", [to_json(item, meter, inner, depth) for item in value], "]", indent)
        case str():
            meter.spend_text(len(value))
            return _json_text(value)
    meter.spend(1)
    return _json_scalar(value)


def _json_block(opening: str, lines: list[str], closing: str, indent: str) -> str:
    if not lines:
        return opening + closing
    separator = f",\n{indent}  "
    return f"{opening}\n{indent}  {separator.join(lines)}\n{indent}{closing}"


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_HTML)


def _json_scalar(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if isfinite(value):
            return re.sub(r"e-0(?=\d$)", "e-", show_float(value, _JSON))
        case float():
            raise Fault(f"json: unsupported value: {show_float(value)}")
        case bytes():
            return f'"{base64.b64encode(value).decode()}"'
        case Duration():
            return str(value.nanoseconds)
        case Instant():
            return f'"{write(value, "2006-01-02T15:04:05.999999999Z07:00")}"'
        case Named():
            return str(value.number)
        case Zone():
            return "{}"
    raise Fault(f"json: unsupported type: {type_name(value)}")


def from_json(text: str, meter: Meter) -> object:
    """Read JSON as Go does: every number is a float, NaN and Infinity are no JSON."""
    meter.spend_text(len(text))
    try:
        value = json.loads(
            text, parse_int=_json_number, parse_float=_json_number, parse_constant=_no_json_number
        )
    except json.JSONDecodeError as error:
        raise Fault(f"this is no JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Fault("the JSON nests too deeply") from None
    return admitted(value)


def _json_number(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise Fault(f"json: cannot unmarshal number {text} into Go value of type float64")
    return number


def _no_json_number(text: str) -> float:
    raise Fault(f"this is no JSON: {text}")
