"""Go's time layouts: a layout shows how the reference time, Mon Jan 2 15:04:05 MST 2006, is written.

https://pkg.go.dev/time#pkg-constants. Reading is stricter than Go in two places, both of which would give a
wrong instant without a word: a layout without a year, and an abbreviation of a zone other than UTC and GMT.
"""

import re
from calendar import isleap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from davy.analysis.expression.faults import Fault
from davy.analysis.expression.moments import DAYS, MONTHS, UTC_ZONE, Instant, Zone, instant_of, zone_at_offset

# The forms that `date` tries on a text without a layout, in this order (expr-lang, builtin/lib.go).
DEFAULT_LAYOUTS: Final = (
    "2006-01-02",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)

_PART: Final = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|Z07:00:00|Z07:00|Z0700|Z07|-07:00:00|-07:00|-0700|-07"
    r"|002|__2|_2(?!006)|01|02|03|04|05|06|15|PM|pm|[.,](?:0+|9+)(?![0-9])|1|2|3|4|5"
)


def write(moment: Instant, layout: str) -> str:
    """Write the instant's fields where the layout has those of the reference time."""
    local = moment.local
    return _PART.sub(lambda part: _written(part[0], local, moment), layout)


def _written(part: str, local: datetime, moment: Instant) -> str:
    if part[0] in ".,":
        digits = f"{moment.nanosecond:09d}"[: len(part) - 1]
        kept = digits.rstrip("0") if part[1] == "9" else digits
        return part[0] + kept if kept else ""
    if part[0] in "-Z":
        return _written_offset(part, local)
    return _WRITERS[part](local)


def _written_offset(part: str, local: datetime) -> str:
    offset = local.utcoffset()
    assert offset is not None, "an instant has a zone"
    if not offset and part[0] == "Z":
        return "Z"
    sign = "-" if offset < timedelta() else "+"
    minutes, seconds = divmod(abs(offset).seconds, 60)
    hours, minutes = divmod(minutes, 60)
    shape = part[1:]
    colon = ":" if ":" in shape else ""
    text = f"{sign}{hours:02d}"
    if len(shape) > 2:
        text += f"{colon}{minutes:02d}"
    return text + f":{seconds:02d}" if len(shape) > 5 else text


def abbreviation(local: datetime) -> str:
    """Return the zone as Go writes it for MST: its abbreviation, or the offset of a zone that has none."""
    name = local.tzname()
    assert name is not None, "an instant has a zone"
    # So Python names a zone that is a bare offset.
    return _written_offset("-0700", local) if name.startswith(("UTC+", "UTC-")) else name


_WRITERS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "January": lambda local: MONTHS[local.month - 1],
    "Jan": lambda local: MONTHS[local.month - 1][:3],
    "Monday": lambda local: DAYS[local.isoweekday() % 7],
    "Mon": lambda local: DAYS[local.isoweekday() % 7][:3],
    "MST": abbreviation,
    "2006": lambda local: f"{local.year:04d}",
    "06": lambda local: f"{local.year % 100:02d}",
    "01": lambda local: f"{local.month:02d}",
    "1": lambda local: str(local.month),
    "002": lambda local: f"{local.timetuple().tm_yday:03d}",
    "__2": lambda local: f"{local.timetuple().tm_yday:3d}",
    "02": lambda local: f"{local.day:02d}",
    "_2": lambda local: f"{local.day:2d}",
    "2": lambda local: str(local.day),
    "15": lambda local: f"{local.hour:02d}",
    "03": lambda local: f"{(local.hour + 11) % 12 + 1:02d}",
    "3": lambda local: str((local.hour + 11) % 12 + 1),
    "04": lambda local: f"{local.minute:02d}",
    "4": lambda local: str(local.minute),
    "05": lambda local: f"{local.second:02d}",
    "5": lambda local: str(local.second),
    "PM": lambda local: "PM" if local.hour >= 12 else "AM",
    "pm": lambda local: "pm" if local.hour >= 12 else "am",
}

# Part of a layout: what it matches, and the field it is.
_READERS: Final[Mapping[str, tuple[str, str]]] = {
    "January": ("|".join(MONTHS), "month_name"),
    "Jan": ("|".join(month[:3] for month in MONTHS), "month_name"),
    "Monday": ("|".join(DAYS), "ignored"),
    "Mon": ("|".join(day[:3] for day in DAYS), "ignored"),
    "MST": ("UTC|GMT", "ignored"),
    "2006": ("[0-9]{4}", "year"),
    "06": ("[0-9]{2}", "short_year"),
    "01": ("[0-9]{2}", "month"),
    "1": ("[0-9]{1,2}", "month"),
    "002": ("[0-9]{3}", "day_of_year"),
    "__2": (" {0,2}[0-9]{1,3}", "day_of_year"),
    "02": ("[0-9]{2}", "day"),
    "_2": (" ?[0-9]{1,2}", "day"),
    "2": ("[0-9]{1,2}", "day"),
    "15": ("[0-9]{1,2}", "hour"),
    "03": ("[0-9]{1,2}", "half_day_hour"),
    "3": ("[0-9]{1,2}", "half_day_hour"),
    "04": ("[0-9]{2}", "minute"),
    "4": ("[0-9]{1,2}", "minute"),
    # A fraction of a second may follow the seconds although the layout shows none.
    "05": (r"[0-9]{2}(?:[.,][0-9]{1,9})?", "second"),
    "5": (r"[0-9]{1,2}(?:[.,][0-9]{1,9})?", "second"),
    "PM": ("AM|PM", "half_day"),
    "pm": ("am|pm", "half_day"),
}
_OFFSETS: Final = {
    2: "[+-][0-9]{2}",
    4: "[+-][0-9]{4}",
    5: "[+-][0-9]{2}:[0-9]{2}",
    8: "[+-][0-9]{2}(?::[0-9]{2}){2}",
}


@dataclass(frozen=True, slots=True)
class _Fields:
    values: Mapping[str, str]

    def number(self, name: str, default: int) -> int:
        return int(self.values[name]) if name in self.values else default


def read(text: str, layout: str, zone: Zone = UTC_ZONE) -> Instant | None:
    """Read a time in this layout, in this zone unless it names an offset; None where it does not fit."""
    fields: dict[str, str] = {}
    at, end = 0, 0
    for part in _PART.finditer(layout):
        literal = layout[end : part.start()]
        if not text.startswith(literal, at):
            return None
        end = part.end()
        pattern, field = _reader(part[0])
        found = re.compile(pattern).match(text, at + len(literal))
        if found is None:
            return None
        fields[field] = found[0]
        at = found.end()
    if text[at:] != layout[end:]:
        return None
    return _instant(_Fields(fields), zone)


def _reader(part: str) -> tuple[str, str]:
    if part[0] in "-Z":
        pattern = _OFFSETS[len(part) - 1]
        return (f"Z|{pattern}" if part[0] == "Z" else pattern), "offset"
    # The seconds before it took the fraction along.
    return ("", "ignored") if part[0] in ".," else _READERS[part]


def _instant(fields: _Fields, zone: Zone) -> Instant | None:
    year = fields.number("year", 0)
    if "short_year" in fields.values:
        short = fields.number("short_year", 0)
        year = short + (1900 if short >= 69 else 2000)
    if year == 0:
        raise Fault("a layout without a year makes no instant", "write the year as 2006")
    second, _, decimals = fields.values.get("second", "0").replace(",", ".").partition(".")
    try:
        day = date(year, _month(fields), fields.number("day", 1))
        hour = time(_hour(fields), fields.number("minute", 0), int(second))
    except ValueError:
        return None
    if "day_of_year" in fields.values:
        number = fields.number("day_of_year", 1)
        if not 1 <= number <= 365 + isleap(year):
            return None
        day = date(year, 1, 1) + timedelta(days=number - 1)
    return instant_of(datetime.combine(day, hour), int(decimals.ljust(9, "0")), _zone(fields, zone))


def _month(fields: _Fields) -> int:
    if name := fields.values.get("month_name"):
        return next(number for number, month in enumerate(MONTHS, start=1) if month.startswith(name[:3]))
    return fields.number("month", 1)


def _hour(fields: _Fields) -> int:
    if "half_day_hour" not in fields.values:
        return fields.number("hour", 0)
    hour = fields.number("half_day_hour", 12)
    if hour > 12:
        return 99  # no hour: time refuses it
    return hour % 12 + (12 if fields.values.get("half_day", "").upper() == "PM" else 0)


def _zone(fields: _Fields, zone: Zone) -> Zone:
    written = fields.values.get("offset")
    if written is None:
        return zone
    if written == "Z":
        return UTC_ZONE
    digits = written[1:].replace(":", "").ljust(6, "0")
    offset_s = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
    if offset_s >= 86_400:
        raise Fault(f"the offset {written} is a day or more")
    return zone_at_offset(-offset_s if written[0] == "-" else offset_s)
