"""What the loop needs of the world beside the platform and the providers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from davy.ledger.entry import Draft, Entry
from davy.model.key import Key

Record = tuple[str, str]
"""Where a record is kept: its bucket and its key within it."""


class Clock(Protocol):
    """Tells the time; see davy.adapters.clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def real_seconds(self, seconds: float) -> float:
        """How long `seconds` of this clock last on the wall."""
        ...


class Store(Protocol):
    """Keeps records and the ledger, both changed in one transaction or not at all."""

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        ...

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records (None deletes) and append entries, all of it or nothing.

        When this returns, a crash of the machine loses none of it.

        Raises:
            StoreUnavailable: nothing was written (a full disk, say).
        """
        ...

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read the entries that follow `after`, oldest first; of one subject only when it is given."""
        ...


class Counters(msgspec.Struct, frozen=True):
    """Requests that users made of one version and how many of them failed, since the beginning."""

    requests: int
    errors: int


class Traffic(Protocol):
    """Counts what users got, version by version, as the data plane saw it."""

    def counters(self, key: Key) -> tuple[float, Mapping[str, Counters]]:
        """Return when the data plane was last read, and the counters by hash."""
        ...
