"""Timestamps and durations, to the nanosecond."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from davy.policy.cel.errors import CelError
from davy.policy.cel.signature import Library
from davy.policy.cel.values import Duration, Instant

MOMENTS = Library()
SECOND = 10**9
UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
PART = re.compile(r"(?=[0-9.])([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?(Z|[-+][0-9]{2}:[0-9]{2})"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@MOMENTS.define("duration", "(string) -> duration")
def duration(text: str) -> Duration:
    """Read a duration of Go, e.g. `1h30m`."""
    try:
        return Duration(nanoseconds(text))
    except (ValueError, CelError):
        raise CelError("type conversion error from 'string' to 'google.protobuf.Duration'") from None


def nanoseconds(text: str) -> int:
    """Return how many nanoseconds a duration of Go is.

    Raises:
        ValueError: it is none.
    """
    negative, rest = text.startswith("-"), text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    while at < len(rest) or not rest:
        part = PART.match(rest, at)
        if part is None or not (part[1] or part[2]) or len(part[1]) > 20:
            raise ValueError(text)
        fraction = (part[2] or "")[:18]
        total += int(part[1] or 0) * UNITS[part[3]] + int(fraction or 0) * UNITS[part[3]] // 10 ** len(fraction)
        at = part.end()
    return -total if negative else total


@MOMENTS.define("duration", "(duration) -> duration")
@MOMENTS.define("timestamp", "(timestamp) -> timestamp")
def same(value: Duration | Instant) -> Duration | Instant:
    """Return what is of the type already."""
    return value


@MOMENTS.define("timestamp", "(string) -> timestamp")
def timestamp(text: str) -> Instant:
    """Read a time of RFC 3339."""
    part = STAMP.fullmatch(text)
    try:
        if part is None:
            raise ValueError(text)
        year, month, day, hour, minute, second = (int(part[number]) for number in range(1, 7))
        zone = UTC if part[8] == "Z" else _offset(part[8])
        when = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        ns = _seconds(when) * SECOND + int((part[7] or "")[:9].ljust(9, "0"))
        return Instant(ns, int(zone.utcoffset(None).total_seconds()))
    except (ValueError, OverflowError, CelError):
        raise CelError("type conversion error from 'string' to 'google.protobuf.Timestamp'") from None


MOMENTS.literals |= {"duration": duration, "timestamp": timestamp}


@MOMENTS.define("timestamp", "(int) -> timestamp")
def timestamp_of_int(number: int) -> Instant:
    """Return the time so many seconds after 1970 began."""
    return Instant(number * SECOND)


@MOMENTS.define("int", "(timestamp) -> int")
def seconds_since_1970(when: Instant) -> int:
    """Return the seconds since 1970 began."""
    return when.ns // SECOND


@MOMENTS.define("int", "(duration) -> int")
def nanoseconds_of(length: Duration) -> int:
    """Return the nanoseconds of a duration."""
    return length.ns


@MOMENTS.define("string", "(timestamp) -> string")
def string_of_timestamp(when: Instant) -> str:
    """Write a time as RFC 3339 does."""
    seconds, rest = divmod(when.ns, SECOND)
    shown = (EPOCH + timedelta(seconds=seconds + when.offset)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return shown + (f".{rest:09d}".rstrip("0") if rest else "") + _zone_shown(when.offset)


def _zone_shown(offset: int) -> str:
    if not offset:
        return "Z"
    hours, minutes = divmod(abs(offset) // 60, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"


@MOMENTS.define("string", "(duration) -> string")
def string_of_duration(length: Duration) -> str:
    """Write a duration in seconds."""
    seconds, rest = divmod(abs(length.ns), SECOND)
    return ("-" if length.ns < 0 else "") + str(seconds) + (f".{rest:09d}".rstrip("0") if rest else "") + "s"


def _seconds(when: datetime) -> int:
    since = when - EPOCH
    return since.days * 86400 + since.seconds


def _offset(text: str) -> timezone:
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def local(when: Instant, zone: str) -> datetime:
    """Return a time as clocks of a zone show it, to the microsecond.

    Raises:
        CelError: nobody knows the zone, or its clocks cannot show it.
    """
    try:
        return (EPOCH + timedelta(microseconds=when.ns // 1000)).astimezone(_zone(zone))
    except OverflowError:
        raise CelError("timestamp overflow") from None


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name in ("", "UTC", "Local"):
        return UTC
    if ":" in name:
        return _fixed(name)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CelError(f"unknown time zone {name}") from None


def _fixed(name: str) -> tzinfo:
    hours, _, minutes = name.lstrip("+-").partition(":")
    if not (hours.isdigit() and minutes.isdigit() and name.isascii() and len(name) < 8):
        raise CelError(f"unknown time zone {name}")
    length = timedelta(hours=int(hours), minutes=int(minutes)) % timedelta(days=1)
    return timezone(-length if name[0] == "-" else length)


PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda when: when.year,
    "getMonth": lambda when: when.month - 1,
    "getDate": lambda when: when.day,
    "getDayOfMonth": lambda when: when.day - 1,
    "getDayOfYear": lambda when: when.timetuple().tm_yday - 1,
    "getDayOfWeek": lambda when: when.isoweekday() % 7,
    "getHours": lambda when: when.hour,
    "getMinutes": lambda when: when.minute,
    "getSeconds": lambda when: when.second,
    "getMilliseconds": lambda when: when.microsecond // 1000,
}
LENGTHS = {
    "getHours": 3600 * SECOND,
    "getMinutes": 60 * SECOND,
    "getSeconds": SECOND,
    "getMilliseconds": SECOND // 1000,
}


def _part(read: Callable[[datetime], int]) -> Callable[..., int]:
    return lambda when, zone="UTC": read(local(when, zone))


def _length(unit: int) -> Callable[[Duration], int]:
    return lambda length: (abs(length.ns) // unit) * (-1 if length.ns < 0 else 1)


for _name, _read in PARTS.items():
    MOMENTS.add(_name, "timestamp.() -> int", _part(_read))
    MOMENTS.add(_name, "timestamp.(string) -> int", _part(_read))
for _name, _unit in LENGTHS.items():
    MOMENTS.add(_name, "duration.() -> int", _length(_unit))
