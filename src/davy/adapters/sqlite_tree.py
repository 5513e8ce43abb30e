"""The Merkle tree of a store in its SQLite file: how it grows, and how it is read.

Of the inner nodes only those of the levels 8, 16 and 24 are kept, which are where tiles begin (tlog-tiles).
What is between them is computed from the next one below, at most 128 hashes for a subtree. Nodes of complete
subtrees never change.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from davy.ledger.entry import Draft
from davy.ledger.log import Head, LedgerDamaged
from davy.ledger.payload import fit
from davy.ledger.store import Record
from davy.ledger.tree import EMPTY, Frontier, frontier, leaf_hash, node_hash

KEPT = 8
"""Every level that is a multiple of this is kept, up to `TOP`; the leaves, level 0, lie beside the entries."""

TOP = 24


@dataclass(frozen=True, slots=True)
class Piece:
    """A draft as it goes into the tree, and what is written with it."""

    draft: Draft
    uid: str | None
    subject: str
    kind: str
    body: bytes
    leaf: bytes
    payloads: Mapping[Record, bytes]

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Spell a draft."""
        _, body, payloads = fit(draft)
        return cls(draft, draft.uid, draft.subject, draft.kind, body, leaf_hash(body), payloads)


def grow(db: sqlite3.Connection, tree: Frontier, pieces: Sequence[Piece]) -> None:
    """Append pieces, and write down what the tree is then; within a transaction."""
    first = tree.size + 1
    nodes: list[object] = []
    for piece in pieces:
        for level, index, hash_ in tree.append(piece.leaf):
            if not level % KEPT and level <= TOP:
                nodes += (level, index, hash_)
        for record, body in piece.payloads.items():
            db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (*record, body))
    _insert(
        db,
        "ledger",
        6,
        [
            value
            for seq, piece in enumerate(pieces, first)
            for value in (seq, piece.uid, piece.subject, piece.kind, piece.body, piece.leaf)
        ],
    )
    _insert(db, "nodes", 3, nodes)
    db.execute("INSERT INTO heads VALUES (?, ?)", (tree.size, tree.root))


def _insert(db: sqlite3.Connection, table: str, columns: int, values: list[object]) -> None:
    """Insert rows, many with one statement: each one has other threads wait for the interpreter."""
    row, at = f"({', '.join('?' * columns)})", 0
    while at < len(values):
        rows = next(many for many in (64, 16, 4, 1) if many * columns <= len(values) - at)
        some = values[at : at + rows * columns]
        db.execute(f"INSERT INTO {table} VALUES {', '.join([row] * rows)}", some)  # noqa: S608
        at += rows * columns


def last_head(db: sqlite3.Connection) -> Head:
    """Read what the tree was after the last commit."""
    row = db.execute("SELECT size, root FROM heads ORDER BY size DESC LIMIT 1").fetchone()
    return Head(0, EMPTY) if row is None else Head(*row)


def take_up(db: sqlite3.Connection, before: Frontier) -> Frontier:
    """Take a tree up where it is by now, and make sure that it has the root that was written down.

    Args:
        db: reads the file.
        before: what is known to have been in it.

    Raises:
        LedgerDamaged: it has another root or number of entries, or does not begin with what was there before.
    """
    head = last_head(db)
    found = db.execute("SELECT coalesce(max(seq), 0) FROM ledger").fetchone()[0]
    if found != head.size:
        raise _damaged(db, f"it was {head.size} entries long when it was last written, and is {found}")
    try:
        tree = frontier(head.size, lambda level, start, end: hashes(db, level, start, end))
    except AssertionError as error:
        raise _damaged(db, f"hashes of its {head.size} entries are missing") from error
    if tree.root != head.root:
        raise _damaged(
            db, f"its {head.size} entries have the root {tree.root.hex()}, and had {head.root.hex()}"
        )
    row = db.execute("SELECT root FROM heads WHERE size = ?", (before.size,)).fetchone()
    if before.size and (row is None or row[0] != before.root):
        raise _damaged(db, f"it had {before.size} entries with the root {before.root.hex()}, and has others")
    return tree


def _damaged(db: sqlite3.Connection, what: str) -> LedgerDamaged:
    path = db.execute("PRAGMA database_list").fetchone()[2]
    hint = "davy ledger verify says where; go on with a copy that verifies, and keep this one to look into"
    return LedgerDamaged(f"the ledger in {path} is damaged: {what}", hint=hint)


def hashes(db: sqlite3.Connection, level: int, start: int, end: int) -> list[bytes]:
    """Return the hashes of complete subtrees, as far as there are any."""
    kept = min(level - level % KEPT, TOP)
    above = level - kept
    if kept:
        query = "SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
        rows = db.execute(query, (kept, start << above, end << above))
    else:
        query = "SELECT leaf FROM ledger WHERE seq > ? AND seq <= ? ORDER BY seq"
        rows = db.execute(query, (start << above, end << above))
    found = [hash_ for (hash_,) in rows]
    for _ in range(above):
        found = [node_hash(*pair) for pair in zip(found[::2], found[1::2], strict=False)]
    return found


def known(db: sqlite3.Connection, uids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
    """Find the events that are there by now: the place and the bytes of each."""
    wanted, found, at = list(uids), dict[str, tuple[int, bytes]](), 0
    while at < len(wanted):
        many = next(many for many in (64, 16, 4, 1) if many <= len(wanted) - at)
        query = f"SELECT uid, seq, body FROM ledger WHERE uid IN ({', '.join('?' * many)})"  # noqa: S608
        for uid, seq, body in db.execute(query, wanted[at : at + many]):
            found[uid] = (seq, body)
        at += many
    return found
