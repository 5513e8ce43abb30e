"""The users of a world: they make requests all the time, and go where the split in force sends them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from davy.analysis.tally import Tally
from davy.model.key import Key
from davy.sim.clock import VirtualClock
from davy.sim.faults import Boundary
from davy.sim.happenings import Happening, Served


@dataclass(slots=True)
class _Count:
    requests: float = 0.0
    errors: float = 0.0

    @property
    def tally(self) -> Tally:
        """Whole requests."""
        return Tally(int(self.requests), int(self.errors))


@dataclass(slots=True)
class Users:
    """Counts what users got, and shows it to the engine as it was when the proxy was last read.

    Nothing here is drawn: each version gets its share of the requests to the fraction, so that a good version
    is never unlucky and two runs of a world can be compared. Requests are made up when somebody wants to know:
    before anything changes for them, and when they are counted.

    Args:
        clock: tells the time.
        rate_hz: requests a second to each rollout.
        failing: the share of its requests that a version answers with an error.
        tell: is told who was served.
    """

    clock: VirtualClock
    rate_hz: float
    failing: Callable[[Key, str], float]
    tell: Callable[[Happening], None]
    _counts: dict[Key, dict[str, _Count]] = field(default_factory=dict)
    _read: dict[Key, tuple[float, dict[str, Tally]]] = field(default_factory=dict)
    _until: dict[Key, float] = field(default_factory=dict)

    def call(self, key: Key, shares: Mapping[str, float]) -> None:
        """Make the requests of the time that has passed, sent to these shares."""
        passed = self.clock.time - self._until.get(key, 0.0)
        self._until[key] = self.clock.time
        if passed <= 0:
            return
        counts = self._counts.setdefault(key, {})
        for hash_, share in shares.items():
            count = counts.setdefault(hash_, _Count())
            asked, before = passed * self.rate_hz * share, int(count.requests)
            count.requests += asked
            count.errors += asked * self.failing(key, hash_)
            if int(count.requests) > before:
                self.tell(Served(key, hash_))

    def read(self, key: Key) -> None:
        """Let the counters of a rollout be read, for the engine to see."""
        counts = self._counts.get(key, {})
        self._read[key] = (self.clock.time, {hash_: count.tally for hash_, count in counts.items()})

    def read_at(self, key: Key) -> float:
        """Say when the counters of a rollout were last read."""
        return self._read.get(key, (-1.0, {}))[0]

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Return what was read last, and when."""
        return self._read.get(key, (0.0, {}))


@dataclass(frozen=True, slots=True)
class SimulatedTraffic:
    """The counters as one engine reaches them."""

    users: Users
    boundary: Boundary

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Return what was read last, and when."""
        return self.boundary.cross("traffic.counters", lambda: self.users.counters(key))
