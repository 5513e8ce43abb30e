"""The store on a real PostgreSQL keeps the promises of every store, and those it makes to several writers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.postgres import Server, running

from davy.adapters.postgres import PostgresStore
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


class TestLease(OnPostgres, LeaseContract):
    def pair(self, directory: Path) -> tuple[LeasedStore, LeasedStore]:
        return self.open(), self.open()
