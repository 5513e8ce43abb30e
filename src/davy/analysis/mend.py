"""Move a threshold out of a query and into conditions: the edits behind `davy fix`.

    query: sum(rate(errors[1m])) / sum(rate(requests[1m])) > 0.02

has no value when all is well and none when nothing is known, and Argo Rollouts records either as Successful.
The comparison becomes two conditions, and the query answers with the value itself:

    successCondition: len(result) > 0 && result[0] <= 0.02
    failureCondition: len(result) > 0 && result[0] > 0.02

No data meets neither and is Inconclusive. What the comparison says is taken for what is *bad*: so it is in an
alert, where such queries come from, and the other reading would be a gate that passes on an outage.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from davy.analysis.promql.parse import parse
from davy.analysis.promql.scope import Comparison, QueryError, comparison
from davy.analysis.promql.syntax import Aggregation, Binary, Call, Expression, Negation, Number, Operator
from davy.analysis.splice import align, without_properties
from davy.model.analysis import AnalysisTemplate, AnalysisTemplateSpec, ClusterAnalysisTemplate, Metric
from davy.model.document import Document
from davy.model.source import Span

_TAG = re.compile(r"\{\{[^{}]*\}\}")
_NAME = re.compile(r"[A-Za-z0-9_:]")
_FIELD = re.compile(r"\.[A-Za-z]+")
_AS_IN_CONDITIONS = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_OPPOSITES = {
    Operator.GREATER: "<=",
    Operator.GREATER_EQUAL: "<",
    Operator.LESS: ">=",
    Operator.LESS_EQUAL: ">",
    Operator.EQUAL: "!=",
    Operator.NOT_EQUAL: "==",
}
#: Aggregations that give several elements for one group.
_SEVERAL = frozenset({"topk", "bottomk", "limitk", "count_values"})


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace `text[start:end]` by `insert`; `what` says what for, `metric` is the path of the metric."""

    start: int
    end: int
    insert: str
    what: str
    metric: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where in a query's value the comparison stands, whether the number comes first, and what is bad."""

    start: int
    end: int
    first: bool
    bad: Operator
    number: str
    single: bool


def edits(document: Document) -> tuple[Edit, ...]:
    """Find what to edit in the text of an analysis template, in its order; nothing in other documents.

    A query that several metrics share through an anchor is left alone: what mends one would break the other.
    """
    template = document.value
    if not isinstance(template, (AnalysisTemplate, ClusterAnalysisTemplate)):
        return ()
    paths = metric_paths(template.spec)
    uses = Counter(_query_span(document, path) for path in paths)
    found = [
        edit
        for path, metric in zip(paths, template.spec.metrics, strict=True)
        if uses[_query_span(document, path)] == 1
        for edit in _metric_edits(document, path, metric)
    ]
    return tuple(sorted(found))


def metric_paths(spec: AnalysisTemplateSpec) -> list[str]:
    """Return the paths of a template's metrics, by which a document knows their places."""
    return [f"spec.metrics[{number}]" for number in range(len(spec.metrics))]


def _query_span(document: Document, path: str) -> Span:
    return document.position(f"{path}.provider.prometheus.query").value


def _metric_edits(document: Document, path: str, metric: Metric) -> Iterator[Edit]:
    prometheus = metric.provider.prometheus
    written = document.has(f"{path}.successCondition") or document.has(f"{path}.failureCondition")
    if not prometheus or written:
        return
    threshold = _threshold(prometheus.query)
    aligned = align(document.text_of(f"{path}.provider.prometheus.query"), prometheus.query)
    if not threshold or not aligned:
        return
    start, end = (aligned.cut_start if threshold.first else aligned.cut_end)(threshold.start, threshold.end)
    base = _query_span(document, path).start
    yield _insertion(document, path, metric.name, threshold)
    yield Edit(base + start, base + end, "", f"{metric.name}: the query answers with the value itself", path)


def _threshold(query: str) -> Threshold | None:
    """Find the comparison that a query is; placeholders are read as something else that is as long."""
    masked = _TAG.sub(_mask, query)
    try:
        found = comparison(masked)
    except QueryError:
        return None
    number = _number(found, query) if found else None
    if not found or not number:
        return None
    return Threshold(
        found.start, found.end, found.number_first, found.holds, number, _single(parse(found.query))
    )


def _mask(tag: re.Match[str]) -> str:
    """Stand in for a placeholder: a duration in brackets, a part of a name beside one, else a number."""
    length = len(tag[0])
    before, after = tag.string[: tag.start()], tag.string[tag.end() :]
    if before.endswith(("[", ":")):
        return "0" * (length - 2) + "5m"
    if _NAME.fullmatch(before[-1:]) or _NAME.match(after) or after.startswith(("{", "[")):
        return "x" * length
    return "1." + "0" * (length - 2)


def _number(found: Comparison, query: str) -> str | None:
    """Write the number as it stands in the query, or as conditions can read it; None for an infinite one."""
    piece = query[found.start : found.end]
    written = (
        piece.removesuffix(found.operator) if found.number_first else piece.removeprefix(found.operator)
    ).strip()
    if _TAG.fullmatch(written) or _AS_IN_CONDITIONS.fullmatch(written):
        return written
    return f"{found.threshold!r}" if math.isfinite(found.threshold) and not _TAG.search(written) else None


def _single(query: Expression) -> bool:
    """Say whether a query can only ever answer with one element, so that `result[0]` is all of it."""
    match query:
        case Number():
            return True
        case Negation():
            return _single(query.operand)
        case Binary():
            return not query.operator.joins_sets and _single(query.left) and _single(query.right)
        case Aggregation():
            return not query.labels and not query.without and query.operator not in _SEVERAL
        case Call(function="histogram_quantile", arguments=(_, Aggregation(labels=("le",), without=False))):
            return True
        case Call(function="vector" | "scalar" | "time" | "absent" | "absent_over_time"):
            return True
        case Call():
            return bool(query.arguments) and all(_single(argument) for argument in query.arguments)
        case _:
            return False


def _conditions(threshold: Threshold) -> dict[str, str]:
    """Write the comparison as the failure of a metric, and its opposite as the success."""
    bad, good = (
        _compare("result[0]" if threshold.single else "#", operator, threshold.number)
        for operator in (threshold.bad.value, _OPPOSITES[threshold.bad])
    )
    if threshold.single:
        return {
            "successCondition": f"len(result) > 0 && {good}",
            "failureCondition": f"len(result) > 0 && {bad}",
        }
    return {
        "successCondition": f"len(result) > 0 && all(result, {good})",
        "failureCondition": f"any(result, {bad})",
    }


def _compare(value: str, operator: str, number: str) -> str:
    """Compare; NaN is unequal to everything, so that inequality has to ask for it."""
    return f"{value} {operator} {number}" + (f" && !isNaN({value})" if operator == "!=" else "")


def _insertion(document: Document, path: str, name: str, threshold: Threshold) -> Edit:
    """Put the conditions before the provider: after the line of the field before it, where there is one."""
    text = document.source.text
    key = document.position(f"{path}.provider").key
    assert key is not None  # a field has one
    conditions = _conditions(threshold)
    what = f"{name}: " + " and ".join(f"{field} {condition}" for field, condition in conditions.items())
    if without_properties(document.text_of(path)).startswith("{"):
        pairs = (f"{json.dumps(field)}: {json.dumps(condition)}, " for field, condition in conditions.items())
        return Edit(key.start, key.start, "".join(pairs), what, path)
    lines = [f"{field}: {_scalar(condition)}" for field, condition in conditions.items()]
    before = [end for end in _field_ends(document, path) if end < key.start]
    at = text.index("\n", max(before, default=key.start))
    at, newline = (at - 1, "\r\n") if text[at - 1] == "\r" else (at, "\n")
    line_break = newline + " " * (document.source.place(key.start).column - 1)
    if not before:
        return Edit(key.start, key.start, "".join(line + line_break for line in lines), what, path)
    return Edit(at, at, "".join(line_break + line for line in lines), what, path)


def _field_ends(document: Document, path: str) -> Iterator[int]:
    for below, position in document.positions.items():
        if position.key and below.startswith(path) and _FIELD.fullmatch(below[len(path) :]):
            yield max(position.key.end, position.value.end)


def _scalar(condition: str) -> str:
    """Write a condition as a scalar of YAML, without quotes if it can be."""
    return json.dumps(condition) if " #" in condition else condition
