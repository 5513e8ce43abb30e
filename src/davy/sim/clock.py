"""Virtual time."""

from dataclasses import dataclass


@dataclass(slots=True)
class VirtualClock:
    """A clock that stands still until it is told that time has passed; it never goes back.

    Nobody waits for it. Its `speed` is what an engine reckons by that tries again after a moment of real time.
    """

    time: float = 0.0
    speed: float = 20.0

    def now(self) -> float:
        """Seconds since the epoch of this world."""
        return self.time

    def real_seconds(self, seconds: float) -> float:
        """How long `seconds` of this clock would last for a person."""
        return seconds / self.speed

    def pass_to(self, time: float) -> None:
        """Let time pass."""
        assert time >= self.time, "time never goes back"
        self.time = time
