"""Instants as people write them: a day, a time and a zone, so that nobody has to guess when something ends."""

import re
from datetime import UTC, datetime

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{3}(?:[0-9]{3})?)?)?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

LAST = 253402300799.0
"""The last second of the year 9999, in seconds since 1970: no calendar here goes further."""


class BadInstant(ValueError):
    """The text is no instant; the message says what it lacks."""


def parse_instant(text: str) -> float:
    """Read an instant such as `2026-03-01T12:00:00Z` or `2026-03-01T13:00+01:00`, in seconds since 1970 UTC.

    Raises:
        BadInstant: it has no time, no zone, or no calendar has it.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        if _DAY.fullmatch(text):
            raise BadInstant("a day has no instant: nobody knows at which end of it, and in which zone")
        raise BadInstant("an instant is written as 2026-03-01T12:00:00Z")
    if found["zone"] is None:
        raise BadInstant("it has no zone: nobody knows whose clock is meant")
    try:
        seconds = datetime.fromisoformat(text.upper()).timestamp()
    except ValueError as error:
        raise BadInstant("no calendar or clock has it") from error
    if not 0 <= seconds <= LAST:
        raise BadInstant("it is outside of the years 1970 to 9999")
    return seconds


def parse_end(text: str) -> float:
    """Read when something ends: an instant, or a day such as `2026-03-01`, which ends with it in UTC.

    Raises:
        BadInstant: it is neither.
    """
    if not _DAY.fullmatch(text):
        return parse_instant(text)
    return min(LAST, parse_instant(f"{text}T00:00Z") + 86400)


def written(seconds: float) -> str:
    """Write an instant in UTC, to the millisecond where there is a part of a second."""
    seconds = round(seconds, 3)
    precision = "seconds" if seconds == int(seconds) else "milliseconds"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def lasting(seconds: float) -> str:
    """Write a span of time for a sentence: `45 s`, `12 min`, `3 h`, `2 days`; it is cut, never rounded up."""
    total = max(0, int(seconds))
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        if total >= size:
            count = total // size
            plural = "s" if unit == "day" and count > 1 else ""
            return f"{count} {unit}{plural}"
    return f"{total} s"
