"""Connections to PostgreSQL that are made when they are needed, made anew when lost, and speak in our words."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from davy.adapters.postgres_schema import FENCED
from davy.adapters.sqlite import Busy
from davy.errors import UsageError
from davy.ledger.store import StoreUnavailable

CONNECT_S = 5
"""Seconds in which a server has to answer at all."""

SCHEMES = ("postgresql://", "postgres://")

_KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_LOST = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    errors.ConnectionException,
)


class Unsafe(StoreUnavailable):
    """The server would acknowledge what a crash or a power cut takes back."""

    code = "store-unsafe"


class Lost(StoreUnavailable):
    """The connection was lost, or none could be made."""


class Place:
    """Which database it is: how to connect, and how to call it without saying a password.

    Raises:
        UsageError: that is no address of a database.
    """

    def __init__(self, url: str) -> None:
        wrong = "that is not the address of a database on PostgreSQL"
        hint = "postgresql://USER@HOST:PORT/DATABASE"
        if not url.startswith(SCHEMES):
            raise UsageError(wrong, hint=hint)
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:  # what it says may hold the password
            raise UsageError(f"{wrong} that can be read", hint=hint) from None
        self._secret = str(given.get("password") or "")
        self.has_password = bool(self._secret)
        settings: dict[str, Any] = {"connect_timeout": CONNECT_S, **_KEEPALIVES, **given}
        self.conninfo = make_conninfo(**settings)
        host, port = given.get("host") or given.get("hostaddr") or "", given.get("port")
        user, database = given.get("user"), given.get("dbname") or given.get("service") or ""
        self._name = f"postgresql://{f'{user}@' if user else ''}{host}{f':{port}' if port else ''}/{database}"

    def __str__(self) -> str:
        return self._name

    def without_secret(self, text: str) -> str:
        """Take the password out of a text."""
        return text.replace(self._secret, "***") if self._secret else text


class Session:
    """One connection, used by one thread at a time.

    Args:
        place: where to.
        settings: of the session, for as long as it lasts.
    """

    def __init__(self, place: Place, **settings: str) -> None:
        self.place = place
        self._settings = {"application_name": "davy", "client_encoding": "UTF8", **settings}
        self._guard = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Lend the connection, made anew if need be; no transaction is left open on it.

        Raises:
            Lost: there is none, or there is none any more.
            StoreUnavailable: the server refuses what was asked.
        """
        with self._guard:
            try:
                yield self._connected()
            except psycopg.Error as error:
                raise self._translated(error) from error
            finally:
                self._tidy()

    def close(self) -> None:
        """Let go of it."""
        with self._guard:
            self._drop()

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(self.place.conninfo, autocommit=True)
            for name, value in self._settings.items():
                self._connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        return self._connection

    def _tidy(self) -> None:
        """End what was left in the middle; a connection that cannot do that is of no use."""
        if self._connection is None or self._connection.closed:
            self._drop()
        elif self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _translated(self, error: psycopg.Error) -> StoreUnavailable:
        """Say in our words what PostgreSQL says."""
        said = " ".join(self.place.without_secret(str(error)).split()) or type(error).__name__
        if error.sqlstate == FENCED:
            return Lost(f"another sequencer of the store {self.place} has taken over", hint="append it again")
        if self._connection is None or self._connection.closed or isinstance(error, _LOST):
            return Lost(f"the store {self.place} cannot be reached: {said}", hint="is the server up?")
        match error:
            case errors.LockNotAvailable() | errors.QueryCanceled():
                return Busy(
                    f"another process is writing to the store {self.place} and does not come to an end",
                    hint="who holds the lock? SELECT * FROM pg_stat_activity WHERE application_name = 'davy'",
                )
            case errors.InsufficientPrivilege():
                hint = "grant what the page 'ledger on PostgreSQL' grants"
            case errors.ReadOnlySqlTransaction():
                hint = "that is a standby: name the primary"
            case errors.DiskFull():
                hint = "make room on the server's disk"
            case _:
                hint = "look at the server's log"
        return StoreUnavailable(f"the store {self.place} cannot be used: {said}", hint=hint)


def check_safe(connection: psycopg.Connection[Any], place: Place) -> None:
    """Make sure that what this server acknowledges survives a crash of its machine.

    Raises:
        Unsafe: it does not.
    """
    found = connection.execute(
        "SELECT name, reset_val FROM pg_settings"
        " WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND reset_val = 'off' ORDER BY name"
    ).fetchall()
    if found:
        names = " and ".join(name for name, _ in found)
        raise Unsafe(
            f"the store {place} would lose what it has acknowledged: the server runs without {names}",
            hint="switch them on in postgresql.conf (or ALTER ROLE … RESET ALL), then reload the server",
        )
