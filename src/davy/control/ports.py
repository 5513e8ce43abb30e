"""What the loop needs of the world beside the platform and the providers."""

from collections.abc import Mapping
from typing import Protocol

from davy.analysis.tally import Tally
from davy.model.key import Key


class Clock(Protocol):
    """Tells the time; see davy.adapters.clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def real_seconds(self, seconds: float) -> float:
        """How long `seconds` of this clock last on the wall."""
        ...


class Traffic(Protocol):
    """Counts what users got, version by version, as the data plane saw it."""

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Return when the data plane was last read, and the counters by hash."""
        ...
