"""A disk that fails under a ledger, once and at each of its calls; `./dev bench ledger` leaves none out."""

from pathlib import Path

import pytest
from tests.live.crashes import apart
from tests.live.strace import need_strace

pytestmark = pytest.mark.live

EVERY = 12


def test_nothing_that_was_acknowledged_is_lost_whatever_call_fails(tmp_path: Path) -> None:
    need_strace()
    tally = apart("faults", tmp_path, EVERY)
    assert tally.struck > 100
    assert tally.acknowledged > 1000
    assert (tally.lost, tally.damaged) == (0, 0)
