"""What a metric makes of a judge's word (`davy/judge`, or a verdict by HTTP) where it has no conditions.

The word is the result: `{"verdict": "advance", …}`. Conditions may look at all of it; without them `advance` is
Successful, `abort` and `rollback` are Failed, and everything else is Inconclusive: it says neither.
"""

from collections.abc import Mapping
from typing import Final

from davy.analysis.condition import Assessment, assess
from davy.analysis.phase import Phase
from davy.model.analysis import Metric
from davy.model.judges import asked

PHASES: Final[Mapping[str, Phase]] = {
    "continue": Phase.INCONCLUSIVE,
    "advance": Phase.SUCCESSFUL,
    "abort": Phase.FAILED,
    "hold": Phase.INCONCLUSIVE,
    "rollback": Phase.FAILED,
}
"""What each word is for a metric that has no conditions of its own."""


def takes_the_word(metric: Metric) -> bool:
    """Say whether a metric asks a judge, and has no conditions of its own."""
    return asked(metric) is not None and not (metric.success_condition or metric.failure_condition)


def assessed(metric: Metric, result: object, now: float, **bounds: int) -> Assessment:
    """Return what a metric makes of a result; what is no word of a judge is an error.

    Args:
        metric: whose conditions decide.
        result: what was measured.
        now: in seconds since 1970.
        bounds: the work that a condition may take, as of `assess`.
    """
    if not takes_the_word(metric):
        return assess(result, metric.success_condition, metric.failure_condition, now, **bounds)
    word = result.get("verdict") if isinstance(result, Mapping) else None
    if not isinstance(word, str) or word not in PHASES:
        return Assessment(Phase.ERROR, "this is no verdict of a judge")
    return Assessment(PHASES[word])
