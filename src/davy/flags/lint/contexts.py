"""Evaluation contexts as code builds them, for whoever wants to know which attributes are handed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from davy.flags.lint.languages.syntax import Call, Syntax, named, text_of
from davy.flags.lint.terms import Known
from davy.flags.lint.usage import Attribute

if TYPE_CHECKING:
    from tree_sitter import Node

_BUILDERS = frozenset(
    (
        "EvaluationContext",
        "ImmutableContext",
        "MutableContext",
        "NewEvaluationContext",
        "NewTargetlessEvaluationContext",
    )
)
_SETTERS = frozenset(("setContext", "setEvaluationContext", "set_evaluation_context", "set_context"))
_ADDERS = frozenset(("add", "Set", "set", "SetTargetingKey", "setTargetingKey"))
_TARGETING = frozenset(("targeting_key", "targetingKey", "SetTargetingKey", "setTargetingKey"))
_HELD = frozenset(("attributes", "custom"))


class Reader(Protocol):
    """A text that is being read."""

    syntax: Syntax

    def attribute(self, name: str, value: Node | None, node: Node) -> Attribute:
        """Return an attribute of a context."""
        ...


def is_context(name: str, receiver: Node | None) -> bool:
    """Say whether a call builds an evaluation context, or adds to one."""
    if name in _BUILDERS or name in _SETTERS:
        return True
    if receiver is None:
        return False
    if name == "new" or name in _ADDERS:
        text = text_of(receiver)[:400]
        return "Context" in text or "ctx" in text or "context" in text.lower()[-40:]
    return False


def attributes_of(reader: Reader, call: Call, node: Node) -> Iterator[Attribute]:
    """Yield the attributes that a call names."""
    syntax = reader.syntax
    if call.name in ("add", "Set", "set"):
        if len(call.given) == 2 and isinstance(term := syntax.term(call.given[0].node), Known):
            yield reader.attribute(str(term.value), call.given[1].node, call.given[0].node)
        return
    for index, (name, value) in enumerate(call.given):
        inner = list(_entries(reader, value, 0))
        if name in _TARGETING or call.name in _TARGETING:
            yield reader.attribute("targetingKey", value, value)
        elif name and name not in _HELD:
            yield reader.attribute(name, value, value)
        elif inner:
            yield from inner
        elif index == 0 and not name and call.name in _BUILDERS and value.type not in syntax.objects:
            yield reader.attribute("targetingKey", value, value)


def _entries(reader: Reader, node: Node, depth: int) -> Iterator[Attribute]:
    """Yield the entries of objects, of Go's maps and of Java's `Map.of`."""
    syntax = reader.syntax
    if node.type in syntax.objects:
        for name, value, key in syntax.entries(node):
            yield reader.attribute(name, value, key)
    elif node.type == "keyed_element":
        parts = [named(each)[:1] or [each] for each in named(node)]
        if len(parts) == 2 and isinstance(term := syntax.term(parts[0][0]), Known):
            yield reader.attribute(str(term.value), parts[1][0], parts[0][0])
    elif node.type in ("composite_literal", "literal_value") and depth < 4:
        for each in named(node):
            yield from _entries(reader, each, depth + 1)
    elif (
        node.type == "method_invocation"
        and (call := syntax.call(node)) is not None
        and call.name in ("of", "entry")
    ):
        for first, second in zip(call.given[::2], call.given[1::2], strict=False):
            if isinstance(term := syntax.term(first.node), Known):
                yield reader.attribute(str(term.value), second.node, first.node)
