"""A store in memory: for simulations, and for whoever tests against Davy's seams."""

import threading
from collections.abc import Mapping, Sequence

from davy.adapters.leased import Leased
from davy.ledger import lease as leases
from davy.ledger.entry import Draft, Entry, decode, refusal, same_event
from davy.ledger.lease import Lease
from davy.ledger.log import Head, Receipt
from davy.ledger.payload import fit
from davy.ledger.people import PERSON, by_pseudonym, hidden, people, pseudonym, shown
from davy.ledger.store import Record, Store
from davy.ledger.tree import Frontier, leaf_hash


class MemoryStore:
    """Records and ledger for as long as the process lives; `full` makes it refuse to write.

    Any number of engines may share one: each takes the lease and writes through `under`.
    """

    def __init__(self) -> None:
        self.records: dict[Record, bytes] = {}
        self.ledger: list[bytes] = []
        self.full: Exception | None = None
        self._lease: Lease | None = None
        self._tree = Frontier()
        self._subtrees: dict[int, list[bytes]] = {0: []}
        self._known: dict[str, int] = {}
        self._people = 0
        self._guard = threading.RLock()

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return {key: body for (found, key), body in self.records.items() if found == bucket}

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and append entries."""
        with self._guard:
            self._check()
            fitted = [fit(draft) for draft in self._hidden(drafts)]
            first = len(self.ledger) + 1
            names = by_pseudonym(self.load(PERSON))
            for record, body in changes.items():
                if body is None:
                    self.records.pop(record, None)
                else:
                    self.records[record] = body
            for draft, spelt, payloads in fitted:
                self.records |= payloads
                self._grow(draft, spelt)
            return tuple(
                shown(decode(body, seq), names) for seq, body in enumerate(self.ledger[first - 1 :], first)
            )

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Append events, each once."""
        with self._guard:
            self._check()
            fitted = [(draft, *fit(draft)) for draft in self._hidden(drafts)]
            return tuple(self._append(*each) for each in fitted)

    def append_each(self, calls: Sequence[Sequence[Draft]]) -> list[tuple[Receipt, ...] | Exception]:
        """Append for many at once."""
        with self._guard:
            self._check()
            return [self._or_why_not(drafts) for drafts in calls]

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        found: list[Entry] = []
        names = by_pseudonym(self.load(PERSON))
        for seq in range(after + 1, len(self.ledger) + 1):
            entry = shown(decode(self.ledger[seq - 1], seq), names)
            if subject in ("", entry.subject) and len(found) < limit:
                found.append(entry)
        return tuple(found)

    def head(self) -> Head:
        """Return the tree as it is now."""
        with self._guard:
            self._take_up()
            return Head(self._tree.size, self._tree.root)

    def bodies(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of entries."""
        return self.ledger[start:end]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees."""
        with self._guard:
            self._take_up()
            return self._subtrees.get(level, [])[start:end]

    def purge(self) -> None:
        """Nothing is left of what was deleted."""

    def _hidden(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Give people the next pseudonyms: a world that is played again has the same ones."""
        names = self.load(PERSON)
        for name in sorted(people(drafts) - names.keys()):
            self._people += 1
            self.records[PERSON, name] = names[name] = pseudonym(f"{self._people:016x}").encode()
        pseudonyms = {name: found.decode() for name, found in names.items()}
        return [hidden(draft, pseudonyms) for draft in drafts]

    def _or_why_not(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...] | Exception:
        try:
            return self.append(drafts)
        except Exception as error:  # noqa: BLE001  raised where the drafts come from
            return error

    def _append(self, draft: Draft, fitted: Draft, spelt: bytes, payloads: Mapping[Record, bytes]) -> Receipt:
        """Append one event, unless it is known."""
        uid = draft.uid
        known = None if uid is None else self._known.get(uid)
        if known is None:
            self.records |= payloads
            return Receipt("written", self._grow(fitted, spelt))
        if same_event(self.ledger[known - 1], spelt):
            return Receipt("known", known)
        self.commit({}, [refusal(draft, known, "another event of the same source and id is on record")])
        return Receipt("refused", len(self.ledger))

    def _grow(self, draft: Draft, spelt: bytes) -> int:
        """Add an entry and return its place."""
        self.ledger.append(spelt)
        if draft.uid is not None:
            self._known.setdefault(draft.uid, len(self.ledger))
        return len(self.ledger)

    def _take_up(self) -> None:
        """Grow the tree by what was written since somebody last asked for it: hardly any simulation does."""
        for spelt in self.ledger[self._tree.size :]:
            leaf = leaf_hash(spelt)
            self._subtrees[0].append(leaf)
            for level, _, hash_ in self._tree.append(leaf):
                self._subtrees.setdefault(level, []).append(hash_)

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
        return Leased(self, lease, self._commit_under)

    def _commit_under(
        self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft], held: Lease
    ) -> tuple[Entry, ...]:
        leases.hold(self._lease, held.epoch)
        return self.commit(changes, drafts)

    def _check(self) -> None:
        if self.full is not None:
            raise self.full
