"""Taking a flag out of JavaScript and TypeScript, with and without JSX."""

import json
import re
from collections.abc import Callable, Iterator

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language as Grammar
from tree_sitter import Node, Parser, Tree

from davy.flags.details import Json
from davy.flags.lint.cleanup import ecma_unused
from davy.flags.lint.cleanup.dialect import Fold, Folding, Leftover, Unsafe, fold_in
from davy.flags.lint.cleanup.ecma_branches import fold_if, fold_while, removed
from davy.flags.lint.cleanup.ecma_scope import binds, check_drop, impure, is_module, occurrences
from davy.flags.lint.cleanup.edit import Edit, stands_alone, without_lines
from davy.flags.lint.cleanup.marks import Marks, text
from davy.flags.lint.usage import Language

_GRAMMARS: dict[Language, Callable[[], object]] = {
    Language.JAVASCRIPT: tree_sitter_javascript.language,
    Language.TYPESCRIPT: tree_sitter_typescript.language_typescript,
    Language.TSX: tree_sitter_typescript.language_tsx,
}
_AT_ONCE = re.compile(rb"@openfeature/(?:web|react|angular)-sdk|@openfeature/web")
_PROMISES = re.compile(rb"@openfeature/(?:server|nestjs)-sdk")
_STRING = re.compile(rb"""(["'])([^"'\\]*)\1""")
_CONDITIONS = {"if_statement", "while_statement", "do_statement", "for_statement"}


_TIGHT = (
    "member_expression",
    "arrow_function",
    "expression_statement",
    "unary_expression",
    "binary_expression",
)


def _is_loose(value: Json, parent: Node) -> bool:
    """Say whether a value needs brackets: an object looks like a block, `5.a` and `-5 ** 2` mean no number."""
    if isinstance(value, bool | str | list) or value is None:
        return False
    return isinstance(value, dict) or value < 0 or parent.type == "member_expression"


class Ecma:
    """The rules of JavaScript and of what is made of it."""

    comment = b"//"

    def __init__(self, language: Language) -> None:
        self._parser = Parser(Grammar(_GRAMMARS[language]()))

    def parse(self, source: bytes) -> Tree:
        """Parse a text."""
        return self._parser.parse(source)

    def check(self, source: bytes) -> str:
        """Say nothing: there is no other parser of it here."""
        return ""

    def spell(self, value: Json, at: Node | None) -> bytes:
        """Write a value, with the quotes that the text is fond of, and in brackets where it needs them."""
        written = json.dumps(value, ensure_ascii=False)
        parent = at.parent if at is not None else None
        if (
            isinstance(value, str)
            and at is not None
            and not re.search(r"['\\]", written[1:-1])
            and _is_single(at)
        ):
            written = f"'{written[1:-1]}'"
        if parent is not None and parent.type in _TIGHT and _is_loose(value, parent):
            written = f"({written})"
        return written.encode()

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
        if parent.type == "await_expression" and parent.parent is not None:
            found, parent = parent, parent.parent
        elif not _answers_at_once(call, function):
            raise Unsafe("it is not awaited where it is called, and nothing says that it is no promise")
        if details:
            while (
                parent.type in ("parenthesized_expression", "non_null_expression") and parent.parent is not None
            ):
                found, parent = parent, parent.parent
            name = parent.child_by_field_name("property") if parent.type == "member_expression" else None
            if name is None or text(name) != b"value":
                raise Unsafe("more than the value of its details is used")
            found = parent
        return found

    def fold(self, mark: Node, marks: Marks, source: bytes) -> Fold:
        """Decide what is nearest to a mark."""
        return fold_in(_FOLDS, mark, marks, source)

    def unused(self, root: Node, source: bytes, shrunk: set[bytes]) -> Iterator[Leftover]:
        """Find imports, constants and variables that nothing refers to any more."""
        return ecma_unused.unused(root, source, shrunk)


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


def _is_single(at: Node) -> bool:
    written = text(_root(at))
    return written.count(b"'") > written.count(b'"')


def _answers_at_once(call: Node, function: Node) -> bool:
    """Say whether a call answers with a value: hooks do, and clients of browsers."""
    written = text(_root(call))
    if text(function).rpartition(b".")[2].startswith(b"use"):
        return True
    return bool(_AT_ONCE.search(written)) and not _PROMISES.search(written)


def _short(node: Node) -> str:
    written = " ".join(text(node).decode(errors="replace").split())
    return written if len(written) <= 60 else written[:59] + "…"


def _bare(node: Node) -> Node:
    """Return what is inside of brackets."""
    while node.type == "parenthesized_expression" and node.named_child_count == 1:
        node = node.named_children[0]
    return node


def _instead(node: Node, kept: Node | bytes, source: bytes) -> Fold:
    """Put one expression in the place of another; an element of JSX needs no braces among others."""
    if isinstance(kept, bytes):
        return Fold((Edit(node.start_byte, node.end_byte, kept),))
    holder, bare = node.parent, _bare(kept)
    among = holder is not None and holder.type == "jsx_expression" and holder.parent is not None
    if (
        among
        and holder is not None
        and holder.parent is not None
        and holder.parent.type in ("jsx_element", "jsx_fragment")
    ):
        if bare.type.startswith("jsx_"):
            return Fold((Edit(holder.start_byte, holder.end_byte, text(bare)),))
        if bare.type in ("null", "undefined", "false", "true"):
            return Fold((_gone(holder, source),))
    return Fold((Edit(node.start_byte, node.end_byte, text(kept)),))


def _gone(expression: Node, source: bytes) -> Edit:
    if stands_alone(source, expression.start_byte, expression.end_byte, b"//"):
        return without_lines(source, expression.start_byte, expression.end_byte)
    return Edit(expression.start_byte, expression.end_byte)


def _holds(value: Json) -> bool:
    """Say whether a value is truthy: every object is, and every list."""
    return isinstance(value, dict | list) or bool(value)


def _parenthesized(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    outer, holds = parent.parent, _holds(marks.value(text(mark)))
    assert outer
    if outer.type == "if_statement":
        return fold_if(outer, holds, source)
    if outer.type == "while_statement":
        return Fold() if holds else fold_while(outer, source)
    if outer.type in ("do_statement", "switch_statement"):
        raise Unsafe(f"a `{outer.type.partition('_')[0]}` depends on it")
    if isinstance(marks.value(text(mark)), dict | list) or parent.named_child_count != 1:
        return Fold()
    return _instead(parent, text(mark), source)


def _unary(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    operator = parent.child_by_field_name("operator")
    if operator is None or operator.type != "!":
        return Fold()
    return _instead(parent, marks.put(not _holds(marks.value(text(mark))), like=text(mark)), source)


def _binary(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    left, right = parent.child_by_field_name("left"), parent.child_by_field_name("right")
    operator = parent.child_by_field_name("operator")
    assert left is not None
    assert right is not None
    assert operator is not None
    value = marks.value(text(mark))
    match operator.type:
        case "&&" | "||":
            goes_on = (operator.type == "&&") is _holds(value)
        case "??":
            goes_on = value is None
        case "===" | "!==" | "==" | "!=":
            return _compared(mark, parent, right if left == mark else left, operator.type, marks, source)
        case _:
            return Fold()
    if left == mark:
        if goes_on:
            return _instead(parent, right, source)
        check_drop([right])
        return _decided(parent, mark, value, source)
    if goes_on and (_is_condition(parent) or _continues(parent, operator.type)):
        return _instead(parent, left, source)
    if goes_on or operator.type == "??" or not _is_condition(parent):
        return Fold()
    if doing := impure(left):
        raise Unsafe(f"`{_short(doing)}` before it has to be evaluated all the same")
    check_drop([left])
    return _instead(parent, text(mark), source)


def _decided(node: Node, mark: Node, value: Json, source: bytes) -> Fold:
    """Put the value itself; among elements of JSX a boolean shows nothing."""
    holder = node.parent
    if holder is not None and holder.type == "jsx_expression" and (value is None or isinstance(value, bool)):
        above = holder.parent
        if above is not None and above.type in ("jsx_element", "jsx_fragment"):
            return Fold((_gone(holder, source),))
    return _instead(node, text(mark), source)


def _continues(node: Node, operator: str) -> bool:
    """Say whether it is the left of the same operator: `(a && true) && b` is `a && b`, whatever a is."""
    parent = node.parent
    if parent is None or parent.type != "binary_expression" or parent.child_by_field_name("left") != node:
        return False
    found = parent.child_by_field_name("operator")
    return found is not None and found.type == operator


def _is_condition(node: Node) -> bool:
    """Say whether nothing but the truth of an expression matters."""
    parent = node.parent
    assert parent
    match parent.type:
        case "parenthesized_expression":
            above = parent.parent
            assert above
            return above.type in _CONDITIONS or _is_condition(parent)
        case "binary_expression":
            operator = parent.child_by_field_name("operator")
            return operator is not None and operator.type in ("&&", "||") and _is_condition(parent)
        case "unary_expression":
            operator = parent.child_by_field_name("operator")
            return operator is not None and operator.type == "!"
        case "ternary_expression":
            return parent.child_by_field_name("condition") == node
        case _:
            return False


def _compared(mark: Node, parent: Node, other: Node, operator: str, marks: Marks, source: bytes) -> Fold:
    """`P === "blue"`; values of two types are left alone where `==` would make them alike."""
    value = marks.value(text(mark))
    known, literal = _literal(other)
    if not known or isinstance(value, dict | list):
        return Fold()
    alike = isinstance(value, bool) is isinstance(literal, bool) and isinstance(value, str) is isinstance(
        literal, str
    )
    alike = alike and (value is None) is (literal is None)
    if len(operator) == 2 and not alike:
        return Fold()
    equal = alike and value == literal
    return _instead(parent, marks.put(equal is operator.startswith("="), like=text(mark)), source)


def _literal(node: Node) -> tuple[bool, Json]:
    written = text(node)
    if found := _STRING.fullmatch(written):
        return True, found[2].decode()
    if node.type in ("number", "true", "false", "null"):
        try:
            value: Json = json.loads(written)
        except ValueError:
            return False, None
        return True, value
    return False, None


def _ternary(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`P ? a : b`."""
    body, other = parent.child_by_field_name("consequence"), parent.child_by_field_name("alternative")
    assert body is not None
    assert other is not None
    if parent.child_by_field_name("condition") != mark:
        return Fold()
    kept, dropped = (body, other) if _holds(marks.value(text(mark))) else (other, body)
    check_drop([dropped])
    return _instead(parent, kept, source)


def _typed(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`P as boolean`, `P!`."""
    return _instead(parent, text(mark), source) if parent.named_children[0] == mark else Fold()


def _statement(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """A value by itself."""
    return Fold((removed(parent, source),))


def _call(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`Boolean(P)`."""
    call = parent.parent
    function = call.child_by_field_name("function") if call is not None else None
    if call is None or function is None or text(function) != b"Boolean" or parent.named_child_count != 1:
        return Fold()
    return _instead(call, marks.put(_holds(marks.value(text(mark))), like=text(mark)), source)


def _declarator(mark: Node, parent: Node, marks: Marks, source: bytes) -> Fold:
    """`const x = P`, where x is never anything else."""
    name, declaration = parent.child_by_field_name("name"), parent.parent
    assert declaration
    if name is None or name.type != "identifier" or parent.child_by_field_name("value") != mark:
        return Fold()
    shown, block = text(name).decode(), declaration.parent
    assert block
    if block.type not in ("statement_block", "program") or declaration.named_child_count != 1:
        raise Unsafe(f"`{shown}` stays, with the value: it is exported, or declared beside others")
    if declaration.type != "lexical_declaration" or (block.type == "program" and not is_module(block)):
        raise Unsafe(f"`{shown}` stays, with the value: more than this block can see it")
    reads = [each for each in occurrences(block, text(name)) if each != name]
    if any(binds(each) for each in reads):
        raise Unsafe(
            f"`{shown}` stays, with the value: it is bound elsewhere, exported, or a type speaks of it"
        )
    if any(each.start_byte < declaration.end_byte for each in reads):
        raise Unsafe(f"`{shown}` stays, with the value: it is read where this may not have run")
    edits = [Edit(each.start_byte, each.end_byte, _read_as(each, text(mark))) for each in reads]
    return Fold((removed(declaration, source), *edits))


def _read_as(node: Node, mark: bytes) -> bytes:
    return text(node) + b": " + mark if node.type == "shorthand_property_identifier" else mark


_FOLDS: dict[str, Folding] = {
    "parenthesized_expression": _parenthesized,
    "unary_expression": _unary,
    "binary_expression": _binary,
    "ternary_expression": _ternary,
    "as_expression": _typed,
    "non_null_expression": _typed,
    "satisfies_expression": _typed,
    "expression_statement": _statement,
    "arguments": _call,
    "variable_declarator": _declarator,
}
