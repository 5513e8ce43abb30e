"""What a judge is told and what it answers: the seam between the harness and whoever takes part.

A judge looks at many rollouts at once: every array has one element for each of them. The harness owns the
ladder of weights. It tells what was answered within the last tick, takes an action, and applies it from the
next tick on. The history, ten minutes of stable alone, is told before the first tick.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]
Actions = NDArray[np.int8]

ALPHA = 0.01
"""The share of good releases that a judge may stop."""


class Action(IntEnum):
    """What to do with a rollout, from the next tick on.

    `ABORT` takes all traffic off the canary for good, and so does `ROLLBACK`, which is what it is called after
    promotion. `LOWER` goes one step down the ladder, from 100 % too, so that both versions can be compared.
    """

    CONTINUE = 0
    ADVANCE = 1
    ABORT = 2
    HOLD = 3
    ROLLBACK = 4
    LOWER = 5


@dataclass(frozen=True, slots=True)
class Side:
    """What one version answered within a tick: requests, bad ones, and a latency histogram where there is one.

    `requests` and `bad` have shape (rollouts,), `histogram` has shape (rollouts, buckets).
    """

    requests: Counts
    bad: Counts
    histogram: Counts | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick that is over. `now` counts ticks from 1; `dwell` is how many a rollout has been on its `step`.

    `weight` is the canary's share during the tick. `live` marks the rollouts whose action counts. Where nobody
    has `scraped`, the sides are empty, and the next tick that is scraped has what gathered.
    """

    now: int
    step: Counts
    dwell: Counts
    weight: Floats
    live: Bools
    canary: Side
    stable: Side
    scraped: bool = True


@dataclass(frozen=True, slots=True)
class Truth:
    """The error rates that were set, for those who measure how well one could do."""

    stable: float
    canary: float


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a judge knows before the first tick.

    `history` has shape (rollouts, ticks) in its arrays. `fewer_is_worse` says that `bad` counts something that
    should happen often, such as purchases. Only an oracle may look at `truth`.
    """

    rollouts: int
    tick_s: float
    ladder: tuple[float, ...]
    history: Side
    truth: Truth
    fewer_is_worse: bool = False

    def ticks(self, seconds: float) -> int:
        """Return how many ticks so many seconds are."""
        return int(seconds / self.tick_s)


class Judge(Protocol):
    """Something that looks at each tick and says what to do with each rollout."""

    def look(self, tick: Tick) -> Actions:
        """Return an action for every rollout; those of rollouts that are not `live` are not read."""
        ...


@runtime_checkable
class Starts(Protocol):
    """A judge that says, from the history, with which step of the ladder each rollout begins."""

    def first(self) -> Counts:
        """Return a step for every rollout."""
        ...


@dataclass(frozen=True, slots=True)
class Contestant:
    """A judge by name, with the weights that it is run on and how to start it.

    `watches` says that it is still asked when everything is on the new version. `most` bounds the rollouts that
    it is given of one scenario, where each costs much.
    """

    name: str
    ladder: tuple[float, ...]
    start: Callable[[Briefing], Judge]
    watches: bool = False
    most: int | None = None


def act(abort: Bools, advance: Bools) -> Actions:
    """Abort where that is said, else advance where that is said, else go on."""
    chosen = np.where(abort, Action.ABORT, np.where(advance, Action.ADVANCE, Action.CONTINUE))
    return chosen.astype(np.int8)


LADDER = (0.05, 0.25, 0.5)
PAUSES_S = (120.0, 180.0, 180.0)
"""The steps of the rollout that most contestants are run on, and how long each of them lasts."""


class Pauses:
    """Steps of fixed lengths."""

    def __init__(self, briefing: Briefing, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        self._ticks = np.array([*map(briefing.ticks, pauses_s), 1 << 40])

    def over(self, tick: Tick) -> Bools:
        """Tell which rollouts have been on their step for as long as it lasts."""
        return np.asarray(tick.dwell >= self._ticks[tick.step])
