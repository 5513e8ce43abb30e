"""Aggregation: elements put into groups by their labels, and one number or a few elements made of each."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from davy.analysis.promql.arithmetic import (
    deviation,
    largest,
    mean,
    nan_last,
    quantile,
    smallest,
    total,
    variance,
    written,
)
from davy.analysis.promql.labelling import label_name
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.series import EMPTY_LABELS, NAME, Labels
from davy.analysis.promql.syntax import Aggregation
from davy.analysis.promql.vector import Element, Settings

STATISTICS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "avg": mean,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
    "max": largest,
    "min": smallest,
    "stddev": deviation,
    "stdvar": variance,
    "sum": total,
}
_COUNT_LIMIT: Final = 2.0**63


class Group(NamedTuple):
    """Elements that belong together, and the labels of what is made of them."""

    labels: Labels
    elements: list[Element]
    nameless: bool


def aggregate(
    node: Aggregation, elements: list[Element], parameter: float | str | None, settings: Settings
) -> list[Element]:
    """Aggregate a vector.

    Raises:
        QueryError: a parameter that is no count or no label name, or counted values that cannot be told
            apart.
    """
    match node.operator:
        case "topk" | "bottomk" | "limitk":
            return _chosen(node, elements, _count(parameter))
        case "count_values":
            assert isinstance(parameter, str)
            return _counted(node, elements, label_name(parameter, "count_values", settings))
        case "quantile":
            assert isinstance(parameter, float)
            rank = parameter
            return _computed(node, elements, lambda values: quantile(rank, values))
        case operator:
            return _computed(node, elements, STATISTICS[operator])


def _computed(
    node: Aggregation, elements: list[Element], compute: Callable[[Sequence[float]], float]
) -> list[Element]:
    return [
        Element(group.labels, compute([element.value for element in group.elements]), group.nameless)
        for group in _groups(node, elements)
    ]


def _chosen(node: Aggregation, elements: list[Element], count: int) -> list[Element]:
    """Pick some of each group: they stay what they were, name and all."""
    chosen: list[Element] = []
    for group in _groups(node, elements):
        match node.operator:
            case "topk":
                ordered = sorted(group.elements, key=lambda element: nan_last(-element.value))
            case "bottomk":
                ordered = sorted(group.elements, key=lambda element: nan_last(element.value))
            case _:
                ordered = sorted(group.elements, key=lambda element: element.labels.pairs)
        chosen.extend(ordered[:count])
    return chosen


def _count(parameter: float | str | None) -> int:
    assert isinstance(parameter, float)
    if not -_COUNT_LIMIT <= parameter < _COUNT_LIMIT:
        raise QueryError(f"the parameter of topk, bottomk and limitk is a count, and {parameter} is none")
    return max(0, math.trunc(parameter))


def _counted(node: Aggregation, elements: list[Element], label: str) -> list[Element]:
    """Count elements by their value, which takes a label's place before they are put into groups."""
    grouping = node if node.without else replace(node, labels=(*node.labels, label))
    valued = [
        Element(element.labels.with_label(label, written(element.value)), element.value, element.nameless)
        for element in elements
    ]
    return _computed(grouping, valued, STATISTICS["count"])


def _groups(node: Aggregation, elements: list[Element]) -> Iterator[Group]:
    """Sort elements into groups, in the order in which groups first appear."""
    if not node.without and not node.labels:
        if elements:
            yield Group(EMPTY_LABELS, elements, False)
        return
    members: defaultdict[Hashable, list[Element]] = defaultdict(list)
    key = _key(node)
    for element in elements:
        members[key(element.labels)].append(element)
    for group in members.values():
        labels = _group_labels(node, group[0].labels)
        yield Group(labels, group, NAME in labels.as_dict and any(element.nameless for element in group))


def _key(node: Aggregation) -> Callable[[Labels], Hashable]:
    if node.without:
        gone = {*node.labels, NAME}
        return lambda labels: tuple([pair for pair in labels.pairs if pair[0] not in gone])
    names = node.labels
    if len(names) == 1:
        name = names[0]
        return lambda labels: labels.as_dict.get(name, "")
    return lambda labels: tuple([labels.as_dict.get(name, "") for name in names])


def _group_labels(node: Aggregation, labels: Labels) -> Labels:
    if node.without:
        return labels.without((*node.labels, NAME))
    return Labels({name: labels.as_dict.get(name, "") for name in node.labels})
