"""From a Judge as it is written to the one that is run: what is absent has the defaults that were measured."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from davy.analysis.judge.histogram import Slowdowns
from davy.analysis.judge.settings import LADDER, Judge, Metric, MetricKind, Rung
from davy.analysis.resolve import Templates
from davy.model import judge as written
from davy.model.analysis import AnalysisTemplateRef
from davy.model.analysis import Metric as Measured
from davy.model.checks.gates import gates
from davy.model.duration import parse_duration
from davy.model.judges import bound
from davy.model.rollout import Rollout

_WEIGHTS: Final = {MetricKind.ERRORS: 0.4, MetricKind.LATENCY: 0.3, MetricKind.CONVERSIONS: 0.1}


def settings_of(judge: written.Judge, weights: Sequence[float] = (), *, scrape_s: float | None = None) -> Judge:
    """Return how a Judge judges.

    Args:
        judge: as written, and valid (`davy.model.validate`).
        weights: what the steps of its rollout give the canary, each from 0 to 1, in any order. These are the
            rungs then; each has the times of the step of the Judge that a canary with this weight is on.
        scrape_s: how often counters are read by whoever asks, where the Judge does not say.
    """
    spec = judge.spec
    ladder = tuple(map(_rung, spec.steps)) or LADDER
    given: dict[str, Any] = {
        "metrics": tuple(map(_metric, spec.metrics)),
        "alpha": spec.alpha,
        "beta": spec.beta,
        "risk_budget": spec.risk_budget,
        "assurance": spec.assurance,
        "patience": spec.patience,
        "warm_up_s": _seconds(spec.warm_up),
        "bake_s": _seconds(spec.bake),
        "scrape_s": _seconds(spec.interval) or scrape_s,
    }
    return Judge(
        **{name: value for name, value in given.items() if value not in (None, ())},
        warm_up_each=spec.warm_up_each,
        ladder=_at(ladder, weights) or ladder,
    )


def judge_for(rollout: Rollout, judges: Iterable[written.Judge], templates: Templates) -> written.Judge | None:
    """Return the Judge that a rollout is judged by, None where there is none or it is no canary.

    It is the one that the rollout names (`davy.dev/judge`), else the one that a metric of its analyses asks
    (`davy/judge`), else the one of its service.

    Args:
        rollout: with its template filled in.
        judges: all there are, of any namespace.
        templates: those that the rollout may name.
    """
    return bound(rollout, judges, _measured(rollout, templates))


def step_weights(rollout: Rollout) -> tuple[float, ...]:
    """Return the weights that a canary's steps set, each from 0 to 1, lowest first."""
    canary = rollout.spec.strategy.canary
    if canary is None:
        return ()
    full = canary.full_weight
    return tuple(
        sorted({step.set_weight / full for step in canary.steps if step.set_weight is not None and full > 0})
    )


def _measured(rollout: Rollout, templates: Templates) -> Iterator[Measured]:
    """Go through the metrics of all templates that a rollout's analyses use, as far as they are there."""
    waiting: list[AnalysisTemplateRef] = [each for gate in gates(rollout) for each in gate.analysis.templates]
    met: set[AnalysisTemplateRef] = set()
    while waiting:
        reference = waiting.pop(0)
        if reference not in met and reference in templates:
            waiting += templates[reference].templates
            yield from templates[reference].metrics
        met.add(reference)


def _metric(metric: written.JudgeMetric) -> Metric:
    kind = MetricKind(metric.kind)
    return Metric(
        name=metric.called,
        kind=kind,
        weight=_WEIGHTS[kind] if metric.weight is None else metric.weight,
        materiality=metric.materiality,
        objective=metric.objective,
        margin_buckets=0 if metric.margin is None else _buckets(metric.margin),
    )


def _buckets(margin: float) -> int:
    """Return how many buckets a slow-down is, at least: who may be that slow is not held to less."""
    return math.ceil(math.log(margin) / math.log(Slowdowns().growth) - 1e-9)


def _rung(step: written.JudgeStep) -> Rung:
    return Rung(step.weight / 100.0, parse_duration(step.least), parse_duration(step.most))


def _at(ladder: Sequence[Rung], weights: Iterable[float]) -> tuple[Rung, ...]:
    """Return a ladder of these weights, each with the times of the last rung that is not above it."""
    times = Judge(ladder=tuple(ladder))
    wanted = sorted({weight for weight in weights if 0.0 < weight < 1.0})
    rungs = ((weight, times.rung(weight)) for weight in wanted)
    return tuple(Rung(weight, rung.soak_s, rung.cap_s) for weight, rung in rungs)


def _seconds(text: str) -> float | None:
    return parse_duration(text) if text else None
