"""The page about worlds tells every fault and every invariant."""

import re
from pathlib import Path

from davy.sim.drill import a_restart_gives_the_same_outcome
from davy.sim.faults import FAULTS
from davy.sim.invariants import INVARIANTS, title

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "worlds.md").read_text()


def test_every_fault_is_told_in_the_words_of_the_code() -> None:
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)) == FAULTS


def test_every_invariant_is_told_by_its_name() -> None:
    told = re.findall(r"^\*\*(.+)\.\*\*", PAGE, re.MULTILINE)
    assert told == [*map(title, INVARIANTS), a_restart_gives_the_same_outcome.__name__.replace("_", " ")]
