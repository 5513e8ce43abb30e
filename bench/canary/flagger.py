"""Flagger: one check a minute, a step up for each that passes, back after five that did not.

Source: fluxcd/flagger, `pkg/controller/scheduler.go` and `scheduler_metrics.go`, with the values of its
tutorials: interval 1 m, threshold 5, stepWeight 5, maxWeight 50, request-success-rate min 99 over 1 m. A check
without traffic fails ("no values found"). Failed checks are never forgiven, and the rollback comes with the
check after the last of them.
"""

import numpy as np

from bench.canary.judge import Actions, Briefing, Contestant, Tick, act

INTERVAL_S = 60.0
THRESHOLD = 5
LEAST_SUCCESS = 0.99
STEPS = tuple(number / 20 for number in range(1, 11))


class Flagger:
    """The loop over one canary."""

    def __init__(self, briefing: Briefing) -> None:
        self._interval = briefing.ticks(INTERVAL_S)
        self._requests = np.zeros(briefing.rollouts)
        self._bad = np.zeros(briefing.rollouts)
        self._failed = np.zeros(briefing.rollouts)

    def look(self, tick: Tick) -> Actions:
        """Check once a minute."""
        self._requests += tick.canary.requests
        self._bad += tick.canary.bad
        nothing = np.zeros(len(self._bad), dtype=bool)
        if tick.now % self._interval:
            return act(nothing, nothing)
        back = self._failed >= THRESHOLD
        with np.errstate(invalid="ignore"):
            passed = 1 - self._bad / self._requests >= LEAST_SUCCESS
        self._failed += ~passed
        self._requests[:] = self._bad[:] = 0
        return act(back, passed)


FLAGGER = Contestant("Flagger", STEPS, Flagger)
