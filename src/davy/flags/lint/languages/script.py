"""JavaScript and TypeScript, with and without elements in their midst."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from davy.flags.lint.languages.syntax import Call, Given, Role, Syntax, field, named, text_of
from davy.flags.lint.terms import Binding, Known
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Node

_ROLES: dict[str, Role] = {
    "call_expression": Role.CALL,
    "new_expression": Role.STATEMENT,
    "function_declaration": Role.FUNCTION,
    "function_expression": Role.FUNCTION,
    "generator_function_declaration": Role.FUNCTION,
    "arrow_function": Role.FUNCTION,
    "method_definition": Role.FUNCTION,
    "class_declaration": Role.CLASS,
    "class": Role.CLASS,
    "for_statement": Role.LOOP,
    "for_in_statement": Role.LOOP,
    "while_statement": Role.LOOP,
    "do_statement": Role.LOOP,
    "if_statement": Role.BRANCH,
    "ternary_expression": Role.BRANCH,
    "switch_statement": Role.BRANCH,
    "variable_declarator": Role.DECLARATION,
    "assignment_expression": Role.DECLARATION,
    "expression_statement": Role.STATEMENT,
    "return_statement": Role.STATEMENT,
    "lexical_declaration": Role.STATEMENT,
    "export_statement": Role.IMPORT,
    "import_statement": Role.IMPORT,
    "comment": Role.COMMENT,
    "await_expression": Role.AWAIT,
}


class Script(Syntax):
    """JavaScript: modules of two sorts, objects that are enums, functions that are values."""

    language = Language.JAVASCRIPT
    roles: ClassVar[dict[str, Role]] = {**_ROLES, "field_definition": Role.DECLARATION}
    importing = frozenset(("variable_declarator",))
    strings = frozenset(("string", "template_string"))
    transparent = frozenset(
        (
            "parenthesized_expression",
            "as_expression",
            "satisfies_expression",
            "non_null_expression",
            "await_expression",
        )
    )
    names = frozenset(("identifier", "shorthand_property_identifier"))
    members: ClassVar[dict[str, tuple[str, str]]] = {"member_expression": ("object", "property")}
    indexed: ClassVar[dict[str, tuple[str, str]]] = {"subscript_expression": ("object", "index")}

    def call(self, node: Node) -> Call | None:
        """Take a call apart."""
        function, arguments = field(node, "function"), field(node, "arguments")
        if function is None or arguments is None or arguments.type != "arguments":
            return None
        given = tuple(Given("", each) for each in named(arguments))
        if function.type == "await_expression":
            function = named(function)[0]  # `await f<T>(…)`, as some versions of the grammar have it
        if function.type == "identifier":
            return Call(text_of(function), None, given)
        name = field(function, "property")
        return None if name is None else Call(text_of(name), field(function, "object"), given)

    def declared(self, node: Node) -> Iterator[tuple[str, Node | None]]:
        """Yield what a variable, a field, a member of an enum or an assignment names."""
        left, right = field(node, "name", "left", "property", "key"), field(node, "value", "right")
        if node.type == "export_statement" and right is not None:
            yield "default", right
        if left is None or right is None:
            return
        name = text_of(left)
        if left.type in ("object_pattern", "array_pattern"):
            yield from ((text_of(field(each, "value", "left") or each), None) for each in named(left))
        elif name == "module.exports":
            yield "default", right
        elif name.startswith(("module.exports.", "exports.")):
            yield name.rpartition(".")[2], right
        else:
            yield name.strip("\"'"), right

    def imported(self, node: Node) -> Iterator[Binding]:
        """Yield what `import`, `export … from`, `export { … }` and `require` bring."""
        match self.term(field(node, "source")):
            case Known(str(module)):
                pass
            case _:
                module = ""
        if node.type == "variable_declarator":
            yield from self._required(node)
            return
        if node.type == "export_statement" and field(node, "declaration", "value") is not None:
            return
        clauses = [
            each for each in named(node) if each.type in ("import_clause", "export_clause", "namespace_export")
        ]
        if not clauses and module:
            yield Binding("*" if node.type == "export_statement" else "", module, "*")
        for clause in clauses:
            yield from self._clause(clause, module)

    def name_of(self, node: Node) -> str:
        """Return the name of a function or class, or of what it is assigned to."""
        if found := super().name_of(node):
            return found
        parent = node.parent
        if parent is None or parent.type not in (
            "variable_declarator",
            "pair",
            "assignment_expression",
            "field_definition",
            "public_field_definition",
        ):
            return ""
        return next((name for name, value in self.declared(parent) if value == node), "")

    def _required(self, node: Node) -> Iterator[Binding]:
        """Yield what `const … = require(…)` brings."""
        value, left = field(node, "value"), field(node, "name")
        call = self.call(value) if value is not None and value.type == "call_expression" else None
        if left is None or call is None or call.name != "require" or not call.given:
            return
        match self.term(call.given[0].node):
            case Known(str(module)) if left.type == "object_pattern":
                for each in named(left):
                    yield Binding(
                        text_of(field(each, "value") or each), module, text_of(field(each, "key") or each)
                    )
            case Known(str(module)):
                yield Binding(text_of(left), module)

    def _clause(self, clause: Node, module: str) -> Iterator[Binding]:
        """Yield what one clause of an import or an export names."""
        if clause.type == "namespace_export":
            yield Binding(text_of(named(clause)[0]), module)
            return
        for each in named(clause):
            if each.type == "identifier":
                yield Binding(text_of(each), module, "default")
            elif each.type == "namespace_import":
                yield Binding(text_of(named(each)[0]), module)
            elif each.type == "named_imports":
                yield from self._clause(each, module)
            else:
                name = field(each, "name") or each
                yield Binding(text_of(field(each, "alias") or name), module, text_of(name))


class TypeScript(Script):
    """TypeScript."""

    language = Language.TYPESCRIPT
    roles: ClassVar[dict[str, Role]] = {
        **_ROLES,
        "public_field_definition": Role.DECLARATION,
        "enum_declaration": Role.CLASS,
        "enum_assignment": Role.DECLARATION,
        "internal_module": Role.CLASS,
        "abstract_class_declaration": Role.CLASS,
    }


class Tsx(TypeScript):
    """TypeScript with elements."""

    language = Language.TSX


SYNTAXES = {each.language: each for each in (Script(), TypeScript(), Tsx())}
