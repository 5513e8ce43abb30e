"""Argo Rollouts: an AnalysisRun that polls a ratio, inline between two steps or in the background.

Source: argoproj/argo-rollouts, `analysis/analysis.go` and `utils/evaluate/evaluate.go`. The first measurement
is taken at once, the next when the interval has passed; a run fails at the measurement after `failureLimit`
failures, so that a limit of 1 means the second one. A ratio without requests is NaN, which fails a
`successCondition`. `rate` of Prometheus is taken as the exact ratio of the last minute, and no controller
needs time for anything: both flatter.
"""

import numpy as np

from bench.canary.judge import (
    LADDER,
    PAUSES_S,
    Actions,
    Bools,
    Briefing,
    Contestant,
    Floats,
    Pauses,
    Tick,
    act,
)

INTERVAL_S = 30.0
WINDOW_S = 60.0
COUNT = 5
FAILURE_LIMIT = 1
MOST_ERRORS = 0.02
"""The error ratio that the template of a first gate allows; measured five times inline, without end behind."""


class Window:
    """The counters of the last minute: canary's requests and bad ones, and stable's."""

    def __init__(self, briefing: Briefing) -> None:
        self._ticks = np.zeros((briefing.ticks(WINDOW_S), 4, briefing.rollouts))

    def add(self, tick: Tick) -> None:
        """Let a tick in and the oldest out."""
        self._ticks[tick.now % len(self._ticks)] = [
            tick.canary.requests,
            tick.canary.bad,
            tick.stable.requests,
            tick.stable.bad,
        ]

    def ratios(self) -> tuple[Floats, Floats]:
        """Return the canary's error ratio and stable's; NaN without requests."""
        canary, canary_bad, stable, stable_bad = self._ticks.sum(axis=0)
        with np.errstate(invalid="ignore"):
            return canary_bad / canary, stable_bad / stable


class Threshold:
    """`successCondition: result <= 0.02`, measured in the background until the last step is over."""

    def __init__(self, briefing: Briefing) -> None:
        self._window = Window(briefing)
        self._pauses = Pauses(briefing)
        self._interval = briefing.ticks(INTERVAL_S)
        self._failed = np.zeros(briefing.rollouts)

    def look(self, tick: Tick) -> Actions:
        """Measure when the interval has passed."""
        self._window.add(tick)
        if tick.now % self._interval == 0:
            self._failed += self.fails(*self._window.ratios())
        return act(self._failed > FAILURE_LIMIT, self._pauses.over(tick))

    def fails(self, canary: Floats, _: Floats) -> Bools:
        """Tell whether a measurement fails; NaN is not below anything."""
        return ~(canary <= MOST_ERRORS)


class TwiceStable(Threshold):
    """A query that people write: the canary's ratio is more than twice stable's; without errors it is not."""

    def fails(self, canary: Floats, stable: Floats) -> Bools:
        """Tell whether the canary has more than twice the errors."""
        return np.asarray((canary > 2 * stable) & (canary > 0))


class Inline:
    """A pause, then a step of analysis: five measurements, the first of them at once; then the next weight."""

    def __init__(self, briefing: Briefing) -> None:
        self._window = Window(briefing)
        self._pauses = np.array([briefing.ticks(pause) for pause in PAUSES_S])
        self._interval = briefing.ticks(INTERVAL_S)
        self._failed = np.zeros(briefing.rollouts)

    def look(self, tick: Tick) -> Actions:
        """Measure from the end of the pause on; forget failures when a step's analysis is over."""
        self._window.add(tick)
        since = tick.dwell - self._pauses[np.minimum(tick.step, len(PAUSES_S) - 1)]
        due = (since >= 0) & (since % self._interval == 0)
        canary, _ = self._window.ratios()
        self._failed += due & ~(canary <= MOST_ERRORS)
        abort = self._failed > FAILURE_LIMIT
        over = since >= (COUNT - 1) * self._interval
        self._failed[over] = 0
        return act(abort, over)


INLINE = Contestant("Argo inline", LADDER, Inline)
BACKGROUND = Contestant("Argo background", LADDER, Threshold)
TWICE = Contestant("PromQL 2×", LADDER, TwiceStable)
