"""Durations as Go reads them: `time.ParseDuration`, and the form that a pause step takes."""

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PIECE = re.compile(r"([0-9]*)(\.[0-9]*)?([^.0-9]*)", re.ASCII | re.DOTALL)
_INT32 = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_MOST = 1 << 63


class BadDuration(ValueError):
    """The text is not a duration; the message is Go's own, with a long text cut short."""


def parse_duration(text: str) -> float:
    """Read a duration such as `1h30m`, `500ms` or `-2s` and return it in seconds.

    Accepts and refuses exactly what Go's `time.ParseDuration` does: `1d` has no such unit, `120` lacks one.

    Raises:
        BadDuration: with the words of Go's error.
    """
    return parse_nanoseconds(text) / 1_000_000_000


def parse_nanoseconds(text: str) -> int:
    """Read a duration as `parse_duration` does, and return it in whole nanoseconds, as Go keeps it."""
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    if not rest:
        raise BadDuration(f"time: invalid duration {_quote(text)}")
    total = 0
    while rest:
        piece = _PIECE.match(rest)
        assert piece  # every part of the pattern may be empty
        total += _nanoseconds(piece, text)
        if total > _MOST:
            raise BadDuration(f"time: invalid duration {_quote(text)}")
        rest = rest[piece.end() :]
    if negative:
        return -total
    if total == _MOST:
        raise BadDuration(f"time: invalid duration {_quote(text)}")
    return total


def pause_seconds(duration: int | str) -> int:
    """Read the duration of a pause step as Argo Rollouts does; a negative result means it is invalid.

    Whole numbers, also as text, are seconds; everything else is a Go duration cut to whole seconds
    (`RolloutPause.DurationSeconds`, types.go).
    """
    if isinstance(duration, int):
        return duration
    if _INT32.fullmatch(duration) and _fits(int(duration)):
        return int(duration)
    try:
        nanoseconds = parse_nanoseconds(duration)
    except BadDuration:
        return -1
    seconds = abs(nanoseconds) // 1_000_000_000
    seconds = seconds if nanoseconds >= 0 else -seconds
    return seconds if _fits(seconds) else -1


def _fits(seconds: int) -> bool:
    return -(2**31) <= seconds < 2**31


def _nanoseconds(piece: re.Match[str], text: str) -> int:
    digits, fraction, unit = piece[1], (piece[2] or ".")[1:], piece[3]
    whole = digits.lstrip("0") or "0"
    if not (digits or fraction) or len(whole) > 19 or int(whole) > _MOST:
        raise BadDuration(f"time: invalid duration {_quote(text)}")
    if not unit:
        raise BadDuration(f"time: missing unit in duration {_quote(text)}")
    if unit not in _UNITS:
        raise BadDuration(f"time: unknown unit {_quote(unit)} in duration {_quote(text)}")
    return int(whole) * _UNITS[unit] + _fraction(fraction, _UNITS[unit])


def _fraction(digits: str, unit: int) -> int:
    """Take a part of a unit as Go does: in floating point, and without the digits that 64 bits cannot hold."""
    value, scale = 0, 1.0
    for digit in digits:
        if value > (_MOST - 1) // 10 or value * 10 + int(digit) > _MOST:
            break
        value, scale = value * 10 + int(digit), scale * 10
    return int(value * (unit / scale))


def _quote(text: str) -> str:
    return '"' + text[:80].replace("\\", "\\\\").replace('"', '\\"') + '"'
