"""What a witness has signed last of every ledger, in a SQLite file of its own."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from davy.ledger.store import StoreUnavailable

FILE = "witness.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS seen_only_grows BEFORE UPDATE ON seen WHEN NEW.size < OLD.size
    BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
CREATE TRIGGER IF NOT EXISTS seen_is_never_forgotten BEFORE DELETE ON seen
    BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
"""


class SeenCheckpoints:
    """Remembers what was signed; what it said it remembers survives a power cut.

    Any number of threads and processes may share the file: of those that want to go on from one size, one does.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._guard = path, threading.Lock()
        with self._translated():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
            self._db.execute("PRAGMA journal_mode=DELETE")
            self._db.execute("PRAGMA synchronous=EXTRA")
            self._db.executescript(_SCHEMA)

    def last(self, origin: str) -> tuple[int, bytes] | None:
        """Return size and root of what was signed last of a ledger."""
        with self._guard, self._translated():
            row = self._db.execute("SELECT size, root FROM seen WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else (row[0], row[1])

    def sizes(self) -> dict[str, int]:
        """Return how much was signed of each ledger."""
        with self._guard, self._translated():
            return dict(self._db.execute("SELECT origin, size FROM seen").fetchall())

    def advance(self, origin: str, old: int, size: int, root: bytes) -> bool:
        """Remember what is signed now, unless it was no longer `old` that was signed last."""
        with self._guard, self._translated():
            written = self._db.execute(
                "INSERT INTO seen SELECT ?1, ?3, ?4 WHERE ?2 = 0 AND NOT EXISTS"
                " (SELECT 1 FROM seen WHERE origin = ?1)"
                " OR EXISTS (SELECT 1 FROM seen WHERE origin = ?1 AND size = ?2)"
                " ON CONFLICT (origin) DO UPDATE SET size = ?3, root = ?4",
                (origin, old, size, root),
            )
            return written.rowcount == 1

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._db.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            hint = "is the disk full?"
            raise StoreUnavailable(f"{self._path} cannot be used: {error}", hint=hint) from error
