"""The syntax tree of Rego, as it is written: terms, statements, rules and modules, each with its place."""

from dataclasses import dataclass
from typing import Any, TypeAlias
from typing import Literal as Choice

from davy.policy.rego.errors import Place

Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A scalar."""

    value: Scalar
    place: Place


@dataclass(frozen=True, slots=True)
class Var:
    """A name. Each `_` is a variable of its own, called `$1`, `$2` and so on."""

    name: str
    place: Place

    @property
    def wildcard(self) -> bool:
        """Whether it was written as `_`."""
        return self.name.startswith("$")


@dataclass(frozen=True, slots=True)
class Ref:
    """A path into a value: `input.a[i]`."""

    head: "Term"
    operands: tuple["Term", ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """A function that is applied, by its path; an operator goes by the name of its builtin, e.g. `plus`."""

    function: tuple[str, ...]
    arguments: tuple["Term", ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Array:
    """An array: `[…]`."""

    items: tuple["Term", ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SetOf:
    """`{…}` without colons, or `set()`."""

    items: tuple["Term", ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Object:
    """`{…: …}`."""

    pairs: tuple[tuple["Term", "Term"], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`[value | body]`, `{value | body}` or `{key: value | body}`."""

    kind: Choice["array", "set", "object"]
    key: "Term | None"
    value: "Term"
    body: "Body"
    place: Place


@dataclass(frozen=True, slots=True)
class Template:
    """`$"…{expression}…"`: texts, and bodies of one statement whose value goes between."""

    parts: tuple["str | Term", ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Collect:
    """A comprehension whose body has been lowered (`davy.policy.rego.lowered`)."""

    kind: Choice["array", "set", "object"]
    key: "Term | None"
    value: "Term"
    body: tuple[Any, ...]
    place: Place


Term: TypeAlias = Literal | Var | Ref | Call | Array | SetOf | Object | Comprehension | Template | Collect


@dataclass(frozen=True, slots=True)
class With:
    """One `with target as value`."""

    target: Term
    value: Term
    place: Place


@dataclass(frozen=True, slots=True)
class Expression:
    """A term that has to be there and not false; `not` turns it round."""

    term: Term
    place: Place
    negated: bool = False
    withs: tuple[With, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Equation:
    """`left = right` or, where it declares what is left of it, `left := right`."""

    left: Term
    right: Term
    place: Place
    assigns: bool = False
    negated: bool = False
    withs: tuple[With, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Some:
    """`some x, y`."""

    names: tuple[Var, ...]
    place: Place
    withs: tuple[With, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class SomeIn:
    """`some value in domain` or `some key, value in domain`."""

    key: Term | None
    value: Term
    domain: Term
    place: Place
    withs: tuple[With, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Every:
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


@dataclass(frozen=True, slots=True)
class Branch:
    """A value and the body it depends on: of a rule, or of one of its `else`."""

    value: Term
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class Rule:
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


@dataclass(frozen=True, slots=True)
class Import:
    """`import path as alias`."""

    path: tuple[str, ...]
    alias: str
    place: Place


@dataclass(frozen=True, slots=True)
class Module:
    """One text."""

    package: tuple[str, ...]
    imports: tuple[Import, ...]
    rules: tuple[Rule, ...]
    v1: bool
    place: Place
