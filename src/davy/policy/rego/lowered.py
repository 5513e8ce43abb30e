"""What statements become before they are compiled: no calls within terms, every name decided, every `not` flat.

These are OPA's own intermediate forms. What an operand of a negated call is evaluated *outside* of the negation
follows from them, and with it that such a body is undefined where the operand is.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from davy.policy.rego.errors import Place
from davy.policy.rego.terms import Term, Var


@dataclass(frozen=True, slots=True)
class Override:
    """One `with`: what of input or data, or which function, is replaced by what."""

    target: tuple[str, ...]
    kind: Literal["value", "function", "constant"]
    value: Term
    function: tuple[str, ...]
    place: Place


Overrides = tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A term that has to be there and not false."""

    term: Term
    place: Place
    negated: bool
    overrides: Overrides


@dataclass(frozen=True, slots=True)
class Unify:
    """Two terms that have to be made equal."""

    left: Term
    right: Term
    place: Place
    negated: bool
    overrides: Overrides


@dataclass(frozen=True, slots=True)
class Invoke:
    """A function that is called; what comes of it is `output`, or has to be not false where there is none."""

    function: tuple[str, ...]
    arguments: tuple[Term, ...]
    output: Term | None
    place: Place
    negated: bool
    overrides: Overrides


@dataclass(frozen=True, slots=True)
class ForAll:
    """A body that has to hold for everything in a collection."""

    key: Var | None
    value: Var
    domain: Term
    body: "Block"
    place: Place
    negated: bool
    overrides: Overrides


Step: TypeAlias = Test | Unify | Invoke | ForAll
Block = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """A branch of a rule."""

    value: Term
    body: Block
    place: Place
    path: tuple[Term, ...] = ()
    element: Term | None = None
    arguments: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A rule, lowered: its branches, the first of which that holds counts."""

    alternatives: tuple[Alternative, ...]
    place: Place
    multiple: bool
