"""Functions that make one number of a window's samples, whatever the time between them."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from davy.analysis.promql.arithmetic import (
    deviation,
    largest,
    mean,
    quantile,
    smallest,
    total,
    variance,
)
from davy.analysis.promql.syntax import Expression
from davy.analysis.promql.vector import Element, Function, Value

if TYPE_CHECKING:
    from davy.analysis.promql.evaluation import Evaluation

Statistic = Callable[[Sequence[float]], float]


def _changes(values: Sequence[float]) -> float:
    return float(sum(1 for a, b in pairwise(values) if a != b and not (a != a and b != b)))


def _resets(values: Sequence[float]) -> float:
    return float(sum(1 for a, b in pairwise(values) if b < a))


def _absolute_deviation(values: Sequence[float]) -> float:
    """Give the median of the distances from the median."""
    median = quantile(0.5, values)
    return quantile(0.5, [abs(value - median) for value in values])


_STATISTICS: Final[dict[str, Statistic]] = {
    "avg_over_time": mean,
    "changes": _changes,
    "count_over_time": lambda values: float(len(values)),
    "mad_over_time": _absolute_deviation,
    "max_over_time": largest,
    "min_over_time": smallest,
    "present_over_time": lambda values: 1.0,
    "resets": _resets,
    "stddev_over_time": deviation,
    "stdvar_over_time": variance,
    "sum_over_time": total,
}
_PICKS: Final[dict[str, Statistic]] = {
    "first_over_time": lambda values: values[0],
    "last_over_time": lambda values: values[-1],
}


def _statistic(compute: Statistic) -> Function:
    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        renamed = evaluation.settings.renamed
        runs = evaluation.windows(arguments[0], time_ms).runs
        return [Element(renamed(run.labels), compute(run.values), True) for run in runs]

    return function


def _pick(choose: Statistic) -> Function:
    """Make a function that gives one of the samples: it is still that metric, so the name stays."""

    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        runs = evaluation.windows(arguments[0], time_ms).runs
        return [Element(run.labels, choose(run.values), run.nameless) for run in runs]

    return function


def _quantile(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    rank = evaluation.scalar(arguments[0], time_ms)
    return _statistic(lambda values: quantile(rank, values))(evaluation, arguments[1:], time_ms)


def _instant_of(choose: Callable[[Sequence[float]], int]) -> Function:
    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        renamed = evaluation.settings.renamed
        runs = evaluation.windows(arguments[0], time_ms).runs
        return [Element(renamed(run.labels), run.timestamps[choose(run.values)] / 1000, True) for run in runs]

    return function


def _last_index(better: Callable[[float, float], bool]) -> Callable[[Sequence[float]], int]:
    """Find the last of the best; NaN is best only where there is nothing else."""

    def choose(values: Sequence[float]) -> int:
        best = 0
        for index, value in enumerate(values):
            if better(value, values[best]) or values[best] != values[best]:
                best = index
        return best

    return choose


OVER_TIME_FUNCTIONS: Final[dict[str, Function]] = {
    **{name: _statistic(compute) for name, compute in _STATISTICS.items()},
    **{name: _pick(choose) for name, choose in _PICKS.items()},
    "quantile_over_time": _quantile,
    "ts_of_first_over_time": _instant_of(lambda values: 0),
    "ts_of_last_over_time": _instant_of(lambda values: len(values) - 1),
    "ts_of_max_over_time": _instant_of(_last_index(lambda value, best: value >= best)),
    "ts_of_min_over_time": _instant_of(_last_index(lambda value, best: value <= best)),
}
