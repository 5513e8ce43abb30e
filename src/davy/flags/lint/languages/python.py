"""Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from davy.flags.lint.languages.syntax import UNKNOWN, Call, Given, Role, Syntax, field, named, text_of
from davy.flags.lint.terms import Binding, Choice, Term
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Node

COMMENTS, KEPT = 500, 60
"""From how many lines on that have comments only they are blanked, and how many of them are kept."""


class Python(Syntax):
    """Python, and what it has of its own: keywords, dataclasses of constants, `match`."""

    language = Language.PYTHON
    roles: ClassVar[dict[str, Role]] = {
        "call": Role.CALL,
        "function_definition": Role.FUNCTION,
        "lambda": Role.FUNCTION,
        "class_definition": Role.CLASS,
        "for_statement": Role.LOOP,
        "while_statement": Role.LOOP,
        "list_comprehension": Role.LOOP,
        "set_comprehension": Role.LOOP,
        "dictionary_comprehension": Role.LOOP,
        "generator_expression": Role.LOOP,
        "if_statement": Role.BRANCH,
        "elif_clause": Role.BRANCH,
        "conditional_expression": Role.BRANCH,
        "match_statement": Role.BRANCH,
        "assignment": Role.DECLARATION,
        "augmented_assignment": Role.DECLARATION,
        "named_expression": Role.DECLARATION,
        "expression_statement": Role.STATEMENT,
        "return_statement": Role.STATEMENT,
        "import_statement": Role.IMPORT,
        "import_from_statement": Role.IMPORT,
        "comment": Role.COMMENT,
        "await": Role.AWAIT,
    }
    strings = frozenset(("string", "concatenated_string"))
    members: ClassVar[dict[str, tuple[str, str]]] = {"attribute": ("object", "attribute")}
    indexed: ClassVar[dict[str, tuple[str, str]]] = {"subscript": ("value", "subscript")}

    def readable(self, text: bytes) -> bytes:
        """Blank comments that go on and on: behind each the grammar looks through all that follow."""
        if text.count(b"#") < COMMENTS:
            return text
        lines = text.split(b"\n")
        run = 0
        for number, line in enumerate([*lines, b"end"]):
            if line.lstrip()[:1] in (b"#", b""):
                run += 1
                continue
            if run > COMMENTS:
                first, last = number - run, number - KEPT
                lines[first:last] = [b" " * len(each) for each in lines[first:last]]
            run = 0
        return b"\n".join(lines)

    def call(self, node: Node) -> Call | None:
        """Take a call apart."""
        function, arguments = field(node, "function") or node, field(node, "arguments")
        given = tuple(self._given(each) for each in named(arguments))
        if function.type == "identifier":
            return Call(text_of(function), None, given)
        name = field(function, "attribute")
        return None if name is None else Call(text_of(name), field(function, "object"), given)

    def string(self, node: Node, depth: int) -> Term:
        """Return a text; one of bytes is none."""
        start = text_of(node.children[0]).lower() if node.type == "string" and node.children else ""
        return UNKNOWN if "b" in start else super().string(node, depth)

    def declared(self, node: Node) -> Iterator[tuple[str, Node | None]]:
        """Yield what an assignment names."""
        left, right = field(node, "left", "name"), field(node, "right", "value")
        if left is None or (right is None and node.type != "augmented_assignment"):
            return
        value = None if node.type == "augmented_assignment" else right
        if left.type in ("identifier", "attribute"):
            yield text_of(left), value
        else:
            yield from ((text_of(each), None) for each in named(left))

    def imported(self, node: Node) -> Iterator[Binding]:
        """Yield what `import a.b as c` and `from a import b as c` bring."""
        module = field(node, "module_name")
        for each in node.children_by_field_name("name"):
            alias = field(each, "alias")
            name = text_of(field(each, "name") or each)
            if module is None:
                yield Binding(text_of(alias) if alias is not None else name, name)
            else:
                yield Binding(text_of(alias) if alias is not None else name, text_of(module), name)
        if module is not None and any(each.type == "wildcard_import" for each in node.named_children):
            yield Binding("*", text_of(module), "*")

    def parameters(self, node: Node) -> Iterator[str]:
        """Yield the names of parameters, without the object that a method is of."""
        found = [each.partition(":")[0] for each in super().parameters(node)]
        yield from found[1:] if found[:1] in (["self"], ["cls"]) else found

    def _choice(self, node: Node, depth: int) -> Term:
        inner = named(node)
        return Choice(tuple(self.term(each, depth + 1) for each in (*inner[:1], *inner[2:])))

    def _given(self, node: Node) -> Given:
        value = field(node, "value")
        if node.type == "keyword_argument" and value is not None:
            return Given(text_of(node.named_children[0]), value)
        return Given("", node)


SYNTAXES = {Language.PYTHON: Python()}
