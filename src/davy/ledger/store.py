"""The store seam: records and the ledger, changed together or not at all."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from davy.errors import Undecided
from davy.ledger.entry import Draft, Entry

Record = tuple[str, str]
"""Where a record is kept: its bucket and its key within it."""


class StoreUnavailable(Undecided):
    """The store could not be written or read; nothing was changed."""

    code = "store"


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
            LedgerDamaged: nothing was written, and nothing will be.
        """
        ...

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read the entries that follow `after`, oldest first; of one subject only when it is given."""
        ...
