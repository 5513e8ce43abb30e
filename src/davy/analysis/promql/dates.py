"""Calendar fields of instants, in UTC, over all of time (datetime ends with the year 9999)."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from davy.analysis.promql.arithmetic import NAN

_DAY_S: Final = 86_400
_LIMIT_S: Final = 2.0**63
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Date(NamedTuple):
    """A day of the proleptic Gregorian calendar."""

    year: int
    month: int
    day: int


def civil_date(days: int) -> Date:
    """Give the date so many days after 1970-01-01.

    The algorithm is Howard Hinnant's `civil_from_days` (chrono-Compatible Low-Level Date Algorithms).
    """
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return Date(year + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * shifted + 2) // 5 + 1)


def days_in_month(date: Date) -> int:
    """Say how long the month of a date is."""
    leap = date.year % 4 == 0 and (date.year % 100 != 0 or date.year % 400 == 0)
    return 29 if leap and date.month == 2 else _MONTH_DAYS[date.month - 1]


def _day_of_year(date: Date) -> int:
    return sum(days_in_month(Date(date.year, month, 1)) for month in range(1, date.month)) + date.day


def _field(read: Callable[[int], int]) -> Callable[[float], float]:
    """Turn a function of whole seconds into one of a sample's value, cut towards zero as Go's int64() does."""

    def field(value: float) -> float:
        return float(read(math.trunc(value))) if abs(value) < _LIMIT_S else NAN

    return field


def _date(read: Callable[[Date], int]) -> Callable[[float], float]:
    return _field(lambda seconds: read(civil_date(seconds // _DAY_S)))


DATE_FIELDS: Final[dict[str, Callable[[float], float]]] = {
    "minute": _field(lambda seconds: seconds // 60 % 60),
    "hour": _field(lambda seconds: seconds // 3_600 % 24),
    "day_of_week": _field(lambda seconds: (seconds // _DAY_S + 4) % 7),
    "day_of_month": _date(lambda date: date.day),
    "day_of_year": _date(_day_of_year),
    "days_in_month": _date(days_in_month),
    "month": _date(lambda date: date.month),
    "year": _date(lambda date: date.year),
}
"""What each date function makes of a number of seconds since the epoch; NaN of what is no instant."""
