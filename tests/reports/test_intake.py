"""What is told more than once counts once, whatever the order."""

from random import Random

import msgspec
import pytest

from davy.reports.event import ChangeEvent
from davy.reports.intake import distinct

FIRST = ChangeEvent("ci", "1", "merged", 10, "r", "c", received=5, seq=1)
LATER = msgspec.structs.replace(FIRST, time=11, received=6, seq=2)
NEVER = msgspec.structs.replace(FIRST, time=9, received=None, seq=3)


def test_the_one_that_was_received_first_counts_and_each_contradiction_is_counted_once() -> None:
    events = [FIRST, LATER, NEVER, NEVER, msgspec.structs.replace(FIRST, received=7), LATER]
    for seed in range(20):
        Random(seed).shuffle(events)
        assert distinct(events) == ([FIRST], 2)


def test_when_nobody_knows_which_was_first_the_smaller_line_counts() -> None:
    pair = [msgspec.structs.replace(FIRST, received=5, time=time) for time in (20, 10)]
    assert distinct(pair) == distinct(pair[::-1]) == ([pair[1]], 1)


@pytest.mark.parametrize("field", ["source", "id"])
def test_events_with_other_names_are_others(field: str) -> None:
    other = msgspec.structs.replace(FIRST, **{field: "else"})
    assert distinct([FIRST, other]) == ([FIRST, other], 0)
