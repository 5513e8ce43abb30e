"""The same events give the same bytes, in whatever order, however often and by whatever name they came."""

import io
import json
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.errors import NotFound
from davy.reports.cells import digest
from davy.reports.document import COLUMNS, document, rows
from davy.reports.event import ChangeEvent, EventType
from davy.reports.explain import as_data, explain
from davy.reports.recompute import Recomputation, cells, compute, write_columns
from davy.reports.report import DEFINITIONS, Query, figures_of, wilson

MONDAY = 1772409600_000000  # 2026-03-02
HOUR = 3600_000000
TYPES: tuple[EventType, ...] = (
    "created",
    "merged",
    "exposed",
    "promoted",
    "rolled_back",
    "aborted_unexposed",
    "opened",
    "restored",
)


@st.composite
def histories(draw: st.DrawFn) -> list[ChangeEvent]:
    """Draw events that meet: few changes, services, rollouts and incidents, close in time."""
    found = []
    for number in range(draw(st.integers(0, 25))):
        type = draw(st.sampled_from(TYPES))
        time = MONDAY + draw(st.integers(0, 400)) * HOUR
        received = draw(st.sampled_from([None, time, time - 6_000_000, time + 200 * HOUR]))
        event = ChangeEvent("ci", str(number), type, time, received=received, seq=number)
        service = draw(st.sampled_from(["pay", "cart"]))
        if type in ("opened", "restored"):
            more: Any = {"incident": draw(st.sampled_from("ij")), "cause": draw(st.sampled_from(["", "disk"]))}
        else:
            more = {"repo": "acme/pay", "commit": draw(st.sampled_from("abc"))}
        if type in ("exposed", "promoted", "rolled_back", "aborted_unexposed"):
            more["rollout"] = draw(st.sampled_from(["", "r1", "r2"]))
            more["kind"] = draw(st.sampled_from(["code", "code", "flag", "rollback"]))
            event = msgspec.structs.replace(event, attempt=draw(st.integers(1, 2)))
        mended = draw(st.sampled_from([None, None, ("acme/pay", "a")])) if type in TYPES[:4] else None
        found.append(msgspec.structs.replace(event, service=service, remediates=mended, **more))
    return found


def test_nothing_that_takes_long_shows_its_progress_among_the_figures() -> None:
    shown = "SELECT current_setting('enable_progress_bar')"
    assert Recomputation([]).connection.execute(shown).fetchall() == [(False,)]


def spelt(events: list[ChangeEvent], by: str = "") -> bytes:
    """Return what `-o json` prints, without what counts events rather than facts."""
    report = compute(events, Query(by=by))  # type: ignore[arg-type]
    found = document(report)
    del found["events"], found["dataQuality"]["dq_skewed"]
    return json.dumps(found).encode()


@given(histories(), st.randoms(use_true_random=False), st.sampled_from(["", "service", "kind", "week"]))
@settings(max_examples=8, deadline=None)
def test_neither_order_nor_repetition_nor_new_names_make_a_difference(
    events: list[ChangeEvent], random: Random, by: str
) -> None:
    expected = spelt(events, by)
    again = [
        msgspec.structs.replace(event, id=f"again-{event.id}") for event in events if random.random() < 0.3
    ]
    shuffled = [*events, *again, *(event for event in events if random.random() < 0.3)]
    random.shuffle(shuffled)
    assert spelt(shuffled, by) == expected


@given(histories())
@settings(max_examples=4, deadline=None)
def test_cells_of_columns_in_files_are_those_of_events(
    tmp_path_factory: pytest.TempPathFactory, events: list[ChangeEvent]
) -> None:
    directory = tmp_path_factory.mktemp("columns")
    write_columns(events, directory)
    assert digest(cells(directory)) == digest(cells(events))


@given(histories())
@settings(max_examples=4, deadline=None)
def test_no_rate_is_over_one_and_groups_add_up(events: list[ChangeEvent]) -> None:
    report = compute(events, Query(by="service", restated=False))
    for group in (report.total, *report.groups):
        for name in ("cfr_seed", "cfr_escaped", "cfr_rollout", "cfr_change", "rework_rate"):
            found = group.figures[name]
            assert 0 <= found.numerator <= found.denominator  # type: ignore[union-attr]
    for number in ("attempts", "failed", "escaped", "impact", "rollouts", "unexposed", "impaired", "opened"):
        assert getattr(report.total.cell, number) == sum(getattr(one.cell, number) for one in report.groups)


@pytest.mark.parametrize("figure", DEFINITIONS)
def test_every_figure_can_be_explained(figure: str) -> None:
    at = MONDAY + HOUR
    change: Any = {"repo": "acme/pay", "commit": "a", "service": "pay"}
    events = [
        ChangeEvent("ci", "1", "merged", at, **change, committed=MONDAY, seq=1),
        ChangeEvent("ci", "2", "exposed", at + 1, **change, seq=2),
        ChangeEvent("ci", "3", "promoted", at + 2, **change, requests=5, bad=1, seq=3),
        ChangeEvent("ci", "4", "opened", at + 3, service="pay", incident="i", seq=4),
        ChangeEvent("ci", "5", "restored", at + 4, service="pay", incident="i", seq=5),
        ChangeEvent("ci", "6", "exposed", at + 5, "acme/pay", "z", "pay", kind="rollback", seq=6),
    ]
    expected = {
        "unexposed": [],
        "open_incidents": [],
        "bad_minutes": [],
        "rollback_failure_rate": [[6]],
        **{name: [[2, 3, 4, 5]] for name in ("mttr", "fdrt", "fdrt_from_exposure", "impaired")},
    }
    cases = explain(Recomputation(events), Query(), figure)
    assert [[event.seq for event in case.events] for case in cases] == expected.get(figure, [[1, 2, 3]])
    assert len(as_data(figure, cases)["cases"]) == len(cases)


def test_a_figure_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotFound, match="there is no figure 'cfr'"):
        explain(Recomputation([]), Query(), "cfr")


def test_a_service_that_is_not_there_is_told_with_those_that_are() -> None:
    event = ChangeEvent("ci", "1", "exposed", MONDAY, "acme/pay", "a", "pay")
    with pytest.raises(NotFound, match="'card'") as caught:
        compute([event], Query(services=("card",)))
    assert caught.value.hint == "the services are: pay"


def test_rows_have_every_figure_of_every_group() -> None:
    event = ChangeEvent("ci", "1", "exposed", MONDAY, "acme/pay", "a", "pay")
    found = list(rows(compute([event], Query(by="service"))))
    assert [(row[0], row[5]) for row in found] == [
        (group, name) for group in ("", "pay") for name in DEFINITIONS
    ]
    assert {len(row) for row in found} == {len(COLUMNS)}


def test_every_figure_has_its_definition() -> None:
    assert list(figures_of(compute([], Query()).total.cell, 1)) == list(DEFINITIONS)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (3, 50, 0.0206, 0.1622)]
)
def test_intervals_are_those_of_wilson(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits, n) == pytest.approx((low, high), abs=1e-4)


def test_a_file_of_lines_in_two_parts_is_the_same_file() -> None:
    from davy.reports.cloudevents import encode, read

    events = [ChangeEvent("ci", str(i), "exposed", MONDAY + i, "acme/pay", str(i), "pay") for i in range(4)]
    lines = [encode(event) + b"\n" for event in events]
    parts = [read(io.BytesIO(b"".join(part)), "-") for part in (lines[2:], lines[:2])]
    assert spelt([*parts[0], *parts[1]]) == spelt(read(io.BytesIO(b"".join(lines)), "-"))
