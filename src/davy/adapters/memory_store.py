"""A store in memory: for simulations, and for whoever tests against Davy's seams."""

from collections.abc import Mapping, Sequence

from davy.ledger.entry import Draft, Entry, decode, encode, place
from davy.ledger.store import Record


class MemoryStore:
    """Records and ledger for as long as the process lives; `full` makes it refuse to write."""

    def __init__(self) -> None:
        self.records: dict[Record, bytes] = {}
        self.ledger: list[bytes] = []
        self.full: Exception | None = None

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return {key: body for (found, key), body in self.records.items() if found == bucket}

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and append entries."""
        if self.full is not None:
            raise self.full
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
