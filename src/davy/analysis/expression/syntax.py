"""The syntax tree of an expression."""

from collections.abc import Iterator
from typing import Literal, assert_never

from msgspec import Struct

UnaryOperator = Literal["not", "-", "+"]
BinaryOperator = Literal[
    "or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "matches", "contains", "startsWith", "endsWith",
    "..", "+", "-", "*", "/", "%", "**", "??",
]  # fmt: skip


class Constant(Struct, frozen=True):
    """A literal; `value` is None, a bool, int, float, str or bytes."""

    position: int
    value: object


class Name(Struct, frozen=True):
    """A variable that the caller of the expression supplies; `$env` is the map of all of them."""

    position: int
    name: str


class Local(Struct, frozen=True):
    """A variable that a `let` around it declares."""

    position: int
    name: str


class Pointer(Struct, frozen=True):
    """What a predicate stands on: `#` is the element, `#index` its place, `#acc` what reduce has gathered."""

    position: int
    name: str


class Unary(Struct, frozen=True):
    """An operator before its operand."""

    position: int
    operator: UnaryOperator
    operand: "Node"


class Binary(Struct, frozen=True):
    """An operator between two operands."""

    position: int
    operator: BinaryOperator
    left: "Node"
    right: "Node"


class Between(Struct, frozen=True):
    """A chain such as `0 < x <= 1`: every operand is evaluated once, and the first false link ends it."""

    position: int
    first: "Node"
    links: tuple[tuple[int, BinaryOperator, "Node"], ...]


class Conditional(Struct, frozen=True):
    """`test ? yes : no`, `if test { yes } else { no }`; without `yes` (`test ?: no`) the test is the answer."""

    position: int
    test: "Node"
    yes: "Node | None"
    no: "Node"


class Member(Struct, frozen=True):
    """`base.key` and `base[key]`; an optional one (`?.`) ends its whole chain in nil where the base is nil."""

    position: int
    base: "Node"
    key: "Node"
    optional: bool


class Chain(Struct, frozen=True):
    """The reach of the `?.` inside it."""

    position: int
    body: "Node"


class Slice(Struct, frozen=True):
    """`base[start:stop]`."""

    position: int
    base: "Node"
    start: "Node | None"
    stop: "Node | None"


class Call(Struct, frozen=True):
    """A call of a function that the caller of the expression supplies."""

    position: int
    name: str
    arguments: tuple["Node", ...]


class Method(Struct, frozen=True):
    """A call of a method; times and durations have some."""

    position: int
    base: "Node"
    name: str
    arguments: tuple["Node", ...]
    optional: bool


class Builtin(Struct, frozen=True):
    """A call of a function of the language."""

    position: int
    name: str
    arguments: tuple["Node", ...]


class Predicate(Struct, frozen=True):
    """An argument that is evaluated anew for every element."""

    position: int
    body: "Node"


class Let(Struct, frozen=True):
    """`let name = value; body`."""

    position: int
    name: str
    value: "Node"
    body: "Node"


class Sequence(Struct, frozen=True):
    """`first; second`: all are evaluated, the last one is the value."""

    position: int
    items: tuple["Node", ...]


class Array(Struct, frozen=True):
    """`[a, b]`."""

    position: int
    items: tuple["Node", ...]


class Map(Struct, frozen=True):
    """`{key: value}`."""

    position: int
    pairs: tuple[tuple["Node", "Node"], ...]


Node = (
    Constant | Name | Local | Pointer | Unary | Binary | Between | Conditional | Member | Chain | Slice | Call
    | Method | Builtin | Predicate | Let | Sequence | Array | Map
)  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order in which they are written."""
    match node:
        case Constant() | Name() | Local() | Pointer():
            return ()
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Between():
            return (node.first, *(operand for _, _, operand in node.links))
        case Conditional():
            return (node.test, node.no) if node.yes is None else (node.test, node.yes, node.no)
        case Member():
            return (node.base, node.key)
        case Chain() | Predicate():
            return (node.body,)
        case Slice():
            return (node.base, *(bound for bound in (node.start, node.stop) if bound is not None))
        case Call() | Builtin():
            return node.arguments
        case Method():
            return (node.base, *node.arguments)
        case Let():
            return (node.value, node.body)
        case Sequence() | Array():
            return node.items
        case Map():
            return tuple(node for pair in node.pairs for node in pair)
        case _:
            assert_never(node)


def walk(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth from 1, without recursion: the parser asks before it trusts the depth."""
    waiting = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in reversed(children(node)))
