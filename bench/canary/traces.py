"""Made-up requests: the same ones for every judge, whatever it decides.

Every request has a hash in [0, 1), and a weight w sends those with a hash below w to the canary. Hash space is
cut into strata at the weights that occur; for each rollout, tick and stratum a trace holds how many requests
there are, how many of them go wrong if stable serves them, and how many if the canary does. Both outcomes of a
request are drawn together (a worse canary fails wherever stable fails), so their difference is exactly what the
release causes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.canary.judge import Counts, Floats, Side
from bench.canary.latencies import shares
from bench.canary.scenarios import HISTORY, LATENCIES, TICK_S, TICKS, Scenario

EDGES = (0.0, 0.01, *(number / 20 for number in range(1, 11)), 1.0)
COARSE = (0.0, 0.01, 0.05, 0.25, 0.5, 1.0)
"""Where hash space is cut, and where it is cut when every stratum has a histogram."""
FINEST = 0.001
"""Where the first stratum is cut again, for who begins with that little."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One tick's requests by stratum, summed up from hash 0: column i is what lies below `edges[i]`.

    Shapes are (rollouts, strata + 1), with buckets as a third dimension for the histograms.
    """

    requests: Counts
    bad_on_stable: Counts
    bad_on_canary: Counts
    slow_on_stable: Counts | None = None
    slow_on_canary: Counts | None = None

    def split(self, cut: Counts) -> tuple[Side, Side, Counts]:
        """Serve the strata below each rollout's cut by the canary: canary, stable, bad requests it caused."""
        rows = np.arange(len(cut))
        requests, good, bad = (
            each[rows, cut] for each in (self.requests, self.bad_on_stable, self.bad_on_canary)
        )
        slow = None if self.slow_on_canary is None else self.slow_on_canary[rows, cut]
        rest = None
        if self.slow_on_stable is not None:
            rest = self.slow_on_stable[:, -1] - self.slow_on_stable[rows, cut]
        stable = Side(self.requests[:, -1] - requests, self.bad_on_stable[:, -1] - good, rest)
        return Side(requests, bad, slow), stable, bad - good


class Traces:
    """The traces of so many rollouts of a scenario; the same seed gives the same requests."""

    def __init__(self, scenario: Scenario, rollouts: int, seed: tuple[int, ...]) -> None:
        self.scenario = scenario
        self.rollouts = rollouts
        edges = COARSE if scenario.family in LATENCIES else EDGES
        self.edges = (0.0, FINEST, *edges[1:])
        self._random = np.random.default_rng(seed)
        self._finer = np.random.default_rng((*seed, 1))
        self._widths = np.diff(edges)
        self._part = FINEST / edges[1]

    def history(self) -> Side:
        """Draw what stable answered before the rollout; shape (rollouts, ticks)."""
        scenario, shape = self.scenario, (self.rollouts, HISTORY)
        requests = self._random.poisson(scenario.rps[0] * TICK_S, shape)
        bad = self._bad(requests, scenario.before)
        requests = np.maximum(requests, bad)
        if scenario.slow is None:
            return Side(requests, bad)
        return Side(requests, bad, self._random.multinomial(requests, shares()))

    def ticks(self) -> Iterator[Slice]:
        """Draw one tick after another."""
        for number in range(TICKS):
            yield self._slice(number)

    def _slice(self, number: int) -> Slice:
        scenario = self.scenario
        share = scenario.rps[number] * TICK_S * self._widths
        requests = self._random.poisson(share, (self.rollouts, len(share)))
        stable, canary = float(scenario.stable[number]), float(scenario.canary[number])
        bad = self._bad(requests, stable)
        worse = self._coupled(requests, bad, stable, canary)
        requests = np.maximum(requests, np.maximum(bad, worse))
        slow = self._latencies(requests, number)
        first = self._first(requests[:, 0], bad[:, 0], worse[:, 0])
        return Slice(
            *(_below(each, part) for each, part in zip((requests, bad, worse), first, strict=True)),
            *(each if each is None else _below(each, self._drawn(each[:, 0], first[0])) for each in slow),
        )

    def _first(self, requests: Counts, bad: Counts, worse: Counts) -> tuple[Counts, Counts, Counts]:
        """Say which of the first stratum's requests lie below its finer cut: each by itself, a client as one.

        The generator is another one, so that traces are the same for those who have no use for the cut.
        """
        low, high = np.minimum(bad, worse), np.maximum(bad, worse)
        if self.scenario.cluster > 1:
            here = self._finer.random(self.rollouts) < self._part
            some, all_ = low * here, high * here
        else:
            some = self._finer.binomial(low, self._part)
            all_ = some + self._finer.binomial(high - low, self._part)
        whole = all_ + self._finer.binomial(requests - high, self._part)
        return whole, np.where(bad <= worse, some, all_), np.where(bad <= worse, all_, some)

    def _drawn(self, histograms: Counts, numbers: Counts) -> Counts:
        """Draw so many requests of each histogram, without putting any back."""
        drawn = [
            self._finer.multivariate_hypergeometric(histogram, number, method="marginals")
            for histogram, number in zip(histograms, numbers, strict=True)
        ]
        return np.array(drawn)

    def _bad(self, requests: Counts, rate: float) -> Counts:
        """Draw errors: each by itself, or in clusters of a geometric size that a retrying client makes."""
        if self.scenario.cluster <= 1:
            return self._random.binomial(requests, rate)
        return self._clusters(np.asarray(requests * rate / self.scenario.cluster, dtype=np.float64))

    def _clusters(self, clients: Floats) -> Counts:
        failing = self._random.poisson(clients)
        more = self._random.negative_binomial(np.maximum(failing, 1), 1 / self.scenario.cluster)
        return failing + np.where(failing > 0, more, 0)

    def _coupled(self, requests: Counts, bad: Counts, stable: float, canary: float) -> Counts:
        """Draw the canary's outcome of requests whose outcome on stable is known."""
        if canary == stable:
            return bad
        if self.scenario.cluster > 1:
            worse = max(canary - stable, 0.0) / self.scenario.cluster
            return np.asarray(bad + self._clusters(np.asarray(requests * worse, dtype=np.float64)))
        if canary > stable:
            return bad + self._random.binomial(requests - bad, (canary - stable) / (1 - stable))
        return self._random.binomial(bad, canary / stable)

    def _latencies(self, requests: Counts, number: int) -> tuple[Counts | None, Counts | None]:
        scenario = self.scenario
        if scenario.slow is None:
            return None, None
        factor, since = scenario.both_slow
        both = factor if number >= since else 1.0
        return (
            self._random.multinomial(requests, shares(both)),
            self._random.multinomial(requests, shares(both, *scenario.slow)),
        )


def _below(counts: Counts, first: Counts) -> Counts:
    """Sum up from the first stratum on, beginning with nothing, then with what is below the finer cut."""
    total = np.cumsum(counts, axis=1)
    return np.concatenate([np.zeros_like(total[:, :1]), first[:, None], total], axis=1)
