"""The store as an engine sees it: whatever is written, what it means for flags is written with it.

It stands before the one seam that every transaction passes, so no way of ending an update can forget its flags.
A kill is served even when nothing can be written; it is written before anything else is.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from davy.control.flags.following import Step, entailed
from davy.control.flags.table import Flag, Table, records
from davy.control.ports import Clock
from davy.control.turn import NOTED, Spool, gap
from davy.ledger.entry import Draft, Entry
from davy.ledger.log import UNWRITABLE
from davy.ledger.store import Record, Store
from davy.rollout.names import fingerprint

NOTHING: Mapping[Record, bytes | None] = MappingProxyType({})

Told = Callable[[Table, Table], None]
"""Called with the table before and after each change, in order."""


class Interlock:
    """A store that keeps flags in step with what is written; `table` is what they are now.

    Args:
        store: where it is written.
        environment: whose flags these are.
        clock: tells the time.
        spool: where a kill is noted while nothing can be written.
    """

    def __init__(self, store: Store, environment: str, clock: Clock, spool: Spool) -> None:
        self._store, self._clock, self._spool = store, clock, spool
        self._guard = threading.RLock()
        self._late_records: dict[Record, bytes | None] = {}
        self._late: list[Draft] = []
        self.told: list[Told] = []
        self.beside: Callable[[Mapping[Record, bytes | None]], Mapping[Record, bytes | None]] = lambda _: {}
        self.table = Table.load(store, environment)

    @property
    def late(self) -> int:
        """How many entries about flags are not written down yet."""
        return len(self._late)

    def now(self) -> float:
        """Tell the time."""
        return self._clock.now()

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return self._store.load(bucket)

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries."""
        return self._store.entries(after=after, subject=subject, limit=limit)

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and entries with what they mean for flags, and return the entries that were given.

        Raises:
            StoreUnavailable, LedgerDamaged: nothing was written. Flags of a rollout that was aborted by it are
                dead all the same.
        """
        with self._guard:
            step = entailed(self.table, changes, drafts, self._clock.now())
            try:
                written = self._commit(changes, drafts, step)
            except UNWRITABLE:
                if step.urgent:  # whoever aborts notes it, and from that the next engine knows it again
                    self._go_on_without(step)
                raise
            return written[: len(drafts)]

    def do(
        self,
        work: Callable[[Table], Step],
        *,
        subject: str = "",
        changes: Mapping[Record, bytes | None] = NOTHING,
        drafts: Sequence[Draft] = (),
    ) -> Step:
        """Change flags.

        Args:
            work: what is to come of the flags as they are; called while nothing else changes them.
            changes: records of something else that belong into the same transaction.
            drafts: entries of something else.
            subject: what it is noted under while nothing can be written, where it waits for nothing.

        Raises:
            StoreUnavailable, LedgerDamaged: nothing was written, and it is nothing that goes on without.
        """
        with self._guard:
            step = work(self.table)
            if step.table is self.table and not step.drafts:
                return step
            try:
                self._commit(changes, drafts, step)
            except UNWRITABLE:
                if not step.urgent:
                    raise
                self._note(step, subject)
            return step

    def catch_up(self) -> None:
        """Write down what is late, if that can be done."""
        with self._guard:
            if self._late:
                self._commit({}, (), Step(self.table))

    def _commit(
        self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft], step: Step
    ) -> tuple[Entry, ...]:
        """Write what is given, what is late and what it means for flags; the caller holds the guard."""
        owed = [*gap(self._late), *self._late]
        found = records(self.table, step.table)
        written = {**self._late_records, **changes, **found, **self.beside(changes)}
        entries = self._store.commit(written, [*drafts, *owed, *step.drafts])
        if self._late:
            subjects = dict.fromkeys(draft.subject for draft in self._late)
            self._late, self._late_records = [], {}
            for subject in subjects:
                self._spool.clear(subject)
        self._take(step.table)
        return entries

    def _go_on_without(self, step: Step) -> None:
        self._late_records |= records(self.table, step.table)
        self._late += step.drafts
        self._take(step.table)

    def _note(self, step: Step, subject: str) -> None:
        """Note a kill for the next engine; the mark of a note is written with it, so that it counts once."""
        found = records(self.table, step.table)
        mark = fingerprint((list(found.values()), list(step.drafts))).encode()
        noted = {**found, (NOTED, subject): mark}
        self._spool.put(subject, noted, step.drafts)
        self._late_records |= {(NOTED, subject): mark}
        self._go_on_without(step)

    def _take(self, table: Table) -> None:
        """Let another table take the place of this one, and tell of it."""
        before, self.table = self.table, table
        if before is not table:
            for tell in tuple(self.told):
                tell(before, table)


def find(table: Table, name: str) -> Flag | None:
    """Find a flag by what code asks for; a key is that of one flag whatever its namespace."""
    return next((flag for flag in table.flags.values() if flag.key.name == name), None)
