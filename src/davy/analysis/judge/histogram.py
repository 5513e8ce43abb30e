"""Latency: are the canary's requests slower, anywhere in their distribution?

Requests are counted in exponential buckets, each bound a factor g above the one before. For a window with c_j
requests of the canary and s_j of stable in bucket j, P is what stable did before the window, and an alternative
q says that a fraction ε of the canary's requests takes s times as long:

    q = (1−ε)·P + ε·shift_s(P)          m = w·q + (1−w)·P,   w = nc / (nc + ns)
    gain = Σ_j [ c_j·ln(q_j/m_j) + s_j·ln(P_j/m_j) ] / φ

Whole distributions see a slow tail that a mean hides and a slow body that a p95 hides. q/P is made to grow with
the bucket (weighted PAVA, Ayer et al. 1955), so a canary that is faster never wins anything for it; and q keeps
0.001 of P, so that one request cannot end an alternative.

Guarantee: an e-variable when both versions draw from any common distribution, even one that drifts between
windows: E = (Σ_j f_j·q_j/m_j)^nc · (Σ_j f_j·P_j/m_j)^ns ≤ (w·Σ f q/m + (1−w)·Σ f P/m)^n = 1 by the
inequality of arithmetic and geometric means; and ≤ 1 for a canary that is stochastically faster, as q/m grows
with the bucket. Breaks when: latencies come in clusters (a pause of a garbage collector hits its neighbours):
divide by φ of the slow requests of stable, then it is an approximation.

Source: Turner, Ly & Grünwald, "Generic E-variables for exact sequential k-sample tests", JSPI 230, 2024.
"""

import math
from functools import lru_cache
from typing import Self

import msgspec

from davy.analysis.judge.bets import Bets, Stakes

Counts = tuple[int, ...]

_ALL = (
    (1.0, 1.05, 0.05),
    (1.0, 1.1, 0.15),
    (1.0, 1.2, 0.15),
    (1.0, 1.5, 0.15),
    (1.0, 2.0, 0.1),
    (1.0, 4.0, 0.1),
    (0.2, 2.0, 0.1),
    (0.1, 4.0, 0.1),
    (0.02, 4.0, 0.05),
    (0.05, 10.0, 0.05),
)
_PSEUDO = 0.01
"""What is added to each bucket of stable's past, so that none is impossible."""
_KEPT = 0.001


class Slowdowns(msgspec.Struct, frozen=True):
    """What is bet on.

    Args:
        smallest: the smallest slow-down of all requests that is bet on, and the knob of what is material: a
            slow-down below about its square root is never held against a canary. 1.2 is about 10 %.
        growth: g, how much wider each bucket is than the one before; 1.1 or less for what is said here.
        margin_buckets: m, so many buckets slower (a factor g^m) the canary may be.
        restart_s: how often new bettors begin, 0 for never.
    """

    smallest: float = 1.2
    growth: float = 1.1
    margin_buckets: int = 0
    restart_s: float = 30.0

    @property
    def alternatives(self) -> tuple[tuple[float, float], ...]:
        """Return (ε, s) for each alternative."""
        return _alternatives(self.smallest)

    @property
    def stakes(self) -> Stakes:
        """Return how the stake is shared over the alternatives."""
        return _stakes(self.smallest, self.restart_s)


@lru_cache
def _alternatives(smallest: float) -> tuple[tuple[float, float], ...]:
    return tuple((part, factor) for part, factor, _ in _chosen(smallest))


@lru_cache
def _stakes(smallest: float, restart_s: float) -> Stakes:
    shares = [share for _, _, share in _chosen(smallest)]
    whole = math.fsum(shares)
    return Stakes(tuple(share / whole for share in shares), 0.5 if restart_s else 1.0, restart_s)


def _chosen(smallest: float) -> list[tuple[float, float, float]]:
    return [each for each in _ALL if each[0] < 1.0 or each[1] >= smallest]


class HistShift(msgspec.Struct, frozen=True):
    """What the bettors have won, and `past`: stable's requests by bucket, shifted by the margin."""

    bets: Bets
    past: Counts

    @classmethod
    def over(cls, buckets: int, slowdowns: Slowdowns) -> Self:
        """Begin with so many buckets and no past."""
        return cls(Bets.on(len(slowdowns.alternatives)), (0,) * buckets)

    def learn(self, stable: Counts, slowdowns: Slowdowns) -> Self:
        """Take in requests of stable that are not judged: its history."""
        shifted = _shift(stable, slowdowns.margin_buckets)
        past = tuple(one + more for one, more in zip(self.past, shifted, strict=True))
        return msgspec.structs.replace(self, past=past)

    def open_at(self, elapsed_s: float, slowdowns: Slowdowns) -> Self:
        """Let the next bettor start, if one is due."""
        return msgspec.structs.replace(self, bets=self.bets.open_at(elapsed_s, slowdowns.stakes))

    def bet(self, canary: Counts, stable: Counts, slowdowns: Slowdowns, *, dispersion: float = 1.0) -> Self:
        """Settle the bets on a window, then learn it."""
        canary_total, stable_total = sum(canary), sum(stable)
        if not canary_total or not stable_total:
            return self.learn(stable, slowdowns)
        total = sum(self.past) + _PSEUDO * len(self.past)
        before = [(count + _PSEUDO) / total for count in self.past]
        weight = canary_total / (canary_total + stable_total)
        seen = [
            (bucket, ours, theirs)
            for bucket, (ours, theirs) in enumerate(
                zip(canary, _shift(stable, slowdowns.margin_buckets), strict=True)
            )
            if ours or theirs
        ]
        gains = [
            _gain(before, slower(before, part, factor, slowdowns.growth), weight, seen) / dispersion
            for part, factor in slowdowns.alternatives
        ]
        return msgspec.structs.replace(self, bets=self.bets.gain(gains)).learn(stable, slowdowns)


def slower(before: list[float], part: float, factor: float, growth: float) -> list[float]:
    """Return the alternative's distribution for stable's: a `part` of the requests takes `factor` as long."""
    buckets = len(before)
    steps = math.log(factor) / math.log(growth)
    whole = math.floor(steps + 1e-12)
    rest = steps - whole
    near, far = part * (1.0 - rest), part * rest
    moved = [(1.0 - part) * probability for probability in before]
    for bucket, probability in enumerate(before):
        moved[min(bucket + whole, buckets - 1)] += near * probability
        moved[min(bucket + whole + 1, buckets - 1)] += far * probability
    odds = _growing([ours / theirs for ours, theirs in zip(moved, before, strict=True)], before)
    return [
        (1.0 - _KEPT) * odd * probability + _KEPT * probability
        for odd, probability in zip(odds, before, strict=True)
    ]


def faded(recent: tuple[float, ...], more: Counts, kept: float) -> tuple[float, ...]:
    """Return requests by bucket, older ones for less."""
    if len(recent) != len(more):
        return tuple(map(float, more))
    return tuple(before * kept + count for before, count in zip(recent, more, strict=True))


def _gain(before: list[float], slowed: list[float], weight: float, seen: list[tuple[int, int, int]]) -> float:
    nats = 0.0
    for bucket, ours, theirs in seen:
        odds = slowed[bucket] / before[bucket]
        mixed = math.log(weight * odds + 1.0 - weight)
        nats += ours * (math.log(odds) - mixed) - theirs * mixed
    return nats


def _growing(values: list[float], weights: list[float]) -> list[float]:
    """Return the nearest values that never fall: pool adjacent violators."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        size = 1
        while pools and pools[-1][0] > value:
            other, other_weight, other_size = pools.pop()
            value = (other * other_weight + value * weight) / (other_weight + weight)
            weight += other_weight
            size += other_size
        pools.append((value, weight, size))
    return [value for value, _, size in pools for _ in range(size)]


def _shift(counts: Counts, buckets: int) -> Counts:
    """Move counts up by some buckets; what leaves at the top stays in the last one."""
    if not buckets:
        return counts
    kept = len(counts) - buckets
    top = sum(counts[kept - 1 :])
    return (*(0,) * buckets, *counts[: kept - 1], top)
