"""Binary operators between scalars and vectors, and which elements of two vectors belong together."""

from collections.abc import Callable, Hashable
from typing import TypeAlias

from davy.analysis.promql.arithmetic import ARITHMETIC, COMPARISONS
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.series import NAME, Labels
from davy.analysis.promql.syntax import Binary, Cardinality, Matching, Operator
from davy.analysis.promql.vector import Element, Settings, Value

Signature: TypeAlias = Callable[[Labels], Hashable]


def combine(node: Binary, left: Value, right: Value, settings: Settings) -> Value:
    """Apply an operator to what its two sides gave.

    Raises:
        QueryError: elements of two vectors cannot be told apart by the labels they are matched on.
    """
    assert not isinstance(left, str)
    assert not isinstance(right, str)
    if isinstance(left, float):
        if isinstance(right, float):
            return _compute(node.operator, left, right)
        return _with_number(node, right, left, settings, number_first=True)
    if isinstance(right, float):
        return _with_number(node, left, right, settings, number_first=False)
    if node.operator.joins_sets:
        return _join_sets(node, left, right)
    return _match(node, left, right, settings)


def _compute(operator: Operator, left: float, right: float) -> float:
    if operator.compares:
        return float(COMPARISONS[operator](left, right))
    return ARITHMETIC[operator](left, right)


def _with_number(
    node: Binary, elements: list[Element], number: float, settings: Settings, *, number_first: bool
) -> list[Element]:
    """Apply an operator to every element; a comparison without `bool` keeps the elements for which it holds."""
    filters = node.operator.compares and not node.return_bool
    kept = []
    for element in elements:
        sides = (number, element.value) if number_first else (element.value, number)
        value = _compute(node.operator, *sides)
        if not filters:
            kept.append(Element(settings.renamed(element.labels), value, True))
        elif value:
            kept.append(Element(element.labels, element.value, element.nameless))
    return kept


def _signature(matching: Matching) -> Signature:
    """Give what two elements must share to belong together; the name counts only where it is asked for."""
    if matching.on:
        names = tuple(sorted(matching.labels))
        return lambda labels: tuple([labels.as_dict.get(name, "") for name in names])
    gone = {*matching.labels, NAME}
    return lambda labels: tuple([pair for pair in labels.pairs if pair[0] not in gone])


def _join_sets(node: Binary, left: list[Element], right: list[Element]) -> list[Element]:
    signature = _signature(node.matching)
    if node.operator is Operator.OR:
        known = {signature(element.labels) for element in left}
        return left + [element for element in right if signature(element.labels) not in known]
    known = {signature(element.labels) for element in right}
    wanted = node.operator is Operator.AND
    return [element for element in left if (signature(element.labels) in known) is wanted]


def _match(node: Binary, left: list[Element], right: list[Element], settings: Settings) -> list[Element]:
    """Apply an operator to the pairs of two vectors; "many" is the side whose labels the result has.

    Where one side is empty nothing can match, and the other is not looked at, as Prometheus does.
    """
    if not left or not right:
        return []
    swapped = node.matching.cardinality is Cardinality.ONE_TO_MANY
    many, one = (right, left) if swapped else (left, right)
    signature = _signature(node.matching)
    partners = _partners(one, signature, "left" if swapped else "right")
    single = node.matching.cardinality is Cardinality.ONE_TO_ONE
    filters = node.operator.compares and not node.return_bool
    results: list[Element] = []
    taken: set[Hashable] = set()
    for element in many:
        key = signature(element.labels)
        partner = partners.get(key)
        if partner is None:
            continue
        first, second = (partner, element) if swapped else (element, partner)
        value = _compute(node.operator, first.value, second.value)
        if filters and not value:
            continue
        labels = _result_labels(node, element.labels, partner.labels, settings)
        identity: Hashable = key if single else labels
        if identity in taken:
            raise QueryError(_AMBIGUOUS_SINGLE if single else _AMBIGUOUS_MANY)
        taken.add(identity)
        results.append(
            Element(labels, first.value if filters else value, element.nameless if filters else True)
        )
    return results


_AMBIGUOUS_SINGLE = (
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
)
_AMBIGUOUS_MANY = "multiple matches for labels: grouping labels must ensure unique matches"


def _partners(elements: list[Element], signature: Signature, side: str) -> dict[Hashable, Element]:
    partners: dict[Hashable, Element] = {}
    for element in elements:
        key = signature(element.labels)
        if key in partners:
            raise QueryError(
                f"found duplicate series for the match group on the {side} hand-side of the operation: "
                f"[{partners[key].labels!r}, {element.labels!r}]; many-to-many matching not allowed: "
                "matching labels must be unique on one side"
            )
        partners[key] = element
    return partners


def _result_labels(node: Binary, many: Labels, one: Labels, settings: Settings) -> Labels:
    """Give the labels of a result: those matched on, or the many side's and what is asked of the other."""
    matching = node.matching
    labels = many
    if not node.operator.compares or (node.return_bool and settings.prometheus_2):
        labels = labels.without_name()
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        if matching.on:
            kept = set(matching.labels)
            labels = Labels({name: value for name, value in labels.items() if name in kept})
        elif matching.labels:
            labels = labels.without(matching.labels)
    for name in matching.include:
        labels = labels.with_label(name, one.as_dict.get(name, ""))
    return labels
