"""What PostgreSQL itself keeps people from doing to a ledger, and what is said when it cannot be used."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from tests.live.postgres import Server, running

from davy.adapters.postgres import PostgresStore
from davy.adapters.postgres_schema import FORMAT
from davy.adapters.postgres_session import Unsafe
from davy.ledger.log import LedgerDamaged
from davy.ledger.store import StoreUnavailable
from davy.testing.log import event
from davy.testing.store import draft

pytestmark = pytest.mark.live

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "ledger-on-postgresql.md"
TABLES = {"ledger": "body", "nodes": "hash", "heads": "root"}
SECRET = "canary-7f3a"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    """Return a database with some entries in it."""
    url = server.database()
    store = PostgresStore(url)
    store.append([event(number) for number in range(300)])
    store.close()
    return url


@pytest.mark.parametrize("table", TABLES)
def test_nobody_edits_or_cuts_the_ledger_not_even_its_owner(url: str, table: str) -> None:
    column = {"ledger": "body", "nodes": "hash", "heads": "root"}[table]
    for statement in (
        f"UPDATE davy.{table} SET {column} = ''",
        f"DELETE FROM davy.{table}",
        f"TRUNCATE davy.{table}",
    ):
        with psycopg.connect(url) as owner, pytest.raises(errors.RaiseException, match="append-only"):
            owner.execute(statement)


def test_the_roles_of_the_page_can_do_what_they_are_for_and_no_more(server: Server) -> None:
    roles, grants, *_ = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE davy")
    with psycopg.connect(server.url("davy"), autocommit=True) as admin:
        admin.execute(roles)
        admin.execute("CREATE ROLE opener LOGIN IN ROLE davy_owner")
        admin.execute("ALTER ROLE opener SET role = davy_owner")
    with pytest.raises(StoreUnavailable, match="permission denied"):
        PostgresStore(server.url("davy", "davy"))
    PostgresStore(server.url("davy", "opener")).close()
    with psycopg.connect(server.url("davy"), autocommit=True) as admin:
        admin.execute(grants)
    store = PostgresStore(server.url("davy", "davy"))
    lease = store.take("first", 0.0, 5.0)
    store.under(lease).commit({("rollout", "a"): b"1", ("rollout", "b"): None}, [draft()])
    store.append([event(number) for number in range(600)])
    for table in TABLES:
        for statement in (f"UPDATE davy.{table} SET {TABLES[table]} = ''",
                          f"DELETE FROM davy.{table}", f"TRUNCATE davy.{table}", f"DROP TABLE davy.{table}",
                          f"ALTER TABLE davy.{table} DISABLE TRIGGER ALL"):  # fmt: skip
            with (
                psycopg.connect(server.url("davy", "davy")) as writer,
                pytest.raises(errors.InsufficientPrivilege),
            ):
                writer.execute(statement)
    store.close()
    reader = PostgresStore(server.url("davy", "davy_reader"))
    assert reader.head().size == 601
    with pytest.raises(StoreUnavailable, match="permission denied"):
        reader.append([event(9000)])
    reader.close()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_forgets_what_it_acknowledged_is_refused(setting: str) -> None:
    with running(f"{setting}=off") as server, pytest.raises(Unsafe, match=f"runs without {setting}"):
        PostgresStore(server.database())


def test_a_database_that_is_told_to_forget_is_refused_too(server: Server) -> None:
    with pytest.raises(Unsafe, match="synchronous_commit"):
        PostgresStore(server.database("synchronous_commit = off"))


DAMAGES = (
    "UPDATE davy.ledger SET leaf = sha256('x') WHERE seq = 290",
    "UPDATE davy.nodes SET hash = sha256('x')",
    "DELETE FROM davy.nodes",
    "DELETE FROM davy.ledger WHERE seq = 300",
    "UPDATE davy.heads SET root = sha256('x')",
    "DELETE FROM davy.heads",
    "INSERT INTO davy.heads VALUES (301, sha256('x'), 1, '00000000-0000-0000-0000-000000000001')",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_ledger_with_another_root_is_not_opened(url: str, damage: str) -> None:
    with psycopg.connect(url) as owner:
        owner.execute("SET session_replication_role = replica")  # triggers are off
        owner.execute(damage)
    with pytest.raises(LedgerDamaged, match="does not have the root"):
        PostgresStore(url)


def test_a_store_of_a_later_davy_is_left_alone(url: str) -> None:
    with psycopg.connect(url) as owner:
        owner.execute("UPDATE davy.sequencer SET format = %s", (FORMAT + 1,))
    with pytest.raises(StoreUnavailable, match=f"has format {FORMAT + 1}"):
        PostgresStore(url)


def test_a_password_is_never_said(server: Server) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    rules = server.directory / "data" / "pg_hba.conf"
    rules.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("SELECT pg_reload_conf()")
    for url in (
        f"postgresql://guarded:{SECRET}@127.0.0.1:{server.port}/postgres",
        f"postgresql://postgres:{SECRET}@127.0.0.1:{server.port}/{SECRET}",
        f"postgresql://{SECRET}@127.0.0.1:1/postgres?password={SECRET}",
    ):
        with pytest.raises(StoreUnavailable) as caught:
            PostgresStore(url)
        assert "cannot be reached" in caught.value.message
        assert f":{SECRET}" not in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(StoreUnavailable, match="password authentication failed") as caught:
        PostgresStore(f"postgresql://guarded:{SECRET}@127.0.0.1:{server.port}/postgres")
    assert SECRET not in f"{caught.value.message} {caught.value.hint} {caught.value.__cause__}"
