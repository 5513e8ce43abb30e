"""The syntax tree of Rego, as it is written: terms, statements, rules and modules, each with its place."""

from typing import Any, TypeAlias
from typing import Literal as Choice

from msgspec import Struct

from davy.policy.rego.errors import Place

Scalar = bool | int | float | str | None


class Literal(Struct, frozen=True):
    """A scalar."""

    value: Scalar
    place: Place


class Var(Struct, frozen=True):
    """A name. Each `_` is a variable of its own, called `$1`, `$2` and so on."""

    name: str
    place: Place

    @property
    def wildcard(self) -> bool:
        """Whether it was written as `_`."""
        return self.name.startswith("$")


class Ref(Struct, frozen=True):
    """A path into a value: `input.a[i]`."""

    head: "Term"
    operands: tuple["Term", ...]
    place: Place


class Call(Struct, frozen=True):
    """A function that is applied, by its path; an operator goes by the name of its builtin, e.g. `plus`."""

    function: tuple[str, ...]
    arguments: tuple["Term", ...]
    place: Place


class Array(Struct, frozen=True):
    """An array: `[…]`."""

    items: tuple["Term", ...]
    place: Place


class SetOf(Struct, frozen=True):
    """`{…}` without colons, or `set()`."""

    items: tuple["Term", ...]
    place: Place


class Object(Struct, frozen=True):
    """`{…: …}`."""

    pairs: tuple[tuple["Term", "Term"], ...]
    place: Place


class Comprehension(Struct, frozen=True):
    """`[value | body]`, `{value | body}` or `{key: value | body}`."""

    kind: Choice["array", "set", "object"]
    key: "Term | None"
    value: "Term"
    body: "Body"
    place: Place


class Template(Struct, frozen=True):
    """`$"…{expression}…"`: texts, and bodies of one statement whose value goes between."""

    parts: tuple["str | Term", ...]
    place: Place


class Collect(Struct, frozen=True):
    """A comprehension whose body has been lowered (`davy.policy.rego.lowered`)."""

    kind: Choice["array", "set", "object"]
    key: "Term | None"
    value: "Term"
    body: tuple[Any, ...]
    place: Place


Term: TypeAlias = Literal | Var | Ref | Call | Array | SetOf | Object | Comprehension | Template | Collect


class With(Struct, frozen=True):
    """One `with target as value`."""

    target: Term
    value: Term
    place: Place


class Expression(Struct, frozen=True):
    """A term that has to be there and not false; `not` turns it round."""

    term: Term
    place: Place
    negated: bool = False
    withs: tuple[With, ...] = ()
    text: str = ""


class Equation(Struct, frozen=True):
    """`left = right` or, where it declares what is left of it, `left := right`."""

    left: Term
    right: Term
    place: Place
    assigns: bool = False
    negated: bool = False
    withs: tuple[With, ...] = ()
    text: str = ""


class Some(Struct, frozen=True):
    """`some x, y`."""

    names: tuple[Var, ...]
    place: Place
    withs: tuple[With, ...] = ()
    text: str = ""


class SomeIn(Struct, frozen=True):
    """`some value in domain` or `some key, value in domain`."""

    key: Term | None
    value: Term
    domain: Term
    place: Place
    withs: tuple[With, ...] = ()
    text: str = ""


class Every(Struct, frozen=True):
    """`every key, value in domain { body }`."""

    key: Var | None
    value: Var
    domain: Term
    body: "Body"
    place: Place
    negated: bool = False
    withs: tuple[With, ...] = ()
    text: str = ""


Statement: TypeAlias = Expression | Equation | Some | SomeIn | Every
Body = tuple[Statement, ...]


class Branch(Struct, frozen=True):
    """A value and the body it depends on: of a rule, or of one of its `else`."""

    value: Term
    body: Body
    place: Place


class Rule(Struct, frozen=True):
    """One definition. `ref` starts with the name; `element` is what a `contains` rule contributes."""

    ref: tuple[Term, ...]
    arguments: tuple[Term, ...] | None
    element: Term | None
    branches: tuple[Branch, ...]
    default: bool
    place: Place

    @property
    def name(self) -> str:
        """The first name of it."""
        head = self.ref[0]
        assert isinstance(head, Var)
        return head.name


class Import(Struct, frozen=True):
    """`import path as alias`."""

    path: tuple[str, ...]
    alias: str
    place: Place


class Module(Struct, frozen=True):
    """One text."""

    package: tuple[str, ...]
    imports: tuple[Import, ...]
    rules: tuple[Rule, ...]
    v1: bool
    place: Place
