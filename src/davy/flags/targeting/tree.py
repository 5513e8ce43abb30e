"""A rule before it is compiled: shared rules put in, bounds held."""

from collections.abc import Iterator, Mapping
from typing import Any

from davy.flags.details import Json

DEEPEST = 128
"""Lists and objects within each other; an operator with its arguments is two."""

MOST_NODES = 100_000
"""Values in one rule, with what shared rules bring."""

MOST_OPERATORS = 5_000
"""Operators in one rule, with those of shared rules."""


class BadRule(Exception):
    """A rule is too large or too deep to be compiled; the message says which."""


class Tree:
    """One rule.

    `root` is the rule with the shared ones in the places that refer to them. References in shared rules are
    left as they are: flagd does not resolve them either.
    """

    def __init__(self, rule: Json, shared: Mapping[str, Json]) -> None:
        self._literal: set[int] = set()
        self._nodes = 0
        self._operators = 0
        self.root, _ = self._put_in(rule, shared, 0)

    def is_literal(self, items: list[Json]) -> bool:
        """Say whether a list of the rule has no operator in it."""
        return id(items) in self._literal

    def _put_in(self, node: Json, shared: Mapping[str, Json], depth: int) -> tuple[Any, bool]:
        """Return a node, and whether it is literal.

        Raises:
            BadRule: it is beyond a bound.
        """
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise BadRule(f"its targeting is too large: more than {MOST_NODES:,} values")
        if depth > DEEPEST:
            raise BadRule(f"its targeting is too deep: more than {DEEPEST} lists and objects within each other")
        if isinstance(node, list):
            return self._list(node, shared, depth)
        return self._object(node, shared, depth) if isinstance(node, dict) else (node, True)

    def _list(self, node: list[Json], shared: Mapping[str, Json], depth: int) -> tuple[Any, bool]:
        found = [self._put_in(item, shared, depth + 1) for item in node]
        items = [item for item, _ in found]
        literal = all(each for _, each in found)
        if literal:
            self._literal.add(id(items))  # every list stays where it is as long as the tree does
        return items, literal

    def _object(self, node: dict[str, Json], shared: Mapping[str, Json], depth: int) -> tuple[Any, bool]:
        if len(node) != 1:
            return node, True
        ((name, arguments),) = node.items()
        if name == "$ref" and isinstance(arguments, str) and arguments in shared:
            return self._put_in(shared[arguments], {}, depth)
        self._operators += 1
        if self._operators > MOST_OPERATORS:
            raise BadRule(f"its targeting is too large: more than {MOST_OPERATORS:,} operators")
        return {name: self._put_in(arguments, shared, depth + 1)[0]}, False


def references(rule: Json) -> Iterator[str]:
    """Go through the shared rules that a rule names; they do not name others."""
    match rule:
        case {"$ref": str(name)}:
            yield name
        case dict():
            for each in rule.values():
                yield from references(each)
        case list():
            for each in rule:
                yield from references(each)
