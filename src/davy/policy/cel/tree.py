"""The parts of an expression, as they were written. `at` is where, in characters from its start."""

from msgspec import Struct


class Literal(Struct, frozen=True):
    """A value that is written out: None, bool, int, Uint, float, str or bytes."""

    at: int
    value: object


class Name(Struct, frozen=True):
    """A variable, a type, or the first word of a dotted name."""

    at: int
    name: str


class Select(Struct, frozen=True):
    """`operand.field`, or `operand.?field`."""

    at: int
    operand: "Node"
    field: str
    optional: bool = False


class Presence(Struct, frozen=True):
    """`has(operand.field)`."""

    at: int
    operand: "Node"
    field: str


class Index(Struct, frozen=True):
    """`operand[key]`, or `operand[?key]`."""

    at: int
    operand: "Node"
    key: "Node"
    optional: bool = False


class Call(Struct, frozen=True):
    """A function of any sort; operators are called by the names CEL has for them, e.g. `_+_`."""

    at: int
    name: str
    arguments: tuple["Node", ...]
    receiver: "Node | None" = None


class Logic(Struct, frozen=True):
    """A chain of `&&`, or of `||`."""

    at: int
    every: bool
    operands: tuple["Node", ...]


class Conditional(Struct, frozen=True):
    """`test ? then : other`."""

    at: int
    test: "Node"
    then: "Node"
    other: "Node"


class Item(Struct, frozen=True):
    """An element of a list, with `?` in front if it may be absent."""

    value: "Node"
    optional: bool


class ListOf(Struct, frozen=True):
    """`[a, ?b]`."""

    at: int
    items: tuple[Item, ...]


class Entry(Struct, frozen=True):
    """A key and its value in a map, with `?` in front if it may be absent."""

    at: int
    key: "Node"
    value: "Node"
    optional: bool


class MapOf(Struct, frozen=True):
    """`{k: v, ?k: v}`."""

    at: int
    entries: tuple[Entry, ...]


class Loop(Struct, frozen=True):
    """A macro that evaluates its last arguments with names of its own: `xs.all(x, p)`, `o.optMap(x, e)`.

    `steps` are a filter, if there is one, and what is evaluated.
    """

    at: int
    macro: str
    range: "Node"
    names: tuple[str, ...]
    steps: tuple["Node", ...]


class Bind(Struct, frozen=True):
    """`cel.bind(name, value, body)`."""

    at: int
    name: str
    value: "Node"
    body: "Node"


Node = Literal | Name | Select | Presence | Index | Call | Logic | Conditional | ListOf | MapOf | Loop | Bind
