"""A store in memory: for simulations, and for whoever tests against Davy's seams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from davy.ledger import lease as leases
from davy.ledger.entry import Draft, Entry, decode, encode, place
from davy.ledger.lease import Lease
from davy.ledger.store import Record, Store


class MemoryStore:
    """Records and ledger for as long as the process lives; `full` makes it refuse to write.

    Any number of engines may share one: each takes the lease and writes through `under`.
    """

    def __init__(self) -> None:
        self.records: dict[Record, bytes] = {}
        self.ledger: list[bytes] = []
        self.full: Exception | None = None
        self._lease: Lease | None = None

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return {key: body for (found, key), body in self.records.items() if found == bucket}

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and append entries."""
        self._check()
        entries = tuple(place(draft, len(self.ledger) + 1 + offset) for offset, draft in enumerate(drafts))
        spelt = [encode(entry) for entry in entries]
        for record, body in changes.items():
            if body is None:
                self.records.pop(record, None)
            else:
                self.records[record] = body
        self.ledger.extend(spelt)
        return entries

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        found = [
            entry for entry in map(decode, self.ledger) if entry.seq > after and subject in ("", entry.subject)
        ]
        return tuple(found[:limit])

    def lease(self) -> Lease | None:
        """Return the lease that was given last."""
        return self._lease

    def take(self, holder: str, now: float, seconds: float, *, mark: str = "", over: int = 0) -> Lease:
        """Take the lease."""
        given = leases.grant(self._lease, holder, now, seconds, mark=mark, over=over)
        self._check()
        self._lease = given
        return given

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """Hold the lease for longer."""
        longer = leases.extend(self._lease, lease, now, seconds)
        self._check()
        self._lease = longer
        return longer

    def release(self, lease: Lease) -> None:
        """Let others have the lease at once."""
        self._lease = leases.end(self._lease, lease) or self._lease

    def under(self, lease: Lease) -> Store:
        """Return the store for the holder of a lease."""
        return _Leased(self, lease)

    def _check(self) -> None:
        if self.full is not None:
            raise self.full


@dataclass(frozen=True, slots=True)
class _Leased:
    """A store in memory as the holder of a lease sees it."""

    store: MemoryStore
    held: Lease

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return self.store.load(bucket)

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write, if the lease is still ours."""
        leases.hold(self.store.lease(), self.held.epoch)
        return self.store.commit(changes, drafts)

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        return self.store.entries(after=after, subject=subject, limit=limit)
