"""What the languages have in common once they are parsed: roles of nodes, calls, values, names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from davy.flags.lint.terms import Binding, Choice, Joined, Known, Name, Term, Unknown
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Node

    from davy.flags.details import Json

UNKNOWN = Unknown()
DEEPEST = 32
"""How deep an expression is followed; who nests keys deeper than this does not want them read."""


class Role(Enum):
    """What a node is for whoever looks for flags."""

    CALL = auto()
    FUNCTION = auto()
    CLASS = auto()
    LOOP = auto()
    BRANCH = auto()
    DECLARATION = auto()
    STATEMENT = auto()
    IMPORT = auto()
    COMMENT = auto()
    AWAIT = auto()


class Given(NamedTuple):
    """An argument of a call."""

    name: str
    node: Node


class Call(NamedTuple):
    """A call: what is called, on what, with what."""

    name: str
    receiver: Node | None
    given: tuple[Given, ...]


def text_of(node: Node) -> str:
    """Return what is written."""
    return (node.text or b"").decode("utf-8", "replace")


def named(node: Node | None) -> list[Node]:
    """Return what a node is made of, without comments and punctuation."""
    return [] if node is None else [each for each in node.named_children if "comment" not in each.type]


def field(node: Node, *names: str) -> Node | None:
    """Return the first of these fields that a node has."""
    return next((found for name in names if (found := node.child_by_field_name(name)) is not None), None)


class Syntax(ABC):
    """One language. Subclasses are mostly tables; what a language has of its own is a method."""

    language: ClassVar[Language]
    roles: ClassVar[dict[str, Role]]
    strings: ClassVar[frozenset[str]]
    holes: ClassVar[frozenset[str]] = frozenset(("interpolation", "template_substitution"))
    constants: ClassVar[dict[str, Json]] = {
        "true": True,
        "false": False,
        "null": None,
        "none": None,
        "nil": None,
    }
    numbers: ClassVar[frozenset[str]] = frozenset(("integer", "float", "number"))
    transparent: ClassVar[frozenset[str]] = frozenset(("parenthesized_expression",))
    choices: ClassVar[frozenset[str]] = frozenset(
        ("ternary_expression", "conditional_expression", "conditional")
    )
    joins: ClassVar[frozenset[str]] = frozenset(("binary_expression", "binary_operator", "binary"))
    lists: ClassVar[frozenset[str]] = frozenset(("list", "array"))
    objects: ClassVar[frozenset[str]] = frozenset(("dictionary", "object", "hash"))
    names: ClassVar[frozenset[str]] = frozenset(("identifier",))
    members: ClassVar[dict[str, tuple[str, str]]] = {}
    """Types of nodes that name a member: the fields of the object and of the name."""
    indexed: ClassVar[dict[str, tuple[str, str]]] = {}
    """Types of nodes that name a member by a text in brackets."""
    importing: ClassVar[frozenset[str]] = frozenset()
    """Types of nodes that may import, beside those whose role it is."""
    itself: ClassVar[frozenset[str]] = frozenset(("self", "this", "cls"))
    casts: ClassVar[frozenset[str]] = frozenset(("str", "string", "String"))

    @abstractmethod
    def call(self, node: Node) -> Call | None:
        """Take a call apart."""
        ...

    @abstractmethod
    def declared(self, node: Node) -> Iterator[tuple[str, Node | None]]:
        """Yield what a declaration names, each with its value."""
        ...

    @abstractmethod
    def imported(self, node: Node) -> Iterator[Binding]:
        """Yield the names that an import brings."""
        ...

    def readable(self, text: bytes) -> bytes:
        """Return a text as it is parsed, everything in its place."""
        return text

    def package(self, root: Node) -> str:
        """Return the package that a file says it is in."""
        return ""

    def name_of(self, node: Node) -> str:
        """Return the name of a function or a class, empty for one without."""
        found = field(node, "name")
        return "" if found is None else text_of(found)

    def parameters(self, node: Node) -> Iterator[str]:
        """Yield the names of a function's parameters."""
        for each in named(field(node, "parameters", "parameter")):
            if each.type in self.names:
                yield text_of(each)
            elif (found := field(each, "name", "pattern", "left")) is not None:
                yield text_of(found)
            else:
                yield text_of((each.named_children or [each])[0])

    def term(self, node: Node | None, depth: int = 0) -> Term:
        """Return what an expression says of its value."""
        if node is None or depth > DEEPEST:
            return UNKNOWN
        kind = node.type
        if kind in self.strings:
            return self.string(node, depth)
        if kind in self.constants:
            return Known(self.constants[kind])
        if kind in self.transparent:
            inner = named(node)
            return self.term(inner[0], depth + 1) if inner else UNKNOWN
        if kind in self.choices:
            return self._choice(node, depth)
        if kind in self.joins:
            return self._joined(node, depth)
        if (parts := self.parts(node, depth)) is not None:
            return Name(parts)
        if kind in self.numbers or kind.startswith("unary"):
            return number(text_of(node))
        if self.roles.get(kind) is Role.CALL:
            return self._cast(node, depth)
        return self._container(node, depth)

    def string(self, node: Node, depth: int) -> Term:
        """Return a text, put together where it has holes."""
        pieces: list[Term] = []
        for each in node.named_children:
            if each.type in self.holes:
                inner = [inside for inside in named(each) if "brace" not in inside.type]
                pieces.append(self.term(inner[0], depth + 1) if len(inner) == 1 else UNKNOWN)
            elif "escape" in each.type:
                pieces.append(escaped(text_of(each)))
            elif "content" in each.type or "fragment" in each.type:
                pieces.append(self._content(each))
            elif each.type in self.strings:
                pieces.append(self.string(each, depth + 1))
        return joined(pieces)

    def parts(self, node: Node, depth: int = 0) -> tuple[str, ...] | None:
        """Return the parts of a name, as in `Flags.discount`; None where it is none."""
        kind = node.type
        if depth > DEEPEST:
            return None
        if kind in self.names or kind in self.itself:
            return (text_of(node),)
        if kind in self.transparent:
            inner = named(node)
            return self.parts(inner[0], depth + 1) if inner else None
        if (member := self.members.get(kind)) is not None:
            owner, name = field(node, member[0]), field(node, member[1])
            before = self.parts(owner, depth + 1) if owner is not None else ()
            return None if before is None or name is None else (*before, text_of(name))
        if (index := self.indexed.get(kind)) is not None:
            return self._indexed(node, index, depth)
        return None

    def entries(self, node: Node) -> Iterator[tuple[str, Node | None, Node]]:
        """Yield the entries of an object: key, value, and the node that is the key."""
        for each in named(node):
            key = field(each, "key")
            if key is None:
                if each.type == "shorthand_property_identifier":
                    yield text_of(each), each, each
                continue
            match self.term(key) if key.type in self.strings else Known(text_of(key).strip(":\"'")):
                case Known(str(name)):
                    yield name, field(each, "value"), key

    def _content(self, node: Node) -> Term:
        """Return a piece of a text; some grammars keep what is escaped within it."""
        inner = node.named_children
        text = text_of(node)
        if not inner:
            return Known(text)
        return UNKNOWN if any("escape" not in each.type for each in inner) else escaped(text)

    def _choice(self, node: Node, depth: int) -> Term:
        options = [field(node, "consequence"), field(node, "alternative")]
        return Choice(tuple(self.term(each, depth + 1) for each in options))

    def _joined(self, node: Node, depth: int) -> Term:
        operator = field(node, "operator")
        sign = (
            text_of(operator)
            if operator is not None
            else next((text_of(each) for each in node.children if not each.is_named), "")
        )
        left, right = (self.term(field(node, each), depth + 1) for each in ("left", "right"))
        if sign == "+":
            return joined([left, right])
        if sign in ("??", "||", "or"):
            return Choice((left, right))
        return UNKNOWN

    def _indexed(self, node: Node, index: tuple[str, str], depth: int) -> tuple[str, ...] | None:
        """Return a name whose last part is in brackets."""
        owner, key = field(node, index[0]), field(node, index[1])
        if key is None:
            key = next((each for each in named(node) if each != owner), None)
        before = None if owner is None else self.parts(owner, depth + 1)
        match UNKNOWN if key is None else self.term(key, depth + 1):
            case Known(str(text)) if before is not None:
                return (*before, text)
            case _:
                return None

    def _cast(self, node: Node, depth: int) -> Term:
        """Return what a call answers that only says the same again: `str(X)`, `X.getKey()`, `"x".freeze`."""
        call = self.call(node)
        if call is None:
            return UNKNOWN
        if call.receiver is None and call.name in self.casts and len(call.given) == 1:
            return self.term(call.given[0].node, depth + 1)
        if call.receiver is None or call.given:
            return UNKNOWN
        if call.name in SAME:
            return self.term(call.receiver, depth + 1)
        before = self.parts(call.receiver, depth + 1)
        return Name((*before, call.name)) if before is not None and call.name in TAILS else UNKNOWN

    def _container(self, node: Node, depth: int) -> Term:
        """Return a list or an object, if all of it is written out."""
        if node.type in self.lists:
            items = [self.term(each, depth + 1) for each in named(node)]
            known = [each.value for each in items if isinstance(each, Known)]
            return Known(list(known)) if len(known) == len(items) else UNKNOWN
        if node.type in self.objects:
            found: dict[str, Json] = {}
            for name, value, _ in self.entries(node):
                term = self.term(value, depth + 1)
                if not isinstance(term, Known):
                    return UNKNOWN
                found[name] = term.value
            return Known(found) if len(found) == len(named(node)) else UNKNOWN
        return UNKNOWN


SAME = frozenset(("freeze", "to_s", "to_sym", "toString", "ToString", "intern", "strip"))
"""Methods that answer what they are called on."""

TAILS = frozenset(
    ("value", "key", "getKey", "getValue", "flagKey", "getFlagKey", "flag", "id", "getId", "name_")
)
"""Members of a constant that are its text, as in `Flags.DISCOUNT.value`."""


def number(text: str) -> Term:
    """Read a number as it is written, sign and all."""
    plain = text.replace("_", "").replace(" ", "")
    for read in (
        lambda: int(plain, 0),
        lambda: float(plain),
        lambda: float(plain.rstrip("dDfFmM")),
        lambda: int(plain.rstrip("lLn"), 0),
    ):
        try:
            return Known(read())
        except (ValueError, OverflowError):
            continue
    return UNKNOWN


def joined(parts: list[Term]) -> Term:
    """Put texts behind each other, as far as they are known."""
    if all(isinstance(each, Known) and isinstance(each.value, str) for each in parts):
        return Known("".join(str(each.value) for each in parts if isinstance(each, Known)))
    return Joined(tuple(parts))


def escaped(text: str) -> Term:
    """Return what a text with escapes says; one that not all languages read alike is unknown."""
    plain = text
    for written, meant in (
        ("\\\\", "\\"),
        ('\\"', '"'),
        ("\\'", "'"),
        ("\\n", "\n"),
        ("\\t", "\t"),
        ("\\`", "`"),
    ):
        plain = plain.replace(written, meant)
    return UNKNOWN if "\\" in plain else Known(plain)
