"""Durations, instants and zones: what `duration`, `date`, `now` and `timezone` return, as Go has them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from davy.analysis.expression.faults import Fault

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
_LARGEST: Final = 2**63 - 1
_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_PART: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds, 64 bits of them."""

    nanoseconds: int

    def __str__(self) -> str:
        """Write it as Go does: `1h30m0s`, `1.5ms`, `0s`."""
        sign, rest = ("-", -self.nanoseconds) if self.nanoseconds < 0 else ("", self.nanoseconds)
        if rest == 0:
            return "0s"
        for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
            if rest < size * 1_000:
                return f"{sign}{_decimal(rest, size)}{unit}"
        hours, rest = divmod(rest, HOUR)
        minutes, rest = divmod(rest, MINUTE)
        seconds = f"{_decimal(rest, SECOND)}s"
        if hours:
            return f"{sign}{hours}h{minutes}m{seconds}"
        return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    if rest == 0:
        return str(whole)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0")


def parse_duration(text: str) -> Duration:
    """Read Go's notation (`1h30m`, `-1.5s`, `100ms`): time.ParseDuration; raise `Fault` for any other."""
    unsigned = text[1:] if text[:1] in {"+", "-"} else text
    if unsigned == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(unsigned) or not unsigned:
        part = _PART.match(unsigned, at)
        assert part is not None, "the pattern matches the empty text"
        whole, decimals, unit = part.groups()
        if not (whole or decimals) or len(whole) > 20:
            raise Fault(f'time: invalid duration "{text}"')
        if not unit:
            raise Fault(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise Fault(
                f'time: unknown unit "{unit}" in duration "{text}"', "the units are ns, us, ms, s, m, h"
            )
        # Go drops decimals below its precision; nineteen are more than any unit here can use.
        fraction = Fraction(int((decimals or "0")[:19]), 10 ** len((decimals or "0")[:19]))
        total += int(whole or "0") * _UNITS[unit] + int(fraction * _UNITS[unit])
        at = part.end()
    nanoseconds = -total if text[0] == "-" else total
    if not -_LARGEST - 1 <= nanoseconds <= _LARGEST:
        raise Fault(f'time: invalid duration "{text}"')
    return Duration(nanoseconds)


def truncated(nanoseconds: int, unit: int) -> int:
    """Cut to a multiple of the unit, towards zero; a unit that is not positive changes nothing."""
    if unit <= 0:
        return nanoseconds
    return nanoseconds - abs(nanoseconds) % unit * (1 if nanoseconds >= 0 else -1)


def rounded(nanoseconds: int, unit: int) -> int:
    """Go to the nearest multiple of the unit, halves away from zero; a unit below 1 changes nothing."""
    if unit <= 0:
        return nanoseconds
    lower = truncated(nanoseconds, unit)
    if 2 * abs(nanoseconds - lower) < unit:
        return lower
    return lower + (unit if nanoseconds >= 0 else -unit)


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its name; the name of a bare offset is empty, as in Go."""

    name: str
    rules: tzinfo

    def __str__(self) -> str:
        return self.name


UTC_ZONE: Final = Zone("UTC", UTC)


def zone_named(name: str) -> Zone:
    """Return a zone of the IANA database; raise `Fault` for a name that it lacks, as it does "Local"."""
    if name in ("", "UTC"):
        return UTC_ZONE
    try:
        return Zone(name, ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        raise Fault(f"unknown time zone {name}", "write a name such as Europe/Zurich, or UTC") from None


def zone_at_offset(offset_s: int) -> Zone:
    """Return the zone that is always this many seconds ahead of UTC."""
    return UTC_ZONE if offset_s == 0 else Zone("", timezone(timedelta(seconds=offset_s)))


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time: nanoseconds since 1970 in UTC, and the zone in which its fields are read.

    The calendar is that of Python's datetime: the years 1 to 9999.
    """

    nanoseconds: int
    zone: Zone = UTC_ZONE

    @property
    def local(self) -> datetime:
        """The fields of the calendar and the clock in the instant's zone, to the microsecond."""
        try:
            moment = _EPOCH + timedelta(microseconds=self.nanoseconds // 1_000)
            return moment.astimezone(self.zone.rules)
        except OverflowError:
            raise Fault("the time is outside the years 1 to 9999") from None

    @property
    def nanosecond(self) -> int:
        """The nanoseconds within the second."""
        return self.nanoseconds % SECOND


def instant_of(local: datetime, nanosecond: int, zone: Zone) -> Instant:
    """Return the instant at which the zone's clocks show these fields and nanoseconds."""
    since_epoch = local.replace(microsecond=0, tzinfo=zone.rules) - _EPOCH
    return Instant((since_epoch.days * 86_400 + since_epoch.seconds) * SECOND + nanosecond, zone)


@dataclass(frozen=True, slots=True)
class Named:
    """A month or a day of the week: Go gives it a type of its own, equal to no plain number."""

    kind: str
    number: int

    def __str__(self) -> str:
        names = _MONTHS if self.kind == "Month" else _DAYS
        return names[self.number]


_MONTHS: Final = (
    "", "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = _MONTHS[1:]
DAYS: Final = _DAYS
