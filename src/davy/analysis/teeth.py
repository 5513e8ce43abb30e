"""Every gate can fail: an analysis that cannot say no, or says yes to nothing, is found before it runs.

Nothing is guessed from how conditions look. They are run, on bad results, on good ones and on none, and limits
are tried by measuring badly until the metric is done (`davy.analysis.probe`, `davy.analysis.metric.take`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import re2

from davy.analysis.condition import read
from davy.analysis.expression import ExpressionError
from davy.analysis.expression.texts import quoted
from davy.analysis.mend import edits, metric_paths
from davy.analysis.metric import Measurement, MetricState, effective_count, take
from davy.analysis.phase import Phase
from davy.analysis.probe import (
    Outcome,
    decides_itself,
    gives_numbers,
    gives_words,
    looks_at_result,
    on_data,
    on_nothing,
)
from davy.analysis.promql.scope import QueryError, parse
from davy.analysis.rules import finding
from davy.analysis.splice import align
from davy.analysis.trial import Trial, defaults, filled, is_open, trial
from davy.analysis.word import takes_the_word
from davy.model.analysis import AnalysisTemplate, AnalysisTemplateSpec, ClusterAnalysisTemplate, Metric
from davy.model.document import Document
from davy.model.finding import Finding
from davy.model.judge import Judge
from davy.model.part import int_value
from davy.model.source import Span

_CONDITIONS = {"success_condition": "successCondition", "failure_condition": "failureCondition"}
_UNCONDITIONAL = (
    "neither successCondition nor failureCondition: Argo Rollouts records every measurement as Successful"
)
_ADD_BOTH = (
    "ask for data in two conditions, e.g. successCondition: len(result) > 0 && result[0] <= LIMIT "
    "and failureCondition: len(result) > 0 && result[0] > LIMIT; what meets neither is Inconclusive"
)
_HEED = (
    "leave both conditions out: advance is Successful and abort is Failed; or write successCondition: "
    'result.verdict == "advance" and failureCondition: result.verdict == "abort"'
)
_ENOUGH = "an inconclusiveLimit below count, or consecutiveSuccessLimit: 1, so that only a success ends it"


@dataclass(frozen=True, slots=True)
class Weakness:
    """What is wrong with a metric, and at which of its fields.

    `offset` is a character of `text`, the field's value; None is all of it.
    """

    code: str
    field: str
    label: str
    fix: str
    text: str = ""
    offset: int | None = None


def inspect(document: Document) -> tuple[Finding, ...]:
    """Find every way in which an analysis template has no teeth, or a Judge no eyes.

    Nested templates are inspected where they are written. Other documents have neither.
    """
    if isinstance(document.value, Judge):
        return tuple(_finding(document, "spec", weakness, mendable=False) for weakness in _eyes(document.value))
    template = document.value
    if not isinstance(template, (AnalysisTemplate, ClusterAnalysisTemplate)):
        return ()
    spec = template.spec
    mendable = {edit.metric for edit in edits(document)}
    findings = [
        _finding(document, path, weakness, mendable=path in mendable)
        for path, metric in zip(metric_paths(spec), spec.metrics, strict=True)
        for weakness in weaknesses(metric, defaults(spec))
    ]
    findings += [
        _finding(document, path, weakness, mendable=False)
        for path, metric in zip(metric_paths(spec), spec.metrics, strict=True)
        for weakness in _unreadable(metric, defaults(spec))
    ]
    if _all_dry(spec):
        label = "every metric is in dry run, and none of them decides anything"
        span = document.position("spec.dryRun[0]").value
        findings.append(
            finding("PD050", document, "spec.dryRun[0]", span, label, "let at least one metric decide")
        )
    return tuple(findings)


def weaknesses(metric: Metric, values: Mapping[str, str] = {}) -> Iterator[Weakness]:
    """Find what is wrong with one metric; ask again with the metric of a run, when all arguments are known.

    Args:
        metric: as written, or resolved.
        values: what is known of its arguments.
    """
    tried = trial(metric, values)
    if tried.limits_known and not _bites(tried.metric, Phase.FAILED):
        yield _tolerant(tried.metric)
    if decides_itself(metric.provider):
        return
    if not (metric.success_condition or metric.failure_condition or takes_the_word(metric)):
        yield Weakness("PD050", "name", _UNCONDITIONAL, _ADD_BOTH)
        return
    unclear = list(_unclear(tried))
    yield from unclear or [*_harmless(tried), *_trusting(tried)]


def _bites(metric: Metric, phase: Phase) -> bool:
    """Say whether measuring nothing but this keeps a metric from passing: take the last measurement of all."""
    count = effective_count(metric)
    if count is None:
        switched_off = int_value(metric.failure_limit) < 0 and int_value(metric.consecutive_success_limit) <= 0
        return phase is not Phase.FAILED or not switched_off
    failed = count - 1 if phase is Phase.FAILED else 0
    before = MetricState(metric, failed=failed, inconclusive=count - 1 - failed)
    return take(before, Measurement(0.0, 0.0, phase)).phase is not Phase.SUCCESSFUL


def _tolerant(metric: Metric) -> Weakness:
    limit, count = int_value(metric.failure_limit), effective_count(metric)
    label = (
        "failureLimit is switched off: no number of failures ends this"
        if limit < 0
        else f"it tolerates {limit} failures and measures {count} times: when all of them fail it passes"
    )
    return Weakness("PD052", "failureLimit", label, "a failureLimit below count; 0 fails on the first failure")


def _unclear(tried: Trial) -> Iterator[Weakness]:
    """Find conditions that cannot be read or evaluated, or that call what ignores its argument."""
    for name, field in _CONDITIONS.items():
        condition = getattr(tried.metric, name)
        try:
            expression = read(condition) if condition else None
        except ExpressionError as error:
            if name not in tried.open:
                fix = error.hint or "write an expression that is true or false"
                yield Weakness("PD059", field, error.message, fix, condition, error.position)
            continue
        if expression is None:
            continue
        deaf = [
            Weakness("PD059", field, *_DEAF[call.name], condition, call.position)
            for call in expression.calls()
            if call.name in _DEAF and not call.on_result
        ]
        yield from deaf
        if not deaf and name not in tried.open:
            yield from _erring(tried.metric, name, field)


_COMMENT = re.compile(r"[ \t]+#")
_DEAF = {
    "isNil": (
        "isNil ignores what it is given and looks at the whole result",
        "compare with nil, e.g. result.value == nil",
    ),
    "default": (
        "default ignores what it is given and looks at the whole result",
        "write result.value ?? fallback",
    ),
}


def _erring(metric: Metric, name: str, field: str) -> Iterator[Weakness]:
    """Find a condition that is an error whatever is measured."""
    condition = getattr(metric, name)
    others: dict[str, str] = dict.fromkeys(_CONDITIONS.keys() - {name}, "")
    message = ""
    for outcome in _outcomes(msgspec.structs.replace(metric, **others)):
        if outcome.phase is not Phase.ERROR:
            return
        message = outcome.message
    if message:
        reason = message.removeprefix(f"could not evaluate {field} {quoted(condition)}: ")
        fix = "a query answers with a list: look at its elements, e.g. result[0]"
        fix = "a judge answers with a mapping: look at result.verdict" if gives_words(metric.provider) else fix
        yield Weakness("PD059", field, f"it is an error on every result: {reason}", fix)


def _outcomes(metric: Metric) -> Iterator[Outcome]:
    """Try conditions on what is as good as every result, or on nothing if there is no such thing."""
    if gives_numbers(metric.provider) or gives_words(metric.provider):
        yield from on_data(metric)
    elif not any(looks_at_result(getattr(metric, name)) for name in _CONDITIONS):
        yield from on_nothing(metric)


def _harmless(tried: Trial) -> Iterator[Weakness]:
    """Find conditions that no result fails."""
    metric = tried.metric
    if not tried.open.isdisjoint(_CONDITIONS):
        return
    phases = set()
    for outcome in _outcomes(metric):
        phases.add(outcome.phase)
        if outcome.phase is Phase.FAILED:
            return
    holds = Phase.INCONCLUSIVE in phases and (not tried.limits_known or _bites(metric, Phase.INCONCLUSIVE))
    if phases and not holds:
        name = "success_condition" if metric.success_condition else "failure_condition"
        always = metric.success_condition and phases <= {Phase.SUCCESSFUL, Phase.ERROR}
        yield Weakness(
            "PD051" if always else "PD050",
            _CONDITIONS[name],
            "there is no result that fails it",
            _HEED if gives_words(metric.provider) else _ADD_BOTH,
        )


def _trusting(tried: Trial) -> Iterator[Weakness]:
    """Find conditions that pass when there is no data."""
    metric = tried.metric
    field = "successCondition" if metric.success_condition else "failureCondition"
    outcomes = list(on_nothing(metric))
    if passing := [outcome.words for outcome in outcomes if outcome.phase is Phase.SUCCESSFUL]:
        fix = _HEED if gives_words(metric.provider) else _ADD_BOTH
        yield Weakness("PD053", field, f"{_and(passing)} is Successful", fix)
    unclear = [outcome.words for outcome in outcomes if outcome.phase is Phase.INCONCLUSIVE]
    if unclear and tried.limits_known and not _bites(metric, Phase.INCONCLUSIVE):
        label = f"{_and(unclear)} is Inconclusive, and so many of those are tolerated that the metric passes"
        fix = _ENOUGH if gives_words(metric.provider) else "an inconclusiveLimit below count"
        yield Weakness("PD053", "inconclusiveLimit", label, fix)


def _unreadable(metric: Metric, values: Mapping[str, str]) -> Iterator[Weakness]:
    """Find a query that is no PromQL, or that is not evaluated; one that lacks an argument may be anything."""
    query = metric.provider.prometheus.query if metric.provider.prometheus else ""
    if query and not is_open(query, values):
        yield from _unparsed("provider.prometheus.query", query, values)


def _eyes(judge: Judge) -> Iterator[Weakness]:
    """Find the counters of a Judge that are no PromQL, or that are not evaluated."""
    queries: dict[str, str] = {}
    for number, metric in enumerate(judge.spec.metrics):
        if metric.counter is not None:
            queries[f"metrics[{number}].counter.tried"] = metric.counter.tried
            queries[f"metrics[{number}].counter.happened"] = metric.counter.happened
    if (prometheus := judge.spec.prometheus) is not None:
        queries |= {
            f"prometheus.{name}": getattr(prometheus, name) for name in ("requests", "errors", "latency")
        }
    for field, query in queries.items():
        if query.strip():
            yield from _unparsed(field, query, {})


def _unparsed(field: str, query: str, values: Mapping[str, str]) -> Iterator[Weakness]:
    try:
        parse(filled(query, values))
    except QueryError as error:
        label = error.message.removesuffix(f" (at character {error.position})")
        offset = error.position if filled(query, values) == query else None
        yield Weakness("PD066", field, label, error.hint, query, offset)


def _all_dry(spec: AnalysisTemplateSpec) -> bool:
    """Say whether the template's own rules put every metric into dry run."""
    options = re2.Options()
    options.log_errors = False
    try:
        patterns = [re2.compile(rule.metric_name, options) for rule in spec.dry_run]
    except re2.error:
        return False
    return bool(spec.metrics) and all(
        any(pattern.search(metric.name) for pattern in patterns) for metric in spec.metrics
    )


def _finding(document: Document, metric: str, weakness: Weakness, *, mendable: bool) -> Finding:
    path = f"{metric}.{weakness.field}"
    key, value = document.position(path)
    span = Span(value.start if key is None else key.start, value.end)
    if weakness.offset is not None and (found := align(document.text_of(path), weakness.text)):
        start = value.start + found.start_of(weakness.offset)
        span = Span(start, start + 1)
    fix = weakness.fix
    if weakness.label is _UNCONDITIONAL and mendable:
        fix = f"davy fix {document.source.file}   (moves the threshold out of the query into conditions)"
    elif weakness.code == "PD059" and _COMMENT.match(document.source.text, value.end):
        fix = "put the condition in quotes: after a blank, # begins a comment"
    return finding(weakness.code, document, path, span, weakness.label, fix)


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
