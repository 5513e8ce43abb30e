"""Ruby."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from davy.flags.lint.languages.syntax import Call, Given, Role, Syntax, field, named, text_of
from davy.flags.lint.terms import Binding, Known, Term
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Node


class Ruby(Syntax):
    """Ruby: constants in modules, keywords by name, blocks that loop, conditions behind what they guard."""

    language = Language.RUBY
    roles: ClassVar[dict[str, Role]] = {
        "call": Role.CALL,
        "method": Role.FUNCTION,
        "singleton_method": Role.FUNCTION,
        "lambda": Role.FUNCTION,
        "do_block": Role.FUNCTION,
        "block": Role.FUNCTION,
        "class": Role.CLASS,
        "module": Role.CLASS,
        "for": Role.LOOP,
        "while": Role.LOOP,
        "until": Role.LOOP,
        "if": Role.BRANCH,
        "elsif": Role.BRANCH,
        "unless": Role.BRANCH,
        "if_modifier": Role.BRANCH,
        "unless_modifier": Role.BRANCH,
        "conditional": Role.BRANCH,
        "case": Role.BRANCH,
        "assignment": Role.DECLARATION,
        "return": Role.STATEMENT,
        "comment": Role.COMMENT,
    }
    importing = frozenset(("call",))
    strings = frozenset(("string", "simple_symbol", "delimited_symbol", "chained_string"))
    names = frozenset(("identifier", "constant", "instance_variable", "class_variable", "global_variable"))
    members: ClassVar[dict[str, tuple[str, str]]] = {"scope_resolution": ("scope", "name")}
    indexed: ClassVar[dict[str, tuple[str, str]]] = {"element_reference": ("object", "")}

    def call(self, node: Node) -> Call | None:
        """Take a call apart."""
        name = field(node, "method") or node
        given = tuple(self._given(each) for each in named(field(node, "arguments")))
        return Call(text_of(name), field(node, "receiver"), given)

    def string(self, node: Node, depth: int) -> Term:
        """Return a text, or a symbol as one."""
        return Known(text_of(node)[1:]) if node.type == "simple_symbol" else super().string(node, depth)

    def parts(self, node: Node, depth: int = 0) -> tuple[str, ...] | None:
        """Return the parts of a name; calls without arguments may be members."""
        if node.type == "call" and depth < 4 and field(node, "arguments", "block") is None:
            name, receiver = field(node, "method"), field(node, "receiver")
            before = None if receiver is None else self.parts(receiver, depth + 1)
            if name is not None and before is not None:
                return before if text_of(name) in ("freeze", "to_s") else (*before, text_of(name))
        return super().parts(node, depth)

    def declared(self, node: Node) -> Iterator[tuple[str, Node | None]]:
        """Yield what an assignment names."""
        left, right = field(node, "left"), field(node, "right")
        if left is not None and right is not None and left.type in self.names:
            yield text_of(left), right

    def imported(self, node: Node) -> Iterator[Binding]:
        """Yield what `require` names: a file, whose constants are everybody's."""
        call = self.call(node)
        if call is None or call.receiver is not None or not call.given:
            return
        if call.name in ("require", "require_relative", "load"):
            match self.term(call.given[0].node):
                case Known(str(path)):
                    yield Binding("*", f"./{path}" if call.name == "require_relative" else path, "*")

    def _given(self, node: Node) -> Given:
        key, value = field(node, "key"), field(node, "value")
        if node.type == "pair" and key is not None:
            return Given(text_of(key).strip(":\"'"), value if value is not None else key)
        return Given("", node)


SYNTAXES = {Language.RUBY: Ruby()}
