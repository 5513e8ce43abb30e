"""What compiled rules call: looking into values, going through them, putting answers together."""

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Final

from davy.policy.rego.budget import Budget
from davy.policy.rego.builtin import BuiltinError, Context
from davy.policy.rego.errors import EvaluationError, Place
from davy.policy.rego.tree import Node
from davy.policy.rego.values import (
    UNDEFINED,
    Key,
    RegoSet,
    Value,
    compare,
    equal,
    key_of,
    sorted_keys,
    to_text,
    value_of,
)

ONCE: Final = (None,)
LOOKUP: Final = (KeyError, TypeError, IndexError)
COLLECTIONS: Final = frozenset({list, dict, RegoSet})

SIZED: Final = frozenset({str, list, dict, RegoSet})
LARGE: Final = 63
"""Elements or characters from which on a builtin's look at an argument costs steps of its own."""

HUGE: Final = 10**38
"""Numbers beyond it count by their length."""

KEPT: Final = 4
"""Steps that an element of a set or a pair of an object costs beside its turn: they take memory."""

Pinned = tuple[tuple[int, tuple[str, ...]], ...]
"""Documents, by number, with their paths, that `with` replaces."""


class Evaluation:
    """One evaluation: what is asked about, what was found out already, and what may still be spent."""

    __slots__ = ("budget", "data", "documents", "input", "known", "memo", "mocks", "pins")

    def __init__(
        self,
        given: Value,
        data: Value,
        budget: Budget,
        builtin: Context | None,
        documents: "Mapping[int, Callable[..., Value]]",
    ) -> None:
        self.input = given
        self.data = data
        self.budget = budget
        self.known = builtin
        self.documents = documents
        self.memo: dict[int, Value] = {}
        self.mocks: Mapping[str, Callable[..., Value]] = {}
        self.pins: Pinned = ()

    @property
    def builtin(self) -> Context:
        """What builtins may know; most policies never ask."""
        if self.known is None:
            self.known = Context(budget=self.budget)
        return self.known

    def replaced(
        self,
        values: Iterable[tuple[tuple[str, ...], Value, Pinned]],
        mocks: Mapping[str, Callable[..., Value]],
    ) -> "Evaluation":
        """Make the evaluation that `with` asks for: things replaced, functions mocked, nothing remembered."""
        made = Evaluation(self.input, self.data, self.budget, self.known, self.documents)
        made.mocks = {**self.mocks, **mocks} if mocks else self.mocks
        made.pins = self.pins
        for path, value, pinned in values:
            self.budget.spend()
            if path[0] == "input":
                made.input = _put(made.input, path[1:], value)
            else:
                made.data = _put(made.data, path[1:], value)
                made.pins += pinned
        for number, path in made.pins:
            made.memo[number] = follow(made.data, path)
        return made


def _put(base: Value, path: tuple[str, ...], value: Value) -> Value:
    """Return a document with one thing in it replaced; what is on the way and is no object becomes one."""
    if not path:
        return value
    made = dict(base) if type(base) is dict else {}
    made[path[0]] = _put(made.get(path[0]), path[1:], value)
    return made


# Looking into values


def index(found: Value, key: Value) -> Value:
    """Look up one key: of an object, an index of an array, an element of a set."""
    kind = type(found)
    if kind is dict:
        return found.get(key if type(key) is str else key_of(key), UNDEFINED)
    if kind is list:
        if type(key) is float and key.is_integer():
            key = int(key)
        if type(key) is int and 0 <= key < len(found):
            return found[key]
        return UNDEFINED
    if kind is RegoSet:
        return found.get(key)
    return UNDEFINED


def follow(found: Value, path: Iterable[Value]) -> Value:
    """Look up one key after the other."""
    for key in path:
        found = index(found, key)
        if found is UNDEFINED:
            return UNDEFINED
    return found


def items(evaluation: Evaluation, found: Value) -> Iterable[tuple[Value, Value]]:
    """Go through a collection with its keys, in Rego's order; a set's elements are their own keys."""
    kind = type(found)
    if kind is not list and kind is not dict and kind is not RegoSet:
        return ()
    budget = evaluation.budget
    budget.steps -= len(found)
    if budget.steps < 0 or budget.size < 0:
        budget.spend(0)
    if kind is list:
        return enumerate(found)
    if kind is dict:
        return [(value_of(key), found[key]) for key in sorted_keys(found)]
    return [(value, value) for value in found]


def values(evaluation: Evaluation, found: Value) -> Iterable[Value]:
    """Go through a collection, in Rego's order."""
    kind = type(found)
    if kind is not list and kind is not dict and kind is not RegoSet:
        return ()
    budget = evaluation.budget
    budget.steps -= len(found)
    if budget.steps < 0 or budget.size < 0:
        budget.spend(0)
    if kind is dict:
        return [found[key] for key in sorted_keys(found)]
    return found  # type: ignore[no-any-return]


def values_unordered(evaluation: Evaluation, found: Value) -> Iterable[Value]:
    """Go through a collection, in any order: for whom the order is nothing."""
    kind = type(found)
    if kind is not list and kind is not dict and kind is not RegoSet:
        return ()
    budget = evaluation.budget
    budget.steps -= len(found)
    if budget.steps < 0 or budget.size < 0:
        budget.spend(0)
    if kind is dict:
        return found.values()  # type: ignore[no-any-return]
    if kind is RegoSet:
        return found.elements()  # type: ignore[no-any-return]
    return found  # type: ignore[no-any-return]


# Packages


class Virtual:
    """A package: what rules make of it, and what data has beside."""

    __slots__ = ("base", "node")

    def __init__(self, node: Node, base: Value) -> None:
        self.node = node
        self.base = base


def virtual(evaluation: Evaluation, node: Node, path: tuple[str, ...]) -> Virtual:
    """Make the handle of a package."""
    return Virtual(node, follow(evaluation.data, path))


def virtual_get(evaluation: Evaluation, found: Value, key: Value) -> Value:
    """Look up one key of a package or a value."""
    if type(found) is not Virtual:
        return index(found, key)
    child = found.node.children.get(key) if type(key) is str else None
    base = index(found.base, key)
    if child is None:
        return base
    if child.document is None:
        return Virtual(child, base)
    if child.document.kind == "function":
        return base
    return evaluation.documents[child.document.number](evaluation)


def virtual_items(evaluation: Evaluation, found: Value) -> Iterable[tuple[Value, Value]]:
    """Go through a package or a value."""
    if type(found) is not Virtual:
        yield from items(evaluation, found)
        return
    keys: set[Key] = set(found.base) if type(found.base) is dict else set()
    for key in sorted_keys(dict.fromkeys(keys | found.node.children.keys())):
        evaluation.budget.spend()
        value = virtual_get(evaluation, found, value_of(key))
        if value is not UNDEFINED:
            yield value_of(key), value


def virtual_value(evaluation: Evaluation, found: Value) -> Value:
    """Make a plain value of a package: everything in it."""
    if type(found) is not Virtual:
        return found
    made = dict(found.base) if type(found.base) is dict else {}
    for name, child in found.node.children.items():
        evaluation.budget.spend()
        value = virtual_value(evaluation, virtual_get(evaluation, found, name))
        if child.document is not None and child.document.kind == "function":
            continue
        made[name] = value
        if value is UNDEFINED:
            del made[name]
    return made


# Putting answers together

CONFLICTS: Final[Mapping[str, str]] = {
    "complete": "complete rules must not produce multiple outputs",
    "function": "functions must not produce multiple outputs for same inputs",
    "object": "object keys must be unique",
}


def conflict(kind: str, place: Place) -> None:
    """End an evaluation in which rules contradict each other.

    Raises:
        EvaluationError: always.
    """
    raise EvaluationError("eval_conflict_error", CONFLICTS[kind], place)


def put(made: dict[Key, Value], key: Value, value: Value, place: Place) -> None:
    """Give an object a key that must have one value only."""
    at = key if type(key) is str else key_of(key)
    before = made.setdefault(at, value)
    if before is not value and not equal(before, value):
        conflict("object", place)


def put_deep(made: dict[Key, Value], path: tuple[Value, ...], value: Value, place: Place) -> None:
    """Give an object within objects a key."""
    for key in path[:-1]:
        inner = made.setdefault(key if type(key) is str else key_of(key), {})
        if type(inner) is not dict:
            conflict("object", place)
        made = inner
    put(made, path[-1], value, place)


def put_element(made: dict[Key, Value], path: tuple[Value, ...], value: Value, place: Place) -> None:
    """Add to a set within objects."""
    for key in path[:-1]:
        inner = made.setdefault(key if type(key) is str else key_of(key), {})
        if type(inner) is not dict:
            conflict("object", place)
        made = inner
    last = path[-1] if type(path[-1]) is str else key_of(path[-1])
    found = made.setdefault(last, RegoSet())
    if type(found) is not RegoSet:
        conflict("object", place)
    found.add(value)


def grown(evaluation: Evaluation, found: Value) -> None:
    """Count what a builtin or a comprehension made: the letters of a text, the places of a collection."""
    budget = evaluation.budget
    budget.size -= _size(found)
    if budget.size < 0:
        budget.grow(0)


def _size(found: Value) -> int:
    kind = type(found)
    if kind is str:
        return 16 + len(found)
    if kind is int:
        return found.bit_length() >> 3  # type: ignore[no-any-return]
    return 16 + 8 * len(found) if kind in COLLECTIONS else 0


def laboured(evaluation: Evaluation, found: Value) -> None:
    """Count that a builtin looks through a large argument: it takes as long as many turns of a loop."""
    evaluation.budget.spend(len(found) >> (10 if type(found) is str else 1))


def readable(evaluation: Evaluation, found: Value, steps: int) -> None:
    """Count that a builtin reads a text as a document, so many steps a letter."""
    if type(found) is str:
        evaluation.budget.spend(len(found) * steps >> 6)
        evaluation.budget.grow(4 * len(found))


def mocked(evaluation: Evaluation, name: str, function: Callable[..., Value], *arguments: Value) -> Value:
    """Call a function, or what `with` put in its place."""
    mock = evaluation.mocks.get(name)
    if mock is None:
        return function(evaluation, *arguments)
    outside = evaluation.replaced((), {})
    outside.mocks = {known: found for known, found in evaluation.mocks.items() if known != name}
    return mock(outside, *arguments)


def constantly(value: Value) -> Callable[..., Value]:
    """Make the function that always says the same."""
    return lambda *_: value


def turns(evaluation: Evaluation, found: Iterable[Value]) -> Iterable[Value]:
    """Go through what a builtin finds one by one."""
    budget = evaluation.budget
    try:
        for value in found:
            budget.steps -= 1
            if budget.steps < 0:
                budget.spend()
            yield value
    except BuiltinError:
        return


# Operators


def less(left: Value, right: Value) -> bool:
    """Whether left is less than right."""
    kind = type(left)
    if (kind is int or kind is str or kind is float) and type(right) is kind:
        return left < right  # type: ignore[no-any-return]
    return compare(left, right) < 0


def less_equal(left: Value, right: Value) -> bool:
    """Whether left is not greater than right."""
    return not less(right, left)


def member(value: Value, found: Value) -> bool:
    """Whether a value is in a collection."""
    kind = type(found)
    if kind is RegoSet:
        return value in found
    if kind is dict:
        found = found.values()
    elif kind is not list:
        return False
    return any(equal(value, each) for each in found)


def member_pair(key: Value, value: Value, found: Value) -> bool:
    """Whether a collection has a value at a key."""
    there = index(found, key)
    return there is not UNDEFINED and equal(there, value)


def said(evaluation: Evaluation, parts: list[RegoSet]) -> None:
    """Remember what `print` says, of everything that its arguments can be together."""
    for words in product(*(list(part) if len(part) else ["<undefined>"] for part in parts)):
        evaluation.budget.spend()
        text = " ".join(word if type(word) is str else to_text(word) for word in words)
        evaluation.budget.grow(len(text))
        evaluation.builtin.printed.append(text)


def template(parts: list[Value]) -> str:
    """Put a text together; what is undefined is said to be."""
    made = []
    for part in parts:
        if type(part) is RegoSet:
            if len(part) > 1:
                raise BuiltinError("template expressions must not have more than one value")
            part = next(iter(part)) if len(part) else "<undefined>"
        made.append(part if type(part) is str else to_text(part))
    return "".join(made)
