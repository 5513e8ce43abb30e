"""The store on PostgreSQL: records and a ledger that several processes on several machines write to.

Whoever appends tries to become the sequencer: the one who holds an advisory lock gives events their places,
those that wait in the inbox and its own, in one transaction. Who finds the seat taken leaves its events in the
inbox, which is a transaction of its own, and waits until somebody has sequenced them, be it itself. So no
process has to be up for another's events to be written, and what is in the inbox outlives whoever put it there.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
import psycopg

from davy.adapters.group_commit import GroupCommit
from davy.adapters.leased import Leased
from davy.adapters.postgres_placing import Group, Item, Placed, fold
from davy.adapters.postgres_schema import CHANNEL, FORMAT, LOCK, SCHEMA, TREE_STEP
from davy.adapters.postgres_session import Lost, Place, Session, check_safe
from davy.adapters.postgres_turn import Turn, put
from davy.ledger import lease as leases
from davy.ledger.entry import Draft, Entry, decode
from davy.ledger.lease import Lease
from davy.ledger.log import Head, LedgerDamaged, Receipt
from davy.ledger.people import PERSON, PREFIX, by_pseudonym, people, pseudonym, shown
from davy.ledger.store import Record, Store, StoreUnavailable
from davy.ledger.tree import EMPTY, frontier

LEASE = ("lease", "engine")
"""Where the lease is kept."""

STALL_S = 2.0
"""Seconds for which a sequencer may keep the seat and say nothing; then the server ends its transaction."""

BUSY_S = 5.0
"""Seconds for which a commit waits for the seat."""

PATIENCE_S = 10.0
"""Seconds for which an append goes on trying to reach the server."""

FIRST_PAUSE_S = 0.05
"""Seconds between the second attempt to reach a server and the third; twice as long each time, up to one."""

LISTEN_S = 0.1
"""Seconds without a notice after which a producer looks for itself; a sequencer may have died."""

_GIVE = (
    "INSERT INTO davy.records (bucket, key, body) SELECT %s, * FROM unnest(%s::text[], %b::bytea[])"
    " ON CONFLICT (bucket, key) DO NOTHING"
)
_FIND = "SELECT key, body FROM davy.records WHERE bucket = %s AND key = ANY(%s::text[])"
_RECEIPTS = msgspec.msgpack.Decoder(tuple[Receipt, ...])
_Found = TypeVar("_Found")


class PostgresStore:
    """Records and ledger in the schema `davy` of a database, which is made if it is not there.

    What is acknowledged is on the server's disk. Opening it compares the tree with its last head.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`; a password comes from libpq's password file or environment.
        stall_s: for how long a sequencer that says nothing keeps the others waiting.
        patience_s: for how long an append goes on trying to reach the server.

    Raises:
        UsageError: that is no address.
        StoreUnavailable: the server cannot be reached or used, or is not safe to use (`Unsafe`).
        LedgerDamaged: the tree has another root than its last head says.
    """

    def __init__(self, url: str, *, stall_s: float = STALL_S, patience_s: float = PATIENCE_S) -> None:
        self.place = Place(url)
        self._name, self._patience_s = str(uuid4()), patience_s
        self._reader = Session(self.place, default_transaction_read_only="on")
        writing = {
            "idle_in_transaction_session_timeout": f"{int(stall_s * 1000)}ms",
            "lock_timeout": f"{int(BUSY_S * 1000)}ms",
            "statement_timeout": "30s",
        }
        self._appending, self._committing = Session(self.place, **writing), Session(self.place, **writing)
        self._group = GroupCommit(self._hand_in)
        self._spent: list[str] = []
        self._swept = False
        try:
            with self._committing.connection() as connection:
                check_safe(connection, self.place)
                _make(connection, self.place)
            self._check_root()
        except BaseException:
            self.close()
            raise

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        return dict(self._read("SELECT key, body FROM davy.records WHERE bucket = %s", bucket))

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Write records and append entries in one transaction."""
        return self._commit(changes, drafts, None)

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Append events, each once; events of many threads share a transaction."""
        pseudonyms = self._pseudonyms(drafts, self._patience_s)
        items = [Item.of(draft, pseudonyms) for draft in drafts]
        return self._group.do(items) if items else ()

    def append_each(self, calls: Sequence[Sequence[Draft]]) -> list[tuple[Receipt, ...] | Exception]:
        """Append for many at once."""
        pseudonyms = self._pseudonyms([draft for drafts in calls for draft in drafts], self._patience_s)
        spelt = [_spelt(drafts, pseudonyms) for drafts in calls]
        asked = [items for items in spelt if isinstance(items, list) and items]
        receipts = iter(self._group.do_all(asked) if asked else ())
        return [items if isinstance(items, Exception) else next(receipts) if items else () for items in spelt]

    def entries(self, *, after: int = 0, subject: str = "", limit: int = 1000) -> tuple[Entry, ...]:
        """Read entries in their order."""
        where, values = ("AND sha256(subject) = sha256(%s)", [subject.encode()]) if subject else ("", [])
        query = f"SELECT body, seq FROM davy.ledger WHERE seq > %s {where} ORDER BY seq LIMIT %s"  # noqa: S608
        found = [decode(body, seq) for body, seq in self._read(query, after, *values, limit)]
        if not any(entry.actor.startswith(PREFIX) for entry in found):
            return tuple(found)
        names = by_pseudonym(self.load(PERSON))
        return tuple(shown(entry, names) for entry in found)

    def head(self) -> Head:
        """Return the tree as it is now."""
        found = self._read("SELECT size, root FROM davy.heads ORDER BY size DESC LIMIT 1")
        return Head(*found[0]) if found else Head(0, EMPTY)

    def bodies(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of entries."""
        query = "SELECT body FROM davy.ledger WHERE seq > %s AND seq <= %s ORDER BY seq"
        return [body for (body,) in self._read(query, start, end)]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees; those of levels that are not kept are worked out."""
        above = level % TREE_STEP
        kept, first, last = level - above, start << above, end << above
        if kept:
            query = "SELECT hash FROM davy.nodes WHERE level = %s AND index >= %s AND index < %s ORDER BY index"
            found = self._read(query, kept, first, last)
        else:
            query = "SELECT leaf FROM davy.ledger WHERE seq > %s AND seq <= %s ORDER BY seq"
            found = self._read(query, first, last)
        return fold([hash_ for (hash_,) in found], above)

    def lease(self) -> Lease | None:
        """Return the lease that was given last."""
        return _lease(self._read("SELECT body FROM davy.records WHERE bucket = %s AND key = %s", *LEASE))

    def take(self, holder: str, now: float, seconds: float, *, mark: str = "", over: int = 0) -> Lease:
        """Take the lease."""
        return self._lend(lambda last: leases.grant(last, holder, now, seconds, mark=mark, over=over))

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """Hold the lease for longer."""
        return self._lend(lambda last: leases.extend(last, lease, now, seconds))

    def release(self, lease: Lease) -> None:
        """Let others have the lease at once."""
        with self._committing.connection() as connection:
            Turn(connection, self._name).take(wait=True)
            if (ended := leases.end(_given(connection), lease)) is not None:
                put(connection, {LEASE: msgspec.json.encode(ended)})
                connection.execute("COMMIT")

    def under(self, lease: Lease) -> Store:
        """Return the store for the holder of a lease."""
        return Leased(self, lease, self._commit)

    def clock(self) -> Callable[[], float]:
        """Return a clock that all machines with this store share: the server's, in seconds since 1970.

        It is looked at once, and goes on by this machine's monotonic clock from there.
        """
        [(now,)] = self._read("SELECT extract(epoch FROM clock_timestamp())::float8")
        ahead = now - time.monotonic()
        return lambda: time.monotonic() + ahead

    def purge(self) -> None:
        """Leave nothing in the tables of what was deleted.

        The server's own log, its standbys and its backups have it for as long as they are kept.

        Raises:
            StoreUnavailable: the server refuses.
        """
        with self._committing.connection() as connection:
            connection.execute("VACUUM (FULL) davy.records, davy.inbox")

    def close(self) -> None:
        """Let go of the connections."""
        for session in (self._reader, self._appending, self._committing):
            session.close()

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read rows; a connection that was lost since the last time is made anew."""

        def read() -> list[tuple[Any, ...]]:
            with self._reader.connection() as connection:
                return connection.execute(query, values, binary=True).fetchall()

        return _again(read, 0.0)

    def _check_root(self) -> None:
        """Compare what the hashes in the tree come to with the last head, and with how many entries there are.

        Raises:
            LedgerDamaged: they differ.
        """
        [(entries, size, root)] = self._read(
            "SELECT (SELECT coalesce(max(seq), 0) FROM davy.ledger), s.size, h.root FROM davy.sequencer s"
            " LEFT JOIN davy.heads h ON h.size = s.size AND NOT EXISTS"
            " (SELECT FROM davy.heads later WHERE later.size > s.size)"
        )
        try:
            found = frontier(size, self.hashes).root
        except AssertionError:
            found = b""
        if entries != size or found != (root or EMPTY) or (size and root is None):
            raise LedgerDamaged(
                f"the ledger in {self.place} does not have the root that its last head says",
                hint="nothing is appended to it; keep it, and compare it with a checkpoint: davy ledger verify",
            )

    def _commit(
        self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft], held: Lease | None
    ) -> tuple[Entry, ...]:
        """Write it, and where it is for the holder of a lease, make sure in the same transaction that it is."""
        pseudonyms = self._pseudonyms(drafts, 0.0)
        group = Group(str(uuid4()), [Item.of(draft, pseudonyms) for draft in drafts], once=False)
        tried: list[Placed] = []

        def attempt() -> Placed:
            with self._committing.connection() as connection:
                turn = Turn(connection, self._name)
                turn.take(wait=True)
                if tried and turn.is_written(group.ticket):
                    return tried[-1]
                if held is not None:
                    leases.hold(_given(connection), held.epoch)
                tried.append(turn.place(group, inbox=False))
                turn.write(tried[-1], group.ticket, changes)
                return tried[-1]

        names = {instead: name for name, instead in pseudonyms.items()}
        return tuple(shown(decode(row.body, row.seq), names) for row in _again(attempt, 0.0).rows)

    def _pseudonyms(self, drafts: Sequence[Draft], patience_s: float) -> dict[str, str]:
        """Return the pseudonyms of the people in some drafts; who has none yet gets one.

        That is a transaction of its own, before anybody is the sequencer: what waits in the inbox is spelt.
        """
        wanted = sorted(people(drafts))
        if not wanted:
            return {}

        def attempt() -> dict[str, str]:
            fresh = [pseudonym(token_hex(8)).encode() for _ in wanted]
            with self._committing.connection() as connection:
                connection.execute(_GIVE, (PERSON, wanted, fresh))
                found = connection.execute(_FIND, (PERSON, wanted), binary=True).fetchall()
            return {name: given.decode() for name, given in found}

        return _again(attempt, patience_s)

    def _lend(self, give: Callable[[Lease | None], Lease]) -> Lease:
        """Give a lease, by looking at the last one in the same transaction."""
        given: Lease | None = None

        def attempt() -> Lease:
            nonlocal given
            with self._committing.connection() as connection:
                Turn(connection, self._name).take(wait=True)
                last = _given(connection)
                if given is None or last != given:
                    given = give(last)
                    put(connection, {LEASE: msgspec.json.encode(given)})
                connection.execute("COMMIT")
                return given

        return _again(attempt, 0.0)

    def _hand_in(self, asked: Sequence[Sequence[Item]]) -> list[tuple[Receipt, ...]]:
        """Append the events of several callers, and give each the receipts of its own."""
        group = Group(str(uuid4()), [item for items in asked for item in items])
        receipts = iter(self._appended(group))
        return [tuple(next(receipts) for _ in items) for items in asked]

    def _appended(self, group: Group) -> tuple[Receipt, ...]:
        """Append what was handed in together, once, however often the connection is lost meanwhile."""
        tried: list[Placed] = []
        in_inbox = False

        def attempt() -> tuple[Receipt, ...]:
            nonlocal in_inbox
            with self._appending.connection() as connection:
                turn = Turn(connection, self._name)
                if not in_inbox and turn.take(wait=bool(tried)):
                    if not (tried and turn.is_written(group.ticket)):
                        tried.append(turn.place(group))
                        turn.write(tried[-1], group.ticket)
                    return tried[-1].receipts[group.ticket]
                in_inbox = True
                self._leave(connection, group)
                return self._wait(connection, group.ticket)

        try:
            return _again(attempt, self._patience_s)
        except Lost as error:
            if not tried and not in_inbox:
                raise
            raise StoreUnavailable(
                f"{error.message}; what was appended meanwhile may be on record or come there later",
                hint="append it again: what has a source and an id is written once",
            ) from error

    def _leave(self, connection: psycopg.Connection[Any], group: Group) -> None:
        """Put a group into the inbox, where it may be already; take away what nobody waits for any more."""
        spent, self._spent = self._spent, []
        with connection.pipeline():
            connection.execute("BEGIN")
            connection.execute(f"LISTEN {CHANNEL}")
            if spent:
                connection.execute("DELETE FROM davy.inbox WHERE ticket = ANY(%s::uuid[])", (spent,))
            if not self._swept:
                connection.execute(_SWEEP)
            connection.execute(
                "INSERT INTO davy.inbox (ticket, items) VALUES (%s, %b) ON CONFLICT (ticket) DO NOTHING",
                (group.ticket, msgspec.msgpack.encode(group.items)),
            )
            connection.execute("COMMIT")
        self._swept = True

    def _wait(self, connection: psycopg.Connection[Any], ticket: str) -> tuple[Receipt, ...]:
        """Wait until a group has its places, and sequence what is in the inbox where nobody does."""
        receipts: tuple[Receipt, ...] | None = None
        while receipts is None:
            turn = Turn(connection, self._name)
            if turn.take(wait=False):
                placed = turn.place()
                turn.write(placed, str(uuid4()))
                receipts = placed.receipts.get(ticket)
                heard = False
            else:
                notices = list(connection.notifies(timeout=LISTEN_S, stop_after=1))
                heard = bool(notices) and not any(ticket in notice.payload for notice in notices)
            if receipts is None and not heard:
                receipts = _receipts(connection, ticket)
        connection.execute(f"UNLISTEN {CHANNEL}")
        self._spent.append(ticket)
        return receipts


_SWEEP = "DELETE FROM davy.inbox WHERE receipts IS NOT NULL AND since < now() - interval '1 day'"
"""Takes away what somebody who died had no use for any more."""


def _make(connection: psycopg.Connection[Any], place: Place) -> None:
    """Make the schema if it is not there.

    Raises:
        StoreUnavailable: a later version of Davy made it.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s::bigint)", (LOCK,))
        if connection.execute("SELECT to_regclass('davy.sequencer')").fetchone() == (None,):
            connection.execute(SCHEMA)
    [(found,)] = connection.execute("SELECT format FROM davy.sequencer").fetchall()
    if found != FORMAT:
        raise StoreUnavailable(
            f"the store {place} has format {found}, and this Davy reads {FORMAT}", hint="use a later Davy"
        )


def _again(attempt: Callable[[], _Found], patience_s: float) -> _Found:
    """Try it once more at once when the connection is lost, and then for so many seconds, ever less often."""
    until, pause = time.monotonic() + patience_s, 0.0
    while True:
        try:
            return attempt()
        except Lost:
            if pause and time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(1.0, pause * 2 or FIRST_PAUSE_S)


def _spelt(drafts: Sequence[Draft], pseudonyms: Mapping[str, str]) -> list[Item] | Exception:
    """Spell drafts; what cannot be spelt is the error of whoever brought them."""
    try:
        return [Item.of(draft, pseudonyms) for draft in drafts]
    except Exception as error:  # noqa: BLE001  raised where the drafts come from
        return error


def _given(connection: psycopg.Connection[Any]) -> Lease | None:
    query = "SELECT body FROM davy.records WHERE bucket = %s AND key = %s"
    return _lease(connection.execute(query, LEASE, binary=True).fetchall())


def _lease(rows: list[tuple[Any, ...]]) -> Lease | None:
    return msgspec.json.decode(rows[0][0], type=Lease) if rows else None


def _receipts(connection: psycopg.Connection[Any], ticket: str) -> tuple[Receipt, ...] | None:
    """Fetch the receipts of a group; None as long as it has no places."""
    query = "SELECT receipts FROM davy.inbox WHERE ticket = %s"
    [(found,)] = connection.execute(query, (ticket,), binary=True).fetchall()
    return None if found is None else _RECEIPTS.decode(found)
