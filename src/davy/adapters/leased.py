"""A store as the holder of a lease sees it: reading is as ever, writing asks whether the lease is theirs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from davy.ledger.entry import Draft, Entry
from davy.ledger.lease import Lease
from davy.ledger.store import Record, Store


@dataclass(frozen=True, slots=True)
class Leased:
    """The store of the holder of a lease.

    Args:
        store: what is read.
        held: the lease.
        commit_under: writes for the holder of a lease, and raises Fenced once another has taken it.
    """

    store: Store
    held: Lease
    commit_under: Callable[[Mapping[Record, bytes | None], Sequence[Draft], Lease], tuple[Entry, ...]]

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return self.store.load(bucket)

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write, if the lease is still ours."""
        return self.commit_under(changes, drafts, self.held)

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        return self.store.entries(after=after, subject=subject, limit=limit)
