"""What is read of payloads: times, commits, reverts, paths; and that figures can be made of what is written."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.hooking import EVERY, NOW, SECRET, Case, Secrets, signed, taken

from davy.adapters.memory_store import MemoryStore
from davy.control.hooks.delivery import BadPayload, Delivery, at_path
from davy.control.hooks.desk import Desk
from davy.control.hooks.naming import instant, reverted, reverted_request
from davy.control.hooks.signatures import equal
from davy.ledger.entry import micros
from davy.reports.cloudevents import decode, written
from davy.reports.projection import project

COMMIT = "9b1c3d5e7f90a2b4c6d8e0f1a3b5c7d9e1f3a5b7"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-02T09:50:00Z", 1772445000.0),
        ("2026-03-02t09:50:00z", 1772445000.0),
        ("2026-03-02T10:50:00+01:00", 1772445000.0),
        ("2026-03-02 10:50:00 +0100", 1772445000.0),
        ("2026-03-02 09:50:00 UTC", 1772445000.0),
        ("2026-03-02T09:50:00.123456789Z", 1772445000.123456),
        ("2026-03-02T09:50:00.5Z", 1772445000.5),
    ],
)
def test_times_are_read_as_each_system_writes_them(text: str, seconds: float) -> None:
    assert instant(text, "at") == seconds


@pytest.mark.parametrize(
    "text",
    ["", None, "yesterday", "2026-03-02T09:50:00", "2026-02-30T09:50:00Z", "0001-01-01T00:00:00Z", "1772445000",
     "2026-03-02T09:50:60Z", "2026-03-02T09:50:00+99:99", "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_a_time_that_is_none_is_no_guess(text: str | None) -> None:
    with pytest.raises(BadPayload, match="at is"):
        instant(text, "at")


@given(st.integers(0, 4 * 10**15))
def test_a_time_keeps_its_microseconds(at: int) -> None:
    text = written(at)
    assert decode_time(text) == micros(instant(text, "at"))


def decode_time(text: str) -> int:
    data = {"service": "s", "incident": "i"}
    event = {"specversion": "1.0", "id": "a", "source": "b", "type": "dev.davy.incident.opened", "time": text}
    return decode(msgspec.json.encode({**event, "data": data})).time


def test_what_texts_say_is_reverted_is_found() -> None:
    assert reverted('Revert "x"', f"This reverts commit {COMMIT}.") == COMMIT
    assert reverted(None, f"this reverts commit {COMMIT.upper()}") == COMMIT
    assert reverted("This reverts commit 9b1c3d5", "We never reverted commits") == ""
    assert reverted_request('Revert "x"', "Reverts acme/payments#41") == 41
    assert reverted_request("This reverts merge request !12") == 12
    assert reverted_request("See #41", None) is None


def test_a_path_may_go_through_keys_with_dots() -> None:
    value = {"labels": {"app.kubernetes.io/name": "payments", "a": {"b.c": "d", "n": 1}}}
    assert at_path(value, "labels.app.kubernetes.io/name") == "payments"
    assert at_path(value, "labels.a.b.c") == "d"
    assert at_path(value, "labels.a.n") == ""
    assert at_path(value, "labels.x.y") == ""
    assert at_path("text", "labels") == ""


def test_texts_that_are_not_ascii_are_compared_too() -> None:
    assert equal("é", "é")
    assert not equal("é", "e")
    assert not equal("\ud800", "?é")


WRITTEN = [case for case in EVERY if case.status == 202 and case.scheme != "launchdarkly"]
EVENTS = {
    "change_created": "dev.davy.change.created",
    "change_merged": "dev.davy.change.merged",
    "change_exposed": "dev.davy.change.exposed",
    "change_promoted": "dev.davy.change.promoted",
    "change_rolled_back": "dev.davy.change.rolled_back",
    "change_aborted_unexposed": "dev.davy.change.aborted_unexposed",
    "incident_opened": "dev.davy.incident.opened",
    "incident_restored": "dev.davy.incident.restored",
}


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.scheme}: {case.name}") for case in WRITTEN])
def test_every_entry_is_an_event_that_figures_can_be_computed_from(case: Case) -> None:
    log = MemoryStore()
    desk = Desk((case.source,), Secrets(case.secrets), log, lambda: NOW)
    headers = {"content-type": "application/json"} | case.headers | signed(case.scheme, SECRET, case.body)
    delivery = Delivery({name.lower(): value for name, value in headers.items()}, case.body, NOW)
    found = desk.sender(case.scheme, delivery)
    assert found is not None
    taken(desk, found, delivery)
    for entry in log.entries():
        if entry.kind == "event_refused":
            continue
        data = {name: value for name, value in entry.detail.items() if name != case.scheme}
        event = {"specversion": "1.0", "id": entry.id, "source": entry.source, "type": EVENTS[entry.kind]}
        read = decode(msgspec.json.encode({**event, "time": written(micros(entry.at)), "data": data}))
        assert read.time == micros(entry.at)


def test_a_toggle_at_a_vendor_counts_as_a_change_of_the_flag() -> None:
    (case,) = [case for case in EVERY if case.status == 202 and case.scheme == "launchdarkly"]
    log = MemoryStore()
    desk = Desk((case.source,), Secrets(case.secrets), log, lambda: NOW)
    headers = {name.lower(): value for name, value in signed(case.scheme, SECRET, case.body).items()}
    delivery = Delivery(headers, case.body, NOW)
    found = desk.sender(case.scheme, delivery)
    assert found is not None
    taken(desk, found, delivery)
    read = project(log.bodies(0, log.head().size))
    assert [(event.type, event.kind, event.service) for event in read] == [
        ("exposed", "flag", "payments"),
        ("promoted", "flag", "payments"),
    ]
