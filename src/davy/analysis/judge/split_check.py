"""Is the split what was set? A comparison of two versions is fair only if it decides who gets which request.

A mesh that has not heard of the new weight, sessions that stick to one version, a proxy that sends retries to
stable: then one version has other users than the other, and the judge compares users. So the requests of both
are counted since the weight w was set, and an e-value is kept against "the canary's part p of them is w":

    E = ∫ p^c·(1−p)^s dBeta(p; w·κ, (1−w)·κ)  /  max over p in T of p^c·(1−p)^s      κ = 1/min(w, 1−w)

for c requests of the canary and s of stable. T is p within a tenth of the smaller side's part: real splits are
never exact, and that much does no harm. The prior is worth one request of the smaller side.

Guarantee: if requests are sent one by one with any p in T, E is at most a likelihood ratio of expectation 1,
so at most one of 10 000 counts ever has E ≥ 10 000 (Ville). Requests come in bursts, though: all those of one
client go to one side. So c and s are divided by the dispersion φ first, the mean over successive blocks of
five seconds of

    (y₁·n₀ − y₀·n₁)² / (n₀·n₁·(n₀+n₁)·q·(1−q))      q = (y₀+y₁)/(n₀+n₁), y of n requests being the canary's

and φ is taken from its upper side: with few blocks it may be too small by chance, so it is divided by the part
of its true value that it falls below once in 10 000 (Wilson & Hilferty 1931). Nothing is said before six
were compared. What is known of φ is kept when the weight changes; the counts begin anew.

By simulation (counters every 5 s, 15 min at one weight, 4 000 of each of 36 cells: 20, 200 and 2 000 requests
a second, weights of 1, 5 and 50 %, bursts of 1, 5, 20 and 100 requests on average): no false alarm. Twice the
canary's part at 5 % is found after 170, 75 and 45 s at 20, 200 and 2 000 requests a second, half of it after
310, 100 and 55 s (medians, without bursts).

Breaks when: a client stays with one version for much longer than a block, and there are few; neighbours do not
show that. It cries wolf in up to 14 % with sessions of a minute (a request each six seconds, 20 a second of
all clients), up to 45 % with a request a second for half a minute. Blocks of `session_s` repair that: with 60
s none of 2 000 in each of 12 such cells; but then finding anything takes ten minutes.

Source: Lindon & Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022.
"""

import math
from typing import Self

import msgspec

ALPHA = 1e-4
TOLERANCE = 0.1
BLOCK_S = 5.0
SETTLE_SCRAPES = 2
"""So long after the weight changed nothing is counted: not every proxy has heard of it at once."""
ANEW_S = 600.0
"""So old counts make room for new ones, or a split that breaks late would be found late."""
_LOWEST = -3.719
"""The quantile of the normal distribution for one of 10 000."""
_OVERLAP = 2.0 / 3.0
"""Successive differences share a block, so their mean is as uncertain as one of fewer."""


class Counted(msgspec.Struct, frozen=True):
    """Requests of both versions."""

    canary: float = 0.0
    stable: float = 0.0

    def __add__(self, more: "Counted") -> "Counted":
        return Counted(self.canary + more.canary, self.stable + more.stable)

    @property
    def all(self) -> float:
        """Return the requests of both together."""
        return self.canary + self.stable

    @property
    def share(self) -> float:
        """Return the canary's part."""
        return self.canary / self.all


class Bursts(msgspec.Struct, frozen=True):
    """How much more the canary's part varies from block to block than that of requests sent one by one."""

    spread: float = 4.0
    pairs: int = 0
    block: Counted = Counted()
    block_s: float = 0.0
    before: Counted = Counted()

    def learn(self, window: Counted, window_s: float, session_s: float) -> Self:
        """Take in a window, and compare the block that it ends with the block before."""
        block, seconds = self.block + window, self.block_s + window_s
        if seconds < max(BLOCK_S, session_s):
            return msgspec.structs.replace(self, block=block, block_s=seconds)
        both = self.before + block
        spread, pairs = self.spread, self.pairs
        if self.before.all and block.all and both.canary and both.stable:
            apart = block.canary * self.before.all - self.before.canary * block.all
            spread += apart**2 * both.all / (self.before.all * block.all * both.canary * both.stable)
            pairs += 1
        return type(self)(spread, pairs, before=block)

    def pause(self) -> Self:
        """Forget the blocks, since the next one is no neighbour."""
        return type(self)(self.spread, self.pairs)

    @property
    def factor(self) -> float:
        """Return the most that φ may be; infinite while that is not known."""
        if not self.pairs:
            return math.inf
        spoilt = 2.0 / (9.0 * _OVERLAP * self.pairs)
        part = 1.0 - spoilt + _LOWEST * math.sqrt(spoilt)
        return max(1.0, self.spread / (4 + self.pairs)) / part**3 if part > 0.0 else math.inf


class Off(msgspec.Struct, frozen=True):
    """The split is not what was set: the canary's part, and of how many requests."""

    share: float
    requests: float


class SplitCheck(msgspec.Struct, frozen=True):
    """What is known of the split.

    `off` is the newest proof that it is not what was set. It is lifted when twice as many requests as it took
    do not prove it again. Windows that begin before `begins_at` are not counted; the first that was began at
    `began_at`.
    """

    counted: Counted = Counted()
    bursts: Bursts = Bursts()
    off: Off | None = None
    begins_at: float = 0.0
    began_at: float = 0.0

    def moved(self, begins_at: float) -> Self:
        """Note that another weight was set; how bursty requests are stays known."""
        return type(self)(bursts=self.bursts.pause(), begins_at=begins_at, began_at=begins_at)

    def gap(self) -> Self:
        """Note that the next window is no neighbour of the last."""
        return msgspec.structs.replace(self, bursts=self.bursts.pause())

    def add(
        self,
        canary: int,
        stable: int,
        *,
        weight: float,
        began_at: float,
        window_s: float,
        session_s: float = 0.0,
    ) -> Self:
        """Take in a window in which the canary was to have `weight` of the requests, between 0 and 1."""
        if began_at < self.begins_at:
            return self
        window = Counted(float(canary), float(stable))
        bursts = self.bursts.learn(window, window_s, session_s)
        old = self.off is None and began_at - self.began_at >= ANEW_S
        counted = window if old else self.counted + window
        known = msgspec.structs.replace(
            self, counted=counted, bursts=bursts, began_at=began_at if old else self.began_at
        )
        if log_evidence(counted, weight, bursts.factor) >= -math.log(ALPHA):
            off = Off(counted.share, counted.all)
            return msgspec.structs.replace(known, counted=Counted(), off=off, began_at=began_at)
        if self.off is not None and counted.all >= 2.0 * self.off.requests:
            return msgspec.structs.replace(known, off=None)
        return known


def log_evidence(counted: Counted, weight: float, dispersion: float = 1.0) -> float:
    """Return the log evidence that the canary's part is not within the tolerance of `weight`."""
    canary, stable = counted.canary / dispersion, counted.stable / dispersion
    if not canary + stable:
        return 0.0
    smaller = min(weight, 1.0 - weight)
    within = smaller * TOLERANCE
    nearest = min(max(canary / (canary + stable), weight - within), weight + within)
    ours, theirs = weight / smaller, (1.0 - weight) / smaller
    mixed = _log_beta(ours + canary, theirs + stable) - _log_beta(ours, theirs)
    return mixed - canary * math.log(nearest) - stable * math.log1p(-nearest)


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
