"""Names in Python: where they are bound, where they are read, and what a function loses with a piece of it."""

from collections.abc import Iterator, Sequence

from tree_sitter import Node

from davy.flags.lint.cleanup.dialect import Unsafe
from davy.flags.lint.cleanup.marks import text

_SCOPES = {"function_definition", "lambda", "class_definition", "module"}
_PATTERNS = {
    "pattern_list",
    "tuple_pattern",
    "list_pattern",
    "list_splat_pattern",
    "tuple",
    "list",
    "expression_list",
}
_LEFT = {"assignment", "augmented_assignment", "for_statement", "for_in_clause"}
_NAMED = {
    "named_expression",
    "function_definition",
    "class_definition",
    "default_parameter",
    "typed_default_parameter",
}
_ALWAYS = {
    "parameters",
    "lambda_parameters",
    "typed_parameter",
    "dictionary_splat_pattern",
    "global_statement",
    "nonlocal_statement",
    "delete_statement",
    "as_pattern_target",
    "aliased_import",
    "dotted_name",
    "case_pattern",
    "keyword_pattern",
    "splat_pattern",
    "type_parameter",
    "import_from_statement",
}
_REFLECTION = {b"locals", b"eval", b"exec", b"vars"}
_PURE = {"integer", "float", "true", "false", "none", "identifier"}
_PARTS = {
    "list",
    "tuple",
    "dictionary",
    "pair",
    "parenthesized_expression",
    "not_operator",
    "unary_operator",
    "keyword_argument",
    "attribute",
    "string",
    "argument_list",
    "interpolation",
    "concatenated_string",
    "boolean_operator",
    "conditional_expression",
}
_HARMLESS = {b"EvaluationContext", b"get_client", b"OpenFeatureClient"}


def below(node: Node) -> Iterator[Node]:
    """Go through a node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        stack += reversed(each.children)


def scope_of(node: Node) -> Node:
    """Return the function, class or module that a name at this node belongs to."""
    at = node.parent
    if at is not None and at.type in _SCOPES and at.child_by_field_name("name") == node:
        at = at.parent  # what is defined is bound around it
    while at is not None and at.type not in _SCOPES:
        at = at.parent
    assert at is not None
    return at


def occurrences(root: Node, name: bytes) -> list[Node]:
    """Return where a name stands for what it is bound to."""
    return [
        each for each in below(root) if each.type == "identifier" and text(each) == name and not _is_label(each)
    ]


def _is_label(node: Node) -> bool:
    """Say whether it is the name of an attribute or of a keyword, and so no variable."""
    parent = node.parent
    assert parent
    if parent.type == "attribute":
        return parent.child_by_field_name("attribute") == node
    return parent.type == "keyword_argument" and parent.child_by_field_name("name") == node


def binds(node: Node) -> bool:
    """Say whether a name is bound here, or anything else is done to it but reading it."""
    parent = node.parent
    assert parent
    if parent.type in _ALWAYS:
        return True
    while parent.type in _PATTERNS and parent.parent is not None:
        node, parent = parent, parent.parent
    if parent.type in _LEFT:
        return parent.child_by_field_name("left") == node
    if parent.type in _NAMED:
        return parent.child_by_field_name("name") == node
    return parent.type in _ALWAYS


def reflects(scope: Node) -> bool:
    """Say whether a function looks at its own variables by their names."""
    return any(each.type == "identifier" and text(each) in _REFLECTION for each in below(scope))


def own(node: Node) -> Iterator[Node]:
    """Go through a node without what is inside of functions and classes below it."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        inner = each.type in _SCOPES and each is not node
        stack += [each.child_by_field_name("name")] if inner and each.type != "lambda" else ()  # type: ignore[list-item]
        stack += [] if inner else reversed(each.children)


def check_drop(dropped: Sequence[Node]) -> None:
    """Do nothing if a function stays what it is without some of its code that is never reached.

    Raises:
        Unsafe: it would not; Python decides by all of its text what is a generator, and what is local.
    """
    if not dropped:
        return
    scope = scope_of(dropped[0])
    inside = [each for piece in dropped for each in own(piece)]
    if scope.type not in ("function_definition", "lambda"):
        return
    kinds = {each.type for each in inside}
    if kinds & {"global_statement", "nonlocal_statement"}:
        raise Unsafe("what is never reached says `global` or `nonlocal`, which is true of the whole function")
    if "yield" in kinds and not any(each.type == "yield" and _is_outside(each, dropped) for each in own(scope)):
        raise Unsafe("what is never reached has the only `yield` of the function, which makes it a generator")
    if "await" in kinds and _comprehends(dropped[0]):
        raise Unsafe("what is never reached awaits inside of a comprehension")
    for name in {text(each) for each in inside if each.type == "identifier" and binds(each)}:
        rest = [each for each in occurrences(scope, name) if _is_outside(each, dropped)]
        if rest and not any(binds(each) and scope_of(each) == scope for each in rest):
            raise Unsafe(f"`{name.decode()}` is bound only in what is never reached, and is read elsewhere")


def _is_outside(node: Node, pieces: Sequence[Node]) -> bool:
    return not any(piece.start_byte <= node.start_byte < piece.end_byte for piece in pieces)


def _comprehends(node: Node) -> bool:
    at: Node | None = node
    while at is not None and at.type not in _SCOPES:
        if at.type.endswith(("comprehension", "generator_expression")):
            return True
        at = at.parent
    return False


def impure(node: Node) -> Node | None:
    """Return the first piece of an expression that may do something, None if evaluating it does nothing.

    Names are taken to be bound, attributes to be no more than looked up; a client and a context are made.
    """
    for each in below(node):
        if (
            not each.is_named
            or each.type in _PURE
            or each.type in _PARTS
            or each.type.startswith(("string", "escape"))
        ):
            continue
        if each.type == "call" and _callee(each) in _HARMLESS:
            continue
        if each.type != "comment":
            return each
    return None


def _callee(call: Node) -> bytes:
    function = call.child_by_field_name("function")
    assert function
    return text(function).rpartition(b".")[2]
