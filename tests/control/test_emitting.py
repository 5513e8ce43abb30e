"""What somebody tells an engine is in its record, with who said so as the kernel has it."""

from typing import Any

import msgspec
import pytest
from tests.control.conftest import Lab

from davy.control import requests, views
from davy.control.emitting import MOST, BadEmission
from davy.errors import NotPermitted, UsageError


def merged(**more: Any) -> dict[str, Any]:
    return {"type": "dev.davy.change.merged", "data": {"change": {"repo": "r", "commit": "c"}}, **more}


def told(lab: Lab, *events: dict[str, Any]) -> list[str]:
    view = lab.ask(requests.Emit(events))
    assert isinstance(view, views.EmitView)
    return [event.outcome for event in view.events]


def test_an_event_is_completed_by_who_tells_it_and_when(lab: Lab) -> None:
    assert told(lab, merged()) == ["written"]
    entry = lab.store.entries()[-1]
    assert (entry.source, entry.actor, entry.authenticated) == (
        "davy/uid-7",
        "ada (uid 7)",
        "unix socket, uid-7",
    )
    assert entry.at == entry.received == lab.clock.now()
    assert told(lab, merged()) == ["known"]
    lab.clock.time += 1
    assert told(lab, merged()) == ["written"]


def test_what_has_a_name_is_that_one(lab: Lab) -> None:
    event = merged(id="a", source="ci", time="2026-03-02T09:30:00Z")
    assert told(lab, event, event, {**event, "time": "2026-03-02T09:30:01Z"}) == ["written", "known", "refused"]
    assert lab.store.entries()[-1].kind == "event_refused"


def test_one_bad_event_keeps_all_of_them_from_being_told(lab: Lab) -> None:
    before = lab.store.head()
    for bad in (
        {},
        merged(data={}),
        merged(data={"x": "\ud800"}),
        merged(type="dev.cdevents.build.started.0.3.0", data={"context": {}, "subject": {}}),
    ):
        with pytest.raises(BadEmission, match=r"^event 2: "):
            told(lab, merged(), bad)
    with pytest.raises(BadEmission, match="at most 1000"):
        told(lab, *[merged()] * (MOST + 1))
    assert lab.store.head() == before


@pytest.mark.parametrize("source", ["davy", "davy/hooks/acme"])
def test_a_person_who_speaks_as_the_engine(lab: Lab, source: str) -> None:
    """The name of an event of the engine's could be taken before the engine uses it."""
    with pytest.raises(BadEmission, match="is what Davy says itself"):
        told(lab, merged(source=source, id="17/promoted/default/pay#2.1", time="2026-03-02T09:30:00Z"))
    finding = requests.Finding(1.0, "change_merged", "Change r@c", {}, "", source, "git:1")
    with pytest.raises(UsageError, match="is found in no repository"):
        lab.ask(requests.Found((finding,)))


TOGGLED = requests.Finding(
    1.0,
    "flag_changed",
    "FeatureFlag default/a.b",
    {},
    "for the sale",
    "unleash/x/default",
    "toggle:1",
    "ann (unleash)",
)


def test_a_toggle_at_a_vendor_is_by_whom_the_vendor_says(lab: Lab) -> None:
    view = lab.ask(requests.Found((TOGGLED, TOGGLED)))
    assert isinstance(view, views.EmitView)
    assert [event.outcome for event in view.events] == ["written", "known"]
    entry = lab.store.entries()[-1]
    assert (entry.actor, entry.reason, entry.authenticated) == (
        "ann (unleash)",
        "for the sale",
        "unix socket, uid-7",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "davy"},
        {"actor": ""},
        {"source": "davy"},
        {"source": ""},
        {"kind": "change_promoted"},
        {"kind": "flag_gate_opened"},
        {"id": "git:1"},
        {"id": "1"},
    ],
)
def test_what_no_vendor_tells_is_not_taken_as_that(lab: Lab, changes: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="at no vendor of flags"):
        lab.ask(requests.Found((msgspec.structs.replace(TOGGLED, **changes),)))


def test_nobody_found_in_a_repository_is_somebody_else(lab: Lab) -> None:
    finding = requests.Finding(1.0, "change_merged", "Change r@c", {}, "", "r", "git:1", "ann")
    with pytest.raises(UsageError, match="in no repository"):
        lab.ask(requests.Found((finding,)))


def test_an_engine_without_a_log_takes_none(lab: Lab) -> None:
    lab.engine._log = None
    with pytest.raises(NotPermitted):
        told(lab, merged())
