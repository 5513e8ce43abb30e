"""What providers answered, until it is written down.

What cannot be written counts all the same, since bad news must not wait; it is written down later, all of it in
one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from davy.control.runs import RunRecord, Runs
from davy.ledger.entry import Draft
from davy.ledger.store import Record, Store
from davy.model.key import Key
from davy.rollout.decision import Verdict


class Answers:
    """Brings answers from those who asked to the store."""

    def __init__(self, runs: Runs, store: Store) -> None:
        self._runs, self._store = runs, store
        self._unwritten: dict[Key, list[Draft]] = {}

    @property
    def owners(self) -> set[Key]:
        """The rollouts of which something is not written down yet."""
        return {run.owner for run in map(self._runs.get, self._unwritten) if run is not None}

    def take_in(self) -> list[RunRecord]:
        """Let runs know the answers that have come, and return those runs that mean something else now."""
        telling = []
        for run, drafts in self._runs.collect():
            before = self._meaning(run)
            self._runs.keep(run)
            self._unwritten.setdefault(run.key, []).extend(drafts)
            if self._meaning(run) != before:
                telling.append(run)
        return telling

    def write_down(
        self, *, after: Iterable[tuple[Mapping[Record, bytes | None], Sequence[Draft]]] = ()
    ) -> None:
        """Write down what has not been yet.

        Args:
            after: records and entries that come before it, in the same transaction.

        Raises:
            StoreUnavailable: it will be tried again.
        """
        if not self._unwritten:
            return
        runs = [run for run in map(self._runs.get, self._unwritten) if run is not None]
        changes: dict[Record, bytes | None] = {}
        entries: list[Draft] = []
        for records, drafts in after:
            changes |= records
            entries += drafts
        changes |= {("run", str(run.key)): msgspec.json.encode(run) for run in runs}
        self._store.commit(changes, [*entries, *(one for drafts in self._unwritten.values() for one in drafts)])
        self._unwritten = {}

    def _meaning(self, run: RunRecord) -> tuple[Verdict, bool]:
        """Return what a rollout goes by of a run that is kept."""
        seen = self._runs.views(run.owner)[run.name]
        return seen.verdict, seen.passing

    def drop(self, runs: Iterable[RunRecord]) -> list[Draft]:
        """Leave it to somebody else to write down what has not been yet of some runs."""
        return [draft for run in runs for draft in self._unwritten.pop(run.key, ())]
