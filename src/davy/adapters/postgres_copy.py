"""A ledger on PostgreSQL copied into a SQLite file as it is, right or wrong, for whoever verifies it.

The verifier reads files and nothing else, so that nobody has to trust a server or what speaks to one. The copy
is of one instant; nothing in it is worked out, but for names that PostgreSQL keeps as hashes.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from davy.adapters.postgres_session import Place, Session
from davy.adapters.sqlite_layout import LEDGER, RECORDS, VERSION, guard
from davy.ledger.payload import PAYLOAD
from davy.ledger.store import StoreUnavailable

BUCKETS = (PAYLOAD, "checkpoint")
"""The records that belong to the ledger."""

AT_ONCE = 5000
"""Rows that are fetched in one go."""


class _Named(msgspec.Struct):
    """What an entry says by which it is known again."""

    source: str = ""
    id: str = ""


_DECODER = msgspec.json.Decoder(_Named)


def copy_ledger(url: str, path: Path) -> None:
    """Copy the ledger in a database into a new file; the store need not be in order, or be opened.

    Raises:
        UsageError: that is no address.
        StoreUnavailable: the server cannot be reached or read, or the file not be written.
    """
    session = Session(Place(url), default_transaction_read_only="on")
    try:
        with session.connection() as connection, closing(sqlite3.connect(path, isolation_level=None)) as file:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            file.execute("PRAGMA synchronous=OFF")
            file.executescript(f"{RECORDS}{LEDGER}BEGIN; PRAGMA user_version = {VERSION:d};")
            ledger = "SELECT seq, uid, subject, kind, body, leaf FROM davy.ledger ORDER BY seq"
            _fill(file, "ledger", 6, map(_row, _rows(connection, ledger)))
            _fill(file, "nodes", 3, _rows(connection, "SELECT level, index, hash FROM davy.nodes"))
            _fill(file, "heads", 2, _rows(connection, "SELECT size, root FROM davy.heads ORDER BY size"))
            for bucket in BUCKETS:
                records = "SELECT bucket, key, body FROM davy.records WHERE bucket = %s"
                _fill(file, "records", 3, _rows(connection, records, bucket))
            if _is_guarded(connection):
                guard(file)
            file.execute("COMMIT")
    except sqlite3.Error as error:
        hint = "is there room for a copy of the ledger?"
        raise StoreUnavailable(f"the ledger cannot be copied to {path}: {error}", hint=hint) from error
    finally:
        session.close()


def _rows(connection: psycopg.Connection[Any], query: str, *values: object) -> Iterator[tuple[Any, ...]]:
    """Read rows little by little."""
    with connection.cursor("rows", binary=True) as cursor:
        cursor.itersize = AT_ONCE
        yield from cursor.execute(query, values)


def _fill(file: sqlite3.Connection, table: str, columns: int, rows: Iterable[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * columns)
    file.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608


def _is_guarded(connection: psycopg.Connection[Any]) -> bool:
    """Say whether all the triggers that keep the ledger from being edited are there and at work."""
    found = connection.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgname IN ('is_never_edited', 'is_never_cut')"
        " AND tgrelid IN ('davy.ledger'::regclass, 'davy.nodes'::regclass, 'davy.heads'::regclass)"
        " AND tgenabled IN ('O', 'A')"
    )
    return found.fetchall() == [(6,)]


def _row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put the name by which an entry is known again in the place of its hash, if it has that hash."""
    seq, uid, subject, kind, body, leaf = row
    if uid is not None:
        try:
            named = _DECODER.decode(body)
            name = f"{named.source}\n{named.id}"
        except msgspec.MsgspecError:
            name = ""
        uid = name if sha256(name.encode()).digest() == uid else uid.hex()
    return seq, uid, subject.decode(errors="backslashreplace"), kind, body, leaf
