"""What statements become before they are compiled: no calls within terms, every name decided, every `not` flat.

These are OPA's own intermediate forms. What an operand of a negated call is evaluated *outside* of the negation
follows from them, and with it that such a body is undefined where the operand is.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from davy.policy.rego.errors import Place
from davy.policy.rego.terms import Term, Var


class Override(Struct, frozen=True):
    """One `with`: what of input or data, or which function, is replaced by what."""

    target: tuple[str, ...]
    kind: Literal["value", "function", "constant"]
    value: Term
    function: tuple[str, ...]
    place: Place


Overrides = tuple[Override, ...]


class Test(Struct, frozen=True):
    """A term that has to be there and not false."""

    term: Term
    place: Place
    negated: bool
    overrides: Overrides


class Unify(Struct, frozen=True):
    """Two terms that have to be made equal."""

    left: Term
    right: Term
    place: Place
    negated: bool
    overrides: Overrides


class Invoke(Struct, frozen=True):
    """A function that is called; what comes of it is `output`, or has to be not false where there is none."""

    function: tuple[str, ...]
    arguments: tuple[Term, ...]
    output: Term | None
    place: Place
    negated: bool
    overrides: Overrides


class ForAll(Struct, frozen=True):
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


class Alternative(Struct, frozen=True):
    """A branch of a rule."""

    value: Term
    body: Block
    place: Place
    path: tuple[Term, ...] = ()
    element: Term | None = None
    arguments: tuple[Term, ...] = ()


class Definition(Struct, frozen=True):
    """A rule, lowered: its branches, the first of which that holds counts."""

    alternatives: tuple[Alternative, ...]
    place: Place
    multiple: bool
