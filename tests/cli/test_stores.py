"""Which store a state directory has."""

from pathlib import Path
from typing import Any

import pytest

from davy.adapters.sqlite import SqliteStore
from davy.cli.stores import FILE, NAMED, named, open_store
from davy.errors import UsageError
from davy.ledger.store import StoreUnavailable

SECRET = "canary-7f3a"
NOBODY = "postgresql://davy@127.0.0.1:1/ledger"


def test_a_directory_that_names_none_has_a_file(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path / FILE
    store.close()


def test_one_that_cannot_be_reached_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(
        StoreUnavailable, match=r"the store postgresql://davy@127.0.0.1:1/ledger cannot be reached"
    ):
        open_store(tmp_path, NOBODY, keep=True)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_names_one_asks_that(tmp_path: Path) -> None:
    (tmp_path / NAMED).write_text(f"{NOBODY}\n")
    assert named(tmp_path) == NOBODY
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        open_store(tmp_path)


@pytest.mark.parametrize("kept", [FILE, NAMED])
def test_a_directory_that_has_a_store_does_not_change_to_another(tmp_path: Path, kept: str) -> None:
    (tmp_path / kept).write_text("postgresql://davy@127.0.0.1:2/ledger\n")
    with pytest.raises(UsageError, match="has its record in") as caught:
        open_store(tmp_path, NOBODY, keep=True)
    assert "--home" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://davy:{SECRET}@127.0.0.1:1/ledger",
        f"postgres://davy@127.0.0.1:1/ledger?password={SECRET}",
        f"postgresql://davy:{SECRET}@127.0.0.1:port:1/ledger",
        f"postgresql://davy@127.0.0.1:1/ledger?password={SECRET}&nonsense=1",
        f"mysql://davy:{SECRET}@127.0.0.1/ledger",
    ],
)
def test_an_address_with_a_password_is_refused_without_saying_it(run: Any, home: Path, url: str) -> None:
    ran = run("up", "--store", url)
    assert ran.exit_code == 2, ran.output
    assert "error[usage]" in ran.stderr
    assert SECRET not in ran.output + ran.stderr
    assert not (home / NAMED).exists()
