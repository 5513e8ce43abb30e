"""The parts of an expression, as they were written. `at` is where, in characters from its start."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written out: None, bool, int, Uint, float, str or bytes."""

    at: int
    value: object


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, a type, or the first word of a dotted name."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `operand.?field`."""

    at: int
    operand: "Node"
    field: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """`has(operand.field)`."""

    at: int
    operand: "Node"
    field: str


@dataclass(frozen=True, slots=True)
class Index:
    """`operand[key]`, or `operand[?key]`."""

    at: int
    operand: "Node"
    key: "Node"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function of any sort; operators are called by the names CEL has for them, e.g. `_+_`."""

    at: int
    name: str
    arguments: tuple["Node", ...]
    receiver: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Logic:
    """A chain of `&&`, or of `||`."""

    at: int
    every: bool
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """`test ? then : other`."""

    at: int
    test: "Node"
    then: "Node"
    other: "Node"


@dataclass(frozen=True, slots=True)
class Item:
    """An element of a list, with `?` in front if it may be absent."""

    value: "Node"
    optional: bool


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, ?b]`."""

    at: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value in a map, with `?` in front if it may be absent."""

    at: int
    key: "Node"
    value: "Node"
    optional: bool


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{k: v, ?k: v}`."""

    at: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A macro that evaluates its last arguments with names of its own: `xs.all(x, p)`, `o.optMap(x, e)`.

    `steps` are a filter, if there is one, and what is evaluated.
    """

    at: int
    macro: str
    range: "Node"
    names: tuple[str, ...]
    steps: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """`cel.bind(name, value, body)`."""

    at: int
    name: str
    value: "Node"
    body: "Node"


Node = Literal | Name | Select | Presence | Index | Call | Logic | Conditional | ListOf | MapOf | Loop | Bind
