"""What will happen when: the one queue that a world is driven by."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from davy.sim.clock import VirtualClock


@dataclass(slots=True)
class Timeline:
    """Events in the order of their time, those of one time in the order in which they were planned."""

    clock: VirtualClock
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _planned: int = 0

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Plan an event; one that should have been is now."""
        self._planned += 1
        heapq.heappush(self._events, (max(time, self.clock.time), self._planned, act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Plan an event from now on."""
        self.at(self.clock.time + seconds, act)

    @property
    def next_at(self) -> float:
        """When the next event is."""
        return self._events[0][0]

    def pop(self) -> Callable[[], None]:
        """Take the next event, and let its time come."""
        at, _, act = heapq.heappop(self._events)
        self.clock.pass_to(at)
        return act
