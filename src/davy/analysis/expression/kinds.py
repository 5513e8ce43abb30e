"""What kind of value an expression has, as far as it can be known before it is evaluated.

expr-lang refuses an expression whose kinds cannot fit before it runs it, and so does Davy: `result?.x == nil`
on a nil result is an error, not true. `UNKNOWN` (Go's `interface {}`) fits everywhere and is looked at when it
is evaluated. Kinds are compared by identity: `array_of` remembers what it made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from davy.analysis.expression.moments import Duration, Instant, Named, Zone


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of value: `name` is Go's word for it; `element` what an array, a map or their like holds."""

    name: str
    element: "Kind | None" = None
    key: "Kind | None" = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Signature:
    """The kinds of a function's arguments, as many as it takes, and that of its result."""

    parameters: tuple[Kind, ...]
    returns: Kind


@dataclass(frozen=True, slots=True)
class Function:
    """A function that whoever evaluates an expression puts among the variables.

    Args:
        signature: what it takes and gives.
        call: the function; it raises `Fault` for arguments that it cannot take, and returns values of the
            language.
    """

    signature: Signature
    call: Callable[..., object]


UNKNOWN: Final = Kind("interface {}")
# Go has no name for the type of a bare nil, and expr-lang prints it as unknown.
NIL: Final = Kind("unknown")
BOOL: Final = Kind("bool")
INT: Final = Kind("int")
FLOAT: Final = Kind("float64")
STRING: Final = Kind("string")
BYTES: Final = Kind("[]uint8", INT)
TIME: Final = Kind("time.Time")
DURATION: Final = Kind("time.Duration")
MONTH: Final = Kind("time.Month")
WEEKDAY: Final = Kind("time.Weekday")
ZONE: Final = Kind("*time.Location")
FUNCTION: Final = Kind("func")
MAP: Final = Kind("map[string]interface {}", UNKNOWN, STRING)
ANY_MAP: Final = Kind("map[interface {}]interface {}", UNKNOWN, UNKNOWN)
FLOATS: Final = Kind("[]float64", FLOAT)
INTS: Final = Kind("[]int", INT)
STRINGS: Final = Kind("[]string", STRING)
NUMBERS: Final = frozenset({INT, FLOAT})


@lru_cache(maxsize=256)
def array_of(element: Kind) -> Kind:
    """Return the kind of an array, written or read from JSON, whose elements are of this kind."""
    return Kind("[]interface {}", element)


ARRAY: Final = array_of(UNKNOWN)
GROUPS: Final = Kind("map[interface {}][]interface {}", ARRAY, UNKNOWN)

_KINDS: Final[Mapping[type, Kind]] = {
    type(None): NIL,
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: STRING,
    bytes: BYTES,
    list: ARRAY,
    range: INTS,
    dict: MAP,
    Instant: TIME,
    Duration: DURATION,
    Zone: ZONE,
    Function: FUNCTION,
}


def kind_of(value: object) -> Kind:
    """Return the kind of a value: a tuple is an array of one type (Go's `[]float64`), a list holds anything."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, Named):
        return MONTH if value.kind == "Month" else WEEKDAY
    if isinstance(value, tuple):
        types = {type(item) for item in value}
        return FLOATS if types <= {float} else STRINGS if types == {str} else ARRAY
    return ANY_MAP


def type_name(value: object) -> str:
    """Return Go's name for the type of a value, as `%T` prints it."""
    return "<nil>" if value is None else kind_of(value).name


def is_array(kind: Kind) -> bool:
    """Tell whether values of this kind have elements in an order."""
    return kind.element is not None and kind.key is None


def is_map(kind: Kind) -> bool:
    """Tell whether values of this kind have elements under keys."""
    return kind.key is not None
