"""Both stores keep the promises; the one on disk keeps more."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from davy.adapters.memory_store import MemoryStore
from davy.adapters.spool import FileSpool
from davy.adapters.sqlite import Busy, SqliteStore
from davy.ledger.store import Store, StoreUnavailable
from davy.testing.lease import LeaseContract, LeasedStore
from davy.testing.store import StoreContract, draft


class TestMemoryStore(StoreContract):
    def make(self, directory: Path) -> Store:
        return MemoryStore()


class TestMemoryLease(LeaseContract):
    def pair(self, directory: Path) -> tuple[LeasedStore, LeasedStore]:
        store = MemoryStore()
        return store, store

    def test_a_store_that_is_full_gives_no_lease(self) -> None:
        store = MemoryStore()
        lease = store.take("first", 0.0, 5.0)
        store.full = StoreUnavailable("the disk is full")
        with pytest.raises(StoreUnavailable):
            store.renew(lease, 1.0, 5.0)
        with pytest.raises(StoreUnavailable):
            store.take("second", 9.0, 5.0)
        assert store.lease() == lease


class TestSqliteLease(LeaseContract):
    def pair(self, directory: Path) -> tuple[LeasedStore, LeasedStore]:
        return SqliteStore(directory / "davy.db"), SqliteStore(directory / "davy.db")

    def test_a_holder_that_is_stopped_while_it_writes_is_told_of(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = SqliteStore(tmp_path / "davy.db")
        first.take("first", 0.0, 5.0)
        monkeypatch.setattr("davy.adapters.sqlite.BUSY_S", 0.01)
        second = SqliteStore(tmp_path / "davy.db")
        other = sqlite3.connect(tmp_path / "davy.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="is writing to the store"):
            second.take("second", 9.0, 5.0)
        found = second.lease()
        assert found is not None
        assert found.holder == "first"
        other.execute("ROLLBACK")
        other.close()
        assert second.take("second", 9.0, 5.0).epoch == 2


class TestSqliteStore(StoreContract):
    def make(self, directory: Path) -> Store:
        return SqliteStore(directory / "davy.db")

    def test_what_was_committed_is_there_after_opening_it_again(self, tmp_path: Path) -> None:
        first = SqliteStore(tmp_path / "davy.db")
        first.commit({("rollout", "a"): b"1"}, [draft()])
        first.close()
        second = SqliteStore(tmp_path / "davy.db")
        assert second.load("rollout") == {"a": b"1"}
        [entry] = second.commit({}, [draft()])
        assert entry.seq == 2

    def test_the_ledger_cannot_be_edited_or_cut(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "davy.db")
        store.commit({}, [draft()])
        store.close()
        with sqlite3.connect(tmp_path / "davy.db") as db:
            for statement in ("UPDATE ledger SET subject = 'x'", "DELETE FROM ledger"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    db.execute(statement)
        db.close()

    def test_who_reads_waits_for_nobody_who_writes(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "davy.db")
        store.commit({("rollout", "a"): b"1"}, [draft()])
        other = sqlite3.connect(tmp_path / "davy.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert store.load("rollout") == {"a": b"1"}
        assert len(store.entries()) == 1
        other.close()
        store.close()

    def test_a_file_that_is_no_store_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "davy.db").write_bytes(b"not a database, and long enough to be looked at" * 40)
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            SqliteStore(tmp_path / "davy.db")

    def test_a_full_disk_refuses_the_whole_commit_and_later_ones_work(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "davy.db")
        store.commit({("rollout", "a"): b"1"}, [draft()])
        store.limit_pages(12)
        with pytest.raises(StoreUnavailable, match="full"):
            store.commit({("rollout", "a"): b"2" * 100_000}, [draft()])
        assert store.load("rollout") == {"a": b"1"}
        store.limit_pages(10_000)
        [entry] = store.commit({("rollout", "a"): b"2" * 100_000}, [draft()])
        assert entry.seq == 2
        store.close()

    def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged(self, tmp_path: Path) -> None:
        program = (
            "import sys, pathlib\n"
            "from davy.adapters.sqlite import SqliteStore\n"
            "from davy.testing.store import draft\n"
            "store = SqliteStore(pathlib.Path(sys.argv[1]))\n"
            "for number in range(100000):\n"
            "    store.commit({('rollout', 'a'): str(number).encode()}, [draft(number=number)])\n"
            "    print(number, flush=True)\n"
        )
        command = [sys.executable, "-c", program, str(tmp_path / "davy.db")]
        acknowledged = -1
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                acknowledged = int(line)
                if acknowledged == 40:
                    process.kill()
        store = SqliteStore(tmp_path / "davy.db")
        entries = store.entries()
        assert [entry.detail["number"] for entry in entries] == list(range(len(entries)))
        assert len(entries) > acknowledged
        assert store.load("rollout") == {"a": str(len(entries) - 1).encode()}
        store.close()


def test_the_spool_gives_back_what_aborts_left_there(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool")
    assert spool.take() == []
    changes = {("rollout", "a"): b'{"x":1}', ("watch", "a"): None}
    spool.put("a", changes, [draft(step=1)])
    spool.put("b", {}, [draft(step=2)])
    size = (tmp_path / "spool").stat().st_size
    again = FileSpool(tmp_path / "spool")
    assert again.take() == [(changes, [draft(step=1)]), ({}, [draft(step=2)])]
    again.clear("a")
    assert again.take() == [({}, [draft(step=2)])]
    again.clear("")
    assert again.take() == []
    assert (tmp_path / "spool").stat().st_size == size


def test_a_spool_that_is_torn_or_too_small_gives_what_it_can(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool")
    spool.put("a", {("rollout", "a"): b"x" * 300_000}, [draft()])
    assert spool.take() == [({}, [draft()])]
    data = (tmp_path / "spool").read_bytes()
    (tmp_path / "spool").write_bytes(data[:60])
    assert spool.take() == []
