"""The store on one SQLite file: records, a ledger that nobody can edit through it, and the lease on both."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from davy.ledger import lease as leases
from davy.ledger.entry import Draft, Entry, decode, encode, place
from davy.ledger.lease import Lease
from davy.ledger.store import Record, Store, StoreUnavailable

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
LEASE = ("lease", "engine")
"""Where the lease is kept."""

BUSY_S = 1.0
"""Real seconds for which a write waits for the one of another process."""


class Busy(StoreUnavailable):
    """Another process is in the middle of a write, and does not come to an end with it."""

    code = "store-busy"


class SqliteStore:
    """Records and ledger in one file.

    WAL with synchronous=FULL: when a commit returns, it survives a power cut. Any number of processes may open
    the file; which of them may write is what the lease is for. Readers wait for no writer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing, self._reading = threading.Lock(), threading.Lock()
        with self._translated():
            self._db = self._connect()
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(SCHEMA)
            self._reader = self._connect()
            self._reader.execute("PRAGMA query_only=ON")
            self._reader.execute("SELECT count(*) FROM records WHERE bucket = ''")

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        with self._reading, self._translated():
            rows = self._reader.execute("SELECT key, body FROM records WHERE bucket = ?", (bucket,))
            return dict(rows.fetchall())

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and append entries in one transaction."""
        return self._commit(changes, drafts, None)

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        where, values = "seq > ?", [after, limit] if not subject else [after, subject, limit]
        if subject:
            where += " AND subject = ?"
        with self._reading, self._translated():
            query = f"SELECT body, seq FROM ledger WHERE {where} ORDER BY seq LIMIT ?"  # noqa: S608
            rows = self._reader.execute(query, values).fetchall()
        return tuple(decode(body, seq) for body, seq in rows)

    def lease(self) -> Lease | None:
        """Return the lease that was given last."""
        with self._reading, self._translated():
            return _lease(self._reader)

    def take(self, holder: str, now: float, seconds: float, *, mark: str = "", over: int = 0) -> Lease:
        """Take the lease."""
        return self._lend(lambda last: leases.grant(last, holder, now, seconds, mark=mark, over=over))

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """Hold the lease for longer."""
        return self._lend(lambda last: leases.extend(last, lease, now, seconds))

    def release(self, lease: Lease) -> None:
        """Let others have the lease at once."""
        with self._transaction():
            if (ended := leases.end(_lease(self._db), lease)) is not None:
                self._put(LEASE, msgspec.json.encode(ended))

    def under(self, lease: Lease) -> Store:
        """Return the store for the holder of a lease."""
        return _Leased(self, lease, self._commit)

    def limit_pages(self, pages: int) -> None:
        """Let the file grow to so many pages of 4 KiB and no further, as a quota does."""
        with self._writing:
            self._db.execute(f"PRAGMA max_page_count = {pages:d}")

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._reader.close()
            self._db.close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)

    def _commit(
        self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft], held: Lease | None
    ) -> tuple[Entry, ...]:
        """Write it, and where it is for the holder of a lease, make sure in the same transaction that it is."""
        with self._transaction():
            if held is not None:
                leases.hold(_lease(self._db), held.epoch)
            first = 1
            if drafts:
                first = self._db.execute("SELECT coalesce(max(seq), 0) + 1 FROM ledger").fetchone()[0]
            entries = tuple(place(draft, first + offset) for offset, draft in enumerate(drafts))
            for record, body in changes.items():
                self._put(record, body)
            rows = [
                (entry.seq, entry.subject, encode(draft)) for entry, draft in zip(entries, drafts, strict=True)
            ]
            self._db.executemany("INSERT INTO ledger VALUES (?, ?, ?)", rows)
        return entries

    def _lend(self, give: Callable[[Lease | None], Lease]) -> Lease:
        """Give a lease, by looking at the last one in the same transaction."""
        with self._transaction():
            given = give(_lease(self._db))
            self._put(LEASE, msgspec.json.encode(given))
        return given

    def _put(self, record: Record, body: bytes | None) -> None:
        if body is None:
            self._db.execute("DELETE FROM records WHERE bucket = ? AND key = ?", record)
        else:
            self._db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (*record, body))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do all of it or nothing; from the first line on no other process can write."""
        with self._writing, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in our words what SQLite says."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise Busy(
                    f"another process is writing to the store {self.path} and does not come to an end",
                    hint="is an engine on this state directory stopped or stuck? davy doctor, ps",
                ) from error
            raise self._unavailable(error) from error
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(f"the store {self.path} cannot be used: {error}", hint="is the disk full?")


@dataclass(frozen=True, slots=True)
class _Leased:
    """The store as the holder of a lease sees it."""

    store: SqliteStore
    held: Lease
    commit_under: Callable[[Mapping[Record, bytes | None], Sequence[Draft], Lease], tuple[Entry, ...]]

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return self.store.load(bucket)

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write, if the lease is still ours."""
        return self.commit_under(changes, drafts, self.held)

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        return self.store.entries(after=after, subject=subject, limit=limit)


def _lease(db: sqlite3.Connection) -> Lease | None:
    row = db.execute("SELECT body FROM records WHERE bucket = ? AND key = ?", LEASE).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Lease)
