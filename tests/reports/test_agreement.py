"""Whoever computes the delivery metrics comes to the same figures, in whatever order events come."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from random import Random

import msgspec
import pytest
from bench.changes import stream
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.reports import oracle
from tests.reports.streams import MORE, drawn, streams

from davy.reports import recompute, rules
from davy.reports.cells import Cell, digest
from davy.reports.event import ChangeEvent
from davy.reports.incremental import Incremental
from davy.reports.rules import Facts, facts
from davy.reports.weekly import DAY, cells

FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without making a failure smaller, which takes minutes here: what differs says which rule to look at."""

Engine = Callable[[Iterable[ChangeEvent]], Iterable[Cell]]


def from_facts(events: Iterable[ChangeEvent]) -> list[Cell]:
    return cells(facts(events))


def incrementally(events: Iterable[ChangeEvent]) -> list[Cell]:
    """Apply events one by one, and ask in between."""
    kept = Incremental()
    for index, event in enumerate(events):
        kept.apply([event])
        if index % 3 == 0:
            kept.cells()
    return kept.cells()


ENGINES: dict[str, Engine] = {"facts": from_facts, "incremental": incrementally, "duckdb": recompute.cells}


@pytest.mark.parametrize("engine", ENGINES)
@given(events=streams)
@settings(max_examples=40 * MORE, phases=FOUND, derandomize=MORE == 1)
def test_every_engine_agrees_with_the_plain_one(engine: str, events: list[ChangeEvent]) -> None:
    assert differences(ENGINES[engine](events), oracle.cells(events)) == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [8, 17, 54, 97, 234, 248])
def test_every_engine_agrees_where_one_did_not(engine: str, seed: int) -> None:
    assert differences(ENGINES[engine](drawn(seed)), oracle.cells(drawn(seed))) == []


@pytest.mark.parametrize("engine", [*ENGINES, "oracle"])
@given(events=streams, seed=st.integers(0, 2**32))
@settings(max_examples=10 * MORE, phases=FOUND, derandomize=MORE == 1)
def test_order_repetition_and_reports_of_the_same_by_another_name_change_nothing(
    engine: str, events: list[ChangeEvent], seed: int
) -> None:
    compute, random = (ENGINES | {"oracle": oracle.cells})[engine], Random(seed)
    again = [*events, *random.choices(events, k=len(events))]
    again += [msgspec.structs.replace(event, seq=9) for event in events[:3]]
    again += [msgspec.structs.replace(event, id=f"again {event.id}") for event in chosen(events)]
    random.shuffle(again)
    assert differences(compute(again), compute(events)) == []


@given(events=streams, cuts=st.lists(st.integers(0, 40), max_size=5))
@settings(max_examples=40 * MORE, phases=FOUND, derandomize=MORE == 1)
def test_facts_that_are_kept_up_to_date_are_those_of_all_events(
    events: list[ChangeEvent], cuts: list[int]
) -> None:
    kept = Incremental()
    borders = [0, *sorted(cuts), len(events)]
    for begin, end in pairwise(borders):
        kept.apply(events[begin:end])
        assert in_order(kept.facts()) == in_order(facts(events[: max(begin, end)]))


@given(events=streams)
@settings(max_examples=40 * MORE, phases=FOUND, derandomize=MORE == 1)
def test_applying_the_same_again_changes_nothing(events: list[ChangeEvent]) -> None:
    kept = Incremental()
    kept.apply(events)
    before = in_order(kept.facts())
    kept.apply(reversed(events))
    assert in_order(kept.facts()) == before


def test_a_company_s_events_come_to_the_same_figures() -> None:
    events = stream(20_000)
    wanted = digest(oracle.cells(events))
    kept = Incremental()
    Random(1).shuffle(events)
    for begin in range(0, len(events), 4000):
        kept.apply(events[begin : begin + 4000])
        kept.count("svc-000", 0, 10**6 * DAY)
    assert digest(kept.cells()) == wanted
    assert digest(from_facts(events)) == wanted


def chosen(events: list[ChangeEvent]) -> list[ChangeEvent]:
    """Return of each name the event that counts."""
    named: dict[tuple[str, str], list[ChangeEvent]] = {}
    for event in events:
        named.setdefault((event.source, event.id), []).append(event)
    return [rules.first(versions)[0] for versions in named.values()]


def differences(one: Iterable[Cell], other: Iterable[Cell]) -> list[object]:
    """Return what cells differ in; nothing, exactly where their digests are the same."""
    left, right = ({cell[:2]: cell for cell in found if any(_numbers(cell))} for found in (one, other))
    found: list[object] = []
    for key in sorted(left.keys() | right.keys()):
        mine, theirs = left.get(key, Cell(*key)), right.get(key, Cell(*key))
        found += [(*key, name, a, b) for name, a, b in zip(Cell._fields, mine, theirs, strict=True) if a != b]
    assert (digest(left.values()) == digest(right.values())) == (not found)
    return found


def _numbers(cell: Cell) -> Iterable[object]:
    return (value for value in cell[2:] if value and (not isinstance(value, tuple) or any(value)))


def in_order(found: Facts) -> tuple[object, ...]:
    rollouts = sorted(found.rollouts, key=lambda one: (one.service, one.name))
    incidents = sorted(found.incidents, key=lambda one: (one.service, one.opened, one.name))
    rest = msgspec.structs.replace(found, rollouts=[], incidents=[])
    return rollouts, incidents, rest
