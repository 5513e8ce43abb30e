"""A store's SQLite file for those who only read: no engine has to run, and one that does is not disturbed."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from davy.adapters import sqlite_tree
from davy.adapters.sqlite_layout import VERSION
from davy.errors import NotFound
from davy.ledger.log import Head
from davy.ledger.store import StoreUnavailable

BUSY_S = 5.0


class SqliteReader:
    """Reads records and the ledger; usable as a context manager.

    Raises:
        NotFound: there is no such file.
        StoreUnavailable: it cannot be read, or another version of Davy has written it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise NotFound(
                f"there is no ledger in {path.parent}", hint="davy up begins one; --home names another"
            )
        with self._translated():
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S)
            self._db.text_factory = bytes  # whoever edits a file may leave a text where bytes were
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found != VERSION:
            self.close()
            older = (
                "an older Davy has written it, and davy up takes it over"
                if found < VERSION
                else "pip install -U davy"
            )
            raise StoreUnavailable(f"{path} has layout {found}, and {VERSION} can be read", hint=older)

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        with self._translated():
            rows = self._db.execute("SELECT key, body FROM records WHERE bucket = ?", (bucket,))
            return {key.decode(): body for key, body in rows}

    def record(self, bucket: str, key: str) -> bytes | None:
        """Read one record, None where there is none."""
        with self._translated():
            query = "SELECT body FROM records WHERE bucket = ? AND key = ?"
            row: tuple[bytes] | None = self._db.execute(query, (bucket, key)).fetchone()
        return None if row is None else row[0]

    def head(self) -> Head:
        """Return the tree as it is now."""
        with self._translated():
            return sqlite_tree.last_head(self._db)

    def bodies(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of entries."""
        query = "SELECT body FROM ledger WHERE seq > ? AND seq <= ? ORDER BY seq"
        with self._translated():
            return [body for (body,) in self._db.execute(query, (start, end))]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees."""
        with self._translated():
            return sqlite_tree.hashes(self._db, level, start, end)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            hint = "is it a store of Davy, and yours to read?"
            raise StoreUnavailable(f"the store {self.path} cannot be read: {error}", hint=hint) from error
