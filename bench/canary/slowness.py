"""Judges of latency: a threshold on the p95, one beside stable's, Kayenta's ranks, and confidence bands."""

from math import e, log

import numpy as np

from bench.canary.argo import FAILURE_LIMIT, INTERVAL_S, WINDOW_S
from bench.canary.judge import (
    ALPHA,
    LADDER,
    Actions,
    Bools,
    Briefing,
    Contestant,
    Counts,
    Floats,
    Pauses,
    Tick,
    act,
)
from bench.canary.kayenta import FIRST, POINT_S, STEP_S, is_high
from bench.canary.latencies import BUCKETS, p95, quantile, shares


def _histogram(counts: Counts | None) -> Counts:
    """Return a histogram that is there; these judges are only asked about latency."""
    assert counts is not None
    return counts


class Percentile:
    """Argo Rollouts in the background with `histogram_quantile(0.95, …)` of the last minute.

    Source: as for `bench.canary.argo`; the buckets are Prometheus's kind, of ratio 1.33, with linear
    interpolation. Fails above 1.25 times the p95 that the service has when all is well.
    """

    def __init__(self, briefing: Briefing) -> None:
        self._pauses = Pauses(briefing)
        self._interval = briefing.ticks(INTERVAL_S)
        self._window = np.zeros((briefing.ticks(WINDOW_S), 2, briefing.rollouts, BUCKETS), dtype=np.int64)
        self._failed = np.zeros(briefing.rollouts)

    def look(self, tick: Tick) -> Actions:
        """Measure every 30 s."""
        self._window[tick.now % len(self._window)] = [
            _histogram(tick.canary.histogram),
            _histogram(tick.stable.histogram),
        ]
        if tick.now % self._interval == 0:
            canary, stable = self._window.sum(axis=0)
            self._failed += ~(quantile(canary) <= self.most(stable))
        return act(self._failed > FAILURE_LIMIT, self._pauses.over(tick))

    def most(self, _: Counts) -> Floats:
        """Return the p95 that is allowed."""
        return np.asarray(1.25 * p95(shares()))


class PercentileBesideStable(Percentile):
    """The same with a query that allows 1.2 times stable's p95."""

    def most(self, stable: Counts) -> Floats:
        """Return the p95 that is allowed."""
        return np.asarray(1.2 * quantile(stable))


class KayentaP95:
    """Kayenta's rank test (`bench.canary.kayenta`) on the p95 of every minute."""

    def __init__(self, briefing: Briefing) -> None:
        self._pauses = Pauses(briefing, STEP_S)
        self._point = briefing.ticks(POINT_S)
        self._minute = np.zeros((2, briefing.rollouts, BUCKETS), dtype=np.int64)
        self._series: tuple[list[Floats], list[Floats]] = ([], [])

    def look(self, tick: Tick) -> Actions:
        """Take a point a minute, and judge from the fifth on."""
        self._minute += np.stack([_histogram(tick.canary.histogram), _histogram(tick.stable.histogram)])
        high = np.zeros(self._minute.shape[1], dtype=bool)
        if tick.now % self._point == 0:
            for series, minute in zip(self._series, self._minute, strict=True):
                series.append(quantile(minute))
            self._minute[:] = 0
            if len(self._series[0]) >= FIRST:
                high = is_high(np.stack(self._series[0], 1), np.stack(self._series[1], 1))
        return act(high, self._pauses.over(tick))


class Bands:
    """Confidence bands for both distribution functions at all times; stops when they come apart somewhere.

    Source: Howard & Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
    identification", Bernoulli 28, 2022, with α/2 for each version.
    """

    def __init__(self, briefing: Briefing) -> None:
        self._pauses = Pauses(briefing)
        self._sums = np.zeros((2, briefing.rollouts, BUCKETS), dtype=np.int64)

    def look(self, tick: Tick) -> Actions:
        """Compare everything seen so far."""
        self._sums += np.stack([_histogram(tick.canary.histogram), _histogram(tick.stable.histogram)])
        reach = np.cumsum(self._sums, axis=-1)
        counts = reach[..., -1].astype(float)
        canary, stable = reach / np.maximum(counts, 1)[..., None]
        apart = (stable - canary).max(axis=-1) > _radius(counts[0]) + _radius(counts[1])
        return act(self._enough(counts) & apart, self._pauses.over(tick))

    @staticmethod
    def _enough(counts: Floats) -> Bools:
        return np.asarray((counts >= 3).all(axis=0))


def _radius(count: Floats) -> Floats:
    n = np.maximum(count, 3)
    return np.asarray(0.85 * np.sqrt((np.log(np.log(e * n)) + 0.8 * log(1612 / (ALPHA / 2))) / n))


PERCENTILE = Contestant("p95 > 1.25× fixed", LADDER, Percentile)
BESIDE_STABLE = Contestant("p95 > 1.2× stable", LADDER, PercentileBesideStable)
KAYENTA_P95 = Contestant("Kayenta p95", LADDER, KayentaP95)
BANDS = Contestant("DKW bands", LADDER, Bands)
