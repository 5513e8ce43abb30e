"""The ledger in its file: nobody edits it through SQLite, and nobody goes on with one that was changed."""

import json
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from davy.adapters.sqlite import CHECKPOINT_BYTES, SqliteStore
from davy.ledger import tree
from davy.ledger.entry import encode
from davy.ledger.log import Head, LedgerDamaged
from davy.ledger.payload import PAYLOAD
from davy.ledger.store import StoreUnavailable
from davy.testing.log import event
from davy.testing.store import draft


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a ledger with 300 entries, each commit of a hundred with its head."""
    path = tmp_path / "davy.db"
    with closing(SqliteStore(path)) as store:
        for start in (0, 100, 200):
            store.append([event(number) for number in range(start, start + 100)])
    return path


@contextmanager
def sql(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def whole(store: SqliteStore) -> bool:
    """Say whether the root of a ledger is the one over its bytes."""
    spelt = store.bodies(0, 1_000_000)
    return store.head() == Head(len(spelt), tree.root(spelt))


# Through SQLite:

EDITS = {
    "an entry": "UPDATE ledger SET body = x'00' WHERE seq = 7",
    "whatever is in the way": "UPDATE OR REPLACE ledger SET seq = 8 WHERE seq = 7",
    "an entry is cut": "DELETE FROM ledger WHERE seq = 300",
    "all are cut": "DELETE FROM ledger",
    "another in its place": "INSERT OR REPLACE INTO ledger VALUES (7, NULL, 's', 'paused', x'00', x'00')",
    "a replacement": "REPLACE INTO ledger VALUES (300, NULL, 's', 'paused', x'00', x'00')",
    "another of its name": "REPLACE INTO ledger SELECT 301, uid, subject, kind, body, leaf FROM ledger LIMIT 1",
    "a gap": "INSERT INTO ledger VALUES (302, NULL, 's', 'paused', x'00', x'00')",
    "before the first": "INSERT INTO ledger VALUES (0, NULL, 's', 'paused', x'00', x'00')",
    "a place of SQLite's choice": "INSERT INTO ledger (subject, kind, body, leaf) VALUES ('s', 'k', x'', x'')",
    "a hash": "UPDATE nodes SET hash = x'00'",
    "no hash": "DELETE FROM nodes",
    "another hash": "INSERT OR REPLACE INTO nodes VALUES (8, 0, x'00')",
    "a head": "UPDATE heads SET root = x'00'",
    "no head": "DELETE FROM heads WHERE size = 300",
    "another head": "INSERT OR REPLACE INTO heads VALUES (300, x'00')",
    "a head of before": "INSERT INTO heads VALUES (250, x'00')",
    "an index entry": "UPDATE by_subject SET seq = 1",
    "no index": "DELETE FROM by_subject",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("recursive", [False, True])
def test_nothing_is_edited_through_sqlite(tmp_path: Path, edit: str, recursive: bool) -> None:
    path = tmp_path / "davy.db"
    with closing(SqliteStore(path)) as store:
        store.append([event(number) for number in range(1100)])
    edit = edit.replace("300", "1100").replace("301", "1101").replace("302", "1102")
    with sql(path) as db, closing(sqlite3.connect(":memory:")) as copy:
        db.execute(f"PRAGMA recursive_triggers = {recursive:d}")
        db.backup(copy)
        before = list(copy.iterdump())
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(edit)
        assert list(db.iterdump()) == before


# Around SQLite:

DAMAGE = {
    "the last entry is gone": ["DELETE FROM ledger WHERE seq = 300"],
    "the last commit is gone but for its head": ["DELETE FROM ledger WHERE seq > 200"],
    "the last head is gone": ["DELETE FROM heads WHERE size = 300"],
    "all heads are gone": ["DELETE FROM heads"],
    "an entry without a head": ["INSERT INTO ledger VALUES (301, NULL, 's', 'paused', x'00', x'00')"],
    "another root": ["UPDATE heads SET root = zeroblob(32) WHERE size = 300"],
    "another hash of a subtree": ["UPDATE nodes SET hash = zeroblob(32)"],
    "a hash of a subtree is gone": ["DELETE FROM nodes"],
    "another leaf": ["UPDATE ledger SET leaf = zeroblob(32) WHERE seq = 290"],
    "a text for a leaf": ["UPDATE ledger SET leaf = 'x' WHERE seq = 300"],
    "what is no text for a hash": ["UPDATE nodes SET hash = CAST(x'ff' AS TEXT)"],
    "a number for a root": ["UPDATE heads SET root = 7 WHERE size = 300"],
    "a gap at the end": ["DELETE FROM ledger WHERE seq = 299"],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_ledger_that_was_changed_is_not_opened(path: Path, damage: list[str]) -> None:
    change(path, *damage)
    with pytest.raises(LedgerDamaged, match="is damaged: ") as caught:
        SqliteStore(path)
    assert caught.value.exit_code == 7
    assert str(path) in caught.value.message
    assert "davy ledger verify" in caught.value.hint


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_ledger_that_is_changed_under_an_open_store_is_not_written_any_more(
    path: Path, damage: list[str]
) -> None:
    with closing(SqliteStore(path)) as store, closing(SqliteStore(path)) as other:
        other.append([event(1000)])  # since another has written, all of it is looked at again
        change(path, *(statement.replace("= 300", ">= 300").replace("301", "302") for statement in damage))
        for _ in range(2):
            with pytest.raises(LedgerDamaged):
                store.append([event(2000)])
            with pytest.raises(LedgerDamaged):
                store.commit({("rollout", "a"): b"1"}, [draft()])
        assert store.load("rollout") == {}


@pytest.mark.parametrize("damage", ["the last head is gone", "all heads are gone", "another root"])
def test_heads_that_are_changed_under_an_open_store_are_seen_at_the_next_write(path: Path, damage: str) -> None:
    with closing(SqliteStore(path)) as store:
        change(path, *DAMAGE[damage])
        with pytest.raises(LedgerDamaged):
            store.append([event(2000)])


def change(path: Path, *statements: str) -> None:
    """Do what somebody does who may write the file."""
    with sql(path) as db:
        for table in ("ledger", "nodes", "heads"):
            for trigger in ("is_never_edited", "is_never_cut", "only_grows"):
                db.execute(f"DROP TRIGGER {table}_{trigger}")
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize("body", ["5", "'text'", "CAST(x'ff' AS TEXT)", "x'7b'"])
def test_what_is_no_entry_is_said_to_be_damage(path: Path, body: str) -> None:
    change(path, f"UPDATE ledger SET body = {body} WHERE seq = 17")
    with closing(SqliteStore(path)) as store:
        with pytest.raises((LedgerDamaged, StoreUnavailable)):
            store.entries()
        if body != "x'7b'":
            with pytest.raises(LedgerDamaged, match="entry 17 is none"):
                store.bodies(10, 20)


def test_no_proof_is_made_of_a_ledger_with_a_gap(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        change(path, "DELETE FROM ledger WHERE seq = 17")
        with pytest.raises(LedgerDamaged, match="hashes of level 0 are missing"):
            tree.inclusion(3, 300, store.hashes)


def test_an_older_copy_is_not_gone_on_with(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / "copy.db")
    with closing(SqliteStore(path)) as store:
        store.append([event(1000)])
        with sql(tmp_path / "copy.db") as old, sql(path) as db:
            old.backup(db)
        with pytest.raises(LedgerDamaged, match="it had 301 entries"):
            store.append([event(2000)])


# With others:


def test_two_that_write_in_turn_grow_one_tree(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "davy.db")) as one, closing(SqliteStore(tmp_path / "davy.db")) as two:
        for number in range(300):
            store = (one, two)[number * 7 % 5 % 2]
            [receipt] = store.append([event(number)])
            assert receipt.seq == number + 1
        assert [each.outcome for each in one.append([event(7)]) + two.append([event(8)])] == ["known", "known"]
        assert one.head() == two.head()
        assert whole(one)


def test_a_store_that_was_closed_is_not_written(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    with pytest.raises(StoreUnavailable, match="was closed"):
        store.append([event(1000)])
    with pytest.raises(StoreUnavailable):
        store.head()


def test_the_write_ahead_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "davy.db")) as store:
        for number in range(120):
            store.commit({("rollout", str(number % 7)): b"x" * 1_000_000}, [draft(number=number)])
        assert (tmp_path / "davy.db-wal").stat().st_size < 2 * CHECKPOINT_BYTES
        assert whole(store)


def test_after_an_error_of_the_disk_it_goes_on_with_what_the_file_has(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.commit({("rollout", "a"): b"1"}, [draft()])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))  # SQLite gets EFBIG, for which it has no word
        try:
            with pytest.raises(StoreUnavailable, match="disk I/O error"):
                store.commit({("rollout", "a"): b"2"}, [draft()])
            with pytest.raises(StoreUnavailable):
                store.append([event(1000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert store.head().size == 301
        assert store.load("rollout")["a"] == b"1"
        [receipt] = store.append([event(1000)])
        assert receipt.seq == 302
        assert whole(store)


def test_no_file_is_opened_to_write_however_many_pages_it_takes(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "davy.db")) as store:
        store.append([event(number) for number in range(5000)])
        scattered = [[event(number * 100 + end) for number in range(1000, 5000, 20)] for end in (77, 78)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for events in scattered:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                assert {each.outcome for each in store.append(events)} == {"written"}
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            store.purge()
        assert whole(store)


def test_entries_of_a_subject_are_found_before_and_after_they_are_indexed(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "davy.db")) as store:
        for start in range(0, 3000, 300):
            store.append([event(number) for number in range(start, start + 300)])
            found = [entry.seq for entry in store.entries(subject="Service pay-1", limit=10_000)]
            assert found == list(range(2, start + 301, 3))
        assert [entry.seq for entry in store.entries(subject="Service pay-1", after=2040, limit=4)] == [
            2042,
            2045,
            2048,
            2051,
        ]
        assert [entry.seq for entry in store.entries(subject="Service pay-1", after=2900, limit=1)] == [2903]
        assert store.entries(subject="Service none") == ()


def test_trees_of_more_than_two_stored_levels_are_taken_up_and_proved(tmp_path: Path) -> None:
    size = 65_536 + 300
    spelt = [encode(event(number)) for number in range(size)]
    with closing(SqliteStore(tmp_path / "davy.db")) as store:
        for start in range(0, size, 5000):
            store.append([event(number) for number in range(start, min(size, start + 5000))])
    with closing(SqliteStore(tmp_path / "davy.db")) as store:
        root = tree.root(spelt)
        assert store.head() == Head(size, root)
        for index in (0, 1, 255, 256, 40_000, 65_535, 65_536, size - 1):
            proof = tree.inclusion(index, size, store.hashes)
            assert tree.is_included(tree.leaf_hash(spelt[index]), index, size, proof, root)
        for smaller in (1, 256, 257, 65_535, 65_536, 65_537, size - 1):
            proof = tree.consistency(smaller, size, store.hashes)
            assert tree.is_consistent(smaller, size, proof, tree.root(spelt[:smaller]), root)
        with sql(tmp_path / "davy.db") as db:
            levels = db.execute("SELECT level, count(*) FROM nodes GROUP BY level").fetchall()
        assert levels == [(8, 257), (16, 1)]


# Of before there was a tree:

OLDER = """
CREATE TABLE records (bucket TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE ledger (seq INTEGER PRIMARY KEY, subject TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX ledger_by_subject ON ledger (subject, seq);
CREATE TRIGGER ledger_is_never_edited BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_is_never_cut BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
INSERT INTO records VALUES ('rollout', 'a', x'7b7d');
"""


def older(path: Path, count: int) -> None:
    """Make the file of an older Davy, as it made it."""
    with sql(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(OLDER)
        db.execute("BEGIN")
        for seq in range(1, count + 1):
            detail = {"number": seq, "share": 0.5, "text": "ü" * (70_000 if seq == 3 else 1)}
            body = {"actor": "davy", "at": 1.25 + seq, "detail": detail, "kind": "weight_set", "reason": ""}
            subject = f"Rollout default/pay-{seq % 2}"
            spelt = json.dumps(body | {"seq": seq, "subject": subject}, sort_keys=True, separators=(",", ":"))
            db.execute("INSERT INTO ledger VALUES (?, ?, ?)", (seq, subject, spelt.encode()))
        db.execute("COMMIT")


@pytest.mark.parametrize("count", [0, 5, 2500])
def test_a_store_of_before_there_was_a_tree_is_taken_over_whole(tmp_path: Path, count: int) -> None:
    path = tmp_path / "davy.db"
    older(path, count)
    for _ in range(2):
        with closing(SqliteStore(path)) as store:
            entries = store.entries(limit=10_000)
            assert [entry.seq for entry in entries] == list(range(1, count + 1))
            assert [entry.at for entry in entries] == [1.25 + seq for seq in range(1, count + 1)]
            for entry in entries:
                assert (entry.kind, entry.subject) == ("weight_set", f"Rollout default/pay-{entry.seq % 2}")
                if entry.seq != 3:
                    assert entry.detail == {"number": entry.seq, "share": 0.5, "text": "ü"}
            if count >= 3:
                kept = json.loads(store.load(PAYLOAD)[entries[2].detail["sha256"]])
                assert kept == {"number": 3, "share": 0.5, "text": "ü" * 70_000}
            assert len(store.entries(subject="Rollout default/pay-1", limit=10_000)) == (count + 1) // 2
            assert whole(store)
            assert store.load("rollout") == {"a": b"{}"}
    with closing(SqliteStore(path)) as store:
        assert store.commit({}, [draft()])[0].seq == count + 1
    with sql(path) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"records", "ledger", "nodes", "heads", "by_subject"}
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("DELETE FROM ledger")


def test_taking_over_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "davy.db"
    older(path, 5)
    with sql(path) as db:
        db.execute("INSERT INTO ledger VALUES (6, 's', 'this is no entry')")
        before = list(db.iterdump())
    with pytest.raises(StoreUnavailable, match="entry 6"):
        SqliteStore(path)
    with sql(path) as db:
        assert list(db.iterdump()) == before


def test_a_file_of_a_newer_davy_is_left_alone(path: Path) -> None:
    with sql(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="newer Davy"):
        SqliteStore(path)
