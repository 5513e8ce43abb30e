"""When to give the canary more traffic: as soon as the worst that is still plausible costs little.

It begins with 1 % of the traffic, or with less where a wholly broken canary would cost more than the budget
(`Judge.first`). A step from w to w′ is made when the canary had its least time at w and is warm, nothing speaks
against it (E < 3), and

    w′ · R · U · lag ≤ B

requests: R requests a second, U the upper bound of the canary's excess error rate
(`davy.analysis.judge.safety`), lag two scrapes, which is how long it takes to notice, and B the risk budget.
Before 100 % also U ≤ the assurance, and a material regression is excluded: the race's bet on "no worse" against
"1.5 times worse" has to win 1/β, which is an exact e-value for that null. After the longest time at w the step
is made anyhow, if nothing speaks against it, and is called timed and not proven; the last step waits longer
(`patience`) while the counts speak rather for a regression, since from then on there is nothing left to compare
with.

Guarantee: none about false aborts, and none is needed; a step never adds evidence. The chance that a step costs
more than B before it is noticed is at most β, as far as U holds. Breaks when: the fault begins after the step.
"""

import math

import msgspec

from davy.analysis.judge.known import RatioKnown
from davy.analysis.judge.settings import Judge, MetricKind
from davy.analysis.judge.state import JudgeState

LAG_SCRAPES = 2


class Risk(msgspec.Struct, frozen=True):
    """What the next step may cost: the excess not yet excluded, and the bad requests that it may cause."""

    next_weight: float
    excess_upper: float
    requests: float
    budget: float
    assurance: float
    last: bool
    proof: float
    needed: float

    @property
    def fits(self) -> bool:
        """Whether the step may be made."""
        return self.requests <= self.budget and (not self.last or self.proven)

    @property
    def proven(self) -> bool:
        """Whether enough is excluded for all of the traffic."""
        return self.excess_upper <= self.assurance and self.proof >= self.needed


def risk(state: JudgeState) -> Risk:
    """Return the risk of the next step: that of the metric that bounds it least.

    Every metric has to be no worse than is said, so β is split among them.
    """
    judge = state.judge
    upper = worst_excess(state)
    ahead = judge.above(state.weight) if state.weight > 0.0 else judge.first(state.rate)
    requests = ahead * state.rate * upper * LAG_SCRAPES * judge.scrape_s
    needed = -math.log(_beta(judge))
    return Risk(
        ahead, upper, requests, judge.risk_budget, judge.assurance, ahead >= 1.0, least_proof(state), needed
    )


def worst_excess(state: JudgeState) -> float:
    """Return the largest excess that is not excluded, over the metrics that count errors."""
    beta = _beta(state.judge)
    return max((found.safety.upper(beta) for found in _ratios(state)), default=1.0)


def least_proof(state: JudgeState) -> float:
    """Return the least log evidence that a metric that counts errors is not materially worse."""
    return min((found.safe for found in _ratios(state)), default=0.0)


def _beta(judge: Judge) -> float:
    """Return the part of β that each metric has, as all of them have to be well."""
    return judge.beta / max(1, len(_counted(judge)))


def _counted(judge: Judge) -> list[str]:
    return [metric.name for metric in judge.metrics if metric.kind is MetricKind.ERRORS]


def _ratios(state: JudgeState) -> list[RatioKnown]:
    found = (state.known[name] for name in _counted(state.judge))
    return [each for each in found if isinstance(each, RatioKnown)]
