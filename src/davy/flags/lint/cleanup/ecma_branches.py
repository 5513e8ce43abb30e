"""Branches of JavaScript that a value decides: what is kept moves out, what is never reached goes."""

from tree_sitter import Node

from davy.flags.lint.cleanup.dialect import Fold, Unsafe
from davy.flags.lint.cleanup.ecma_scope import (
    LISTS,
    below,
    check_drop,
    declared,
    function_of,
    mentions,
    without,
)
from davy.flags.lint.cleanup.edit import Edit, indent_of, stands_alone, without_lines
from davy.flags.lint.cleanup.marks import text

_ENDS = {"return_statement", "throw_statement", "continue_statement", "break_statement"}


def fold_if(statement: Node, holds: bool, source: bytes) -> Fold:
    """Decide `if (P) …`."""
    body, other = statement.child_by_field_name("consequence"), statement.child_by_field_name("alternative")
    assert body
    otherwise = _statements(other)[0] if other is not None else None
    kept, dropped = (body, other) if holds else (otherwise, body)
    check_drop([dropped] if dropped is not None else [])
    parent = statement.parent
    assert parent
    if parent.type == "else_clause":
        return _in_else(parent, statement, kept, source)
    if parent.type not in LISTS:
        return Fold((Edit(statement.start_byte, statement.end_byte, text(kept) if kept else b"{}"),))
    if kept is None or (kept.type == "statement_block" and not kept.named_children):
        return Fold((removed(statement, source),))
    return _unwrapped(statement, kept, source)


def fold_while(statement: Node, source: bytes) -> Fold:
    """`while (P) …` that never begins."""
    check_drop([statement])
    parent = statement.parent
    assert parent
    if parent.type not in LISTS:
        return Fold((Edit(statement.start_byte, statement.end_byte, b"{}"),))
    return Fold((removed(statement, source),))


def removed(statement: Node, source: bytes) -> Edit:
    """Take a statement away, with its lines where it has them for itself."""
    if stands_alone(source, statement.start_byte, statement.end_byte, b"//"):
        return without_lines(source, statement.start_byte, statement.end_byte)
    return Edit(statement.start_byte, statement.end_byte)


def _statements(node: Node) -> list[Node]:
    return [each for each in node.named_children if each.type != "comment"]


def _in_else(clause: Node, statement: Node, kept: Node | None, source: bytes) -> Fold:
    if kept is not None:
        return Fold((Edit(statement.start_byte, statement.end_byte, text(kept)),))
    start = clause.start_byte
    while source[start - 1 : start].isspace():
        start -= 1
    return Fold((Edit(start, clause.end_byte),))


def _unwrapped(statement: Node, kept: Node, source: bytes) -> Fold:
    """Put a branch in the place of its `if`, and take away what is behind it if it never ends there."""
    block = statement.parent
    assert block
    inner = _statements(kept) if kept.type == "statement_block" else [kept]
    rest = []
    if inner[-1].type in _ENDS and block.type in ("statement_block", "program"):
        rest = [each for each in _statements(block) if each.start_byte >= statement.end_byte]
    try:
        check_drop(rest, declared(rest))
    except Unsafe:
        rest = []  # it is never reached, and does no harm
    end = rest[-1].end_byte if rest else statement.end_byte
    outside = without(function_of(statement), [statement, *rest])
    own = declared([each for each in inner if each.type != "variable_declaration"])
    clashes = block.type.startswith("switch") or any(mentions(outside, name) for name in own)
    alone = stands_alone(source, statement.start_byte, end, b"//")
    indent = indent_of(source, statement.start_byte)
    if kept.type == "statement_block" and alone and not (clashes and own):
        return Fold((Edit(statement.start_byte, end, _inside(kept, inner[0], source, indent)),))
    return Fold((Edit(statement.start_byte, end, _moved(kept, source, indent)),))


def _inside(block: Node, first: Node, source: bytes, indent: bytes) -> bytes:
    """Return what is between the braces of a block, as deep as its `if` is."""
    start, end = block.start_byte + 1, block.end_byte - 1
    if b"\n" not in source[start:end]:
        return source[start:end].strip()
    head = source[start : source.index(b"\n", start) + 1]
    lines = _lines(block, source, start + len(head), end, indent_of(source, first.start_byte), indent)
    if lines and not lines[-1].strip():
        lines.pop()
    said = head.strip()
    before = [] if not said or said.startswith((b"//", b"/*")) else [indent + head.lstrip()]
    return b"".join([*before, *lines]).removeprefix(indent).rstrip(b"\r\n")


def _moved(node: Node, source: bytes, indent: bytes) -> bytes:
    """Return a statement as deep as the `if` that it was a branch of is."""
    written = _lines(node, source, node.start_byte, node.end_byte, indent_of(source, node.end_byte), indent)
    return b"".join(written)


def _lines(node: Node, source: bytes, start: int, end: int, deep: bytes, indent: bytes) -> list[bytes]:
    inside = {
        each.start_byte + at + 1
        for each in below(node)
        if each.type == "template_string"
        for at, byte in enumerate(text(each))
        if byte == 10
    }
    lines, at = [], start
    for line in source[start:end].splitlines(keepends=True):
        moves = at not in inside and line.startswith(deep) and line.strip()
        lines.append(indent + line.removeprefix(deep) if moves and at != node.start_byte else line)
        at += len(line)
    return lines
