"""How a store lies in its SQLite file, and how the file of an older Davy is taken over."""

import sqlite3

import msgspec

from davy.adapters.sqlite_tree import Piece, grow, pseudonyms
from davy.ledger.entry import Draft
from davy.ledger.store import StoreUnavailable
from davy.ledger.tree import Frontier

VERSION = 1
"""The layout, as `PRAGMA user_version` has it; files without a tree have 0."""

RECORDS = """
CREATE TABLE IF NOT EXISTS records (
    bucket TEXT NOT NULL,
    key    TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
"""

LEDGER = """
CREATE TABLE ledger (            -- the entries, in their places
    seq     INTEGER PRIMARY KEY, -- 1, 2, 3 … without a gap
    uid     TEXT UNIQUE,         -- of an event from outside: its source and what that calls it
    subject TEXT NOT NULL,
    kind    TEXT NOT NULL,
    body    BLOB NOT NULL,
    leaf    BLOB NOT NULL        -- SHA-256 of 0x00 and the body
);
CREATE TABLE by_subject (        -- where the entries of a subject are; the newest are not in it yet
    subject TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (subject, seq)
) WITHOUT ROWID;
CREATE TABLE nodes (             -- hashes of complete subtrees of 2^8, 2^16 and 2^24 entries
    level INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) WITHOUT ROWID;
CREATE TABLE heads (             -- the tree after each commit
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL
);
"""

ONLY_GROWS = {
    "ledger": "NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM ledger)"
    " OR EXISTS (SELECT 1 FROM ledger WHERE uid = NEW.uid)",
    "nodes": "EXISTS (SELECT 1 FROM nodes WHERE level = NEW.level AND idx = NEW.idx)",
    "heads": "NEW.size <= (SELECT coalesce(max(size), 0) FROM heads)",
}
"""Rows that would take the place of others: INSERT OR REPLACE deletes those without asking any trigger."""


def lay_out(db: sqlite3.Connection) -> None:
    """Make the tables, or take over those of an older Davy, all of it or nothing.

    Raises:
        StoreUnavailable: a newer Davy has written the file.
    """
    if _version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        found = _version(db)  # another process may have been faster
        if found > VERSION:
            raise StoreUnavailable("a newer Davy has written it", hint="use that one; pip install -U davy")
        if found < VERSION:
            _make(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    number: int = db.execute("PRAGMA user_version").fetchone()[0]
    return number


def _make(db: sqlite3.Connection) -> None:
    """Make the tables within a transaction."""
    older = bool(db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'ledger'").fetchone())
    if older:
        db.execute("ALTER TABLE ledger RENAME TO ledger_without_tree")
        db.execute("DROP INDEX ledger_by_subject")
        for trigger in ("ledger_is_never_edited", "ledger_is_never_cut"):
            db.execute(f"DROP TRIGGER {trigger}")
    for statement in (RECORDS + LEDGER).split(";\n"):
        db.execute(statement)
    guard(db)
    if older:
        _take_over(db)
    db.execute(f"PRAGMA user_version = {VERSION:d}")


def guard(db: sqlite3.Connection) -> None:
    """Keep whoever has the file from editing the ledger by accident; within a transaction."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    for table in (*ONLY_GROWS, "by_subject"):
        db.execute(f"CREATE TRIGGER {table}_is_never_edited BEFORE UPDATE ON {table} {refuse}")
        db.execute(f"CREATE TRIGGER {table}_is_never_cut BEFORE DELETE ON {table} {refuse}")
    for table, taken in ONLY_GROWS.items():
        db.execute(f"CREATE TRIGGER {table}_only_grows BEFORE INSERT ON {table} WHEN {taken} {refuse}")


class _Older(msgspec.Struct):
    """An entry as it was before there was a tree: its place was among its bytes."""

    seq: int
    at: float
    kind: str
    subject: str
    actor: str
    reason: str
    detail: dict[str, object]


def _take_over(db: sqlite3.Connection) -> None:
    """Append what was written before there was a tree.

    Raises:
        StoreUnavailable: something of it cannot be read.
    """
    decoder, tree = msgspec.json.Decoder(_Older), Frontier()
    rows = db.execute("SELECT seq, body FROM ledger_without_tree ORDER BY seq")
    while some := rows.fetchmany(1000):
        pieces: list[Piece] = []
        for seq, body in some:
            try:
                older = decoder.decode(body)
            except msgspec.MsgspecError as error:
                raise StoreUnavailable(f"entry {seq} of the ledger cannot be read: {error}") from error
            if older.seq != seq or seq != tree.size + len(pieces) + 1:
                raise StoreUnavailable(f"entry {seq} of the ledger is not in its place")
            draft = Draft(older.at, older.kind, older.subject, older.detail, older.actor, older.reason)
            pieces.append(Piece.of(draft, pseudonyms(db, [draft])))
        grow(db, tree, pieces)
    db.execute("DROP TABLE ledger_without_tree")
