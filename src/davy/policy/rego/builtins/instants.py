"""Builtins over time: nanoseconds since 1970, with a time zone by name where one is given."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import NamedTuple

from davy.policy.rego.builtin import Builtin, BuiltinError, text, whole
from davy.policy.rego.builtins.layout import NAMED, Moment, formatted, read
from davy.policy.rego.values import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 10**9
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class _Instant(NamedTuple):
    ns: int
    zone: tzinfo
    zone_name: str
    layout: str

    @property
    def local(self) -> datetime:
        """The wall clock there, to the second."""
        return (_EPOCH + timedelta(seconds=self.ns // _SECOND)).astimezone(self.zone)


def _nanoseconds(ns: Value) -> int:
    found = whole(ns, 1)
    if not -(2**63) <= found < 2**63:
        raise BuiltinError("timestamp too big")
    return found


def _instant(value: Value) -> _Instant:
    if type(value) is not list:
        return _Instant(_nanoseconds(value), UTC, "UTC", "")
    if not 1 <= len(value) <= 3:
        raise BuiltinError("operand 1 must be a number or [ns, zone] or [ns, zone, layout]")
    name = text(value[1], 1) if len(value) > 1 else ""
    layout = text(value[2], 1) if len(value) > 2 else ""
    return _Instant(_nanoseconds(value[0]), _zone(name), name, layout)


def _zone(name: str) -> tzinfo:
    """Find a time zone; what is local to the machine that asks is no business of a policy, so that is UTC."""
    if name in ("", "UTC", "Local"):
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BuiltinError(f"unknown time zone {name}") from error


def form(value: Value) -> str:
    """Print a time, with a layout of Go's or one that it has a name for."""
    found = _instant(value)
    layout = NAMED.get(found.layout, found.layout) or NAMED["RFC3339Nano"]
    return formatted(layout, found.local, found.ns % _SECOND)


def parse_ns(layout: Value, value: Value) -> int:
    """Read a time by a layout of Go's or one that it has a name for."""
    pattern = text(layout, 1)
    return _counted(read(NAMED.get(pattern, pattern), text(value, 2)))


def parse_rfc3339_ns(value: Value) -> int:
    """Read `2006-01-02T15:04:05.999999999Z07:00`."""
    return _counted(read(NAMED["RFC3339"], text(value, 1)))


def _counted(found: Moment) -> int:
    try:
        there = datetime(found.year, found.month, found.day, found.hour, found.minute, found.second, tzinfo=UTC)
    except ValueError as error:
        raise BuiltinError(f"parsing time: {error}") from error
    return _fits((round((there - _EPOCH).total_seconds()) - found.offset) * _SECOND + found.nanosecond)


def _fits(ns: int) -> int:
    if not -(2**63) <= ns < 2**63:
        raise BuiltinError("time outside of valid range")
    return ns


def date(value: Value) -> list[int]:
    """Year, month and day."""
    local = _instant(value).local
    return [local.year, local.month, local.day]


def clock(value: Value) -> list[int]:
    """Hour, minute and second."""
    local = _instant(value).local
    return [local.hour, local.minute, local.second]


def weekday(value: Value) -> str:
    """The day of the week, in English."""
    return _DAYS[_instant(value).local.weekday()]


def add_date(ns: Value, years: Value, months: Value, days: Value) -> int:
    """Go on by years, months and days; the 31st of a shorter month runs over into the next."""
    start = _nanoseconds(ns)
    year, month, day = whole(years, 2), whole(months, 3), whole(days, 4)
    if max(abs(year), abs(month), abs(day)) > 10_000_000:
        raise BuiltinError("time outside of valid range")
    there = _EPOCH + timedelta(seconds=start // _SECOND)
    count = (there.year + year) * 12 + there.month - 1 + month
    if not 12 <= count < 9999 * 12:
        raise BuiltinError("time outside of valid range")
    first = there.replace(year=count // 12, month=count % 12 + 1, day=1)
    passed = round((first - _EPOCH).total_seconds()) + (there.day - 1 + day) * 86400
    return _fits(passed * _SECOND + start % _SECOND)


def diff(left: Value, right: Value) -> list[int]:
    """Years, months, days, hours, minutes and seconds between two times, in the zone of the first."""
    one, other = _instant(left), _instant(right)
    other = other._replace(zone=one.zone)
    early, late = sorted((one, other), key=lambda found: found.ns)
    first, last = early.local, late.local
    parts = [
        getattr(last, name) - getattr(first, name)
        for name in ("year", "month", "day", "hour", "minute", "second")
    ]
    for place, size in ((5, 60), (4, 60), (3, 24)):
        if parts[place] < 0:
            parts[place] += size
            parts[place - 1] -= 1
    if parts[2] < 0:
        parts[2] += monthrange(first.year, first.month)[1]
        parts[1] -= 1
    if parts[1] < 0:
        parts[1] += 12
        parts[0] -= 1
    return parts


_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
    "d": 86400 * _SECOND,
    "w": 7 * 86400 * _SECOND,
    "y": 365 * 86400 * _SECOND,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]+)")


def parse_duration_ns(value: Value) -> int:
    """Read a length of time: `1h30m`, `1.5d`."""
    written = text(value, 1)
    plain = written[1:] if written[:1] in ("+", "-") else written
    if plain == "0":
        return 0
    total, place = 0, 0
    for found in _PART.finditer(plain):
        unit = _UNITS.get(found[2])
        if found.start() != place or unit is None or len(found[1]) > 100:
            break
        total += int(Fraction(found[1].rstrip(".")) * unit)
        place = found.end()
    if not plain or place != len(plain) or total >= 2**63:
        raise BuiltinError(f"invalid duration {written!r}")
    return -total if written[0] == "-" else total


FAMILY = (
    Builtin("time.format", 1, form),
    Builtin("time.parse_ns", 2, parse_ns),
    Builtin("time.parse_rfc3339_ns", 1, parse_rfc3339_ns),
    Builtin("time.date", 1, date),
    Builtin("time.clock", 1, clock),
    Builtin("time.weekday", 1, weekday),
    Builtin("time.add_date", 4, add_date),
    Builtin("time.diff", 2, diff),
    Builtin("time.parse_duration_ns", 1, parse_duration_ns),
)
