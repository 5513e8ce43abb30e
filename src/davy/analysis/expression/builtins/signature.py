"""What a function takes and returns, so that a call is refused before anything is evaluated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import (
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIME,
    UNKNOWN,
    ZONE,
    Kind,
    is_array,
    is_map,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an argument may be; one whose kind is unknown always may, and is looked at when it is evaluated."""

    name: str
    takes: Callable[[Kind], bool]

    def accepts(self, kind: Kind) -> bool:
        """Tell whether a value of this kind may be given."""
        return kind is UNKNOWN or self.takes(kind)


def exactly(*kinds: Kind) -> Parameter:
    """One of these kinds."""
    return Parameter(" or ".join(kind.name for kind in kinds), lambda kind: kind in kinds)


ANYTHING: Final = Parameter("anything", lambda kind: True)
A_STRING: Final = exactly(STRING)
AN_INT: Final = exactly(INT)
A_NUMBER: Final = exactly(INT, FLOAT)
AN_ARRAY: Final = Parameter("array", is_array)
A_MAP: Final = Parameter("map", is_map)
A_DURATION: Final = exactly(DURATION)
A_TIME: Final = exactly(TIME)
A_ZONE: Final = exactly(ZONE)

Returns = Kind | Callable[[tuple[Kind, ...]], Kind]


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function: its parameters, of which the last `optional` may be left out, and the last one repeated."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: Returns
    call: Callable[..., object]
    optional: int = 0
    repeats: bool = False

    def accepts(self, count: int) -> bool:
        """Tell whether it can be called with so many arguments."""
        least = len(self.parameters) - self.optional
        return count >= least and (self.repeats or count <= len(self.parameters))

    @property
    def arity(self) -> str:
        """How many arguments it takes, in words."""
        least, most = len(self.parameters) - self.optional, len(self.parameters)
        if self.repeats:
            return f"{least} arguments or more"
        if least != most:
            return f"{least} to {most} arguments"
        return f"{least} argument{'s' if least != 1 else ''}"

    def check(self, kinds: tuple[Kind, ...]) -> Kind:
        """Return the kind of the result; raise `Fault` for an argument that it cannot take."""
        for place, kind in enumerate(kinds):
            parameter = self.parameters[min(place, len(self.parameters) - 1)]
            if not parameter.accepts(kind):
                raise Fault(f"invalid argument for {self.name} (type {kind}; it takes {parameter.name})")
        return self.returns if isinstance(self.returns, Kind) else self.returns(kinds)


def element_of(kinds: tuple[Kind, ...]) -> Kind:
    """The kind of the first argument's elements."""
    return kinds[0].element or UNKNOWN


def same_as_first(kinds: tuple[Kind, ...]) -> Kind:
    """The kind of the first argument, unless that is an array of which nothing is known."""
    return kinds[0] if kinds[0].element is None else UNKNOWN
