"""The store on one SQLite file: records, and a ledger that nobody can edit through it."""

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from davy.errors import Conflict
from davy.ledger.entry import Draft, Entry, decode, encode, place
from davy.ledger.store import Record, StoreUnavailable

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    bucket TEXT NOT NULL,
    key    TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
    seq     INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    body    BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS ledger_by_subject ON ledger (subject, seq);
CREATE TRIGGER IF NOT EXISTS ledger_is_never_edited BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_is_never_cut BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


class SqliteStore:
    """Records and ledger in one file, one writer at a time.

    WAL with synchronous=FULL: when a commit returns, it survives a power cut. The file is locked against a
    second engine for as long as this object lives.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(SCHEMA)
            self._next = self._db.execute("SELECT coalesce(max(seq), 0) + 1 FROM ledger").fetchone()[0]
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Conflict(
                    f"another engine holds {path}", hint="stop it, or give this one a --home of its own"
                ) from error
            raise self._unavailable(error) from error
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from error

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        with self._lock:
            rows = self._db.execute("SELECT key, body FROM records WHERE bucket = ?", (bucket,))
            return dict(rows.fetchall())

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and append entries in one transaction."""
        with self._lock:
            entries = tuple(place(draft, self._next + offset) for offset, draft in enumerate(drafts))
            rows = [(entry.seq, entry.subject, encode(entry)) for entry in entries]
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for (bucket, key), body in changes.items():
                    if body is None:
                        self._db.execute("DELETE FROM records WHERE bucket = ? AND key = ?", (bucket, key))
                    else:
                        self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (bucket, key, body))
                self._db.executemany("INSERT INTO ledger VALUES (?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise self._unavailable(error) from error
            self._next += len(entries)
            return entries

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        where, values = "seq > ?", [after, limit] if not subject else [after, subject, limit]
        if subject:
            where += " AND subject = ?"
        with self._lock:
            query = f"SELECT body FROM ledger WHERE {where} ORDER BY seq LIMIT ?"  # noqa: S608
            return tuple(decode(body) for (body,) in self._db.execute(query, values))

    def limit_pages(self, pages: int) -> None:
        """Let the file grow to so many pages of 4 KiB and no further, as a quota does."""
        with self._lock:
            self._db.execute(f"PRAGMA max_page_count = {pages:d}")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def _unavailable(self, error: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(f"the store {self._path} cannot be used: {error}", hint="is the disk full?")
