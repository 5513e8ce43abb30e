"""What nothing in a text of Python refers to any more: imports, constants, variables."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from davy.flags.lint.cleanup.dialect import Leftover
from davy.flags.lint.cleanup.listed import without_item
from davy.flags.lint.cleanup.marks import text
from davy.flags.lint.cleanup.python_branches import removed
from davy.flags.lint.cleanup.python_scope import below, impure, reflects, scope_of


def unused(root: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
    """Find names that are bound once and written nowhere else, not even in a string or a comment."""
    for node in below(root):
        if node.type == "assignment":
            yield from _variable(node, source, shrunk)
        elif node.type in ("import_from_statement", "import_statement"):
            yield from _imported(node, source, shrunk)


def _variable(node: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
    name, value, statement = node.child_by_field_name("left"), node.child_by_field_name("right"), node.parent
    if name is None or value is None or statement is None or statement.type != "expression_statement":
        return
    scope = scope_of(statement)
    if name.type != "identifier" or text(name) not in shrunk or scope.type in ("class_definition", "lambda"):
        return
    if scope.type == "function_definition" and reflects(scope):
        return
    if impure(value) is None and _mentions(text(scope), text(name)) == 1:
        yield Leftover(text(name).decode(), scope.type == "module", removed(statement, source))


def _imported(node: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
    parent = node.parent
    assert parent
    scope = scope_of(node)
    if parent.type not in ("module", "block") or (parent.type == "block" and parent.parent != scope):
        return  # under `try` or `if` it asks a question
    items = node.children_by_field_name("name")
    for item in items:
        alias = item.child_by_field_name("alias")
        name = text(alias or item)
        if name not in shrunk or b"." in name:
            continue
        rest = source[scope.start_byte : node.start_byte] + b" " + source[node.end_byte : scope.end_byte]
        if _mentions(rest, name) == 0:
            edit = removed(node, source) if len(items) == 1 else without_item(item, source)
            yield Leftover(name.decode(), scope.type == "module", edit)


def _mentions(written: bytes, name: bytes) -> int:
    return len(re.findall(rb"(?<!\w)" + re.escape(name) + rb"(?!\w)", written))
