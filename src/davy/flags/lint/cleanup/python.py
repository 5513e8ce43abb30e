"""Taking a flag out of Python."""

import ast
import re
from collections.abc import Callable, Iterator

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Tree

from davy.flags.details import Json
from davy.flags.lint.cleanup import python_unused
from davy.flags.lint.cleanup.dialect import Fold, Folding, Leftover, Unsafe, fold_in
from davy.flags.lint.cleanup.edit import Edit
from davy.flags.lint.cleanup.marks import Marks, text
from davy.flags.lint.cleanup.python_branches import fold_clause, fold_if, fold_while, removed
from davy.flags.lint.cleanup.python_scope import (
    binds,
    check_drop,
    impure,
    occurrences,
    reflects,
    scope_of,
)

_COMPARE: dict[str, Callable[[Json, Json], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "is": lambda left, right: left is right,
    "is not": lambda left, right: left is not right,
    "in": lambda left, right: left in right,  # type: ignore[operator]
    "not in": lambda left, right: left not in right,  # type: ignore[operator]
}


class Python:
    """The rules of Python."""

    comment = b"#"

    def __init__(self) -> None:
        self._parser = Parser(Language(tree_sitter_python.language()))

    def parse(self, source: bytes) -> Tree:
        """Parse a text."""
        return self._parser.parse(source)

    def check(self, source: bytes) -> str:
        """Say why Python itself does not read a text, or nothing."""
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"Python does not read it: {error}"
        return ""

    def spell(self, value: Json, at: Node | None) -> bytes:
        """Write a value; inside of an f-string with the quotes that it does not have."""
        written = repr(value)
        parent = at.parent if at is not None else None
        if parent is not None and isinstance(value, int | float) and not isinstance(value, bool):
            tight = parent.type == "attribute" or (value < 0 and parent.type.endswith("operator"))
            return (f"({written})" if tight else written).encode()
        quoted = (
            '"' + written[1:-1] + '"'
            if isinstance(value, str) and not re.search(r"[\"'\\]", written[1:-1])
            else ""
        )
        around = next((each for each in _above(at) if each.type == "string"), None)
        if around is not None:
            return (written if text(around.children[0]).endswith(b'"') else quoted or written).encode()
        return (quoted or written).encode()

    def read(self, call: Node, *, details: bool) -> Node:
        """Return the expression that has the value of the flag.

        Raises:
            Unsafe: something would be lost with it.
        """
        arguments, function = call.child_by_field_name("arguments"), call.child_by_field_name("function")
        assert arguments
        assert function
        for part in (function, arguments):
            if doing := impure(part):
                raise Unsafe(f"`{_short(doing)}` would not be evaluated any more")
        found, parent = call, call.parent
        assert parent
        if text(function).endswith(b"_async"):
            if parent.type != "await" or parent.parent is None:
                raise Unsafe("it is not awaited where it is called")
            found, parent = parent, parent.parent
        if details:
            while parent.type == "parenthesized_expression" and parent.parent is not None:
                found, parent = parent, parent.parent
            name = parent.child_by_field_name("attribute") if parent.type == "attribute" else None
            if name is None or text(name) != b"value":
                raise Unsafe("more than the value of its details is used")
            found = parent
        return found

    def fold(self, mark: Node, marks: Marks, source: bytes) -> Fold:
        """Decide what is nearest to a mark."""
        return fold_in(_FOLDS, mark, marks, source)

    def unused(self, root: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
        """Find imports, constants and variables that nothing refers to any more."""
        return python_unused.unused(root, source, shrunk)


def _above(node: Node | None) -> Iterator[Node]:
    while node is not None:
        yield node
        node = node.parent


def _short(node: Node) -> str:
    written = " ".join(text(node).decode(errors="replace").split())
    return written if len(written) <= 60 else written[:59] + "…"


def _instead(node: Node, written: bytes) -> Fold:
    return Fold((Edit(node.start_byte, node.end_byte, written),))


def _parenthesized(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    if isinstance(marks.value(text(mark)), int | str | None) and parent.named_child_count == 1:
        return _instead(parent, text(mark))
    return Fold()


def _not(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    return _instead(parent, marks.put(not marks.value(text(mark)), like=text(mark)))


def _boolean(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`P and x`, `x or P`: what is on the left is evaluated first, and decides."""
    left, right = parent.child_by_field_name("left"), parent.child_by_field_name("right")
    operator = parent.child_by_field_name("operator")
    assert left is not None
    assert right is not None
    assert operator is not None
    goes_on = (operator.type == "and") is bool(marks.value(text(mark)))
    if left == mark:
        if goes_on:
            return _instead(parent, text(right))
        check_drop([right])
        return _instead(parent, text(mark))
    if goes_on:
        if _is_condition(parent) or _continues(parent, operator.type):
            return _instead(parent, text(left))
        return Fold()
    if not _is_condition(parent):
        return Fold()
    if doing := impure(left):
        raise Unsafe(f"`{_short(doing)}` before it has to be evaluated all the same")
    check_drop([left])
    return _instead(parent, text(mark))


def _continues(node: Node, operator: str) -> bool:
    """Say whether it is the left of the same operator: `(a and True) and b` is `a and b`, whatever a is."""
    parent = node.parent
    if parent is None or parent.type != "boolean_operator" or parent.child_by_field_name("left") != node:
        return False
    found = parent.child_by_field_name("operator")
    return found is not None and found.type == operator


def _is_condition(node: Node) -> bool:
    """Say whether nothing but the truth of an expression matters."""
    parent = node.parent
    assert parent
    match parent.type:
        case "parenthesized_expression" | "boolean_operator":
            return _is_condition(parent)
        case "not_operator" | "if_clause":
            return True
        case "if_statement" | "elif_clause" | "while_statement":
            return True
        case "conditional_expression":
            return parent.named_children[1] == node or _is_condition(parent)
        case _:
            return False


def _conditional(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`a if P else b`."""
    parts = [each for each in parent.named_children if each.type != "comment"]
    if len(parts) != 3 or parts[1] != mark:
        return Fold()
    kept, dropped = (parts[0], parts[2]) if marks.value(text(mark)) else (parts[2], parts[0])
    check_drop([dropped])
    return _instead(parent, text(kept))


def _comparison(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`P == "blue"`, `P in ("a", "b")`."""
    if parent.child_count != 3:
        return Fold()
    left, operator, right = parent.children
    compare = _COMPARE.get(operator.type)
    try:
        first, second = (_literal(each, mark, marks) for each in (left, right))
        if compare is None or (operator.type.startswith("is") and not _singletons(first, second)):
            return Fold()
        return _instead(parent, marks.put(compare(first, second), like=text(mark)))
    except (ValueError, SyntaxError, TypeError):
        return Fold()


def _literal(node: Node, mark: Node, marks: Marks) -> Json:
    found: Json = marks.value(text(mark)) if node == mark else ast.literal_eval(text(node).decode())
    return found


def _singletons(first: Json, second: Json) -> bool:
    return all(each is None or isinstance(each, bool) for each in (first, second))


def _call(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`bool(P)`."""
    call = parent.parent
    function = call.child_by_field_name("function") if call else None
    if call is None or call.type != "call" or function is None or text(function) != b"bool":
        return Fold()
    if parent.named_child_count != 1:
        return Fold()
    return _instead(call, marks.put(bool(marks.value(text(mark))), like=text(mark)))


def _comprehension_if(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`[x for x in y if P]`: without the condition where it holds."""
    if not marks.value(text(mark)):
        return Fold()
    start = parent.start_byte
    while source[start - 1 : start].isspace():
        start -= 1
    return Fold((Edit(start, parent.end_byte),))


def _statement(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """A value by itself."""
    return Fold((removed(parent, source),)) if parent.named_child_count == 1 else Fold()


def _assignment(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`x = P`, where x is never anything else."""
    name, statement = parent.child_by_field_name("left"), parent.parent
    assert statement
    if parent.child_by_field_name("right") != mark or name is None or name.type != "identifier":
        return Fold()
    if statement.type != "expression_statement" or parent.type != "assignment":
        return Fold()
    shown, scope = text(name).decode(), scope_of(statement)
    if scope.type != "function_definition":
        where = "class" if scope.type == "class_definition" else "module"
        raise Unsafe(f"`{shown}` stays, with the value: whoever has the {where} can read it")
    if reflects(scope):
        raise Unsafe(f"`{shown}` stays, with the value: the function looks at its variables by name")
    block = statement.parent
    assert block
    reads = [each for each in occurrences(scope, text(name)) if each != name]
    if any(binds(each) for each in reads):
        raise Unsafe(f"`{shown}` stays, with the value: it is bound elsewhere, too")
    if not all(statement.end_byte <= each.start_byte < block.end_byte for each in reads):
        raise Unsafe(f"`{shown}` stays, with the value: it is read where this may not have run")
    if any(_is_in_annotation(each) for each in reads):
        raise Unsafe(f"`{shown}` stays, with the value: a type speaks of it")
    edits = [Edit(each.start_byte, each.end_byte, text(mark)) for each in reads]
    return Fold((removed(statement, source), *edits))


def _is_in_annotation(node: Node) -> bool:
    return any(each.type == "type" for each in _above(node))


_FOLDS: dict[str, Folding] = {
    "parenthesized_expression": _parenthesized,
    "not_operator": _not,
    "boolean_operator": _boolean,
    "conditional_expression": _conditional,
    "comparison_operator": _comparison,
    "argument_list": _call,
    "if_clause": _comprehension_if,
    "expression_statement": _statement,
    "assignment": _assignment,
    "if_statement": fold_if,
    "elif_clause": fold_clause,
    "while_statement": fold_while,
}
