"""Go's layouts of time: `2006-01-02T15:04:05Z07:00`, printed and read."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from davy.policy.rego.builtin import BuiltinError

NAMED = {
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
}
"""The layouts that have a name."""

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

_ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|_2006|__2|_2|002|0[1-6]|15|[12345]|PM|pm"
    r"|[Z-]07:00:00|[Z-]070000|[Z-]07:00|[Z-]0700|[Z-]07|[.,](?:0++|9++)(?![0-9])"
)


class Moment(NamedTuple):
    """What was read of a time; the offset is in seconds east of Greenwich."""

    year: int = 1
    month: int = 1
    day: int = 1
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0
    offset: int = 0


def formatted(layout: str, there: datetime, nanosecond: int) -> str:
    """Print a time by a layout."""
    return _ELEMENT.sub(lambda found: _printed(found[0], there, nanosecond), layout)


def _printed(element: str, there: datetime, nanosecond: int) -> str:
    hour = there.hour % 12 or 12
    match element:
        case "January" | "Jan":
            return _MONTHS[there.month - 1][: None if element == "January" else 3]
        case "Monday" | "Mon":
            return _WEEKDAYS[there.weekday()][: None if element == "Monday" else 3]
        case "MST":
            return _abbreviation(there)
        case "PM":
            return "PM" if there.hour >= 12 else "AM"
        case "pm":
            return "pm" if there.hour >= 12 else "am"
        case "2006" | "_2006":
            return f"{element.removesuffix('2006')}{there.year:04d}"
        case "06":
            return f"{there.year % 100:02d}"
        case "__2" | "002":
            day = there.timetuple().tm_yday
            return f"{day:3d}" if element == "__2" else f"{day:03d}"
        case "_2":
            return f"{there.day:2d}"
        case "15":
            return f"{there.hour:02d}"
        case _ if element[0] in "Z-":
            return _offset(element, there)
        case _ if element[0] in ".,":
            digits = f"{nanosecond:09d}"[: len(element) - 1]
            if element[1] == "0":
                return element[0] + digits
            return element[0] + digits.rstrip("0") if digits.strip("0") else ""
    value = (there.month, there.day, hour, there.minute, there.second)[int(element) - 1]
    return f"{value:0{len(element)}d}"


def _seconds_east(there: datetime) -> int:
    offset = there.utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


def _abbreviation(there: datetime) -> str:
    name = there.tzname() or ""
    return re.sub("^([+-][0-9]{2})(?:00)?$", r"\1", name)


def _offset(element: str, there: datetime) -> str:
    east = _seconds_east(there)
    if element[0] == "Z" and not east:
        return "Z"
    sign, east = "-" if east < 0 else "+", abs(east)
    parts = [f"{east // 3600:02d}", f"{east // 60 % 60:02d}", f"{east % 60:02d}"]
    colon = ":" if ":" in element else ""
    count = (len(element.replace(":", "")) - 1) // 2
    return sign + colon.join(parts[:count])


_NUMBERS: dict[str, tuple[str, str]] = {
    "2006": ("year", "[0-9]{4}"),
    "06": ("short_year", "[0-9]{2}"),
    "01": ("month", "[0-9]{2}"),
    "1": ("month", "[0-9]{1,2}"),
    "02": ("day", "[0-9]{2}"),
    "_2": ("day", " ?[0-9]{1,2}"),
    "2": ("day", " ?[0-9]{1,2}"),
    "002": ("day_of_year", "[0-9]{3}"),
    "__2": ("day_of_year", " {0,2}[0-9]{1,3}"),
    "15": ("hour", "[0-9]{1,2}"),
    "03": ("hour_12", "[0-9]{2}"),
    "3": ("hour_12", "[0-9]{1,2}"),
    "04": ("minute", "[0-9]{2}"),
    "4": ("minute", "[0-9]{1,2}"),
    "05": ("second", "[0-9]{2}"),
    "5": ("second", "[0-9]{1,2}"),
}


def read(layout: str, value: str) -> Moment:
    """Read a time by a layout.

    Raises:
        BuiltinError: it is written otherwise.
    """
    taken: dict[str, str] = {}
    place, end = 0, 0
    for element in _ELEMENT.finditer(layout):
        place = _literally(layout[end : element.start()], value, place)
        end = element.end()
        place = _taken(element[0], layout[end : end + 1], value, place, taken)
    if _literally(layout[end:], value, place) != len(value):
        raise BuiltinError(f"parsing time {value!r}: extra text")
    return _moment(taken)


def _literally(wanted: str, value: str, place: int) -> int:
    """Go past what stands between the elements; a space matches any number of them, as it does to Go."""
    for letter in wanted:
        if letter == " ":
            if place < len(value) and value[place] != " ":
                raise BuiltinError(f"parsing time {value!r}: expected a space")
            while value.startswith(" ", place):
                place += 1
        elif value.startswith(letter, place):
            place += 1
        else:
            raise BuiltinError(f"parsing time {value!r}: expected {letter!r}")
    return place


def _taken(element: str, following: str, value: str, place: int, taken: dict[str, str]) -> int:
    name, pattern = _wanted(element)
    found = re.compile(pattern).match(value, place)
    if found is None:
        raise BuiltinError(f"parsing time {value!r}: cannot parse {value[place:]!r} as {element!r}")
    _keep(name, found[0], taken)
    place = found.end()
    if name == "second" and following not in (".", ","):
        fraction = re.compile("[.,][0-9]+").match(value, place)
        if fraction is not None:
            taken["fraction"] = fraction[0]
            place = fraction.end()
    return place


_SAME = {
    "year": "short_year",
    "short_year": "year",
    "month": "month_name",
    "month_name": "month",
    "hour": "hour_12",
    "hour_12": "hour",
}
"""Elements that say the same in other words: what is written last is meant."""

_RANGES = {"month": (1, 12), "hour": (0, 23), "hour_12": (0, 12), "minute": (0, 59), "second": (0, 59)}


def _keep(name: str, written: str, taken: dict[str, str]) -> None:
    """Remember what an element says; `PM` and `Z` hold whatever is said beside them, as they do to Go."""
    least, most = _RANGES.get(name, (0, 0))
    if most and not least <= int(written) <= most:
        raise BuiltinError(f"parsing time: {name.removesuffix('_12')} out of range")
    if name == "half" and taken.get(name, "").lower() == "pm":
        return
    if written in ("Z", "UTC"):
        taken["universal"] = written
    taken.pop(_SAME.get(name, ""), None)
    taken[name] = written


def _wanted(element: str) -> tuple[str, str]:
    match element:
        case "January" | "Jan":
            names = _MONTHS if element == "January" else [name[:3] for name in _MONTHS]
            return "month_name", f"(?i:{'|'.join(names)})"
        case "Monday" | "Mon":
            names = _WEEKDAYS if element == "Monday" else [name[:3] for name in _WEEKDAYS]
            return "weekday", f"(?i:{'|'.join(names)})"
        case "MST":
            return "zone", "[A-Z]{3,5}|[+-][0-9]{2}"
        case "PM":
            return "half", "AM|PM"
        case "pm":
            return "half", "am|pm"
        case _ if element in _NUMBERS:
            return _NUMBERS[element]
        case _ if element[0] in "Z-":
            colon = ":" if ":" in element else ""
            count = (len(element.replace(":", "")) - 1) // 2
            return "offset", f"{'Z|' if element[0] == 'Z' else ''}[+-]{colon.join(['[0-9]{2}'] * count)}"
        case _ if element[1] == "0":
            return "fraction", f"[.,][0-9]{{{len(element) - 1}}}"
        case _:
            return "fraction", "(?:[.,][0-9]+)?"


def _moment(taken: dict[str, str]) -> Moment:
    def number(name: str, default: int) -> int:
        return int(taken.get(name, default))

    year = number("year", 0 if "short_year" not in taken else _century(int(taken["short_year"])))
    month = number("month", 1)
    if "month_name" in taken:
        month = [name[:3].lower() for name in _MONTHS].index(taken["month_name"][:3].lower()) + 1
    hour = number("hour", number("hour_12", 0))
    half = taken.get("half", "").lower()
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    day = number("day", 1)
    if "day_of_year" in taken:
        found = _of_year(year, int(taken["day_of_year"]))
        if (("month" in taken or "month_name" in taken) and month != found[0]) or (
            "day" in taken and day != found[1]
        ):
            raise BuiltinError("parsing time: day-of-year does not match day")
        month, day = found
    digits = taken.get("fraction", "")[1:10]
    return Moment(
        year=year,
        month=month,
        day=day,
        hour=hour,
        minute=number("minute", 0),
        second=number("second", 0),
        nanosecond=int(digits.ljust(9, "0")) if digits else 0,
        offset=_east(taken),
    )


def _of_year(year: int, day: int) -> tuple[int, int]:
    if not (1 <= year < 9999 and 1 <= day <= 366):
        raise BuiltinError("parsing time: day of year out of range")
    there = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)
    if there.year != year:
        raise BuiltinError("parsing time: day of year out of range")
    return there.month, there.day


def _century(short: int) -> int:
    return short + (1900 if short >= 69 else 2000)


def _east(taken: dict[str, str]) -> int:
    written = taken.get("offset", "Z")
    if written == "Z" or "universal" in taken:
        return 0
    digits = written[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = (int(digits[at : at + 2]) for at in (0, 2, 4))
    if hours > 24 or minutes >= 60 or seconds >= 60:
        raise BuiltinError("parsing time: time zone offset out of range")
    return (hours * 3600 + minutes * 60 + seconds) * (-1 if written[0] == "-" else 1)
