"""A turn as the sequencer: one transaction, under the advisory lock, in which events get their places.

The lock lets one in at a time; the fence (`davy.advance`) makes it certain: the tree that a batch was worked
out for is compared in the transaction that writes it. One that is stopped in the middle keeps the lock until
the server ends its transaction, and writes nothing when it wakes up. Nothing here is pipelined for that reason:
between the messages of a pipeline the server counts no idle time.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import psycopg

from davy.adapters.postgres_placing import Group, Item, Known, Placed
from davy.adapters.postgres_schema import CHANNEL, LOCK
from davy.ledger.store import Record
from davy.ledger.tree import Frontier

GROUPS = 200
"""How many rows of the inbox are sequenced at once; the notice that names them has to fit into 8000 bytes."""

COPIED = 500
"""Rows from which on COPY is worth a round trip of its own."""

_ITEMS = msgspec.msgpack.Decoder(tuple[Item, ...])


class _Seat(NamedTuple):
    """The row of the sequencer, as it was found."""

    epoch: int
    holder: str
    size: int
    stack: bytes

    @property
    def tree(self) -> Frontier:
        """The tree as the last sequencer left it."""
        return Frontier(self.size, [self.stack[at : at + 32] for at in range(0, len(self.stack), 32)])


class Turn:
    """One transaction of one sequencer; without `write` it comes to nothing.

    Args:
        connection: it is on.
        holder: identifies the store whose turn it is.
    """

    def __init__(self, connection: psycopg.Connection[Any], holder: str) -> None:
        self._db, self._holder = connection, holder
        self._waiting: list[Group] = []
        self._seat = _Seat(0, "", 0, b"")

    def take(self, *, wait: bool) -> bool:
        """Take the seat, and say whether it could be had; with `wait`, wait for it."""
        lock = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
        seat = "SELECT epoch, coalesce(holder::text, ''), size, stack FROM davy.sequencer"
        answer = self._db.execute(f"BEGIN; SELECT {lock}({LOCK})::text; {seat}")  # one message
        answer.nextset()
        taken: bool = answer.fetchone() != ("false",)
        answer.nextset()
        self._seat = _Seat(*answer.fetchall()[0])
        if not taken:
            self.give_up()
        return taken

    def give_up(self) -> None:
        """Leave everything as it was."""
        self._db.execute("ROLLBACK")

    def is_written(self, ticket: str) -> bool:
        """Say whether a batch of ours came through although the connection was lost."""
        return bool(self._db.execute("SELECT FROM davy.heads WHERE ticket = %s", (ticket,)).fetchall())

    def place(self, own: Group | None = None, *, inbox: bool = True) -> Placed:
        """Give their places to what waits in the inbox, and to what this store hands in itself."""
        query = "SELECT ticket::text, items FROM davy.inbox WHERE receipts IS NULL ORDER BY id LIMIT %s"
        waiting = self._db.execute(query, (GROUPS,), binary=True).fetchall() if inbox else []
        self._waiting = [Group(ticket, _ITEMS.decode(items)) for ticket, items in waiting]
        groups = [*self._waiting, *([] if own is None else [own])]
        placed = Placed(self._seat.tree, self._known(item for group in groups for item in group.items))
        for group in groups:
            placed.add(group)
        return placed

    def write(self, placed: Placed, ticket: str, changes: Mapping[Record, bytes | None] | None = None) -> None:
        """Write what was worked out, and records with it, and end the transaction.

        Raises:
            psycopg.Error: nothing was written, unless it is the connection that was lost.
        """
        if placed.rows:
            if len(placed.rows) >= COPIED:
                self._copy(placed)
            else:
                self._insert(placed)
            self._grow(placed, ticket)
        put(self._db, {**placed.payloads, **(changes or {})})
        self._tell(placed)
        self._db.execute("COMMIT")

    def _known(self, items: Iterable[Item]) -> dict[bytes, Known]:
        """Ask what is on record of some events."""
        uids = [item.uid for item in items if item.uid is not None]
        if not uids:
            return {}
        query = "SELECT uid, seq, body FROM davy.ledger WHERE uid = ANY(%b::bytea[])"
        found = self._db.execute(query, (uids,), binary=True).fetchall()
        return {uid: Known(seq, body) for uid, seq, body in found}

    def _copy(self, placed: Placed) -> None:
        columns = "COPY davy.ledger (seq, uid, subject, kind, body, leaf) FROM STDIN (FORMAT BINARY)"
        with self._db.cursor().copy(columns) as copy:
            copy.set_types(["int8", "bytea", "bytea", "text", "bytea", "bytea"])
            for row in placed.rows:
                copy.write_row(row)

    def _insert(self, placed: Placed) -> None:
        self._db.execute(
            "INSERT INTO davy.ledger (seq, uid, subject, kind, body, leaf) SELECT * FROM unnest("
            "%b::bigint[], %b::bytea[], %b::bytea[], %b::text[], %b::bytea[], %b::bytea[])",
            tuple(map(list, zip(*placed.rows, strict=True))),
        )

    def _grow(self, placed: Placed, ticket: str) -> None:
        """Write what the tree is now, if it still is what it was."""
        seat, tree = self._seat, placed.tree
        epoch = seat.epoch if seat.holder == self._holder else seat.epoch + 1
        nodes = list(map(list, zip(*placed.nodes, strict=True))) or [[], [], []]
        self._db.execute(
            "SELECT davy.advance(%s::bigint, %s::bigint, %s::bigint, %s::uuid, %s::bigint, %b, %b, %s::uuid,"
            " %b::smallint[], %b::bigint[], %b::bytea[])",
            (
                *(
                    seat.epoch,
                    seat.size,
                    epoch,
                    self._holder,
                    tree.size,
                    b"".join(tree.stack),
                    tree.root,
                    ticket,
                ),
                *nodes,
            ),
        )

    def _tell(self, placed: Placed) -> None:
        """Leave their receipts to those who wait, and say so."""
        if not self._waiting:
            return
        tickets = [group.ticket for group in self._waiting]
        receipts = [msgspec.msgpack.encode(placed.receipts[ticket]) for ticket in tickets]
        self._db.execute(
            "WITH told AS (UPDATE davy.inbox SET receipts = n.receipts"
            " FROM unnest(%s::uuid[], %b::bytea[]) AS n (ticket, receipts) WHERE inbox.ticket = n.ticket)"
            " SELECT pg_notify(%s, %s)",
            (tickets, receipts, CHANNEL, ",".join(tickets)),
        )


def put(connection: psycopg.Connection[Any], changes: Mapping[Record, bytes | None]) -> None:
    """Write records; None deletes."""
    kept = [(*record, body) for record, body in changes.items() if body is not None]
    gone = [record for record, body in changes.items() if body is None]
    if kept:
        connection.execute(
            "INSERT INTO davy.records (bucket, key, body)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %b::bytea[])"
            " ON CONFLICT (bucket, key) DO UPDATE SET body = excluded.body",
            tuple(map(list, zip(*kept, strict=True))),
        )
    if gone:
        connection.execute(
            "DELETE FROM davy.records USING unnest(%s::text[], %s::text[]) AS gone (bucket, key)"
            " WHERE records.bucket = gone.bucket AND records.key = gone.key",
            tuple(map(list, zip(*gone, strict=True))),
        )
