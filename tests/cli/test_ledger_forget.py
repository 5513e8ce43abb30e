"""`davy ledger forget`: the name is gone from the disk, and the ledger is what it was."""

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cli.conftest import Run

from davy.adapters.sqlite import SqliteStore
from davy.cli.lease import take
from davy.control import waiving
from davy.ledger.entry import Draft, decode
from davy.policy.waivers import Waiver
from davy.serve.socket import Peer

ANNA = "anna.example (uid 1000)"
WHY = ("--reason", "she asked for it")
WAIVER = Waiver(
    id="w-1",
    rule="PD001",
    kind="Rollout",
    namespace="default",
    name="pay",
    digest="sha256:0",
    reason="why",
    ticket="T-1",
    requester=ANNA,
    requested_at=1.0,
    expires_at=2.0,
)


@pytest.fixture
def store(home: Path) -> SqliteStore:
    made = SqliteStore(home / "davy.db")
    for at in range(300):
        made.commit({}, [Draft(1000.0 + at, "human_action", "Rollout default/pay", {"action": "pause"}, ANNA)])
    made.commit({}, [Draft(2000.0, "human_action", "Rollout default/pay", {}, "eve (uid 7)", "mine")])
    return made


def keep(store: SqliteStore, **changes: Any) -> None:
    kept = waiving.Kept(1, msgspec.structs.replace(WAIVER, **changes))
    store.commit({(waiving.BUCKET, "w-1"): msgspec.json.encode(kept)}, [])


def on_disk(home: Path) -> bytes:
    return b"".join(file.read_bytes() for file in home.glob("davy.db*"))


def test_a_name_is_gone_from_the_disk_and_every_root_is_what_it_was(
    run: Run, home: Path, store: SqliteStore, tmp_path: Path
) -> None:
    keep(store, requester=ANNA, approver="eve (uid 7)", revoked_by=ANNA)
    before, head = store.bodies(0, 400), store.head()
    store.close()
    assert b"anna.example" in on_disk(home)
    assert run("ledger", "prove", "17", "-o", str(tmp_path / "proof")).exit_code == 0
    result = run("ledger", "forget", ANNA, *WHY)
    assert result.exit_code == 0, result.output
    assert b"anna.example" not in on_disk(home)
    after = SqliteStore(home / "davy.db")
    assert after.bodies(0, 301) == before
    [entry] = after.entries(after=301)
    after.close()
    assert (entry.kind, entry.actor, entry.reason) == ("person_forgotten", str(Peer(os.getuid())), WHY[1])
    assert entry.detail == {"person": decode(before[0], 1).actor}
    verified = run("ledger", "verify")
    assert (verified.exit_code, verified.stderr) == (0, ""), verified.output
    assert run("ledger", "verify", str(tmp_path / "proof")).exit_code == 0
    assert head.size == 301


def test_readers_tell_the_name_until_it_is_forgotten(run: Run, home: Path, store: SqliteStore) -> None:
    store.close()
    assert "by anna.example (uid 1000)" in run("ledger", "show", "3").stdout
    assert run("ledger", "tail", "-n", "2").stdout.count(f"by {ANNA}") == 1
    assert "anna" not in run("ledger", "tail", "-o", "json").stdout
    run("ledger", "forget", ANNA, *WHY)
    assert re.search(r"by person:[0-9a-f]{16}\b", run("ledger", "show", "3").stdout)
    assert "anna" not in run("ledger", "tail", "-n", "400").stdout
    assert "by eve (uid 7): mine" in run("ledger", "tail", "-n", "400").stdout


def test_who_has_asked_for_a_waiver_cannot_be_forgotten_and_come_back_to_approve_it(
    run: Run, home: Path, store: SqliteStore
) -> None:
    keep(store)
    result = run("ledger", "forget", ANNA, *WHY)
    assert (result.exit_code, "depends on who" in result.stderr) == (6, True)
    assert ANNA in store.load("person")


def test_who_broke_glass_cannot_be_forgotten_before_somebody_else_has_reviewed_it(
    run: Run, home: Path, store: SqliteStore
) -> None:
    keep(store, approver=ANNA, break_glass=True, expired_at=3.0)
    assert run("ledger", "forget", ANNA, *WHY).exit_code == 6
    keep(store, approver=ANNA, break_glass=True, expired_at=3.0, reviewed_by="eve (uid 7)")
    store.close()
    assert run("ledger", "forget", ANNA, *WHY).exit_code == 0
    assert b"anna.example" not in on_disk(home)


def test_nobody_is_forgotten_beside_an_engine_which_would_remember(
    run: Run, home: Path, store: SqliteStore
) -> None:
    tenure = take(store)
    assert run("ledger", "forget", ANNA, *WHY).exit_code == 6
    tenure.end()


def test_whom_nobody_knows_cannot_be_forgotten_and_why_has_to_be_said(
    run: Run, home: Path, store: SqliteStore
) -> None:
    result = run("ledger", "forget", "anna", *WHY)
    assert (result.exit_code, f"known are {ANNA}" in result.stderr) == (2, True)
    assert run("ledger", "forget", ANNA).exit_code == 2
