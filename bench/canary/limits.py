"""What nobody can do better: Wald's limit on bad requests, and how often a fault can be found at all.

Sources: Wald, "Sequential Tests of Statistical Hypotheses", 1945; Neyman & Pearson, 1933.
"""

from functools import cache
from math import log

import numpy as np

from bench.canary.judge import ALPHA, LADDER, PAUSES_S, Floats, Truth
from bench.canary.latencies import shares
from bench.canary.scenarios import Family, Scenario

DRAWS = 40_000


def wald(truth: Truth) -> float:
    """Return the fewest bad requests, on average, at which anybody can stop this at a false-abort rate of 1 %.

    For a canary of little weight and rare errors: ln(1/α)·(k−1) / (k·ln k − k + 1), k times as many errors.
    """
    k = truth.canary / truth.stable
    return log(1 / ALPHA) * (k - 1) / (k * log(k) - k + 1)


@cache
def power(scenario: Scenario) -> float:
    """Return the share of runs in which the best test of the two true rates finds the fault by 480 s.

    The test knows both rates and looks once, at the end of the last step; its threshold is the one that 1 % of
    good releases exceed, from `DRAWS` draws.
    """
    random = np.random.default_rng((5, scenario.seed(0)[1]))
    rps, truth = float(scenario.rps[0]), scenario.truth
    ratio = truth.canary / truth.stable

    def evidence(rate: float) -> Floats:
        total = np.zeros(DRAWS)
        for weight, seconds in zip(LADDER, PAUSES_S, strict=True):
            canary = random.poisson(rps * seconds * weight * rate, DRAWS)
            stable = random.poisson(rps * seconds * (1 - weight) * truth.stable, DRAWS)
            share = ratio * weight / (ratio * weight + 1 - weight)
            total += canary * log(share / weight) + stable * log((1 - share) / (1 - weight))
        return total

    threshold = np.quantile(evidence(truth.stable), 1 - ALPHA)
    return float((evidence(truth.canary) > threshold).mean())


def counts(scenario: Scenario) -> bool:
    """Tell whether a scenario counts for the score: a regression that can be found in 95 % of runs."""
    return scenario.family is Family.REGRESSION and power(scenario) >= 0.95


def slowest_requests(scenario: Scenario) -> float | None:
    """Return Wald's limit for a latency regression, in canary requests on steps 5/25/50; None if too far."""
    assert scenario.slow is not None
    good, bad = shares(), shares(1.0, *scenario.slow)
    needed, served = log(1 / ALPHA), 0.0
    rps = float(scenario.rps[0])
    for weight, seconds in zip(LADDER, PAUSES_S, strict=True):
        gain = rps * _information(good, bad, weight)
        if gain > 0 and needed <= gain * seconds:
            return served + needed / gain * rps * weight
        needed -= gain * seconds
        served += rps * weight * seconds
    return None


def _information(good: Floats, bad: Floats, weight: float) -> float:
    """Return nats per request: how far both versions are from what they are together."""
    mixed = weight * bad + (1 - weight) * good
    with np.errstate(all="ignore"):
        terms = weight * bad * np.log(bad / mixed) + (1 - weight) * good * np.log(good / mixed)
    return float(np.nansum(terms))
