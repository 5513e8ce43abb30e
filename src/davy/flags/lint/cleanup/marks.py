"""Values that stand in a text for a while: a mark is a name, which every grammar takes for an expression."""

import re

from tree_sitter import Node

from davy.flags.details import Json

PREFIX = b"__davy_flag_"
_MARK = re.compile(rb"__davy_flag_([0-9]+)__")


class Marks:
    """The values of the marks of one text."""

    def __init__(self) -> None:
        self._values: list[tuple[Json, int]] = []

    def put(self, value: Json, *, like: bytes = b"", origin: int = 0) -> bytes:
        """Return a mark for a value that comes from a read, by its number, or from what `like` stands for."""
        self._values.append((value, self.origin(like) if like else origin))
        return PREFIX + b"%d__" % (len(self._values) - 1)

    def value(self, mark: bytes) -> Json:
        """Return what a mark stands for."""
        return self._values[_number(mark)][0]

    def origin(self, mark: bytes) -> int:
        """Return the number of the read that a mark comes from."""
        return self._values[_number(mark)][1]


def _number(mark: bytes) -> int:
    found = _MARK.fullmatch(mark)
    assert found, mark
    return int(found[1])


def marked(node: Node) -> list[Node]:
    """Return the marks below a node, in the order of the text."""
    found = []
    stack = [node]
    while stack:
        each = stack.pop()
        if each.child_count == 0 and is_mark(each):
            found.append(each)
        stack += reversed(each.children)
    return found


def is_mark(node: Node) -> bool:
    """Say whether a node is a mark."""
    return bool(_MARK.fullmatch(text(node)))


def text(node: Node) -> bytes:
    """Return how a node is written."""
    assert node.text is not None
    return node.text
