"""What nothing in a text of JavaScript refers to any more: imports, constants, variables."""

from collections.abc import Iterator

from tree_sitter import Node

from davy.flags.lint.cleanup.dialect import Leftover
from davy.flags.lint.cleanup.ecma_branches import removed
from davy.flags.lint.cleanup.ecma_scope import below, impure, is_module, mentions, without
from davy.flags.lint.cleanup.listed import without_item
from davy.flags.lint.cleanup.marks import text


def unused(root: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
    """Find names that are bound once and written nowhere else, not even in a string or a comment."""
    for node in below(root):
        if node.type == "lexical_declaration":
            yield from _variable(node, root, source, shrunk)
        elif node.type == "import_statement":
            yield from _imported(node, root, source, shrunk)


def _variable(node: Node, root: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
    declarator, block = node.named_children[0], node.parent
    name, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
    if block is None or block.type not in ("statement_block", "program") or node.named_child_count != 1:
        return
    if name is None or value is None or name.type != "identifier" or text(name) not in shrunk:
        return
    if impure(value) is None and mentions(text(block), text(name)) == 1:
        outside = block.type == "program" and not is_module(root)
        yield Leftover(text(name).decode(), outside, removed(node, source))


def _imported(node: Node, root: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
    rest = without(root, [node])
    items = [each for each in below(node) if each.type in ("import_specifier", "namespace_import")]
    clause = next((each for each in node.named_children if each.type == "import_clause"), None)
    items += [each for each in clause.named_children if each.type == "identifier"] if clause else []
    for item in items:
        name = text(
            item.child_by_field_name("alias") or item.named_children[0] if item.named_children else item
        )
        if name not in shrunk or mentions(rest, name):
            continue
        if len(items) == 1:
            yield Leftover(name.decode(), False, removed(node, source))
        elif item.parent is not None and item.parent.named_child_count > 1 and item.type == "import_specifier":
            yield Leftover(name.decode(), False, without_item(item, source))
