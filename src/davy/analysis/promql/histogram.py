"""Quantiles and fractions of classic histograms: cumulative counts in series that differ in `le`.

The formulas are those of Prometheus' `promql/quantile.go` (`BucketQuantile`, `BucketFraction`).
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from davy.analysis.promql.arithmetic import INFINITY, NAN, divide, written
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.series import Labels, Pairs
from davy.analysis.promql.syntax import Expression
from davy.analysis.promql.vector import Element, Function, Settings, Value

if TYPE_CHECKING:
    from davy.analysis.promql.evaluation import Evaluation

BUCKET: Final = "le"
TOLERANCE: Final = 1e-12
"""The relative difference of two counts that is taken for an error of floating point."""


class Bucket(NamedTuple):
    """How many observations were at most this large."""

    upper_bound: float
    observations: float


class Histogram(NamedTuple):
    """The buckets of one histogram, by their bounds; where two series have one bound their counts are added."""

    labels: Labels
    buckets: list[Bucket]


def gather(elements: Sequence[Element], settings: Settings) -> list[Histogram]:
    """Put the buckets of a vector together; elements whose `le` is no number belong to no histogram."""
    groups: dict[Pairs, tuple[Labels, dict[float, float]]] = {}
    for element in elements:
        bound = _bound(element.labels.as_dict.get(BUCKET, ""))
        if bound is None:
            continue
        key = tuple([pair for pair in element.labels.pairs if pair[0] != BUCKET])
        known = groups.get(key)
        if known is None:
            known = groups[key] = element.labels, {}
        counts = known[1]
        counts[bound] = counts.get(bound, 0.0) + element.value
    return [
        Histogram(
            settings.renamed(labels.without((BUCKET,))), [Bucket(*item) for item in sorted(counts.items())]
        )
        for labels, counts in groups.values()
    ]


def _bound(text: str) -> float | None:
    if "_" in text or text != text.strip():
        return None
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if bound != bound else bound


def bucket_quantile(rank: float, buckets: Sequence[Bucket]) -> float:
    """Estimate a quantile, as if observations were spread evenly within their bucket.

    NaN without observations, without a bucket for +Inf, or with that bucket alone; a rank outside 0 to 1
    gives an infinity. A quantile in the last bucket gives the bound below it, since nothing larger is known.
    """
    if rank != rank:
        return NAN
    if rank < 0:
        return -INFINITY
    if rank > 1:
        return INFINITY
    if len(buckets) < 2 or buckets[-1].upper_bound != INFINITY:
        return NAN
    rising = _rising(buckets)
    observations = rising[-1].observations
    if observations == 0 or observations != observations:
        return NAN
    wanted = rank * observations
    last = len(rising) - 1
    index = next((i for i in range(last) if rising[i].observations >= wanted), last)
    if index == last:
        return rising[-2].upper_bound
    upper, count = rising[index]
    if index == 0:
        return upper if upper <= 0 else upper * divide(wanted, count)
    lower, below = rising[index - 1]
    return lower + (upper - lower) * divide(wanted - below, count - below)


def _rising(buckets: Sequence[Bucket]) -> list[Bucket]:
    """Take out what cannot be: cumulative counts never fall, and the last digits of a rate are noise."""
    rising = [buckets[0]]
    for bucket in buckets[1:]:
        previous = rising[-1].observations
        noise = abs(bucket.observations - previous) < TOLERANCE * abs(bucket.observations + previous)
        count = previous if bucket.observations < previous or noise else bucket.observations
        rising.append(Bucket(bucket.upper_bound, count))
    return rising


def bucket_fraction(lower: float, upper: float, buckets: Sequence[Bucket]) -> float:
    """Estimate the share of observations between two values, both included."""
    if not buckets or buckets[-1].upper_bound != INFINITY:
        return NAN
    observations = buckets[-1].observations
    if observations == 0 or any(map(math.isnan, (observations, lower, upper))):
        return NAN
    if lower >= upper:
        return 0.0
    return (_rank(upper, buckets) - _rank(lower, buckets)) / observations


def _rank(value: float, buckets: Sequence[Bucket]) -> float:
    """Estimate how many observations are at most this large."""
    index = next(i for i, bucket in enumerate(buckets) if value <= bucket.upper_bound)
    upper, observations = buckets[index]
    if value == upper:
        return observations
    lower, below = buckets[index - 1] if index else (0.0 if upper > 0 else -INFINITY, 0.0)
    if math.isinf(lower) or math.isinf(upper) or value <= lower:
        return below
    return below + (observations - below) * (value - lower) / (upper - lower)


def _quantile(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    rank = evaluation.scalar(arguments[0], time_ms)
    histograms = gather(evaluation.vector(arguments[1], time_ms), evaluation.settings)
    return [Element(found.labels, bucket_quantile(rank, found.buckets), True) for found in histograms]


def _quantiles(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    label = evaluation.value(arguments[1], time_ms)
    assert isinstance(label, str)
    if not label:
        raise QueryError("histogram_quantiles() needs a label name that is not empty")
    ranks = [evaluation.scalar(argument, time_ms) for argument in arguments[2:]]
    histograms = gather(evaluation.vector(arguments[0], time_ms), evaluation.settings)
    evaluation.spend(len(ranks) * len(histograms))
    return [
        Element(found.labels.with_label(label, written(rank)), bucket_quantile(rank, found.buckets), True)
        for found in histograms
        for rank in ranks
    ]


def _fraction(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    lower, upper = (evaluation.scalar(argument, time_ms) for argument in arguments[:2])
    histograms = gather(evaluation.vector(arguments[2], time_ms), evaluation.settings)
    return [Element(found.labels, bucket_fraction(lower, upper, found.buckets), True) for found in histograms]


HISTOGRAM_FUNCTIONS: Final[dict[str, Function]] = {
    "histogram_quantile": _quantile,
    "histogram_quantiles": _quantiles,
    "histogram_fraction": _fraction,
}
