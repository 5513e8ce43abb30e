"""Names in JavaScript and TypeScript: where they are bound, and what a function loses with a piece of it."""

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from davy.flags.lint.cleanup.dialect import Unsafe
from davy.flags.lint.cleanup.marks import text

LISTS = {"statement_block", "program", "switch_case", "switch_default"}
"""What statements stand in one after the other."""

_FUNCTIONS = {
    "function_declaration",
    "function_expression",
    "arrow_function",
    "method_definition",
    "generator_function",
    "generator_function_declaration",
    "class_static_block",
    "program",
}
_NAMES = {"identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"}
_BINDING = {
    "variable_declarator": "name",
    "function_declaration": "name",
    "generator_function_declaration": "name",
    "class_declaration": "name",
    "function_expression": "name",
    "enum_declaration": "name",
    "assignment_expression": "left",
    "augmented_assignment_expression": "left",
    "for_in_statement": "left",
    "assignment_pattern": "left",
    "object_assignment_pattern": "left",
    "arrow_function": "parameter",
    "catch_clause": "parameter",
    "required_parameter": "pattern",
    "optional_parameter": "pattern",
    "pair_pattern": "value",
}
_ALWAYS = {
    "formal_parameters",
    "update_expression",
    "array_pattern",
    "rest_pattern",
    "import_specifier",
    "import_clause",
    "namespace_import",
    "export_specifier",
    "object_pattern",
    "type_query",
}
_DECLARATIONS = {
    "lexical_declaration",
    "variable_declaration",
    "class_declaration",
    "function_declaration",
    "enum_declaration",
    "generator_function_declaration",
    "type_alias_declaration",
    "interface_declaration",
}
_PURE = {
    "identifier",
    "number",
    "true",
    "false",
    "null",
    "undefined",
    "this",
    "string",
    "string_fragment",
    "escape_sequence",
    "property_identifier",
    "shorthand_property_identifier",
    "arrow_function",
    "function_expression",
    "comment",
}
_PARTS = {
    "object",
    "pair",
    "array",
    "member_expression",
    "parenthesized_expression",
    "arguments",
    "template_string",
    "template_substitution",
    "unary_expression",
    "as_expression",
    "satisfies_expression",
    "non_null_expression",
    "ternary_expression",
    "predefined_type",
    "type_identifier",
    "type_arguments",
    "type_annotation",
}
_HARMLESS = {b"getClient", b"useOpenFeatureClient"}


def below(node: Node) -> Iterator[Node]:
    """Go through a node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        stack += reversed(each.children)


def own(node: Node) -> Iterator[Node]:
    """Go through a node without what is inside of functions below it."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        if each is node or each.type not in _FUNCTIONS:
            stack += reversed(each.children)


def function_of(node: Node) -> Node:
    """Return the function, or the whole text, that a node is in."""
    at = node.parent
    while at is not None and at.type not in _FUNCTIONS:
        at = at.parent
    assert at is not None
    return at


def is_module(root: Node) -> bool:
    """Say whether a text is a module, whose names nobody else can see."""
    return any(each.type in ("import_statement", "export_statement") for each in root.children)


def occurrences(root: Node, name: bytes) -> list[Node]:
    """Return where a name stands for a variable."""
    return [each for each in below(root) if each.type in _NAMES and text(each) == name]


def binds(node: Node) -> bool:
    """Say whether a name is bound here, or anything else is done to it but reading it."""
    parent = node.parent
    assert parent
    if node.type == "shorthand_property_identifier_pattern" or parent.type in _ALWAYS:
        return True
    field = _BINDING.get(parent.type)
    return field is not None and parent.child_by_field_name(field) == node


def mentions(written: bytes, name: bytes) -> int:
    """Count a name in a text, as a word, whatever it means there."""
    return len(re.findall(rb"(?<![\w$])" + re.escape(name) + rb"(?![\w$])", written))


def declared(statements: Sequence[Node]) -> set[bytes]:
    """Return the names that statements declare in the block that they stand in."""
    found = set()
    for statement in statements:
        if statement.type in _DECLARATIONS:
            found |= _names_of(statement)
    return found


def _names_of(declaration: Node) -> set[bytes]:
    name = declaration.child_by_field_name("name")
    if name is not None:
        return {text(name)}
    targets = [
        each.child_by_field_name("name")
        for each in declaration.named_children
        if each.type == "variable_declarator"
    ]
    return {
        text(each) for target in targets if target is not None for each in below(target) if each.type in _NAMES
    }


def check_drop(dropped: Sequence[Node], also: set[bytes] = frozenset()) -> None:  # type: ignore[assignment]
    """Do nothing if a function stays what it is without some of its code that is never reached.

    Raises:
        Unsafe: a `var`, a function, or one of the names in `also` is declared in it, and is used elsewhere.
    """
    if not dropped:
        return
    scope = function_of(dropped[0])
    names = set(also)
    for each in (each for piece in dropped for each in own(piece)):
        if each.type in ("variable_declaration", "function_declaration", "generator_function_declaration"):
            names |= _names_of(each)
    rest = without(scope, dropped)
    for name in sorted(names):
        if mentions(rest, name):
            raise Unsafe(f"`{name.decode()}` is declared in what is never reached, and is used elsewhere")


def without(scope: Node, pieces: Sequence[Node]) -> bytes:
    """Return the text of a node without some pieces of it."""
    written, found, at = text(scope), [], 0
    for piece in sorted(pieces, key=lambda each: each.start_byte):
        found.append(written[at : piece.start_byte - scope.start_byte])
        at = piece.end_byte - scope.start_byte
    return b" ".join([*found, written[at:]])


def impure(node: Node) -> Node | None:
    """Return the first piece of an expression that may do something, None if evaluating it does nothing."""
    stack = [node]
    while stack:
        each = stack.pop()
        if not each.is_named or each.type in _PURE:
            continue
        harmless = each.type == "call_expression" and _callee(each) in _HARMLESS
        if not harmless and (each.type not in _PARTS or text(each).startswith(b"delete")):
            return each
        stack += reversed(each.children)
    return None


def _callee(call: Node) -> bytes:
    function = call.child_by_field_name("function")
    assert function
    return text(function).rpartition(b".")[2]
