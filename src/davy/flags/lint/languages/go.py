"""Go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from davy.flags.lint.languages.syntax import Call, Given, Role, Syntax, field, named, text_of
from davy.flags.lint.terms import Binding
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Node


class Go(Syntax):
    """Go: blocks of constants, packages that are directories, values that come with an error."""

    language = Language.GO
    roles: ClassVar[dict[str, Role]] = {
        "call_expression": Role.CALL,
        "function_declaration": Role.FUNCTION,
        "method_declaration": Role.FUNCTION,
        "func_literal": Role.FUNCTION,
        "for_statement": Role.LOOP,
        "if_statement": Role.BRANCH,
        "expression_switch_statement": Role.BRANCH,
        "const_spec": Role.DECLARATION,
        "var_spec": Role.DECLARATION,
        "short_var_declaration": Role.DECLARATION,
        "assignment_statement": Role.DECLARATION,
        "expression_statement": Role.STATEMENT,
        "return_statement": Role.STATEMENT,
        "import_spec": Role.IMPORT,
        "comment": Role.COMMENT,
    }
    strings = frozenset(("interpreted_string_literal", "raw_string_literal"))
    numbers = frozenset(("int_literal", "float_literal"))
    members: ClassVar[dict[str, tuple[str, str]]] = {"selector_expression": ("operand", "field")}

    def call(self, node: Node) -> Call | None:
        """Take a call apart."""
        function = field(node, "function") or node
        given = tuple(Given("", each) for each in named(field(node, "arguments")))
        if function.type == "identifier":
            return Call(text_of(function), None, given)
        name = field(function, "field")
        return None if name is None else Call(text_of(name), field(function, "operand"), given)

    def declared(self, node: Node) -> Iterator[tuple[str, Node | None]]:
        """Yield what constants, variables and assignments name."""
        left = node.children_by_field_name("name") or named(field(node, "left"))
        right = named(field(node, "value", "right"))
        for index, each in enumerate(left):
            if right:
                yield (
                    text_of(each),
                    right[index] if len(right) == len(left) else (right[0] if index == 0 else None),
                )

    def imported(self, node: Node) -> Iterator[Binding]:
        """Yield what one line of an import brings: a package."""
        path, alias = text_of(field(node, "path") or node).strip('"`'), field(node, "name")
        local = path.rpartition("/")[2] if alias is None else text_of(alias)
        yield Binding("*" if local == "." else local, path, "*" if local == "." else "")

    def package(self, root: Node) -> str:
        """Return the name of the package."""
        clause = next((each for each in root.named_children if each.type == "package_clause"), None)
        return text_of(named(clause)[0]) if named(clause) else ""

    def name_of(self, node: Node) -> str:
        """Return the name of a function, or the field of a struct that it is put into."""
        if found := super().name_of(node):
            return found
        parent = node.parent
        element = None if parent is None else parent.parent
        if element is None or element.type != "keyed_element":
            return ""
        return text_of(element.named_children[0])

    def parameters(self, node: Node) -> Iterator[str]:
        """Yield the names of parameters; several may have one type."""
        for each in named(field(node, "parameters")):
            yield from (text_of(name) for name in each.children_by_field_name("name"))


SYNTAXES = {Language.GO: Go()}
