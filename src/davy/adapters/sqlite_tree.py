"""The Merkle tree of a store in its SQLite file: how it grows, and how it is read.

Of the inner nodes only those of the levels 8, 16 and 24 are kept, which are where tiles begin (tlog-tiles).
What is between them is computed from the next one below, at most 128 hashes for a subtree. Nodes of complete
subtrees never change.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from secrets import token_hex
from typing import Self

import msgspec

from davy.ledger.entry import Draft, Entry, decode
from davy.ledger.log import Head, LedgerDamaged
from davy.ledger.payload import fit
from davy.ledger.people import PERSON, PREFIX, by_pseudonym, hidden, people, pseudonym, shown
from davy.ledger.store import Record
from davy.ledger.tree import EMPTY, Frontier, frontier, leaf_hash, node_hash

KEPT = 8
"""Every level that is a multiple of this is kept, up to `TOP`; the leaves, level 0, lie beside the entries."""

TOP = 24

TOGETHER = 64
"""Rows that one statement inserts or looks for."""

INDEXED = 1024
"""Entries that go into the index by subject at once: one by one, each would rewrite a page of its own."""


class Piece(msgspec.Struct, frozen=True):
    """A draft as it goes into the tree, and what is written with it."""

    draft: Draft
    uid: str | None
    body: bytes
    leaf: bytes
    payloads: Mapping[Record, bytes]

    @classmethod
    def of(cls, named: Draft, pseudonyms: Mapping[str, str]) -> Self:
        """Spell a draft, with pseudonyms for the names of people."""
        draft = hidden(named, pseudonyms)
        _, body, payloads = fit(draft)
        return cls(draft, draft.uid, body, leaf_hash(body), payloads)


def pseudonyms(db: sqlite3.Connection, drafts: Iterable[Draft]) -> dict[str, str]:
    """Return the pseudonyms of the people in some drafts; who has none yet gets one. Within a transaction."""
    wanted, found = sorted(people(drafts)), dict[str, str]()
    for name in wanted:
        row = db.execute(_PERSON, (PERSON, name)).fetchone()
        if row is None:
            row = (pseudonym(token_hex(8)).encode(),)
            db.execute("INSERT INTO records VALUES (?, ?, ?)", (PERSON, name, *row))
        found[name] = row[0].decode()
    return found


_PERSON = "SELECT body FROM records WHERE bucket = ? AND key = ?"


def entries(db: sqlite3.Connection, rows: Sequence[tuple[bytes, int]]) -> tuple[Entry, ...]:
    """Read entries, with the names of those people that are still known."""
    found = [decode(body, seq) for body, seq in rows]
    if not any(entry.actor.startswith(PREFIX) for entry in found):
        return tuple(found)
    names = by_pseudonym(dict(db.execute("SELECT key, body FROM records WHERE bucket = ?", (PERSON,))))
    return tuple(shown(entry, names) for entry in found)


def grow(db: sqlite3.Connection, tree: Frontier, pieces: Sequence[Piece]) -> Head:
    """Append pieces, write down what the tree is then, and return that; within a transaction."""
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
            for value in (seq, piece.uid, piece.draft.subject, piece.draft.kind, piece.body, piece.leaf)
        ],
    )
    _insert(db, "nodes", 3, nodes)
    if (some := (first - 1) // INDEXED) < tree.size // INDEXED:
        columns = "SELECT subject, seq FROM ledger WHERE seq > ? AND seq <= ? ORDER BY subject, seq"
        db.execute(f"INSERT INTO by_subject {columns}", (some * INDEXED, indexed(tree.size)))
    head = Head(tree.size, tree.root)
    db.execute("INSERT INTO heads VALUES (?, ?)", (head.size, head.root))
    return head


def _insert(db: sqlite3.Connection, table: str, columns: int, values: list[object]) -> None:
    """Insert rows, many with one statement: after each one this thread waits for its turn among others."""
    for at in range(0, len(values), TOGETHER * columns):
        some = values[at : at + TOGETHER * columns]
        db.execute(_insertion(table, columns, len(some) // columns), some)


@cache
def _insertion(table: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {table} VALUES {', '.join([row] * rows)}"  # noqa: S608


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


def indexed(size: int) -> int:
    """Say how many entries of a tree are in the index by subject."""
    return size - size % INDEXED


def of_subject(db: sqlite3.Connection, subject: str, after: int, limit: int) -> list[tuple[bytes, int]]:
    """Find the entries of a subject: the bytes and the place of each."""
    until = indexed(last_head(db).size)
    query = """SELECT body, seq FROM by_subject JOIN ledger USING (seq)
        WHERE by_subject.subject = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"""
    found = db.execute(query, (subject, after, until, limit)).fetchall()
    query = "SELECT body, seq FROM ledger WHERE seq > ? AND subject = ? ORDER BY seq LIMIT ?"
    return found + db.execute(query, (max(after, until), subject, limit - len(found))).fetchall()


def known(db: sqlite3.Connection, uids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
    """Find the events that are there by now: the place and the bytes of each."""
    wanted, found = list(uids), dict[str, tuple[int, bytes]]()
    for at in range(0, len(wanted), TOGETHER):
        some = wanted[at : at + TOGETHER]
        for uid, seq, body in db.execute(_search(len(some)), some):
            found[uid] = (seq, body)
    return found


@cache
def _search(many: int) -> str:
    return f"SELECT uid, seq, body FROM ledger WHERE uid IN ({', '.join('?' * many)})"  # noqa: S608
