"""Limits of the rules of incidents that random streams seldom meet to the microsecond."""

import pytest
from tests.reports import oracle

from davy.reports import recompute, rules
from davy.reports.cells import Cell
from davy.reports.event import ChangeEvent, EventType
from davy.reports.weekly import cells

MONDAY = 1_704_067_200_000_000
HOUR = 3600 * 1_000_000


def incident(name: str, type_: EventType, at: int, cause: str = "") -> ChangeEvent:
    return ChangeEvent(
        "alerts", f"{name} {type_} {at}", type_, MONDAY + at, service="pay", incident=name, cause=cause
    )


@pytest.mark.parametrize(("later", "several"), [(24 * HOUR, 1), (24 * HOUR + 1, 2)])
@pytest.mark.parametrize(("again", "cause"), [("i", ""), ("j", "disk")])
def test_an_incident_that_opens_again_within_a_day_is_the_same(
    again: str, cause: str, later: int, several: int
) -> None:
    events = [incident("i", "opened", 0, cause), incident("i", "restored", HOUR, cause)]
    events += [
        incident(again, "opened", HOUR + later, cause),
        incident(again, "restored", 2 * HOUR + later, cause),
    ]
    for found in (cells(rules.facts(events)), oracle.cells(events), recompute.cells(events)):
        assert _whole(found).mttr.n == several


def _whole(found: list[Cell]) -> Cell:
    (cell,) = (cell for cell in found if not cell.service)
    return cell
