"""Java."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from davy.flags.lint.languages.syntax import Call, Given, Role, Syntax, field, named, text_of
from davy.flags.lint.terms import Binding
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Node


class Java(Syntax):
    """Java: constants are static fields of classes, and enums hold their keys as arguments."""

    language = Language.JAVA
    roles: ClassVar[dict[str, Role]] = {
        "method_invocation": Role.CALL,
        "object_creation_expression": Role.CALL,
        "method_declaration": Role.FUNCTION,
        "constructor_declaration": Role.FUNCTION,
        "lambda_expression": Role.FUNCTION,
        "class_declaration": Role.CLASS,
        "interface_declaration": Role.CLASS,
        "record_declaration": Role.CLASS,
        "enum_declaration": Role.CLASS,
        "for_statement": Role.LOOP,
        "enhanced_for_statement": Role.LOOP,
        "while_statement": Role.LOOP,
        "do_statement": Role.LOOP,
        "if_statement": Role.BRANCH,
        "ternary_expression": Role.BRANCH,
        "switch_expression": Role.BRANCH,
        "variable_declarator": Role.DECLARATION,
        "assignment_expression": Role.DECLARATION,
        "enum_constant": Role.DECLARATION,
        "field_declaration": Role.STATEMENT,
        "local_variable_declaration": Role.STATEMENT,
        "expression_statement": Role.STATEMENT,
        "return_statement": Role.STATEMENT,
        "import_declaration": Role.IMPORT,
        "line_comment": Role.COMMENT,
        "block_comment": Role.COMMENT,
    }
    strings = frozenset(("string_literal",))
    numbers = frozenset(("decimal_integer_literal", "hex_integer_literal", "decimal_floating_point_literal"))
    constants: ClassVar[dict[str, bool | None]] = {"true": True, "false": False, "null_literal": None}  # type: ignore[assignment]
    members: ClassVar[dict[str, tuple[str, str]]] = {
        "field_access": ("object", "field"),
        "scoped_identifier": ("scope", "name"),
    }

    def call(self, node: Node) -> Call | None:
        """Take a call or a construction apart."""
        name = field(node, "name", "type") or node
        given = tuple(Given("", each) for each in named(field(node, "arguments")))
        return Call(text_of(name).partition("<")[0], field(node, "object"), given)

    def declared(self, node: Node) -> Iterator[tuple[str, Node | None]]:
        """Yield what a field, a variable or a constant of an enum names; the latter is its first text."""
        name, value = field(node, "name", "left"), field(node, "value", "right")
        if node.type == "enum_constant":
            value = next((each for each in named(field(node, "arguments")) if each.type in self.strings), None)
        if name is not None and (value is not None or node.type == "enum_constant"):
            yield text_of(name), value

    def imported(self, node: Node) -> Iterator[Binding]:
        """Yield the class, or the member of a class, that an import brings."""
        path = next(
            (text_of(each) for each in named(node) if each.type in ("scoped_identifier", "identifier")), ""
        )
        owner, _, name = path.rpartition(".")
        if any(each.type == "asterisk" for each in node.named_children):
            yield Binding("*", path, "*")
        elif any(text_of(each) == "static" for each in node.children):
            yield Binding(name, owner, name)
        else:
            yield Binding(name, path)

    def package(self, root: Node) -> str:
        """Return the name of the package."""
        found = next((each for each in root.named_children if each.type == "package_declaration"), None)
        return next((text_of(each) for each in named(found) if "identifier" in each.type), "")


SYNTAXES = {Language.JAVA: Java()}
