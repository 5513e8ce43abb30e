"""What taking out a flag needs to know of a language."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from tree_sitter import Node, Tree

from davy.flags.details import Json
from davy.flags.lint.cleanup.edit import Edit
from davy.flags.lint.cleanup.marks import Marks


class Unsafe(Exception):
    """Something cannot be taken out so that the rest provably behaves the same; the message says why."""


class Fold(NamedTuple):
    """What a mark decides: changes, none where nothing can be decided, and why where that is worth telling."""

    edits: Sequence[Edit] = ()
    why: str = ""


Folding: TypeAlias = Callable[[Node, Node, Marks, bytes], Fold]
"""What is decided of a mark, what stands around it, all marks and the text."""


def fold_in(foldings: Mapping[str, Folding], mark: Node, marks: Marks, source: bytes) -> Fold:
    """Decide what is nearest to a mark by what stands around it, nothing where no rule is about that."""
    parent = mark.parent
    assert parent
    folding = foldings.get(parent.type)
    if folding is None:
        return Fold()
    try:
        return folding(mark, parent, marks, source)
    except Unsafe as unsafe:
        return Fold(why=str(unsafe))


class Dialect(Protocol):
    """The rules of one language; every method takes nodes of its own grammar."""

    comment: bytes

    def parse(self, source: bytes) -> Tree:
        """Parse a text."""
        ...

    def check(self, source: bytes) -> str:
        """Say why a text is not one of the language, or nothing."""
        ...

    def spell(self, value: Json, at: Node | None) -> bytes:
        """Write a value where a mark stands."""
        ...

    def read(self, call: Node, *, details: bool) -> Node:
        """Return the whole expression that a read is, which a value may take the place of.

        Raises:
            Unsafe: something would be lost with it.
        """
        ...

    def fold(self, mark: Node, marks: Marks, source: bytes) -> Fold:
        """Decide what is nearest to a mark."""
        ...

    def unused(self, root: Node, source: bytes, shrunk: set[bytes]) -> Iterator["Leftover"]:
        """Find what nothing refers to any more: names in `shrunk` were referred to more often before."""
        ...


class Leftover(NamedTuple):
    """A name that is bound and not used; `outside` is whether other files could use it."""

    name: str
    outside: bool
    edit: Edit
