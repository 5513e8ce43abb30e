"""Kayenta's NetflixACAJudge: a rank test on two time series of one point a minute.

Source: spinnaker/kayenta, the classifier `MannWhitneyClassifier` of `NetflixACAJudge-v1.0`, written from its
description and from Mann & Whitney (1947) and Hodges & Lehmann (1963). A metric is "High" if the lower limit of
the 98 % confidence interval of the shift between the series exceeds a quarter of the estimated shift, and the
canary's mean is not below stable's. The limit is where the normal approximation (corrected for continuity and
ties) reaches its quantile. Since that statistic falls as the shift grows, the limit exceeds a value exactly if
the statistic at that value still exceeds the quantile, so nothing has to be solved for. Where not even complete
separation reaches the quantile, the limit is min(canary) − max(stable).

Here: steps of 300 s with a point a minute, judged every minute from the fifth point on. Its makers advise at
least 50 points, and hours.
"""

import numpy as np

from bench.canary.judge import LADDER, Actions, Bools, Briefing, Contestant, Floats, Pauses, Tick, act

POINT_S = 60.0
STEP_S = (300.0, 300.0, 300.0)
FIRST = 5
QUANTILE = 2.3263478740408408
"""Of the standard normal distribution, at 0.99: the two-sided confidence of 98 %."""

TOLERANCE = 0.25


class Kayenta:
    """Error percentages by the minute, ranked against stable's."""

    def __init__(self, briefing: Briefing) -> None:
        self._point = briefing.ticks(POINT_S)
        self._pauses = Pauses(briefing, STEP_S)
        self._sums = np.zeros((4, briefing.rollouts))
        self._canary: list[Floats] = []
        self._stable: list[Floats] = []

    def look(self, tick: Tick) -> Actions:
        """Take a point a minute, and judge the series when it is long enough."""
        self._sums += np.stack([tick.canary.requests, tick.canary.bad, tick.stable.requests, tick.stable.bad])
        high = np.zeros(self._sums.shape[1], dtype=bool)
        if tick.now % self._point == 0:
            canary, canary_bad, stable, stable_bad = self._sums
            with np.errstate(invalid="ignore"):
                self._canary.append(100 * canary_bad / canary)
                self._stable.append(100 * stable_bad / stable)
            self._sums[:] = 0
            if len(self._canary) >= FIRST:
                high = is_high(np.stack(self._canary, 1), np.stack(self._stable, 1))
        return act(high, self._pauses.over(tick))


def is_high(canary: Floats, stable: Floats) -> Bools:
    """Tell for which rows the canary's series is high; shapes (rows, points), NaN where there is no point."""
    gap = canary[:, :, None] - stable[:, None, :]
    with np.errstate(invalid="ignore", all="ignore"):
        lowest = np.nan_to_num(np.nanmin(_filled(gap, np.inf), axis=(1, 2)), posinf=np.nan)
        highest = np.nan_to_num(np.nanmax(_filled(gap, -np.inf), axis=(1, 2)), neginf=np.nan)
        wanted = TOLERANCE * np.abs(_median(gap))
        separated = _statistic(canary, stable, lowest) > QUANTILE
        beyond = _statistic(canary, stable, wanted) > QUANTILE
        always = _statistic(canary, stable, highest) >= QUANTILE
        limit_exceeds = np.where(
            separated,
            np.where(always, highest > wanted, (wanted < highest) & (beyond | (wanted < lowest))),
            lowest > wanted,
        )
        not_below = _mean(canary) >= _mean(stable)
    return np.asarray(limit_exceeds & not_below, dtype=bool)


def _statistic(canary: Floats, stable: Floats, shift: Floats) -> Floats:
    """Return the standardised Mann–Whitney statistic of the canary's series lowered by a shift."""
    lowered = canary - shift[:, None]
    gap = lowered[:, :, None] - stable[:, None, :]
    above = np.sum(gap > 0, axis=(1, 2)) + np.sum(gap == 0, axis=(1, 2)) / 2
    first, second = np.sum(~np.isnan(canary), axis=1), np.sum(~np.isnan(stable), axis=1)
    both = np.concatenate([lowered, stable], axis=1)
    alike = np.sum(both[:, :, None] == both[:, None, :], axis=2)
    ties = np.sum(np.where(alike > 0, alike**2 - 1, 0), axis=1)
    total = first + second
    variance = first * second / 12 * ((total + 1) - ties / (total * (total - 1)))
    off = above - first * second / 2
    return np.asarray((off - np.sign(off) / 2) / np.sqrt(variance))


def _filled(values: Floats, filler: float) -> Floats:
    return np.where(np.isnan(values), filler, values)


def _median(gap: Floats) -> Floats:
    """Return the Hodges–Lehmann estimate: the median of all differences."""
    flat = np.sort(gap.reshape(len(gap), -1), axis=1)
    count = np.sum(~np.isnan(flat), axis=1)
    rows = np.arange(len(flat))
    low = flat[rows, np.maximum((count - 1) // 2, 0)]
    high = flat[rows, np.minimum(count // 2, flat.shape[1] - 1)]
    return np.asarray((low + high) / 2)


def _mean(values: Floats) -> Floats:
    return np.asarray(np.nansum(values, axis=1) / np.sum(~np.isnan(values), axis=1))


KAYENTA = Contestant("Kayenta", LADDER, Kayenta)
