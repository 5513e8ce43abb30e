"""A copy of a ledger on PostgreSQL verifies if the ledger does, and shows where it does not."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from click.testing import CliRunner, Result
from tests.live.postgres import Server, running

from davy.adapters.postgres import PostgresStore
from davy.adapters.postgres_copy import copy_ledger
from davy.cli.program import program
from davy.cli.setting import Setting
from davy.errors import IntegrityError
from davy.ledger.store import StoreUnavailable
from davy.testing.log import event
from davy.testing.store import draft
from davy.verifier import verify

pytestmark = pytest.mark.live

DAMAGES = {
    "UPDATE davy.ledger SET body = convert_to(replace(convert_from(body, 'UTF8'), 'ada', 'eve'), 'UTF8')"
    " WHERE seq = 7": "entry 7",
    "UPDATE davy.ledger SET leaf = sha256('x') WHERE seq = 8": "entry 8",
    "UPDATE davy.ledger SET kind = 'paused' WHERE seq = 9": "entry 9",
    "UPDATE davy.ledger SET subject = 'x' WHERE seq = 10": "entry 10",
    "UPDATE davy.ledger SET uid = sha256('x') WHERE seq = 11": "entry 11",
    "DELETE FROM davy.ledger WHERE seq = 12": "entry 12",
    "UPDATE davy.nodes SET hash = sha256('x')": "hash",
    "UPDATE davy.heads SET root = sha256('x') WHERE size = 300": "300",
    "UPDATE davy.records SET body = 'x' WHERE bucket = 'payload'": "entry 301",
    "ALTER TABLE davy.heads DISABLE TRIGGER is_never_cut": "was taken out",
    "DROP TRIGGER is_never_edited ON davy.ledger": "was taken out",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    url = server.database()
    store = PostgresStore(url)
    store.append([event(number) for number in range(300)])
    store.append([event(1000, text="x" * 70_000), event(5, other=True)])
    store.commit({}, [draft(), event(3), msgspec.structs.replace(draft(), subject="a\0b")])
    store.close()
    return url


def test_what_is_in_order_verifies(url: str, tmp_path: Path) -> None:
    copy_ledger(url, tmp_path / "copy.db")
    report = verify(str(tmp_path / "copy.db"))
    store = PostgresStore(url)
    assert (report.problems, report.size, report.root) == ([], 305, store.head().root)
    store.close()


def test_the_command_verifies_it_and_says_what_was_changed(url: str, tmp_path: Path) -> None:
    def run() -> Result:
        words = ["--home", str(tmp_path), "ledger", "verify", "--store", url]
        return CliRunner().invoke(program, words, obj=Setting(home=tmp_path, environment={}))

    assert run().exit_code == 0, run().output
    with psycopg.connect(url) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM davy.ledger WHERE seq = 12")
    ran = run()
    assert isinstance(ran.exception, IntegrityError) or ran.exit_code == 7
    assert "entry 12" in ran.output


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_changed_is_found_in_its_place(url: str, tmp_path: Path, damage: str) -> None:
    with psycopg.connect(url) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(damage)
    copy_ledger(url, tmp_path / "copy.db")
    assert DAMAGES[damage] in "\n".join(verify(str(tmp_path / "copy.db")).problems)


def test_a_copy_that_has_no_room_is_told_of(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be copied"):
        copy_ledger(url, tmp_path / "nowhere" / "copy.db")
