"""What a name means: an argument, a local variable, a rule of the package, an import, or nothing yet.

OPA decides in two passes: first which names are global, then which are local. A name that is declared anywhere
in a body is not global in all of that body, and before its declaration it is a variable that nobody declared.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.terms import (
    Array,
    Body,
    Call,
    Equation,
    Every,
    Object,
    Ref,
    SetOf,
    Some,
    SomeIn,
    Term,
    Var,
)
from davy.policy.rego.terms import Literal as Scalar

Occurrence = Literal["seen", "declared", "assigned", "argument"]

SAID: Mapping[str, str] = {
    "seen": "var {} referenced above",
    "assigned": "var {} assigned above",
    "declared": "var {} declared above",
    "argument": "arg {} redeclared",
}


@dataclass(slots=True)
class Frame:
    """The names of one body."""

    reserved: frozenset[str] = frozenset()
    names: dict[str, str] = field(default_factory=dict)
    occurrences: dict[str, Occurrence] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    places: dict[str, Place] = field(default_factory=dict)

    def copy(self) -> "Frame":
        """Make a frame that begins with the same names."""
        return Frame(self.reserved, dict(self.names), dict(self.occurrences), set(), dict(self.places))


class Scope:
    """The bodies that a term is in, the innermost last."""

    def __init__(self, globals_: Mapping[str, tuple[str, ...]]) -> None:
        self.globals = globals_
        self.frames: list[Frame] = []
        self.count = 0

    def fresh(self, name: str = "") -> str:
        """Make a name that nobody can have written."""
        self.count += 1
        return f"{name}#{self.count}"

    def generated(self, place: Place) -> Var:
        """Make a variable for what stands between two steps."""
        return Var(self.fresh(), place)

    def resolve(self, var: Var) -> Term:
        """Say what a name means where it is read."""
        name = var.name
        for frame in reversed(self.frames):
            if name in frame.names:
                frame.used.add(name)
                return Var(frame.names[name], var.place)
        if not any(name in frame.reserved for frame in self.frames):
            path = self.globals.get(name)
            if path is not None:
                root = Var(path[0], var.place)
                rest = tuple(Scalar(part, var.place) for part in path[1:])
                return Ref(root, rest, var.place)
        self.frames[-1].occurrences.setdefault(name, "seen")
        return var

    def knows(self, name: str) -> bool:
        """Whether a name is a variable that was declared."""
        return any(name in frame.names for frame in self.frames)

    def declare(self, var: Var, occurrence: Occurrence) -> Var:
        """Make a name a variable of the innermost body."""
        frame, name = self.frames[-1], var.name
        if var.wildcard:
            return var
        before = frame.occurrences.get(name)
        if name in ("input", "data"):
            sentence = f"variables must not shadow {name} (use a different variable name)"
            raise BadRego("rego_compile_error", sentence, var.place)
        if before is not None:
            raise BadRego("rego_compile_error", SAID[before].format(name), var.place)
        frame.occurrences[name] = occurrence
        frame.names[name] = self.fresh(name)
        if occurrence == "declared":
            frame.places[name] = var.place
        return Var(frame.names[name], var.place)


def declared_in(body: Body) -> Iterator[str]:
    """Name what a body itself declares: `some x`, `some x in xs` and `x := …`."""
    for statement in body:
        match statement:
            case Some(names):
                yield from (name.name for name in names)
            case SomeIn(key, value):
                yield from names_in(value)
                if key is not None:
                    yield from names_in(key)
            case Equation(left, assigns=True):
                yield from names_in(left)
            case _:
                pass


def names_in(*terms: Term) -> Iterator[str]:
    """Name every variable in terms, those of comprehensions left out."""
    for term in terms:
        match term:
            case Var(name):
                yield name
            case Ref(head, operands):
                yield from names_in(head, *operands)
            case Call(_, items) | Array(items) | SetOf(items):
                yield from names_in(*items)
            case Object(pairs):
                for pair in pairs:
                    yield from names_in(*pair)
            case _:
                pass


def check_used(frame: Frame, also: Iterable[str] = ()) -> None:
    """Refuse `some x` where x is not used."""
    for name, place in frame.places.items():
        if name not in frame.used and name not in also:
            raise BadRego("rego_compile_error", f"declared var {name} unused", place)


def declares(statement: Every) -> frozenset[str]:
    """Name what an `every` declares."""
    return frozenset(var.name for var in (statement.key, statement.value) if var is not None)
