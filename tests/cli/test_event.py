"""`davy event emit`: what somebody tells goes to the engine, or into the record where none runs; once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from davy.adapters.sqlite import SqliteStore
from davy.control import requests
from davy.ledger.entry import Entry
from davy.serve.socket import Peer
from davy.testing.scripted import Scripted

CHANGE = "github.com/acme/payments@9b1c3d5e7f90a2b4c6d8e0f1a3b5c7d9e1f3a5b7"
AT = ("--at", "2026-03-02T09:30:00Z")
ME = str(Peer(os.getuid()))


def entries(home: Path) -> tuple[Entry, ...]:
    store = SqliteStore(home / "davy.db")
    try:
        return store.entries()
    finally:
        store.close()


def test_without_an_engine_it_goes_into_the_record_and_is_there_once(run: Any, home: Path) -> None:
    told = run("event", "emit", "change.merged", "--change", CHANGE, "--team", "pay", *AT)
    assert (told.exit_code, told.stdout) == (0, f"#1  written  change_merged  Change {CHANGE}\n")
    assert (
        run("event", "emit", "change_merged", "--change", CHANGE, "--team", "pay", *AT).stdout[:9]
        == "#1  known"
    )
    (entry,) = entries(home)
    assert (entry.kind, entry.at, entry.actor) == ("change_merged", 1772443800.0, ME)
    assert entry.source == f"davy/uid-{os.getuid()}"
    assert entry.authenticated == f"this machine, uid-{os.getuid()}"
    repo, _, commit = CHANGE.partition("@")
    assert entry.detail == {"change": {"repo": repo, "commit": commit}, "team": "pay"}


def test_a_name_that_is_taken_by_something_else_is_a_conflict(run: Any, home: Path) -> None:
    first = ("event", "emit", "incident.opened", "--service", "payments", "--incident", "I1", "--id", "a", *AT)
    assert run(*first).exit_code == 0
    assert run(*first, "--cause", "another").exit_code == 6
    ran = run(*first, "--cause", "another", "-o", "json")
    assert ran.exit_code == 6
    assert json.loads(ran.stdout)["events"][0]["outcome"] == "refused"
    assert "error[conflict]: 1 of 1 events say something else" in ran.stderr
    assert [entry.kind for entry in entries(home)] == ["incident_opened", "event_refused", "event_refused"]


def test_a_file_of_events_is_told_line_by_line(run: Any, home: Path, tmp_path: Path) -> None:
    lines = [
        {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": "ci",
            "type": "dev.davy.change.exposed",
            "time": "2026-03-02T09:30:00Z",
            "data": {"change": {"repo": "r", "commit": str(number)}, "service": "s", "weight": 5},
        }
        for number in range(250)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    file = tmp_path / "events.jsonl"
    file.write_text(text)
    assert len(run("event", "emit", "-f", str(file)).stdout.splitlines()) == 250
    ran = run("event", "emit", "-f", "-", stdin=text)
    assert ran.stdout.count("  known  ") == 250
    assert len(entries(home)) == 250
    file.write_text(text.replace('"weight": 5', '"wieght": 5', 1))
    ran = run("event", "emit", "-f", str(file))
    assert ran.exit_code == 2
    assert f"error[bad-event]: {file}:1: $.data" in ran.stderr
    file.write_text(text + "{")
    assert f"{file}:251: " in run("event", "emit", "-f", str(file)).stderr
    file.write_text("x" * 70000)
    assert f"{file}:1: an event has at most 65536 bytes" in run("event", "emit", "-f", str(file)).stderr


def test_an_engine_that_runs_is_asked_instead(run: Any, engine: Scripted, home: Path) -> None:
    ran = run(
        "event", "emit", "dev.davy.incident.restored", "--service", "payments", "--incident", "I1", "-o", "json"
    )
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["kind"] == "EmitView"
    request = engine.asked[-1][0]
    assert isinstance(request, requests.Emit)
    data = {"service": "payments", "incident": "I1"}
    assert request.events == ({"type": "dev.davy.incident.restored", "data": data},)
    assert not (home / "davy.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "TYPE is missing"),
        (["change.mergd"], "there is no event 'change.mergd'"),
        (["change.merged", "--change", "payments"], "'payments' is no change"),
        (["change.merged"], "event 1: $.data: `change` is missing"),
        (["incident.opened", "--service", "s"], "event 1: $.data: `incident` is missing"),
        (["change.merged", "--change", CHANGE, "--id", "a"], "--id needs --at"),
        (["change.merged", "--change", CHANGE, "--at", "2026-03-02"], "a day has no instant"),
        (["change.merged", "--change", CHANGE, "--kind", "cod"], "event 1: $.data.kind"),
        (["change.merged", "-f", "x"], "a file says everything of its events"),
        (["-f", "/nowhere"], "/nowhere cannot be read"),
        (["change.merged", "--change", CHANGE, "--source", "a\nb"], "event 1: "),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_written(
    run: Any, home: Path, arguments: list[str], says: str
) -> None:
    ran = run("event", "emit", *arguments)
    assert ran.exit_code == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (home / "davy.db").exists()


def test_a_directory_that_is_not_there_has_no_record(run: Any, home: Path) -> None:
    ran = run("--home", str(home / "none"), "event", "emit", "change.merged", "--change", CHANGE)
    assert ran.exit_code == 2
    assert "there is no record in" in ran.stderr
    assert not (home / "none").exists()
