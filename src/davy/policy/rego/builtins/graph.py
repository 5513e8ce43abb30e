"""Builtins that go along the edges of a graph, and `walk`, which goes through a value."""

from collections.abc import Iterator

from davy.policy.rego.budget import check_collection
from davy.policy.rego.builtin import Builtin, Context
from davy.policy.rego.builtins.aggregates import several
from davy.policy.rego.builtins.objects import mapping
from davy.policy.rego.values import Key, RegoSet, Value, key_of, sorted_keys, value_of


def reachable(graph: Value, starts: Value) -> RegoSet:
    """The nodes that can be come by from some nodes; what is no node of the graph does not count."""
    edges, pending, seen = mapping(graph, 1), list(several(starts, 2)), RegoSet()
    while pending:
        node = pending.pop()
        targets = edges.get(key_of(node), seen)
        if targets is seen or node in seen:
            continue
        seen.add(node)
        if type(targets) in (list, RegoSet):
            pending.extend(targets)
    return seen


def reachable_paths(context: Context, graph: Value, starts: Value) -> RegoSet:
    """The ways along the edges, each as far as it goes without coming to a node twice."""
    edges, made = mapping(graph, 1), RegoSet()
    for start in several(starts, 2):
        for path in _paths(context, edges, start, [], frozenset()):
            made.add(path)
            check_collection(len(made))
    return made


def _paths(
    context: Context, edges: dict[Key, Value], node: Value, before: list[Value], barred: frozenset[Key]
) -> Iterator[list[Value]]:
    """Go on from what may or may not be a node; a way ends at the last that is, or before a barred one.

    Where a way begins nothing is barred, so that an edge from there to itself is taken once, as OPA does.
    """
    context.budget.spend(len(before) + 1)
    key = key_of(node)
    if key not in edges:
        if before:
            yield before
        return
    path, targets = [*before, node], edges[key]
    found = list(targets) if type(targets) in (list, RegoSet) else []
    if not found:
        yield path
    for target in found:
        there = key_of(target)
        if there in barred:
            yield path
        else:
            yield from _paths(context, edges, target, path, barred | {key, there})


def walk(context: Context, value: Value) -> Iterator[list[Value]]:
    """Every value inside a value, itself first, each as `[path, value]`."""
    pending: list[tuple[list[Value], Value]] = [([], value)]
    while pending:
        path, here = pending.pop()
        context.budget.spend(len(path) + 1)
        yield [path, here]
        if type(here) is list:
            pending.extend(([*path, at], here[at]) for at in range(len(here) - 1, -1, -1))
        elif type(here) is dict:
            pending.extend(([*path, value_of(key)], here[key]) for key in reversed(sorted_keys(here)))
        elif type(here) is RegoSet:
            pending.extend(([*path, found], found) for found in reversed(list(here)))


FAMILY = (
    Builtin("graph.reachable", 2, reachable),
    Builtin("graph.reachable_paths", 2, reachable_paths, contextual=True),
    Builtin("walk", 1, walk, contextual=True, relation=True),
)
