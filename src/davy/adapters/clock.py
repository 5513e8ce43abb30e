"""The clock that everything else is told the time by."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a clock with a speed was pinned to the wall; kept, so that it goes on after a restart."""

    wall_s: float
    clock_s: float
    speed: float


class Clock:
    """Seconds since the epoch, at a speed.

    At speed 20 a minute of this clock passes in three seconds, so pauses, intervals, scrapes and query
    windows all shrink together. Within one process it never goes back, whatever the wall clock does.
    """

    def __init__(self, anchor: Anchor) -> None:
        self.speed = anchor.speed
        self._base = anchor.clock_s + (time.time() - anchor.wall_s) * anchor.speed
        self._started = time.monotonic()

    @classmethod
    def at_speed(cls, speed: float) -> "Clock":
        """Make a clock that agrees with the wall now and runs at `speed` from here."""
        return cls(cls.pin(speed))

    @staticmethod
    def pin(speed: float) -> Anchor:
        """Say where a clock of this speed starts if it starts now."""
        wall = time.time()
        return Anchor(wall_s=wall, clock_s=wall, speed=speed)

    def now(self) -> float:
        """Seconds since the epoch on this clock."""
        return self._base + (time.monotonic() - self._started) * self.speed

    def real_seconds(self, seconds: float) -> float:
        """How long `seconds` of this clock last for a person."""
        return seconds / self.speed
