"""The store on one SQLite file: records, a Merkle ledger that only grows, and the lease on both."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from davy.adapters import sqlite_tree
from davy.adapters.group_commit import GroupCommit
from davy.adapters.leased import Leased
from davy.adapters.sqlite_layout import lay_out
from davy.adapters.sqlite_tree import Piece
from davy.ledger import lease as leases
from davy.ledger.entry import Draft, Entry, decode, refusal, same_event
from davy.ledger.lease import Lease
from davy.ledger.log import Head, LedgerDamaged, Receipt
from davy.ledger.people import shown
from davy.ledger.store import Record, Store, StoreUnavailable
from davy.ledger.tree import EMPTY, Frontier

LEASE = ("lease", "engine")
"""Where the lease is kept."""

BUSY_S = 1.0
"""Real seconds for which a write waits for the one of another process."""

CHECKPOINT_BUSY_S = 0.05
"""Real seconds for which a checkpoint waits for readers and for another process that writes."""

CHECKPOINT_BYTES = 32 << 20
"""So much is in the write-ahead log, about, when what is in it is moved into the file."""

STATEMENTS = 4 * sqlite_tree.TOGETHER
"""Statements that are kept prepared: those for many rows at once are one for each number of rows."""

COMMIT_BYTES, ROW_BYTES = 6 * 4096, 1024
"""What a commit adds to the log whatever it writes, and what a row does besides its body."""

RECOVERABLE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT}
)
"""Errors after which SQLite knows what is on the disk."""

_IN_MEMORY = "PRAGMA temp_store=MEMORY"
"""Keep there what a statement puts back if it fails: from 64 KB on it would go through a file in /var/tmp."""


class Busy(StoreUnavailable):
    """Another process is in the middle of a write, and does not come to an end with it."""

    code = "store-busy"


class _Job(msgspec.Struct, frozen=True):
    """What one caller wants written.

    `once`: drafts that are known are not written again; otherwise they all are.
    """

    changes: Mapping[Record, bytes | None]
    drafts: Sequence[Draft]
    held: Lease | None = None
    once: bool = False


_Written = tuple[list[Piece], tuple[Receipt, ...]]
"""What became of a job: its drafts as they are spelt, and where each is."""


def _spelt(job: _Job, pseudonyms: Mapping[str, str]) -> list[Piece] | Exception:
    """Spell the drafts of a job; what cannot be spelt is the error of whoever brought it."""
    try:
        return [Piece.of(draft, pseudonyms) for draft in job.drafts]
    except Exception as error:  # noqa: BLE001  raised where the draft comes from
        return error


class SqliteStore:
    """Records and ledger in one file; a `Store`, a `Log` and `Leases`.

    WAL with synchronous=FULL: when a commit returns, it survives a power cut. Any number of processes may open
    the file; which of them may write an engine's records is what the lease is for. Readers wait for no writer.

    All that is written goes through one connection, and one transaction for all threads that wait. After an
    error of the disk nobody knows what it has: that connection is given up, and whoever writes next takes up a
    new one from what is in the file, if the ledger's root is the one that was written down.

    Raises:
        LedgerDamaged: the ledger is not what it was when it was last written.
        StoreUnavailable: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._group = GroupCommit(self._write)
        self._max_pages, self._closed = 0, False
        self._tree, self._head = Frontier(), Head(0, EMPTY)
        self._blocks: sqlite_tree.Blocks = {}
        with self._translated():
            self._open()
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

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Append events, each once."""
        return self._group.do(_Job({}, drafts, once=True))[1] if drafts else ()

    def append_each(self, calls: Sequence[Sequence[Draft]]) -> list[tuple[Receipt, ...] | Exception]:
        """Append for many at once."""
        outcomes = self._group.do_all([_Job({}, drafts, once=True) for drafts in calls])
        return [outcome if isinstance(outcome, Exception) else outcome[1] for outcome in outcomes]

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        with self._reading, self._translated():
            if subject:
                rows = sqlite_tree.of_subject(self._reader, subject, after, limit)
            else:
                query = "SELECT body, seq FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?"
                rows = self._reader.execute(query, (after, limit)).fetchall()
            return sqlite_tree.entries(self._reader, rows)

    def head(self) -> Head:
        """Return the tree as it is now."""
        with self._reading, self._translated():
            return sqlite_tree.last_head(self._reader)

    def bodies(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of entries."""
        body = sqlite_tree.blob("body")
        query = f"SELECT {body} FROM ledger WHERE seq > ? AND seq <= ? ORDER BY seq"  # noqa: S608
        with self._reading, self._translated():
            found: list[bytes] = [body for (body,) in self._reader.execute(query, (start, end))]
            if None in found:
                number = start + found.index(None) + 1  # type: ignore[arg-type]
                raise sqlite_tree.damaged(self._reader, f"entry {number} is none")
        return found

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees."""
        with self._reading, self._translated():
            if end - start == 1:
                return sqlite_tree.subtree(self._reader, self._blocks, level, start)
            return sqlite_tree.hashes(self._reader, level, start, end)

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
        with self._transaction() as db:
            if (ended := leases.end(_lease(db), lease)) is not None:
                _put(db, LEASE, msgspec.json.encode(ended))

    def under(self, lease: Lease) -> Store:
        """Return the store for the holder of a lease."""
        return Leased(self, lease, self._commit)

    def limit_pages(self, pages: int) -> None:
        """Let the file grow to so many pages of 4 KiB and no further, as a quota does."""
        with self._writing:
            self._max_pages = pages
            if self._db is not None:
                self._db.execute(f"PRAGMA max_page_count = {pages:d}")

    def purge(self) -> None:
        """Leave nothing on the disk of what was deleted: the file is written anew, and its log is emptied.

        Raises:
            StoreUnavailable: somebody reads or writes just now, or there is no room for a second copy.
        """
        with self._writing, self._translated():
            if self._db is None:
                self._open()
            assert self._db is not None
            self._db.execute("PRAGMA temp_store=DEFAULT")  # the copy may be too large for the memory
            try:
                self._db.execute("VACUUM")
            finally:
                self._db.execute(_IN_MEMORY)
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            self._unsaved = 0
        if busy:
            raise Busy(f"another process reads the store {self.path}", hint="try again, or stop it first")

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._closed = True
            self._give_up()
            self._reader.close()

    def _open(self) -> None:
        """Take up the one connection that writes, and the tree as the file has it."""
        self._db: sqlite3.Connection | None = None
        db = self._connect()
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            lay_out(db)
            db.execute(_IN_MEMORY)
            self._take_up(db)
            if self._max_pages:
                db.execute(f"PRAGMA max_page_count = {self._max_pages:d}")
        except BaseException:
            db.close()
            raise
        log = self.path.with_name(self.path.name + "-wal")
        self._db, self._unsaved = db, log.stat().st_size if log.exists() else 0

    def _give_up(self) -> None:
        """Write nothing through this connection any more."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_S,
            cached_statements=STATEMENTS,
        )
        db.execute("PRAGMA wal_autocheckpoint=0")
        return db

    def _commit(
        self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft], held: Lease | None
    ) -> tuple[Entry, ...]:
        """Write it, and where it is for the holder of a lease, make sure in the same transaction that it is."""
        pieces, receipts = self._group.do(_Job(changes, drafts, held))
        written = zip(pieces, drafts, receipts, strict=True)
        return tuple(shown(decode(piece.body, r.seq), {piece.draft.actor: d.actor}) for piece, d, r in written)

    def _write(self, jobs: Sequence[_Job]) -> list[_Written | Exception]:
        """Write what all threads wait for in one transaction; what is fenced off is left out.

        Drafts are spelt here, by the one thread that writes, and not by those that bring them: these would take
        the interpreter from each other, and from this one between any two of its statements.
        """
        outcomes: list[_Written | Exception] = []
        with self._transaction() as db:
            pseudonyms = sqlite_tree.pseudonyms(db, [draft for job in jobs for draft in job.drafts])
            spelt = [_spelt(job, pseudonyms) for job in jobs]
            batch = _Batch(db, self._tree, spelt)
            for job, pieces in zip(jobs, spelt, strict=True):
                try:
                    outcomes.append(pieces if isinstance(pieces, Exception) else batch.take(job, pieces))
                except leases.Fenced as error:
                    outcomes.append(error)
            if batch.pieces:
                self._head = sqlite_tree.grow(db, self._tree, batch.pieces)
            self._unsaved += batch.written
        return outcomes

    def _lend(self, give: Callable[[Lease | None], Lease]) -> Lease:
        """Give a lease, by looking at the last one in the same transaction."""
        with self._transaction() as db:
            given = give(_lease(db))
            _put(db, LEASE, msgspec.json.encode(given))
        return given

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all of it or nothing; from the first line on no other process can write."""
        with self._writing, self._translated():
            if self._closed:
                raise StoreUnavailable(f"the store {self.path} was closed")
            if self._db is None:
                self._open()
            assert self._db is not None
            before = self._tree, self._head
            try:
                self._db.execute("BEGIN IMMEDIATE")
                if sqlite_tree.last_head(self._db) != self._head:
                    self._take_up(self._db)  # another process has written, too
                before = self._tree, self._head
                self._tree = self._tree.copy()
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                self._tree, self._head = before
                self._undo(error)
                raise
            self._unsaved += COMMIT_BYTES
            if self._unsaved > CHECKPOINT_BYTES:
                self._checkpoint(self._db)

    def _take_up(self, db: sqlite3.Connection) -> None:
        """Go on with the tree as it is in the file."""
        self._tree = sqlite_tree.take_up(db, self._tree)
        self._head = Head(self._tree.size, self._tree.root)

    def _undo(self, error: BaseException) -> None:
        """End a transaction that has failed; after an error of the disk the connection is given up."""
        assert self._db is not None
        fatal = isinstance(error, LedgerDamaged) or (
            isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF not in RECOVERABLE
        )
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error:
            fatal = True
        if fatal:
            self._give_up()

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        """Move what is in the write-ahead log into the file.

        Only here and when the last process closes the file, and never by SQLite on its own: its version may be
        one of those (3.7.0 to 3.51.2) that damage a file when one process writes while another checkpoints.
        FULL keeps other writers out.
        """
        self._unsaved = 0
        try:
            db.execute(f"PRAGMA busy_timeout = {CHECKPOINT_BUSY_S * 1000:.0f}")
            try:
                db.execute("PRAGMA wal_checkpoint(FULL)")
            finally:
                db.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
        except sqlite3.Error as error:
            self._undo(error)  # what was committed is in the log, and stays there

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in our words what SQLite says."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise Busy(
                    f"another process is writing to the store {self.path} and does not come to an end",
                    hint="is an engine on this state directory stopped or stuck? davy doctor, ps",
                ) from error
            raise self._unavailable(error) from error
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(f"the store {self.path} cannot be used: {error}", hint="is the disk full?")


class _Batch:
    """Decides within a transaction what is written of some jobs, and where."""

    def __init__(
        self, db: sqlite3.Connection, tree: Frontier, spelt: Sequence[list[Piece] | Exception]
    ) -> None:
        self.db, self.pieces = db, list[Piece]()
        self.written = 0
        self._size = tree.size
        wanted = [piece.uid for pieces in spelt if isinstance(pieces, list) for piece in pieces]
        self._known = sqlite_tree.known(db, [uid for uid in wanted if uid is not None])

    def take(self, job: _Job, pieces: list[Piece]) -> _Written:
        """Write what a job wants.

        Raises:
            Fenced: it is for the holder of a lease that another has taken; nothing of it is written.
        """
        if job.held is not None:
            leases.hold(_lease(self.db), job.held.epoch)
        for record, body in job.changes.items():
            _put(self.db, record, body)
            self.written += ROW_BYTES + len(body or b"")
        place = self._once if job.once else self._always
        return pieces, tuple([place(piece) for piece in pieces])

    def _always(self, piece: Piece) -> Receipt:
        """Give a piece the next place."""
        if piece.uid in self._known:  # an event is known by the first entry that tells of it
            piece = msgspec.structs.replace(piece, uid=None)
        self.pieces.append(piece)
        self.written += ROW_BYTES + len(piece.body)
        seq = self._size + len(self.pieces)
        if piece.uid is not None:
            self._known[piece.uid] = (seq, piece.body)
        return Receipt("written", seq)

    def _once(self, piece: Piece) -> Receipt:
        """Give a piece a place unless the event has one."""
        found = None if piece.uid is None else self._known.get(piece.uid)
        if found is None:
            return self._always(piece)
        seq, body = found
        if same_event(body, piece.body):
            return Receipt("known", seq)
        why = "another event of the same source and id is on record"
        refused = self._always(Piece.of(refusal(piece.draft, seq, why), {}))
        return Receipt("refused", refused.seq)


def _put(db: sqlite3.Connection, record: Record, body: bytes | None) -> None:
    if body is None:
        db.execute("DELETE FROM records WHERE bucket = ? AND key = ?", record)
    else:
        db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (*record, body))


def _lease(db: sqlite3.Connection) -> Lease | None:
    row = db.execute("SELECT body FROM records WHERE bucket = ? AND key = ?", LEASE).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Lease)
