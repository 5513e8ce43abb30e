"""Has a promoted version become worse than what was frozen when it got everything? One sum for each metric.

For each alternative a sum that never falls below nothing (CUSUM, Page 1954), against what stable did in the
last two minutes before, with a tolerance:

    errors        S_k = max(S_k, 0) + ( e·ln k − n·1.10·λ·(k−1) ) / φ        k = 1.5, 2, … 200
    conversions   S_k = max(S_k, 0) + ( e·ln k − n·0.80·λ·(k−1) ) / φ        k = 0.9, 0.8, … 0.02
    latency       S_q = max(S_q, 0) + Σ_j c_j·ln(q_j/P_j) / φ                q as in `histogram`

with an alarm when Σ q·e^S ≥ 1000 over the alternatives, q being their stakes. P is the frozen histogram three
buckets slower, which is a third (1.1³): the load of all the traffic, and an hour that is slower, are no fault.
The λ of conversions is one standard error below what was counted, since few are counted in two minutes, and a
rate that was frozen too high would be missed from then on; what is frozen too low only costs power.

A faster version never adds to S: q/P grows with the bucket, so what moves to lower buckets lowers the sum.

How often a good release is asked for halves (15 min, counters every 5 s; by simulation):

* conversions, 1 to 100 tries a second of which 2, 20 or 90 % succeed, steady, falling by 10 or 20 %, or in a
  wave of 20 %: at most 0.2 % of 2 000, most of them none. Half as many are found after 10 to 15 s at 100 tries
  a second and 20 % or 10 and 90 %, after 80 s at 10 and 20 %; a loss of 30 % after 20 to 180 s where there are
  nine successes a second or more, seldom below three. Without the standard error it was up to 3.6 %, and with
  0.9 for 0.8 up to 100 % of those that fall by 20 %.
* latency, 2 to 2 000 requests a second (lognormal, p95 2.7 times p50), steady, 8 % slower, rising by 10 or 20
  %, or in a wave of 20 %: none of 100 at 20 and more, at most 3 at 2. 1.5 times as slow is found within 20 s
  at 20 and more, a tenth of the requests four times as slow as well; 1.2 times is within what is borne. With
  two buckets up to 18 % at 2 and 6 % at 20 were asked, with none nearly all whose latency drifts by 10 %.

While a version is cold, errors are held to `MARGIN` times λ instead, and the others to nothing.

Guarantee: none about the alarm, which is no verdict (see `davy.analysis.judge.watch`).
"""

import math
from functools import lru_cache
from typing import Self, TypeAlias

import msgspec

from davy.analysis.judge.bets import Stakes, log_sum
from davy.analysis.judge.counters import Side
from davy.analysis.judge.histogram import Slowdowns, slower
from davy.analysis.judge.known import ENOUGH, Known, RatioKnown, counted
from davy.analysis.judge.settings import Metric, MetricKind
from davy.analysis.judge.warm_up import MARGIN

TOLERANCE = 1.1
"""How many times as many errors are borne."""
TOLERANCE_FEWER = 0.8
"""The part of the conversions that is enough."""
LATER_BUCKETS = 3
_PSEUDO = 0.01


class RatioCusum(msgspec.Struct, frozen=True, tag="ratio"):
    """The sum of each ratio, and the rate that was frozen."""

    rate: float
    sums: tuple[float, ...]

    def add(self, metric: Metric, canary: Side, *, dispersion: float = 1.0, cold: bool = False) -> Self:
        """Take in a window of the promoted version."""
        fewer = metric.kind is MetricKind.CONVERSIONS
        if cold and fewer:
            return self
        tried, happened = counted(metric, canary)
        borne = MARGIN if cold else TOLERANCE_FEWER if fewer else TOLERANCE
        expected = tried * borne * self.rate
        return msgspec.structs.replace(
            self,
            sums=tuple(
                max(before, 0.0) + (happened * math.log(ratio) - expected * (ratio - 1.0)) / dispersion
                for before, ratio in zip(self.sums, metric.rivals.ratios, strict=True)
            ),
        )

    def log_evidence(self, metric: Metric) -> float:
        """Return the logarithm of what is compared with the threshold."""
        return _mixed(self.sums, metric.rivals.stakes)


class LatencyCusum(msgspec.Struct, frozen=True, tag="latency"):
    """The sum of each slow-down, and the requests by bucket that were frozen, shifted by what is borne."""

    past: tuple[float, ...]
    sums: tuple[float, ...]

    def add(self, metric: Metric, canary: Side, *, dispersion: float = 1.0, cold: bool = False) -> Self:
        """Take in a window of the promoted version."""
        if cold or len(canary.histogram) != len(self.past):
            return self
        seen = [(bucket, count) for bucket, count in enumerate(canary.histogram) if count]
        odds = _log_odds(self.past, metric.slowdowns)
        return msgspec.structs.replace(
            self,
            sums=tuple(
                max(before, 0.0) + math.fsum(count * logs[bucket] for bucket, count in seen) / dispersion
                for before, logs in zip(self.sums, odds, strict=True)
            ),
        )

    def log_evidence(self, metric: Metric) -> float:
        """Return the logarithm of what is compared with the threshold."""
        return _mixed(self.sums, metric.slowdowns.stakes)


Cusum: TypeAlias = RatioCusum | LatencyCusum


def freeze(metric: Metric, known: Known, *, confirmed: bool) -> Cusum | None:
    """Return what a version is held to from now on, None where nothing is known of the metric.

    After a confirmation both halves have shown the same, so both count.
    """
    if not isinstance(known, RatioKnown):
        if sum(known.recent) < ENOUGH:
            return None
        return LatencyCusum(_later(known.recent), (0.0,) * len(metric.slowdowns.alternatives))
    tried, happened = known.safety.requests, known.safety.errors
    if confirmed:
        tried = known.seen.canary_requests + known.seen.stable_requests
        happened = known.seen.canary_errors + known.seen.stable_errors
    if not tried:
        return None
    happened += 0.5
    if metric.kind is MetricKind.CONVERSIONS:
        happened = max(0.0, happened - math.sqrt(happened))
    return RatioCusum(min(1.0, happened / (tried + 1.0)), (0.0,) * len(metric.rivals.ratios))


def _later(counts: tuple[float, ...]) -> tuple[float, ...]:
    """Move counts up by the buckets that are borne; what leaves at the top stays in the last one."""
    moved = [0.0] * len(counts)
    for bucket, count in enumerate(counts):
        moved[min(bucket + LATER_BUCKETS, len(counts) - 1)] += count
    return tuple(moved)


@lru_cache(maxsize=64)
def _log_odds(past: tuple[float, ...], slowdowns: Slowdowns) -> tuple[tuple[float, ...], ...]:
    """Return ln(q/P) of each bucket for each slow-down; frozen, so it is worked out once."""
    whole = sum(past) + _PSEUDO * len(past)
    before = [(count + _PSEUDO) / whole for count in past]
    return tuple(
        tuple(
            math.log(ours / theirs)
            for ours, theirs in zip(slower(before, part, factor, slowdowns.growth), before, strict=True)
        )
        for part, factor in slowdowns.alternatives
    )


def _mixed(sums: tuple[float, ...], stakes: Stakes) -> float:
    return log_sum(total + math.log(share) for total, share in zip(sums, stakes.shares, strict=True))
