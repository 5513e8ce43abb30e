"""The store on a real PostgreSQL keeps the promises of every store, and those it makes to several writers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.live.postgres import Server, running

from davy.adapters.postgres import PostgresStore
from davy.control.forgetting import forget
from davy.ledger.entry import Draft
from davy.ledger.tree import consistency, is_consistent
from davy.testing.lease import LeaseContract, LeasedStore
from davy.testing.log import LogContract, LogStore
from davy.testing.store import StoreContract

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


class OnPostgres:
    """Opens stores on a database of the test's own, and closes them after it."""

    @pytest.fixture(autouse=True)
    def _database(self, server: Server) -> Iterator[None]:
        self.url, self.opened = server.database(), list[PostgresStore]()
        yield
        for store in self.opened:
            store.close()

    def open(self, **settings: Any) -> PostgresStore:
        self.opened.append(PostgresStore(self.url, **settings))
        return self.opened[-1]


class TestStore(OnPostgres, StoreContract):
    def make(self, directory: Path) -> PostgresStore:
        return self.open()


class TestLog(OnPostgres, LogContract):
    def make(self, directory: Path) -> LogStore:
        return self.open()


class TestPeople(OnPostgres):
    def test_a_name_is_in_no_table_after_it_was_forgotten(self) -> None:
        store, anna = self.open(), "anna.example (uid 1000)"
        store.commit({}, [Draft(1.0, "human_action", "Rollout default/pay", {"action": "pause"}, anna)])
        head, before = store.head(), store.bodies(0, 9)
        assert store.entries()[0].actor == anna
        entry = forget(store, anna, "eve (uid 7)", "she asked for it", 2.0)
        store.purge()
        assert (entry.actor, store.bodies(0, 1), store.load("person").keys()) == (
            "eve (uid 7)",
            before,
            {"eve (uid 7)"},
        )
        with psycopg.connect(self.url) as db:
            for table in ("records", "ledger", "inbox"):
                rows = db.execute(f"SELECT string_agg(t::text, '') FROM davy.{table} t").fetchall()  # noqa: S608
                assert "anna" not in str(rows)
                assert b"anna.example".hex() not in str(rows)
        assert is_consistent(1, 2, consistency(1, 2, store.hashes), head.root, store.head().root)


class TestLease(OnPostgres, LeaseContract):
    def pair(self, directory: Path) -> tuple[LeasedStore, LeasedStore]:
        return self.open(), self.open()
