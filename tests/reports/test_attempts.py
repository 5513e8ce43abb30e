"""Events that say no attempt are given one, whatever order they come in and however often they are told."""

from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reports.streams import drawn
from tests.reports.test_agreement import FOUND, differences, incrementally

from davy.reports import recompute
from davy.reports.attempts import numbered
from davy.reports.event import ChangeEvent
from davy.reports.rules import facts
from davy.reports.weekly import cells


def untold(seed: int) -> list[ChangeEvent]:
    """Return a stream in which most events say no attempt."""
    random = Random(seed)
    on_target = ("exposed", "promoted", "rolled_back", "aborted_unexposed")
    return [
        msgspec.structs.replace(event, attempt=random.choice([0, 0, 0, event.attempt]))
        if event.type in on_target
        else event
        for event in drawn(seed)
    ]


streams = st.integers(0, 2**32 - 1).map(untold)


def known(events: list[ChangeEvent]) -> set[ChangeEvent]:
    return {msgspec.structs.replace(event, attempt=event.attempt or 1) for event in numbered(events)}


@given(events=streams, seed=st.integers(0, 2**32))
def test_order_and_repetition_give_no_event_another_attempt(events: list[ChangeEvent], seed: int) -> None:
    again = [*events, *events[::3]]
    Random(seed).shuffle(again)
    assert known(again) == known(events)


@given(events=streams)
def test_what_says_its_attempt_keeps_it_and_nothing_is_lost(events: list[ChangeEvent]) -> None:
    found = {event.id: event for event in numbered(events)}
    assert len(numbered(events)) == len(events)
    told = [event for event in events if event.attempt]
    assert all(event in numbered(events) for event in told)
    assert found.keys() == {event.id for event in events}


@given(events=streams)
@settings(max_examples=100, phases=FOUND, derandomize=True)
def test_facts_at_once_and_kept_up_to_date_are_the_same(events: list[ChangeEvent]) -> None:
    assert differences(incrementally(events), cells(facts(events))) == []


@given(events=streams)
@settings(max_examples=40, phases=FOUND, derandomize=True)
def test_the_columns_have_the_same(events: list[ChangeEvent]) -> None:
    assert differences(recompute.cells(events), cells(facts(events))) == []
