"""Texts: cutting, joining, searching, and the notations of base 64 and JSON.

Where Go counts in bytes (`indexOf`, slices), so do these; `len` counts characters.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from davy.analysis.expression.builtins.signature import A_STRING, AN_ARRAY, AN_INT, ANYTHING, Builtin
from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import BOOL, INT, STRING, UNKNOWN, Kind, type_name
from davy.analysis.expression.kinds import STRINGS as STRINGS_KIND
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.texts import from_json, shown, to_json
from davy.analysis.expression.values import as_int, elements

# Unicode's white space; Python's own strip would take the separators U+001C to U+001F along.
_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def _texts(name: str, call: Callable[..., object], *, least: int, most: int, returns: Kind = STRING) -> Builtin:
    """Make a function whose arguments are all strings."""

    def checked(meter: Meter, *values: object) -> object:
        return call(*[_text(name, value, meter) for value in values])

    return Builtin(name, (A_STRING,) * most, returns, checked, optional=most - least)


def _text(name: str, value: object, meter: Meter) -> str:
    if not isinstance(value, str):
        raise Fault(f"cannot use {type_name(value)} as argument (type string) to call {name}")
    meter.spend_text(len(value))
    return value


def _upper(text: str) -> str:
    # Rune by rune, as Go does: a letter whose capital is two letters stays as it is.
    return text.upper() if text.isascii() else "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(c.lower()[0] for c in text)


def _pieces(text: str, separator: str, count: int, *, keep: bool) -> list[str]:
    """Cut as Go's SplitN and SplitAfterN do: into at most `count` pieces, all where it is negative."""
    if count == 0:
        return []
    if separator == "":
        if count < 0 or count > len(text):
            return list(text)
        return [*text[: count - 1], text[count - 1 :]]
    pieces = text.split(separator, count - 1 if count > 0 else -1)
    if keep:
        return [piece + separator for piece in pieces[:-1]] + pieces[-1:]
    return pieces


def _split(name: str, *, keep: bool) -> Builtin:
    def call(meter: Meter, text: object, separator: object, count: object = -1) -> tuple[str, ...]:
        pieces = _pieces(_text(name, text, meter), _text(name, separator, meter), as_int(count), keep=keep)
        meter.spend(len(pieces))
        return tuple(pieces)

    return Builtin(name, (A_STRING, A_STRING, AN_INT), STRINGS_KIND, call, optional=1)


def _replace(meter: Meter, text: object, old: object, new: object, count: object = -1) -> str:
    source, before, after = (_text("replace", value, meter) for value in (text, old, new))
    most = as_int(count)
    found = source.count(before)
    times = found if most < 0 else min(found, most)
    meter.spend_text(times * len(after))
    return source.replace(before, after, times)


def _repeat(meter: Meter, text: object, count: object) -> str:
    piece, times = _text("repeat", text, meter), as_int(count)
    if times < 0:
        raise Fault(f"invalid argument for repeat (expected positive integer, got {times})")
    meter.spend_text(times * max(1, len(piece)))
    return piece * times


def _join(meter: Meter, items: object, separator: object = "") -> str:
    texts = [_text("join", item, meter) for item in elements(items, meter)]
    between = _text("join", separator, meter)
    meter.spend_text(len(texts) * len(between))
    return between.join(texts)


def _index(find: Callable[[bytes, bytes], int]) -> Callable[[str, str], int]:
    return lambda text, part: find(text.encode(), part.encode())


def _from_base64(text: str) -> str:
    try:
        # Go skips the ends of lines in base 64, and nothing else.
        return base64.b64decode(re.sub("[\r\n]", "", text), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise Fault("illegal base64 data") from None


def _from_json(meter: Meter, text: object) -> object:
    return from_json(_text("fromJSON", text, meter), meter)


def _to_json(meter: Meter, value: object) -> str:
    return to_json(value, meter)


def _string(meter: Meter, value: object) -> str:
    return shown(value, meter)


STRINGS: Final = (
    Builtin("string", (ANYTHING,), STRING, _string),
    _texts("trim", lambda text, cut=_SPACE: text.strip(cut), least=1, most=2),
    _texts("trimPrefix", lambda text, prefix=" ": text.removeprefix(prefix), least=1, most=2),
    _texts("trimSuffix", lambda text, suffix=" ": text.removesuffix(suffix), least=1, most=2),
    _texts("upper", _upper, least=1, most=1),
    _texts("lower", _lower, least=1, most=1),
    _split("split", keep=False),
    _split("splitAfter", keep=True),
    Builtin("replace", (A_STRING, A_STRING, A_STRING, AN_INT), STRING, _replace, optional=1),
    Builtin("repeat", (A_STRING, AN_INT), STRING, _repeat),
    Builtin("join", (AN_ARRAY, A_STRING), STRING, _join, optional=1),
    _texts("indexOf", _index(bytes.find), least=2, most=2, returns=INT),
    _texts("lastIndexOf", _index(bytes.rfind), least=2, most=2, returns=INT),
    _texts("hasPrefix", lambda text, prefix: text.startswith(prefix), least=2, most=2, returns=BOOL),
    _texts("hasSuffix", lambda text, suffix: text.endswith(suffix), least=2, most=2, returns=BOOL),
    Builtin("fromJSON", (A_STRING,), UNKNOWN, _from_json),
    Builtin("toJSON", (ANYTHING,), STRING, _to_json),
    _texts("toBase64", lambda text: base64.b64encode(text.encode()).decode(), least=1, most=1),
    _texts("fromBase64", _from_base64, least=1, most=1),
)
