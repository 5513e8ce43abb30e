"""Times: what makes them, and the methods that they have."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from davy.analysis.expression.builtins.signature import (
    A_DURATION,
    A_STRING,
    A_TIME,
    A_ZONE,
    AN_INT,
    Builtin,
    Parameter,
)
from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import (
    BOOL,
    DURATION,
    FLOAT,
    INT,
    MONTH,
    STRING,
    TIME,
    WEEKDAY,
    ZONE,
    Kind,
    type_name,
)
from davy.analysis.expression.layouts import DEFAULT_LAYOUTS, read, write
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.moments import (
    HOUR,
    MINUTE,
    SECOND,
    UTC_ZONE,
    Duration,
    Instant,
    Named,
    Zone,
    instant_of,
    parse_duration,
    rounded,
    truncated,
    zone_named,
)
from davy.analysis.expression.texts import show_instant
from davy.analysis.expression.values import wrapped

# Go rounds times from its own zero, 1 January of the year 1.
_GO_ZERO: Final = -62_135_596_800 * SECOND
# Looking a zone up may read its rules from the database.
_ZONE_STEPS: Final = 100


def _now(meter: Meter, zone: object = UTC_ZONE) -> Instant:
    if meter.now is None:
        raise Fault("now() is not known here", "the time has to be given together with the variables")
    if not isinstance(zone, Zone):
        raise Fault(f"cannot use {type_name(zone)} as argument (type *time.Location) to call now")
    return Instant(meter.now.nanoseconds, zone)


def _string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise Fault(f"cannot use {type_name(value)} as argument (type string) to call {name}")
    return value


def _duration(meter: Meter, text: object) -> Duration:
    return parse_duration(_string("duration", text))


def _timezone(meter: Meter, name: object) -> Zone:
    return _zone("timezone", name, meter)


def _zone(function: str, name: object, meter: Meter) -> Zone:
    meter.spend(_ZONE_STEPS)
    return zone_named(_string(function, name))


def _date(meter: Meter, text: object, layout: object = None, zone: object = "UTC") -> Instant:
    """Read a time: in the given layout, or in the first of the known ones that fits."""
    written = _string("date", text)
    meter.spend_text(len(written))
    where = _zone("date", zone, meter)
    layouts = DEFAULT_LAYOUTS if layout is None else (_string("date", layout),)
    for form in layouts:
        meter.spend_text(len(form))
        moment = read(written, form, where)
        if moment is not None:
            return moment
    raise Fault(f"invalid date {written[:60]}")


TIMES: Final = (
    Builtin("now", (A_ZONE,), TIME, _now, optional=1),
    Builtin("duration", (A_STRING,), DURATION, _duration),
    Builtin("date", (A_STRING, A_STRING, A_STRING), TIME, _date, optional=2),
    Builtin("timezone", (A_STRING,), ZONE, _timezone),
)


class MethodKey(NamedTuple):
    """A method: the kind of what it belongs to, and its name."""

    kind: Kind
    name: str


def _method(
    name: str, returns: Kind, call: Callable[..., object], *parameters: tuple[Parameter, type]
) -> Builtin:
    """Make a method; `call` gets the value it belongs to and the arguments, which are of the types given."""

    def checked(meter: Meter, value: object, *arguments: object) -> object:
        for argument, (parameter, kind) in zip(arguments, parameters, strict=True):
            if type(argument) is not kind:
                raise Fault(
                    f"cannot use {type_name(argument)} as argument (type {parameter.name}) to call {name}"
                )
            if isinstance(argument, str):
                meter.spend_text(len(argument))
        return call(value, *arguments)

    return Builtin(name, tuple(parameter for parameter, _ in parameters), returns, checked)


_DURATION: Final = (A_DURATION, Duration)
_TIME: Final = (A_TIME, Instant)
_ZONE: Final = (A_ZONE, Zone)
_LAYOUT: Final = (A_STRING, str)
_COUNT: Final = (AN_INT, int)


def _add_date(moment: Instant, years: int, months: int, days: int) -> Instant:
    """Move by the calendar; a day that the month lacks runs over into the next one."""
    if max(abs(years), abs(months), abs(days)) > 1_000_000:
        raise Fault("the time is outside the years 1 to 9999")
    local = moment.local
    year, month = divmod((local.year + years) * 12 + local.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise Fault("the time is outside the years 1 to 9999")
    first = instant_of(local.replace(year=year, month=month + 1, day=1), moment.nanosecond, UTC_ZONE)
    moved = Instant(first.nanoseconds + (local.day - 1 + days) * 24 * HOUR)
    return instant_of(moved.local, moved.nanosecond, moment.zone)


def _from_go_zero(change: Callable[[int, int], int]) -> Callable[[Instant, Duration], Instant]:
    return lambda moment, unit: Instant(
        _GO_ZERO + change(moment.nanoseconds - _GO_ZERO, unit.nanoseconds), moment.zone
    )


def _since(later: Instant, earlier: Instant) -> Duration:
    return Duration(max(-(2**63), min(2**63 - 1, later.nanoseconds - earlier.nanoseconds)))


_TIME_METHODS: Final = (
    _method("Year", INT, lambda moment: moment.local.year),
    _method("Month", MONTH, lambda moment: Named("Month", moment.local.month)),
    _method("Day", INT, lambda moment: moment.local.day),
    _method("Hour", INT, lambda moment: moment.local.hour),
    _method("Minute", INT, lambda moment: moment.local.minute),
    _method("Second", INT, lambda moment: moment.local.second),
    _method("Nanosecond", INT, lambda moment: moment.nanosecond),
    _method("Weekday", WEEKDAY, lambda moment: Named("Weekday", moment.local.isoweekday() % 7)),
    _method("YearDay", INT, lambda moment: moment.local.timetuple().tm_yday),
    _method("Unix", INT, lambda moment: moment.nanoseconds // SECOND),
    _method("UnixMilli", INT, lambda moment: moment.nanoseconds // 1_000_000),
    _method("UnixMicro", INT, lambda moment: moment.nanoseconds // 1_000),
    _method("UnixNano", INT, lambda moment: wrapped(moment.nanoseconds)),
    _method(
        "Add", TIME, lambda moment, span: Instant(moment.nanoseconds + span.nanoseconds, moment.zone), _DURATION
    ),
    _method("AddDate", TIME, _add_date, _COUNT, _COUNT, _COUNT),
    _method("Sub", DURATION, _since, _TIME),
    _method("After", BOOL, lambda moment, other: moment.nanoseconds > other.nanoseconds, _TIME),
    _method("Before", BOOL, lambda moment, other: moment.nanoseconds < other.nanoseconds, _TIME),
    _method("Equal", BOOL, lambda moment, other: moment.nanoseconds == other.nanoseconds, _TIME),
    _method(
        "Compare",
        INT,
        lambda moment, other: (
            (moment.nanoseconds > other.nanoseconds) - (moment.nanoseconds < other.nanoseconds)
        ),
        _TIME,
    ),
    _method("IsZero", BOOL, lambda moment: moment.nanoseconds == _GO_ZERO),
    _method("Truncate", TIME, _from_go_zero(truncated), _DURATION),
    _method("Round", TIME, _from_go_zero(rounded), _DURATION),
    _method("UTC", TIME, lambda moment: Instant(moment.nanoseconds)),
    _method("In", TIME, lambda moment, zone: Instant(moment.nanoseconds, zone), _ZONE),
    _method("Location", ZONE, lambda moment: moment.zone),
    _method("Format", STRING, write, _LAYOUT),
    _method("String", STRING, show_instant),
)

_DURATION_METHODS: Final = (
    _method("Hours", FLOAT, lambda span: span.nanoseconds / HOUR),
    _method("Minutes", FLOAT, lambda span: span.nanoseconds / MINUTE),
    _method("Seconds", FLOAT, lambda span: span.nanoseconds / SECOND),
    _method("Milliseconds", INT, lambda span: truncated(span.nanoseconds, 1_000_000) // 1_000_000),
    _method("Microseconds", INT, lambda span: truncated(span.nanoseconds, 1_000) // 1_000),
    _method("Nanoseconds", INT, lambda span: span.nanoseconds),
    _method("Abs", DURATION, lambda span: Duration(min(2**63 - 1, abs(span.nanoseconds)))),
    _method(
        "Round",
        DURATION,
        lambda span, unit: Duration(_clamped(rounded(span.nanoseconds, unit.nanoseconds))),
        _DURATION,
    ),
    _method(
        "Truncate",
        DURATION,
        lambda span, unit: Duration(truncated(span.nanoseconds, unit.nanoseconds)),
        _DURATION,
    ),
    _method("String", STRING, str),
)


def _clamped(nanoseconds: int) -> int:
    return max(-(2**63), min(2**63 - 1, nanoseconds))


METHODS: Final[Mapping[MethodKey, Builtin]] = {
    MethodKey(kind, method.name): method
    for kind, methods in (
        (TIME, _TIME_METHODS),
        (DURATION, _DURATION_METHODS),
        (MONTH, (_method("String", STRING, str),)),
        (WEEKDAY, (_method("String", STRING, str),)),
        (ZONE, (_method("String", STRING, str),)),
    )
    for method in methods
}
