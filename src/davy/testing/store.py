"""What every store promises; subclass it and say how one is made.

class TestMine(StoreContract):
    def make(self, directory: Path) -> Store:
        return MyStore(directory / "store")
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from davy.ledger.entry import Draft
from davy.ledger.store import Store


def draft(kind: str = "paused", subject: str = "Rollout default/payments", **detail: object) -> Draft:
    """Make a draft whose content does not matter."""
    return Draft(at=1.5, kind=kind, subject=subject, detail=detail, reason="because")


class StoreContract:
    """The promises, as tests."""

    def make(self, directory: Path) -> Store:
        """Open a store that lives in `directory`; opened again, it has what it had."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """Open one that is empty."""
        return self.make(tmp_path)

    def test_a_new_store_is_empty(self, store: Store) -> None:
        """Nothing is in it, and asking for nothing is no error."""
        assert store.load("rollout") == {}
        assert store.entries() == ()

    def test_records_are_written_replaced_and_deleted(self, store: Store) -> None:
        """The last word counts."""
        store.commit({("rollout", "a"): b"1", ("rollout", "b"): b"2", ("run", "a"): b"3"}, [])
        store.commit({("rollout", "a"): b"4", ("rollout", "b"): None, ("rollout", "never"): None}, [])
        assert store.load("rollout") == {"a": b"4"}
        assert store.load("run") == {"a": b"3"}

    def test_entries_are_numbered_without_a_gap(self, store: Store) -> None:
        """Numbers start at 1 and go on over commits."""
        first = store.commit({}, [draft(step=1), draft(step=2)])
        second = store.commit({}, [draft(step=3)])
        assert [entry.seq for entry in (*first, *second)] == [1, 2, 3]
        assert store.entries() == (*first, *second)

    def test_entries_come_back_as_they_were_written(self, store: Store) -> None:
        """Nothing of a draft is lost."""
        detail: dict[str, Any] = {"weights": {"abc": 5}, "cause": "ünwell", "none": None, "list": [1, 2.5]}
        [entry] = store.commit({}, [msgspec.structs.replace(draft(**detail), actor="ada (uid 7)")])
        assert store.entries() == (entry,)
        assert (entry.at, entry.kind, entry.detail) == (1.5, "paused", detail)
        assert (entry.actor, entry.reason) == ("ada (uid 7)", "because")

    def test_entries_are_found_by_subject_and_by_number(self, store: Store) -> None:
        """Whoever follows the record asks for what comes after what it has."""
        store.commit(
            {}, [draft(subject="Rollout a/x"), draft(subject="Rollout a/y"), draft(subject="Rollout a/x")]
        )
        assert [entry.seq for entry in store.entries(subject="Rollout a/x")] == [1, 3]
        assert [entry.seq for entry in store.entries(after=1)] == [2, 3]
        assert [entry.seq for entry in store.entries(after=1, subject="Rollout a/x")] == [3]
        assert [entry.seq for entry in store.entries(limit=2)] == [1, 2]

    def test_a_commit_that_fails_changes_nothing(self, store: Store) -> None:
        """Records and entries are one transaction."""
        store.commit({("rollout", "a"): b"1"}, [draft()])
        with pytest.raises(TypeError):
            store.commit({("rollout", "a"): b"2"}, [draft(bad=object())])
        assert store.load("rollout") == {"a": b"1"}
        [after] = store.commit({}, [draft()])
        assert after.seq == 2
