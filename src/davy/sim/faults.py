"""What can go wrong in a world, when, and the place between two calls where an engine can die."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

T = TypeVar("T")

FAULTS: dict[str, str] = {
    "crash": "the engine is killed between any two calls to a port, and started again",
    "stall": "the engine stands still, as a stopped process does",
    "store": "the store cannot be written",
    "router": "the data plane does not acknowledge a split",
    "lag": "the data plane takes a split over only after it was given up on",
    "news": "nobody tells the engine that something changed",
    "twice": "the platform is told everything twice",
    "scrape": "nobody reads the counters of the proxy",
    "provider": "the metrics provider is down",
    "blind": "the metrics provider has no data",
    "slow": "the metrics provider takes its time",
    "stable": "no replica of the stable version is ready",
    "pods": "replicas of the newest version crash",
    "repeat": "what people ask for arrives twice",
    "upstream": "what every version of a judged service needs fails, so all of them answer with errors",
}
"""Every kind of fault, and what it is."""


class Killed(BaseException):
    """The engine was killed here. Not an Exception: nothing of Davy may catch it and go on."""


@dataclass(frozen=True, slots=True)
class Window:
    """A fault that lasts for a while; without a place every rollout has it."""

    kind: str
    begins_at: float
    lasts_s: float
    where: str = ""


@dataclass(slots=True)
class Weather:
    """Which faults there are now."""

    active: dict[tuple[str, str], int] = field(default_factory=dict)

    def begin(self, window: Window) -> None:
        """Let a fault begin."""
        place = (window.kind, window.where)
        self.active[place] = self.active.get(place, 0) + 1

    def end(self, window: Window) -> None:
        """Let a fault be over, unless another window of the same goes on."""
        place = (window.kind, window.where)
        self.active[place] -= 1
        if not self.active[place]:
            del self.active[place]

    def has(self, kind: str, where: str = "") -> bool:
        """Say whether a rollout (or an engine) has a fault now."""
        return bool(self.active) and ((kind, "") in self.active or (kind, where) in self.active)


@dataclass(slots=True)
class Boundary:
    """The line between the engine and its ports; every call crosses it, and at every crossing it can die.

    Args:
        chance: draws whether it dies; it has a stream of its own, so that a world with its crashes left out is
            the same world otherwise.
        risk: how likely it dies at one call.
        most: how often it dies at most, so that a world gets somewhere.
        trace: is told of every call.
        at: the one place at which it dies, in place of chance: before the first call is 1, after it 2, and so
            on.
    """

    chance: Random
    risk: float = 0.0
    most: int = 6
    trace: Callable[[str], None] | None = None
    at: int | None = None
    calls: int = 0
    deaths: int = 0
    last: str = ""

    def cross(self, call: str, act: Callable[[], T]) -> T:
        """Make a call, or die before or after it."""
        self.calls += 1
        if self.trace is not None:
            self.trace(call)
        if self._dies(2 * self.calls - 1):
            self._die(f"before {call}")
        value = act()
        if self._dies(2 * self.calls):
            self._die(f"after {call}")
        return value

    def _dies(self, place: int) -> bool:
        if self.at is not None:
            return self.at == place
        return self.risk > 0 and self.deaths < self.most and self.chance.random() < self.risk

    def _die(self, where: str) -> None:
        self.deaths += 1
        self.last = where
        raise Killed(where)
