"""Davy's judge, in process: the same `observe` and `verdict` that the engine calls, one rollout at a time.

Source: `davy.analysis.judge`. Counters come every 5 s. Where a scenario has no latencies, the judge is asked
about errors only, as the other contestants are.
"""

import numpy as np

from bench.canary.judge import Action, Actions, Briefing, Contestant, Counts, Side, Tick
from bench.canary.latencies import BUCKETS
from davy.analysis.judge.counters import Scrape
from davy.analysis.judge.counters import Side as Counted
from davy.analysis.judge.settings import ERRORS, LADDER, LATENCIES, Judge, Metric, MetricKind
from davy.analysis.judge.state import observe, start
from davy.analysis.judge.verdict import Action as Said
from davy.analysis.judge.verdict import Verdict, verdict

MOST = 1000
"""Rollouts of a scenario: one takes a thirtieth of a second, a hundred times what the others do."""

ACTIONS = {
    Said.CONTINUE: Action.CONTINUE,
    Said.ADVANCE: Action.ADVANCE,
    Said.ABORT: Action.ABORT,
    Said.HOLD: Action.HOLD,
    Said.ROLLBACK: Action.ROLLBACK,
}


class Davy:
    """A state and the counters so far for each rollout."""

    def __init__(self, briefing: Briefing, settings: Judge) -> None:
        self._tick_s = briefing.tick_s
        self._states = [start(settings) for _ in range(briefing.rollouts)]
        nothing = Counted() if briefing.history.histogram is None else Counted(histogram=(0,) * BUCKETS)
        self._totals = [(nothing, nothing) for _ in range(briefing.rollouts)]
        ticks = briefing.history.requests.shape[1]
        for rollout in range(briefing.rollouts):
            self._see(rollout, -ticks * self._tick_s, 0.0, nothing, nothing)
            for number in range(ticks):
                before = _counted(briefing.history, (rollout, number))
                self._see(rollout, (number + 1 - ticks) * self._tick_s, 0.0, nothing, before)

    def first(self) -> Counts:
        """Begin with the weight that the judge names before there is traffic."""
        return np.array([WEIGHTS.index(verdict(state, 0.0).next_weight) for state in self._states])

    def look(self, tick: Tick) -> Actions:
        """Show every rollout's judge its counters, and ask it; where nobody scraped it is only asked."""
        actions = np.zeros(len(self._states), dtype=np.int8)
        now = tick.now * self._tick_s
        for rollout in np.flatnonzero(tick.live).tolist():
            weight = float(tick.weight[rollout])
            if tick.scraped:
                self._see(rollout, now, weight, _counted(tick.canary, rollout), _counted(tick.stable, rollout))
            actions[rollout] = _action(verdict(self._states[rollout], now), weight)
        return actions

    def _see(self, rollout: int, at: float, weight: float, canary: Counted, stable: Counted) -> None:
        before = self._totals[rollout]
        self._totals[rollout] = total = before[0] + canary, before[1] + stable
        self._states[rollout] = observe(self._states[rollout], Scrape(at, weight, *total))


def _action(said: Verdict, weight: float) -> Action:
    """Translate a verdict; a hold with less traffic is a step down."""
    if said.action is Said.HOLD and said.next_weight < weight:
        return Action.LOWER
    return ACTIONS[said.action]


def _counted(side: Side, index: int | tuple[int, int]) -> Counted:
    requests, bad = int(side.requests[index]), int(side.bad[index])
    histogram = () if side.histogram is None else tuple(side.histogram[index].tolist())
    return Counted(requests, bad, histogram, {PURCHASES.name: (requests, bad)})


PURCHASES = Metric("purchases", MetricKind.CONVERSIONS)


def start_davy(briefing: Briefing) -> Davy:
    """Start the judge with its defaults, on what there is to judge."""
    metrics = (ERRORS,) if briefing.history.histogram is None else (ERRORS, LATENCIES)
    if briefing.fewer_is_worse:
        metrics = (PURCHASES,)
    return Davy(briefing, Judge(metrics=metrics, scrape_s=briefing.tick_s))


WEIGHTS = tuple(rung.weight for rung in LADDER)
DAVY = Contestant("Davy", WEIGHTS, start_davy, watches=True, most=MOST)
