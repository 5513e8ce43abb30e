"""The engine: a query's text and an instant in, a frozen value out."""

import math

from davy.analysis.promql.evaluation import Evaluation
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.parse import parse
from davy.analysis.promql.result import Matrix, Points, Result, Sample, Scalar, String, Vector
from davy.analysis.promql.series import EMPTY_LABELS, Labels, SeriesStore
from davy.analysis.promql.syntax import Expression, Subquery, Text, Window
from davy.analysis.promql.vector import Element, Settings, refuse_duplicates

POINT_LIMIT = 11_000
"""Steps of a range query, as many as Prometheus allows."""

TIME_LIMIT_S = 1e14
"""Seconds from the epoch within which an instant makes sense: three million years."""


class Engine:
    """Answers queries from a store; safe to ask from many threads while one other appends.

    Asking twice with the same arguments and the same samples gives the same answer.

    Args:
        store: where the series are. lookback_s: how old the newest sample of a series may be. prometheus_2:
            answer as Prometheus 2.x does: windows closed on the left, names taken off at once, and the
            counter's zero looked at before the threshold of extrapolation.
        max_samples: how many samples one query may touch, all steps together.
        subquery_step_s: the step of subqueries that name none, Prometheus' evaluation interval.
    """

    def __init__(
        self,
        store: SeriesStore,
        *,
        lookback_s: float = 300.0,
        prometheus_2: bool = False,
        max_samples: int = 50_000_000,
        subquery_step_s: float = 60.0,
    ) -> None:
        self._store = store
        self._settings = Settings(
            lookback_ms=_milliseconds(lookback_s),
            subquery_step_ms=_milliseconds(subquery_step_s),
            max_samples=max_samples,
            prometheus_2=prometheus_2,
        )

    def instant(self, query: str, time_s: float) -> Result:
        """Answer a query at one instant, in seconds since the epoch.

        Raises:
            QueryError: the query cannot be read, is not supported, asks for too much, or has no answer
                (elements
                that cannot be told apart, many-to-many matching).
        """
        expression = parse(query)
        time_ms = _milliseconds(time_s)
        evaluation = Evaluation(self._store, self._settings, time_ms, time_ms, 0)
        if isinstance(expression, Window | Subquery):
            return _raw(evaluation, expression, time_ms)
        match evaluation.value(expression, time_ms):
            case float(number):
                return Scalar(number)
            case str(text):
                return String(text)
            case elements:
                named = _finished(elements)
                return Vector(tuple(Sample(e.labels, e.value, time_ms) for e in named))

    def range(self, query: str, start_s: float, end_s: float, step_s: float) -> Matrix:
        """Answer a query at `start_s` and every `step_s` after it up to and including `end_s`.

        Raises:
            QueryError: as for `instant`; the query gives a text or a range vector; no step, or too many.
        """
        expression = parse(query)
        if isinstance(expression, Text | Window | Subquery):
            raise QueryError("a range query needs an expression that gives a scalar or an instant vector")
        start_ms, end_ms, step_ms = _milliseconds(start_s), _milliseconds(end_s), _milliseconds(step_s)
        if step_ms <= 0:
            raise QueryError("the step of a range query must be at least one millisecond")
        if end_ms < start_ms:
            raise QueryError("a range query cannot end before it starts")
        if (end_ms - start_ms) // step_ms + 1 > POINT_LIMIT:
            raise QueryError(f"a range query may have {POINT_LIMIT} points, and this one has more")
        evaluation = Evaluation(self._store, self._settings, start_ms, end_ms, step_ms)
        points: dict[Labels, tuple[list[int], list[float]]] = {}
        for time_ms in range(start_ms, end_ms + 1, step_ms):
            for element in _steps(evaluation, expression, time_ms):
                timestamps, values = points.setdefault(element.labels, ([], []))
                timestamps.append(time_ms)
                values.append(element.value)
        return Matrix(tuple(Points(key, tuple(t), tuple(v)) for key, (t, v) in points.items()))


def _steps(evaluation: Evaluation, expression: Expression, time_ms: int) -> list[Element]:
    value = evaluation.value(expression, time_ms)
    evaluation.spend(1)
    assert not isinstance(value, str)
    return [Element(EMPTY_LABELS, value)] if isinstance(value, float) else _finished(value)


def _raw(evaluation: Evaluation, expression: Window | Subquery, time_ms: int) -> Matrix:
    runs = evaluation.windows(expression, time_ms).runs
    elements = _finished([Element(run.labels, 0.0, run.nameless) for run in runs])
    return Matrix(
        tuple(
            Points(element.labels, tuple(run.timestamps), tuple(run.values))
            for element, run in zip(elements, runs, strict=True)
        )
    )


def _finished(elements: list[Element]) -> list[Element]:
    """Take off the names that were to go last, and refuse elements that then cannot be told apart."""
    named = [Element(e.labels.without_name(), e.value) if e.nameless else e for e in elements]
    refuse_duplicates(named)
    return named


def _milliseconds(seconds: float) -> int:
    if not math.isfinite(seconds) or abs(seconds) > TIME_LIMIT_S:
        raise QueryError(f"{seconds} seconds is no time")
    return round(seconds * 1000)
