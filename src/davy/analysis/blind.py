"""Queries that cannot see the canary: they sum over all versions, and stable answers nearly everything.

A ratio over the whole service reaches a threshold t at a weight w only when the canary fails t ÷ w of its
requests: at 5 % of the traffic, a limit of 2 % lets a canary through that fails two requests in five.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from davy.analysis.condition import read
from davy.analysis.expression import ExpressionError
from davy.analysis.expression import syntax as condition_syntax
from davy.analysis.promql.matching import Matcher, MatchOperator
from davy.analysis.promql.scope import QueryError, Selector, comparison, parse, selectors
from davy.analysis.promql.syntax import Binary, Call, Number, Operator
from davy.analysis.rules import finding
from davy.analysis.trial import defaults, filled
from davy.model.analysis import AnalysisTemplate, AnalysisTemplateRef, ClusterAnalysisTemplate, Metric
from davy.model.document import Document
from davy.model.finding import Finding
from davy.model.rollout import Rollout, RolloutAnalysis

#: Stands for the hash of the new version, which is not known before there is one.
_LATEST = "pod-template-hash-of-the-latest"
_STABLE = "pod-template-hash-of-the-stable"
_VERSION_LABEL = re.compile(r"(^|_)(pod_template_hash|version|revision|track)($|_)")
_CANARY = re.compile(r"(^|[^a-z])(canary|preview)([^a-z]|$)", re.IGNORECASE)
_FIX = (
    'select the canary, e.g. {rollouts_pod_template_hash="{{args.canary-hash}}"}, '
    "and give the rollout args: [{name: canary-hash, valueFrom: {podTemplateHashValue: Latest}}]"
)


@dataclass(frozen=True, slots=True)
class Use:
    """An analysis of a rollout, and the share of the traffic that the new version has by then, from 0 to 1."""

    analysis: RolloutAnalysis
    share: float


@dataclass(frozen=True, slots=True)
class Limit:
    """From which value on a metric is bad, and whether that is above it or below."""

    value: float
    above: bool


def blind_spots(rollout: Rollout, templates: Sequence[Document]) -> tuple[Finding, ...]:
    """Find the queries of a rollout's templates that look at all versions at once, where they are first used.

    Args:
        rollout: which uses the templates, and whose steps say how much traffic the canary has.
        templates: the documents of analysis templates; those that the rollout does not name are left out.
    """
    found: dict[tuple[int, int], Finding] = {}
    for use in (use for use in _uses(rollout) if use.share < 1.0):
        for document in _named(use.analysis.templates, templates, rollout.metadata.namespace):
            for place, finding_ in _blind(document, use, rollout):
                found.setdefault((id(document), place), finding_)
    return tuple(found.values())


def _uses(rollout: Rollout) -> Iterator[Use]:
    """Go through the analyses that come before the new version has all traffic, background first."""
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    if blue_green and blue_green.pre_promotion_analysis:
        yield Use(blue_green.pre_promotion_analysis, 0)
    if not canary:
        return
    shares, share = [], 0.0
    for step in canary.steps:
        share = share if step.set_weight is None else step.set_weight / canary.full_weight
        shares.append(share)
    if canary.analysis:
        later = shares[canary.analysis.starting_step or 0 :]
        yield Use(canary.analysis, next((share for share in later if share > 0), 1.0))
    for step, share in zip(canary.steps, shares, strict=True):
        if step.analysis:
            yield Use(step.analysis, share)


def _named(
    wanted: Sequence[AnalysisTemplateRef], templates: Sequence[Document], namespace: str
) -> Iterator[Document]:
    """Find the documents of templates of a namespace or the cluster, and of those that they name in turn."""
    waiting, seen = list(wanted), set()
    while waiting:
        reference = waiting.pop(0)
        if reference in seen:
            continue
        seen.add(reference)
        kind = ClusterAnalysisTemplate if reference.cluster_scope else AnalysisTemplate
        for document in templates:
            template = document.value
            if not isinstance(template, kind) or template.metadata.name != reference.template_name:
                continue
            if reference.cluster_scope or template.metadata.namespace == namespace:
                waiting += template.spec.templates
                yield document


def _blind(document: Document, use: Use, rollout: Rollout) -> Iterator[tuple[int, Finding]]:
    template = document.value
    assert isinstance(template, (AnalysisTemplate, ClusterAnalysisTemplate))
    values = defaults(template.spec) | _given(use.analysis)
    for number, metric in enumerate(template.spec.metrics):
        prometheus = metric.provider.prometheus
        query = filled(prometheus.query, values) if prometheus else ""
        try:
            if not query or _sees_canary(selectors(query), rollout):
                continue
        except QueryError:
            continue
        label = _label(use.share, query, _limit(metric, query, values))
        path = f"spec.metrics[{number}].provider.prometheus.query"
        key, value = document.position(path)
        yield number, finding("PD055", document, path, key or value, label, _FIX)


def _given(analysis: RolloutAnalysis) -> dict[str, str]:
    """Evaluate a rollout's arguments as far as they are known, and hashes by names of their own."""
    hashes = {
        argument.name: _LATEST if argument.value_from.pod_template_hash_value == "Latest" else _STABLE
        for argument in analysis.args
        if argument.value_from and argument.value_from.pod_template_hash_value
    }
    return {argument.name: argument.value for argument in analysis.args if argument.value} | hashes


def _sees_canary(found: Sequence[Selector], rollout: Rollout) -> bool:
    """Say whether any selector tells versions apart; one that does is enough, a ratio may compare versions."""
    canary = rollout.spec.strategy.canary
    service = canary.canary_service if canary else ""
    return not found or any(
        _selects_version(matcher, service)
        for selector in found
        for matchers in selector.alternatives
        for matcher in matchers
    )


def _selects_version(matcher: Matcher, service: str) -> bool:
    excludes = matcher.operator in (MatchOperator.NOT_EQUAL, MatchOperator.MATCHES_NOT)
    if not matcher.value or (_STABLE in matcher.value and not excludes):
        return False
    if _VERSION_LABEL.search(matcher.name) or _STABLE in matcher.value:
        return True
    names_it = _LATEST in matcher.value or bool(service and service in matcher.value)
    return not excludes and (names_it or bool(_CANARY.search(matcher.value)))


def _limit(metric: Metric, query: str, values: Mapping[str, str]) -> Limit | None:
    """Find from where on a metric is bad: in the query, else in the conditions."""
    found = comparison(query)
    if found:
        return _bad(found.holds, found.threshold)
    failure, success = (filled(text, values) for text in (metric.failure_condition, metric.success_condition))
    return next(_compared(failure), None) or next(
        (Limit(limit.value, not limit.above) for limit in _compared(success)), None
    )


def _compared(condition: str) -> Iterator[Limit]:
    """Go through what a condition compares with numbers; `len(result) > 0` is no measured value."""
    try:
        tree = read(condition).tree
    except ExpressionError:
        return
    for node, _ in condition_syntax.walk(tree):
        if isinstance(node, condition_syntax.Binary):
            left, right, operator = node.left, node.right, node.operator
            if isinstance(left, condition_syntax.Constant):
                left, right, operator = right, left, _MIRRORED.get(operator, operator)
            if isinstance(left, condition_syntax.Builtin) or not isinstance(right, condition_syntax.Constant):
                continue
            limit = _bad(operator, right.value) if isinstance(right.value, (int, float)) else None
            if limit:
                yield limit


_MIRRORED: Mapping[str, condition_syntax.BinaryOperator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _bad(operator: str, value: float) -> Limit | None:
    match operator:
        case ">" | ">=":
            return Limit(value, above=True)
        case "<" | "<=":
            return Limit(value, above=False)
        case _:
            return None


def _label(share: float, query: str, limit: Limit | None) -> str:
    """Say in one sentence how bad a canary has to be before this query shows it."""
    if share <= 0:
        return "before the new version has traffic this measures the one that is live"
    at = f"at {100 * share:.3g} % of the traffic"
    found = comparison(query)
    match parse(found.query if found else query):
        case Binary(operator=Operator.DIVIDE) if limit and 0 < limit.value < 1:
            needed = (limit.value if limit.above else 1 - limit.value) / share
            who = f"a canary that fails {100 * needed:.3g} % of its requests"
            what = f"makes this reach {limit.value:g}"
        case Call(function="histogram_quantile", arguments=(Number(value=quantile), *_)) if limit:
            needed = (1 - quantile) / share
            who = f"a canary that is too slow for {100 * needed:.3g} % of its requests"
            what = f"moves this quantile beyond {limit.value:g}"
        case _:
            return f"it sums over all versions, and the canary is {100 * share:.3g} % of what it sees"
    beyond_all = needed > 1 + 1e-9
    return (
        f"{at} not even a canary whose every request is bad {what}" if beyond_all else f"{at} only {who} {what}"
    )
