"""What a judge is asked to do: metrics, how strict, how fast. The defaults are those that were measured."""

import math
from enum import StrEnum
from functools import lru_cache

import msgspec

from davy.analysis.judge.bets import Stakes
from davy.analysis.judge.histogram import Slowdowns
from davy.analysis.judge.race import DOWN, UP, Rivals

ERROR_RATIO = "error_ratio"
LATENCY = "latency"


class MetricKind(StrEnum):
    """What is worse: more of it, less of it, or later."""

    ERRORS = "errors"
    CONVERSIONS = "conversions"
    LATENCY = "latency"


class Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One guardrail.

    Args:
        name: what it is called. `error_ratio` is read from requests and errors, a latency from the histogram,
            and everything else from the events of that name.
        kind: which way is worse.
        weight: its part in the sum of evidence; the parts of a judge's metrics are brought to sum to 1.
        materiality: the regression nearest to none that is bet on. Default 1.5 for errors, 0.9 for
            conversions, 1.2 for latencies: what is below about 1.23, above about 0.95, below about 1.1 times
            stable's is never held against a canary, however much traffic there is.
        objective: the most that may fail, whatever stable does; only for errors.
        margin_buckets: so many buckets slower the canary may be; only for latencies.
    """

    name: str = ERROR_RATIO
    kind: MetricKind = MetricKind.ERRORS
    weight: float = 0.4
    materiality: float | None = None
    objective: float | None = None
    margin_buckets: int = 0

    def __post_init__(self) -> None:
        if not self.weight > 0.0:
            raise ValueError(f"the weight of {self.name} has to be above 0, not {self.weight:g}")
        if self.objective is not None and not 0.0 < self.objective < 1.0:
            raise ValueError(f"the objective of {self.name} is a share between 0 and 1, not {self.objective:g}")
        if self.materiality is not None and not self._possible(self.materiality):
            side = "between 0 and 1" if self.kind is MetricKind.CONVERSIONS else "above 1"
            raise ValueError(f"the materiality of {self.name} is a ratio {side}, not {self.materiality:g}")

    def _possible(self, ratio: float) -> bool:
        return 0.0 < ratio < 1.0 if self.kind is MetricKind.CONVERSIONS else 1.0 < ratio < math.inf

    @property
    def rivals(self) -> Rivals:
        """Return what is bet on: all ratios at least as far from 1 as the materiality."""
        return _rivals(self.kind, self.materiality)

    @property
    def slowdowns(self) -> Slowdowns:
        """Return what is bet on of a latency."""
        return Slowdowns(smallest=self.materiality or 1.2, margin_buckets=self.margin_buckets)


@lru_cache
def _rivals(kind: MetricKind, materiality: float | None) -> Rivals:
    """Return the ratios beyond the materiality, each with its part of the stake."""
    every = DOWN if kind is MetricKind.CONVERSIONS else UP
    if materiality is None:
        return every
    chosen = [(materiality, every.stakes.shares[0])] + [
        (ratio, share)
        for ratio, share in zip(every.ratios, every.stakes.shares, strict=True)
        if every.bets_on(ratio, materiality)
    ]
    whole = math.fsum(share for _, share in chosen)
    return Rivals(tuple(ratio for ratio, _ in chosen), Stakes(tuple(share / whole for _, share in chosen)))


ERRORS = Metric()
LATENCIES = Metric(LATENCY, MetricKind.LATENCY, 0.3)


class Rung(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of the ladder: its weight, the least time on it, and when it is left without proof."""

    weight: float
    soak_s: float
    cap_s: float


LADDER = (
    Rung(0.001, 5.0, 45.0),
    Rung(0.01, 5.0, 60.0),
    Rung(0.05, 20.0, 120.0),
    Rung(0.25, 70.0, 180.0),
    Rung(0.5, 30.0, 180.0),
)
BEGIN = 0.01
"""The most to begin with."""
REACTION_S = 5.0
"""How long a canary that fails whatever it is asked has its traffic until it is seen and stopped."""


class Judge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a judge.

    Args:
        metrics: the guardrails; any of them may abort.
        alpha: the share of good releases that may be aborted.
        risk_budget: bad requests that a step up may cost before it is noticed, at worst.
        beta: the chance that such a worst case is worse than said.
        assurance: the excess error rate that has to be excluded before 100 %.
        suspicion: evidence, as a factor, above which no step is made.
        resolve: evidence above which the last step waits until it falls.
        patience: how many times its longest time the last step may wait while the counts speak rather for a
            material regression than for none.
        ladder: the steps, for times and for what comes next.
        scrape_s: how often counters are read; three of them without news are too many.
        warm_up_s: how long after its first traffic a canary may be cold; 0 where probes wait for it.
        warm_up_each: whether traffic that grows finds cold instances every time.
        bake_s: how long a promoted version is watched.
        check_split: whether the canary's part of the requests has to be the weight that was set.
        session_s: how long a client stays with one version; 0 where each request is sent anew.
    """

    metrics: tuple[Metric, ...] = (ERRORS, LATENCIES)
    alpha: float = 0.01
    risk_budget: float = 20.0
    beta: float = 0.05
    assurance: float = 0.005
    suspicion: float = 3.0
    resolve: float = 2.0
    patience: float = 4.0
    ladder: tuple[Rung, ...] = LADDER
    scrape_s: float = 5.0
    warm_up_s: float = 30.0
    warm_up_each: bool = False
    bake_s: float = 900.0
    check_split: bool = True
    session_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} is a share between 0 and 1, not {getattr(self, name):g}")
        if not self.metrics or not self.ladder:
            raise ValueError("a judge needs at least one metric and one step")
        if len({metric.name for metric in self.metrics}) < len(self.metrics):
            raise ValueError("two metrics have the same name")
        weights = [rung.weight for rung in self.ladder]
        if weights != sorted(set(weights)) or not 0.0 < weights[0] <= weights[-1] < 1.0:
            raise ValueError("the weights of the ladder have to grow, between 0 and 1")

    @property
    def weights(self) -> dict[str, float]:
        """Return the part of each metric in the evidence."""
        whole = math.fsum(metric.weight for metric in self.metrics)
        return {metric.name: metric.weight / whole for metric in self.metrics}

    def first(self, rate: float) -> float:
        """Return the weight to begin with at a rate of so many requests a second of both versions.

        1 %, or less where the budget would not pay for a canary that is wholly broken: w·R·5 s ≤ B. What a
        cold start may hide costs in proportion, so the busiest services begin with least.
        """
        low = [rung.weight for rung in self.ladder if rung.weight <= BEGIN] or [self.ladder[0].weight]
        return max((weight for weight in low if weight * rate * REACTION_S <= self.risk_budget), default=low[0])

    def rung(self, weight: float) -> Rung:
        """Return the step that a weight is on: the last that is not above it, or the first."""
        below = [rung for rung in self.ladder if rung.weight <= weight + 1e-9]
        return below[-1] if below else self.ladder[0]

    def above(self, weight: float) -> float:
        """Return the weight that comes next."""
        return next((rung.weight for rung in self.ladder if rung.weight > weight + 1e-9), 1.0)
