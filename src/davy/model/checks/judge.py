"""What a Judge may be asked to do: shares that are shares, times that end, and something to count.

Whatever passes here has settings (`davy.analysis.judge.declared.settings_of`).
"""

import re
from collections.abc import Sequence

from davy.model.checks.complaints import Complaints
from davy.model.checks.providers import URL
from davy.model.duration import BadDuration, parse_duration
from davy.model.judge import (
    ERROR_RATIO,
    LATENCY,
    VERSION,
    Judge,
    JudgeMetric,
    JudgePrometheus,
    JudgeStep,
)
from davy.model.origin import LONGEST
from davy.model.source import join

_COUNTED = {ERROR_RATIO: "errors", LATENCY: "latency"}
"""What the data plane counts, and the kind that it is of."""

_MOST = 1e6
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_A_DURATION = "write a number with a unit: s, m or h"


def validate_judge(judge: Judge, complaints: Complaints) -> None:
    """Refuse a Judge that nobody could run as it is written."""
    spec = judge.spec
    if not spec.service.strip() or len(spec.service) > LONGEST or not spec.service.isprintable():
        title = f"`spec.service` is {spec.service[:80]!r}, which is no name: whose rollouts are judged?"
        complaints.add("spec.service", title, part="value")
    _check_share("spec.alpha", spec.alpha, "of good releases that may be aborted", complaints)
    _check_share("spec.beta", spec.beta, "of cases that may be worse than said", complaints)
    _check_share("spec.assurance", spec.assurance, "of requests that may fail in excess", complaints)
    _check_number("spec.riskBudget", spec.risk_budget, "a number of requests above 0", complaints)
    _check_number("spec.patience", spec.patience, "a factor from 1 on", complaints, least=1.0)
    for path, text in (("spec.warmUp", spec.warm_up), ("spec.bake", spec.bake)):
        _check_duration(path, text, complaints)
    if spec.interval and _check_duration("spec.interval", spec.interval, complaints) == 0.0:
        title = "`spec.interval` is 0: counters are read again and again, with some time between"
        complaints.add("spec.interval", title, part="value")
    for number, metric in enumerate(spec.metrics):
        _validate_metric(f"spec.metrics[{number}]", metric, complaints)
    complaints.check_unique("spec.metrics", "name", [metric.called for metric in spec.metrics])
    _validate_steps(spec.steps, complaints)
    if spec.prometheus is not None:
        _validate_prometheus("spec.prometheus", spec.prometheus, complaints)


def _validate_metric(path: str, metric: JudgeMetric, complaints: Complaints) -> None:
    if not metric.called.strip():
        complaints.add(f"{path}.name", f"`{path}.name` is empty", part="value")
    _check_number(f"{path}.weight", metric.weight, "a part of the evidence, such as 0.4", complaints)
    _check_materiality(f"{path}.materiality", metric, complaints)
    if metric.objective is not None and metric.kind != "errors":
        title = f"an objective says how many may fail, and {metric.kind} do not"
        complaints.add(f"{path}.objective", title, part="key", fix="leave it out, or let `kind` be errors")
    else:
        _check_share(f"{path}.objective", metric.objective, "that may fail", complaints)
    if metric.margin is not None and metric.kind != "latency":
        title = f"a margin says how much slower the canary may be, and {metric.kind} have no such thing"
        complaints.add(f"{path}.margin", title, part="key", fix="leave it out, or let `kind` be latency")
    elif metric.margin is not None and not 1.0 <= metric.margin <= _MOST:
        title = f"`{path}.margin` is {metric.margin:g}: it is how many times as slow the canary may be"
        complaints.add(f"{path}.margin", title, part="value", fix="write a number from 1 on, e.g. 1.1")
    _validate_source(path, metric, complaints)


def _check_materiality(path: str, metric: JudgeMetric, complaints: Complaints) -> None:
    ratio = metric.materiality
    if ratio is None:
        return
    if metric.kind == "conversions":
        possible, side, such = 0.0 < ratio < 1.0, "between 0 and 1", "0.9"
    else:
        possible, side, such = 1.0 < ratio <= _MOST, "above 1", "1.5"
    if not possible:
        title = f"`{path}` is {ratio:g}: of {metric.kind} it is a ratio {side}, the least that matters"
        complaints.add(path, title, part="value", fix=f"write a number {side}, e.g. {such}")


def _validate_source(path: str, metric: JudgeMetric, complaints: Complaints) -> None:
    """Refuse a metric that nobody counts, that is counted twice, or that is called what it is not."""
    name, kind = metric.called, _COUNTED.get(metric.called, metric.kind)
    if kind != metric.kind:
        title = f"{name} is what the data plane counts, of the kind {kind}, and not {metric.kind}"
        complaints.add(path, title, part="key", fix=f"let `kind` be {kind}, or give it another name")
    elif metric.counter is None:
        if name not in _COUNTED and kind != "latency":
            title = f"nobody counts {name}: it needs a `counter`"
            fix = f"counter: {{tried: 'sum(…_total{{…=\"{VERSION}\"}})', happened: …}}"
            complaints.add(path, title, code="DV007", part="key", fix=fix)
    elif name in _COUNTED or kind == "latency":
        title = f"{name} is counted by the data plane, and so has no `counter`"
        fix = "leave it out" if kind == "latency" else "leave it out, or give it another name"
        complaints.add(f"{path}.counter", title, part="key", fix=fix)
    else:
        for field in ("tried", "happened"):
            _check_query(f"{path}.counter.{field}", getattr(metric.counter, field), complaints)


def _validate_steps(steps: Sequence[JudgeStep], complaints: Complaints) -> None:
    below = 0.0
    for number, step in enumerate(steps):
        path = f"spec.steps[{number}]"
        weight = step.weight / 100.0  # settings have shares, and two percentages may be one share
        if not below < weight < 1.0:
            title = (
                f"`{path}.weight` is {step.weight:g}: weights grow, from above {100.0 * below:g} to below 100"
            )
            complaints.add(f"{path}.weight", title, part="value", fix="write percents, lowest first")
        else:
            below = weight
        least = _check_duration(f"{path}.least", step.least, complaints, needed=True)
        most = _check_duration(f"{path}.most", step.most, complaints, needed=True)
        if least is not None and most is not None and most < least:
            title = f"`{path}.most` is {step.most}, less than the {step.least} that it takes at least"
            complaints.add(f"{path}.most", title, part="value")


def _validate_prometheus(path: str, prometheus: JudgePrometheus, complaints: Complaints) -> None:
    if not URL.fullmatch(prometheus.address):
        title = f"`{path}.address` is {prometheus.address!r}, which is no URL"
        complaints.add(
            f"{path}.address", title, part="value", fix="write it like http://prometheus.monitoring:9090"
        )
    for field in ("requests", "errors", "latency"):
        if query := getattr(prometheus, field):
            _check_query(f"{path}.{field}", query, complaints)
    if bool(prometheus.requests) != bool(prometheus.errors):
        has, lacks = ("requests", "errors") if prometheus.requests else ("errors", "requests")
        title = f"`{has}` alone makes no ratio: `{lacks}` is missing"
        complaints.add(f"{path}.{has}", title, code="DV007", part="key")
    for name, value in prometheus.headers.items():
        if not _HEADER.fullmatch(name) or not value.isprintable():
            complaints.add(join(f"{path}.headers", name), f"{name!r} is no header of HTTP", part="key")


def _check_query(path: str, query: str, complaints: Complaints) -> None:
    """Refuse a query that does not tell the versions apart."""
    if not query.strip():
        complaints.add(path, f"`{path}` is empty", code="DV007", part="value")
    elif VERSION not in query:
        title = f"`{path}` has no {VERSION}, and so counts both versions as one"
        fix = f'select one of them, e.g. {{rollouts_pod_template_hash="{VERSION}"}}'
        complaints.add(path, title, part="value", fix=fix)


def _check_share(path: str, share: float | None, what: str, complaints: Complaints) -> None:
    if share is not None and not 0.0 < share < 1.0:
        title = f"`{path}` is {share:g}: it is a share between 0 and 1, {what}"
        complaints.add(path, title, part="value", fix=_as_share(share))


def _as_share(share: float) -> str:
    """Say what a percentage is as a share."""
    return f"write {share / 100.0:g} for {share:g} %" if 1.0 <= share < 100.0 else ""


def _check_number(
    path: str, value: float | None, what: str, complaints: Complaints, *, least: float = 1.0 / _MOST
) -> None:
    if value is not None and not least <= value <= _MOST:
        bounds = f"{what}, and at most a million" if value > _MOST else what
        complaints.add(path, f"`{path}` is {value:.12g}: it is {bounds}", part="value")


def _check_duration(path: str, text: str, complaints: Complaints, *, needed: bool = False) -> float | None:
    """Return a duration in seconds, None for one that is not written or none at all."""
    if not text and not needed:
        return None
    try:
        seconds = parse_duration(text)
    except BadDuration as error:
        complaints.add(path, f"`{path}`: {error}", part="value", fix=_A_DURATION)
        return None
    if seconds < 0.0:
        complaints.add(path, f"`{path}` is {text}: no time is less than none", part="value")
        return None
    return seconds
