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


def test_a_rollback_is_held_responsible_for_nothing() -> None:
    events = [
        ChangeEvent("ci", "1", "exposed", MONDAY, "shop", "a", "pay", rollout="r1"),
        ChangeEvent("ci", "2", "promoted", MONDAY, "shop", "a", "pay", rollout="r2", kind="rollback"),
        ChangeEvent("ci", "3", "promoted", MONDAY, "shop", "b", "pay", rollout="r1", kind="flag"),
        incident("i", "opened", 1),
        incident("i", "restored", HOUR),
    ]
    for found in (cells(rules.facts(events)), oracle.cells(events), recompute.cells(events)):
        assert (_whole(found).rollouts, _whole(found).rollbacks, _whole(found).attempts) == (1, 1, 0)
        assert (_whole(found).mttr.n, _whole(found).fdrt.n) == (1, 0)


def test_what_is_told_before_an_incident_or_of_another_of_the_name_is_not_of_it() -> None:
    events = [
        incident("i", "restored", 0, "a disk"),
        incident("i", "opened", HOUR, "disk"),
        incident("i", "restored", 2 * HOUR),
        incident("i", "opened", 27 * HOUR, "a net"),
        incident("i", "restored", 28 * HOUR),
        incident("j", "opened", 3 * HOUR, "a net"),
        incident("j", "restored", 4 * HOUR),
    ]
    found = rules.incidents("pay", events)
    assert [(one.name, one.cause) for one in found[0]] == [("i", "disk"), ("j", "a net")]
    assert found[1] == 1
    for counted in (cells(rules.facts(events)), oracle.cells(events), recompute.cells(events)):
        assert (_whole(counted).mttr.n, _whole(counted).mttr.p95) == (2, 25 * HOUR)


def _whole(found: list[Cell]) -> Cell:
    (cell,) = (cell for cell in found if not cell.service)
    return cell
