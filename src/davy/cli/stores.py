"""Which store a state directory has: the SQLite file in it, or a database on PostgreSQL that it names."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from davy.adapters.sqlite import SqliteStore
from davy.errors import NotFound, UsageError

if TYPE_CHECKING:
    from davy.adapters.postgres import PostgresStore

    AnyStore: TypeAlias = SqliteStore | PostgresStore

FILE = "davy.db"
"""The store of a state directory that names no other."""

NAMED = "store"
"""The file that names another one, by its address."""


def open_store(home: Path, url: str = "", *, keep: bool = False) -> "AnyStore":
    """Open the store at an address, or without one the store of a state directory.

    Args:
        home: the state directory.
        url: `postgresql://USER@HOST:PORT/DATABASE`.
        keep: whether the directory has that store from now on.

    Raises:
        UsageError: that is no address, it holds a password, or the directory is to keep it and has another.
        StoreUnavailable: it cannot be used.
        LedgerDamaged: its ledger does not have the root that it had.
    """
    kept = named(home)
    if keep and url not in ("", kept) and (kept or (home / FILE).exists()):
        raise UsageError(
            f"the state directory {home} has its record in {kept or FILE} already",
            hint="leave --store out to go on with that, or begin anew with another directory: --home DIR",
        )
    if not (url or kept):
        return SqliteStore(home / FILE)
    store = _on_postgres(url or kept)
    if keep and url:
        (home / NAMED).write_text(f"{url}\n", encoding="utf-8")
    return store


def no_ledger(home: Path) -> NotFound:
    """Return what is raised where a state directory has no ledger and none may be begun."""
    return NotFound(f"there is no ledger in {home}", hint="davy up begins one; --home names another")


def named(home: Path) -> str:
    """Return the address that a state directory names; empty where it names none."""
    try:
        return (home / NAMED).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def clock(store: "AnyStore") -> Callable[[], float]:
    """Return the clock that all who share a store share: this machine's, or the one of the store's server."""
    return monotonic if isinstance(store, SqliteStore) else store.clock()


def checked(url: str) -> str:
    """Return an address, if it is one that may be seen; an empty one is.

    Raises:
        UsageError: it is no address, or it holds a password.
    """
    if url:
        from davy.adapters.postgres_session import Place

        if Place(url).has_password:
            raise UsageError(
                "the address of the store holds a password, which everybody on this machine can see",
                hint="leave it out and put it into ~/.pgpass (mode 0600), or name such a file with PGPASSFILE",
            )
    return url


def _on_postgres(url: str) -> "PostgresStore":
    from davy.adapters.postgres import PostgresStore

    return PostgresStore(checked(url))
