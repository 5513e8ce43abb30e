"""Writers that are killed in the middle of commits; `./dev bench ledger` kills a thousand."""

from pathlib import Path

from tests.live.crashes import apart

TIMES = 100


def test_nothing_that_was_acknowledged_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    tally = apart("kills", tmp_path, TIMES)
    assert tally.struck == tally.runs == TIMES
    assert tally.acknowledged > TIMES
    assert (tally.lost, tally.damaged) == (0, 0)
