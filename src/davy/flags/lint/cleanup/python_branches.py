"""Branches of Python that a value decides: what is kept moves out, what is never reached goes."""

from tree_sitter import Node

from davy.flags.lint.cleanup.dialect import Fold, Unsafe
from davy.flags.lint.cleanup.edit import Edit, indent_of, line_end, line_start, stands_alone, without_lines
from davy.flags.lint.cleanup.marks import Marks, text
from davy.flags.lint.cleanup.python_scope import below, check_drop

_ENDS = {"return_statement", "raise_statement", "continue_statement", "break_statement"}


def fold_if(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """Decide `if P:`."""
    body = parent.child_by_field_name("consequence")
    assert body
    others = parent.children_by_field_name("alternative")
    if marks.value(text(mark)):
        check_drop(others)
        return _unwrapped(parent, body, others, source)
    check_drop([body])
    if not others:
        return Fold((removed(parent, source),))
    if others[0].type == "elif_clause":
        return Fold((Edit(parent.start_byte, others[0].start_byte + len(b"elif"), b"if"),))
    last = others[0].child_by_field_name("body")
    assert last
    return _unwrapped(parent, last, [body], source)


def fold_clause(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """Decide `elif P:`."""
    statement, body = parent.parent, parent.child_by_field_name("consequence")
    assert statement
    assert body
    clauses = statement.children_by_field_name("alternative")
    if marks.value(text(mark)):
        check_drop(clauses[clauses.index(parent) + 1 :])
        end, last = _tail(source, body.end_byte), _tail(source, statement.end_byte)
        return Fold((Edit(parent.start_byte, _colon(parent).end_byte, b"else:"), Edit(end, last)))
    check_drop([parent])
    before = parent.prev_named_sibling
    while before is not None and before.type == "comment":
        before = before.prev_named_sibling
    assert before
    start = _tail(source, before.end_byte)
    return Fold((Edit(start, _tail(source, parent.end_byte)),))


def fold_while(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`while P:` … that never begins."""
    if marks.value(text(mark)):
        return Fold()
    if parent.child_by_field_name("alternative") is not None:
        raise Unsafe("the loop never runs, and its `else` always does")
    check_drop([parent])
    return Fold((removed(parent, source),))


def removed(statement: Node, source: bytes) -> Edit:
    """Take a statement away; where a block or a line cannot do without one it becomes `pass`."""
    block = statement.parent
    assert block
    alone = stands_alone(source, statement.start_byte, statement.end_byte, b"#")
    others = [each for each in block.named_children if each.type != "comment" and each != statement]
    if not alone or not (others or block.type == "module"):
        return Edit(statement.start_byte, statement.end_byte, b"pass")
    return without_lines(source, statement.start_byte, _tail(source, statement.end_byte))


def _unwrapped(statement: Node, body: Node, dropped: list[Node], source: bytes) -> Fold:
    """Put a branch in the place of its `if`, and take away what is behind it if it never ends there."""
    block = statement.parent
    assert block
    kept = [each for each in body.named_children if each.type != "comment"]
    rest = _rest(statement, block) if kept[-1].type in _ENDS else []
    try:
        check_drop([*dropped, *rest])
    except Unsafe:
        rest = []  # it is never reached, and does no harm
    end = _tail(source, rest[-1].end_byte if rest else statement.end_byte)
    if all(each.type == "pass_statement" for each in body.named_children) and _rest(statement, block):
        return Fold((removed(statement, source),))
    return Fold(
        (Edit(statement.start_byte, end, _moved(body, source, indent_of(source, statement.start_byte))),)
    )


def _rest(statement: Node, block: Node) -> list[Node]:
    """Return the statements behind one."""
    return [
        each
        for each in block.named_children
        if each.start_byte >= statement.end_byte and each.type != "comment"
    ]


def _moved(body: Node, source: bytes, indent: bytes) -> bytes:
    """Return the lines of a block as deep as its `if` is; the first one has its blanks already."""
    clause = body.parent
    assert clause
    colon = _colon(clause, before=body)
    if line_start(source, body.start_byte) == line_start(source, colon.start_byte):
        return source[body.start_byte : body.end_byte]
    start = line_end(source, colon.end_byte)
    piece = source[start : _tail(source, body.end_byte)]
    inside = _inside_of_strings(body)
    deep = indent_of(source, body.start_byte)
    lines, at = [], start
    for line in piece.splitlines(keepends=True):
        moves = at not in inside and line.startswith(deep)
        lines.append(indent + line.removeprefix(deep) if moves and line.strip() else line)
        at += len(line)
    return b"".join(lines).removeprefix(indent)


def _inside_of_strings(body: Node) -> set[int]:
    """Return where lines begin that are a part of a string."""
    found = set()
    for each in below(body):
        if each.type == "string" and each.start_point.row != each.end_point.row:
            written = text(each)
            at = written.find(b"\n")
            while at >= 0:
                found.add(each.start_byte + at + 1)
                at = written.find(b"\n", at + 1)
    return found


def _colon(clause: Node, before: Node | None = None) -> Node:
    found = [
        each
        for each in clause.children
        if each.type == ":" and (not before or each.end_byte <= before.start_byte)
    ]
    return found[-1] if before else found[0]


def _tail(source: bytes, end: int) -> int:
    """Return where the line ends, if nothing but a comment is behind a piece of it."""
    end -= source[end - 1 : end] == b"\r"  # a comment has it, where lines end in both
    line = source[end : line_end(source, end)].rstrip(b"\r\n")
    rest = line.strip()
    return end + len(line) if not rest or rest.startswith(b"#") else end
