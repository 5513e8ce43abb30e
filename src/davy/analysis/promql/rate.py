"""Functions of how a series moves through its window: rates, differences, slopes.

The formulas are those of Prometheus' `promql/functions.go` (`extrapolatedRate`, `instantValue`,
`linearRegression`).
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from davy.analysis.promql.arithmetic import INFINITY, NAN, divide, total
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.syntax import Expression
from davy.analysis.promql.vector import Element, Function, Run, Value, Windows

if TYPE_CHECKING:
    from davy.analysis.promql.evaluation import Evaluation

EXTRAPOLATION_THRESHOLD: Final = 1.1
"""Average intervals between a window's edge and its samples from which the series is held to end there."""


def _extrapolated(*, counter: bool, per_second: bool) -> Function:
    """Make rate, increase or delta: the difference over the samples, stretched to the whole window."""

    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        windows = evaluation.windows(arguments[0], time_ms, counters=counter)
        renamed = evaluation.settings.renamed
        stretch = _stretch_2 if evaluation.settings.prometheus_2 else _stretch
        divisor = (windows.end_ms - windows.start_ms) / 1000 if per_second else 1.0
        elements = []
        for run in windows.runs:
            first, last = run.first, run.stop - 1
            if first == last:
                continue
            timestamps, values = run.column
            begin = values[first]
            difference = _increase(run) if counter else values[last] - begin
            zero = begin / difference if counter and difference > 0 and begin >= 0 else INFINITY
            factor = stretch(timestamps[first], timestamps[last], last - first, windows, zero)
            elements.append(Element(renamed(run.labels), difference * (factor / divisor), True))
        return elements

    return function


def _increase(run: Run) -> float:
    """Add up a counter's growth: where it falls it was reset to zero, and what it had counts."""
    values = run.column[1]
    previous = values[run.first]
    difference = values[run.stop - 1] - previous
    if run.falls is not None:
        for place in run.falls:
            if run.first < place < run.stop:
                difference += values[place - 1]
        return difference
    for value in values:
        if value < previous:
            difference += previous
        previous = value
    return difference


def _stretch(first: int, last: int, intervals: int, windows: Windows, zero: float) -> float:
    """Say how many times the sampled time the extrapolated time is.

    A series that begins or ends well within the window is stretched by half an interval on that side, and a
    counter never to before the instant at which it would have been zero: `zero` sampled times before its
    first sample.
    """
    sampled = last - first
    average = sampled / intervals
    threshold = average * EXTRAPOLATION_THRESHOLD
    before: float = first - windows.start_ms
    after: float = windows.end_ms - last
    if before >= threshold:
        before = average / 2
    if sampled * zero < before:
        before = sampled * zero
    if after >= threshold:
        after = average / 2
    return (sampled + before + after) / sampled


def _stretch_2(first: int, last: int, intervals: int, windows: Windows, zero: float) -> float:
    """Do the same as Prometheus 2.x, which looks at the counter's zero before the threshold."""
    sampled = last - first
    average = sampled / intervals
    threshold = average * EXTRAPOLATION_THRESHOLD
    before = min(first - windows.start_ms, sampled * zero)
    after: float = windows.end_ms - last
    before = average / 2 if before >= threshold else before
    after = average / 2 if after >= threshold else after
    return (sampled + before + after) / sampled


def _instantaneous(*, per_second: bool) -> Function:
    """Make irate or idelta, of the last two samples; irate knows resets and divides by the time between."""

    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        elements = []
        for run in evaluation.windows(arguments[0], time_ms).runs:
            newest = run.stop - 1
            if run.first == newest:
                continue
            timestamps, values = run.column
            previous, last = values[newest - 1], values[newest]
            change = last if per_second and last < previous else last - previous
            if per_second:
                change /= (timestamps[newest] - timestamps[newest - 1]) / 1000
            elements.append(Element(evaluation.settings.renamed(run.labels), change, True))
        return elements

    return function


def _regression(run: Run, at_ms: int) -> tuple[float, float]:
    """Fit a line by least squares: its slope per second, and its value at an instant."""
    values = run.values
    if all(value == values[0] for value in values):
        return (NAN, NAN) if math.isinf(values[0]) else (0.0, values[0])
    times = [(timestamp - at_ms) / 1000 for timestamp in run.timestamps]
    count, sum_times, sum_values = len(times), total(times), total(values)
    covariance = total([x * y for x, y in zip(times, values, strict=True)]) - sum_times * sum_values / count
    slope = divide(covariance, total([x * x for x in times]) - sum_times * sum_times / count)
    return slope, sum_values / count - slope * sum_times / count


def _derivative(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    return [
        Element(evaluation.settings.renamed(run.labels), _regression(run, run.timestamps[0])[0], True)
        for run in evaluation.windows(arguments[0], time_ms).runs
        if run.stop - run.first > 1
    ]


def _predict(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    ahead_s = evaluation.scalar(arguments[1], time_ms)
    elements = []
    for run in evaluation.windows(arguments[0], time_ms).runs:
        if run.stop - run.first > 1:
            slope, intercept = _regression(run, time_ms)
            labels = evaluation.settings.renamed(run.labels)
            elements.append(Element(labels, slope * ahead_s + intercept, True))
    return elements


def _smoothed(values: Sequence[float], smoothing: float, trend_factor: float) -> float:
    """Smooth a series and its trend (Holt's linear method)."""
    before, level, trend = 0.0, values[0], values[1] - values[0]
    for index in range(1, len(values)):
        if index > 1:
            trend = trend_factor * (level - before) + (1 - trend_factor) * trend
        before, level = level, smoothing * values[index] + (1 - smoothing) * (level + trend)
    return level


def _smooth(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    smoothing, trend = (evaluation.scalar(argument, time_ms) for argument in arguments[1:])
    for what, factor in (("smoothing", smoothing), ("trend", trend)):
        if not 0 < factor < 1:
            raise QueryError(f"invalid {what} factor: expected 0 < factor < 1, got {factor}")
    return [
        Element(evaluation.settings.renamed(run.labels), _smoothed(run.values, smoothing, trend), True)
        for run in evaluation.windows(arguments[0], time_ms).runs
        if run.stop - run.first > 1
    ]


RATE_FUNCTIONS: Final[dict[str, Function]] = {
    "rate": _extrapolated(counter=True, per_second=True),
    "increase": _extrapolated(counter=True, per_second=False),
    "delta": _extrapolated(counter=False, per_second=False),
    "irate": _instantaneous(per_second=True),
    "idelta": _instantaneous(per_second=False),
    "deriv": _derivative,
    "predict_linear": _predict,
    "double_exponential_smoothing": _smooth,
}
