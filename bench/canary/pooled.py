"""Tests of two proportions on everything seen so far: repeated z, mSPRT, GrowthBook's confidence sequence.

They pool all steps of the rollout. Under a ramp, a baseline that moves looks like a difference between the
versions (Simpson's paradox), which the drift scenarios show. What they are told here flatters mSPRT: the width
of its mixture is the pooled error rate itself.
"""

from math import log, sqrt

import numpy as np

from bench.canary.judge import ALPHA, LADDER, Actions, Bools, Briefing, Contestant, Floats, Pauses, Tick, act


class Pooled:
    """Counters since the start; a subclass says when they are too far apart."""

    every_s = 5.0
    least = 0
    """How often to look, and how many requests of each version there must be more than."""

    def __init__(self, briefing: Briefing) -> None:
        self._every = briefing.ticks(self.every_s)
        self._pauses = Pauses(briefing)
        self._sums = np.zeros((4, briefing.rollouts))

    def look(self, tick: Tick) -> Actions:
        """Compare what was counted so far."""
        self._sums += np.stack([tick.canary.requests, tick.canary.bad, tick.stable.requests, tick.stable.bad])
        canary, canary_bad, stable, stable_bad = self._sums
        enough = (canary > self.least) & (stable > self.least) & (canary_bad + stable_bad > 0)
        if tick.now % self._every or not enough.any():
            return act(np.zeros(len(canary), dtype=bool), self._pauses.over(tick))
        with np.errstate(all="ignore"):
            apart = self.apart(canary, canary_bad, stable, stable_bad)
        return act(enough & apart, self._pauses.over(tick))

    def apart(self, canary: Floats, canary_bad: Floats, stable: Floats, stable_bad: Floats) -> Bools:
        """Tell whether the canary's error rate is too far above stable's."""
        raise NotImplementedError


def _pooled(canary: Floats, canary_bad: Floats, stable: Floats, stable_bad: Floats) -> tuple[Floats, Floats]:
    """Return the shared error rate, and the variance of the difference if there is only that one."""
    rate = (canary_bad + stable_bad) / (canary + stable)
    return rate, rate * (1 - rate) * (1 / canary + 1 / stable)


class RepeatedZ(Pooled):
    """A z-test at 1 %, looked at every 30 s as if it were the only look: what peeking costs."""

    every_s = 30.0
    least = 30

    def apart(self, canary: Floats, canary_bad: Floats, stable: Floats, stable_bad: Floats) -> Bools:
        """Compare z with the quantile of one look."""
        _, variance = _pooled(canary, canary_bad, stable, stable_bad)
        return np.asarray((canary_bad / canary - stable_bad / stable) / np.sqrt(variance) > 2.326)


class MixtureSprt(Pooled):
    """Mixture SPRT with a normal mixture over the difference, one-sided.

    Source: Johari, Koomen, Pekelis & Walsh, "Always Valid Inference", Operations Research 70, 2022, after
    Robbins (1970). Approximate where counts are low.
    """

    def apart(self, canary: Floats, canary_bad: Floats, stable: Floats, stable_bad: Floats) -> Bools:
        """Compare the log likelihood ratio, mixed over N(0, τ²) with τ the pooled rate, with ln(1/2α)."""
        rate, variance = _pooled(canary, canary_bad, stable, stable_bad)
        difference = canary_bad / canary - stable_bad / stable
        spread = rate**2
        evidence = 0.5 * np.log(variance / (variance + spread)) + spread * difference**2 / (
            2 * variance * (variance + spread)
        )
        return np.asarray((difference > 0) & (evidence >= log(1 / (2 * ALPHA))))


class GrowthBook(Pooled):
    """The asymptotic confidence sequence of GrowthBook's sequential tests, tuned for 5 000 users.

    Source: gbstats 0.8.0, `SequentialTwoSidedTTest`, after Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas,
    "Time-uniform central limit theory and asymptotic confidence sequences", arXiv 2103.06476.
    """

    tuned_for = 5000.0

    def apart(self, canary: Floats, canary_bad: Floats, stable: Floats, stable_bad: Floats) -> Bools:
        """Tell whether the lower end of the interval of the difference is above zero."""
        rates = canary_bad / canary, stable_bad / stable
        variance = rates[0] * (1 - rates[0]) / canary + rates[1] * (1 - rates[1]) / stable
        level = 2 * ALPHA
        rho = sqrt((-2 * log(level) + log(-2 * log(level) + 1)) / self.tuned_for)
        count = canary + stable
        scaled = count * rho**2 + 1
        width = np.sqrt(count * variance) * np.sqrt(
            2 * scaled / (count * rho) ** 2 * np.log(np.sqrt(scaled) / level)
        )
        return np.asarray(rates[0] - rates[1] - width > 0)


REPEATED_Z = Contestant("z peeking", LADDER, RepeatedZ)
MSPRT = Contestant("mSPRT", LADDER, MixtureSprt)
GROWTHBOOK = Contestant("GrowthBook CS", LADDER, GrowthBook)
