"""C#."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from davy.flags.lint.languages.syntax import UNKNOWN, Call, Given, Role, Syntax, field, named, text_of
from davy.flags.lint.terms import Binding, Known, Term
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Node


class CSharp(Syntax):
    """C#: every call waits, arguments may have names, constants are members of classes."""

    language = Language.CSHARP
    roles: ClassVar[dict[str, Role]] = {
        "invocation_expression": Role.CALL,
        "method_declaration": Role.FUNCTION,
        "constructor_declaration": Role.FUNCTION,
        "local_function_statement": Role.FUNCTION,
        "lambda_expression": Role.FUNCTION,
        "class_declaration": Role.CLASS,
        "struct_declaration": Role.CLASS,
        "record_declaration": Role.CLASS,
        "interface_declaration": Role.CLASS,
        "for_statement": Role.LOOP,
        "foreach_statement": Role.LOOP,
        "while_statement": Role.LOOP,
        "do_statement": Role.LOOP,
        "if_statement": Role.BRANCH,
        "conditional_expression": Role.BRANCH,
        "switch_statement": Role.BRANCH,
        "switch_expression": Role.BRANCH,
        "variable_declarator": Role.DECLARATION,
        "assignment_expression": Role.DECLARATION,
        "property_declaration": Role.DECLARATION,
        "field_declaration": Role.STATEMENT,
        "local_declaration_statement": Role.STATEMENT,
        "expression_statement": Role.STATEMENT,
        "return_statement": Role.STATEMENT,
        "using_directive": Role.IMPORT,
        "comment": Role.COMMENT,
        "await_expression": Role.AWAIT,
    }
    strings = frozenset(
        ("string_literal", "verbatim_string_literal", "raw_string_literal", "interpolated_string_expression")
    )
    numbers = frozenset(("integer_literal", "real_literal"))
    constants: ClassVar[dict[str, bool | None]] = {"null_literal": None}  # type: ignore[assignment]
    members: ClassVar[dict[str, tuple[str, str]]] = {
        "member_access_expression": ("expression", "name"),
        "qualified_name": ("qualifier", "name"),
    }

    def call(self, node: Node) -> Call | None:
        """Take a call apart."""
        function = field(node, "function") or node
        given = tuple(found for each in named(field(node, "arguments")) for found in self._given(each))
        name, receiver = function, None
        if function.type == "member_access_expression":
            name, receiver = field(function, "name") or function, field(function, "expression")
        elif function.type == "conditional_access_expression":
            *_, last = named(function)
            name, receiver = (named(last) or [last])[-1], named(function)[0]
        return Call(text_of(name).partition("<")[0], receiver, given)

    def term(self, node: Node | None, depth: int = 0) -> Term:
        """Return what an expression says; booleans are one sort of node here."""
        if node is not None and node.type == "boolean_literal":
            return Known(text_of(node) == "true")
        return super().term(node, depth)

    def string(self, node: Node, depth: int) -> Term:
        """Return a text; some have no parts."""
        text = text_of(node)
        if node.type == "verbatim_string_literal":
            return Known(text[2:-1].replace('""', '"'))
        if node.type == "raw_string_literal":
            return Known(text.strip('"').strip()) if "\n" not in text else UNKNOWN
        if node.type == "interpolated_string_expression" and '@"' in text[:3] and "{" not in text:
            return Known(text.partition('"')[2][:-1])
        return super().string(node, depth)

    def declared(self, node: Node) -> Iterator[tuple[str, Node | None]]:
        """Yield what a field, a variable or a property names."""
        name, value = field(node, "name", "left"), field(node, "value", "right")
        if value is None and node.type == "variable_declarator":
            value = next((each for each in named(node) if each != name), None)
        if value is not None and value.type == "arrow_expression_clause":
            value = next(iter(named(value)), None)
        if name is not None and value is not None:
            yield text_of(name), value

    def imported(self, node: Node) -> Iterator[Binding]:
        """Yield what `using` brings: a namespace, the members of a class, or one name for another."""
        alias = field(node, "name")
        path = next((text_of(each) for each in reversed(named(node)) if each != alias), "")
        if alias is not None and path:
            yield Binding(text_of(alias), path)
        elif any(text_of(each) == "static" for each in node.children):
            yield Binding("*", path, "static")
        else:
            yield Binding("*", path, "*")

    def package(self, root: Node) -> str:
        """Return the namespace."""
        found = next((each for each in root.named_children if "namespace" in each.type), None)
        name = None if found is None else field(found, "name")
        return "" if name is None else text_of(name)

    def _given(self, node: Node) -> Iterator[Given]:
        name, inner = field(node, "name"), named(node)
        yield from (Given("" if name is None else text_of(name), each) for each in inner[-1:])


SYNTAXES = {Language.CSHARP: CSharp()}
