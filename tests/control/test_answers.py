"""Answers count at once and are written down when they can be, all of them together."""

from pathlib import Path
from typing import Any

import pytest
from tests.control.conftest import Lab
from tests.control.test_engine import live, release

from davy.control import requests
from davy.control.answers import Answers
from davy.ledger.store import StoreUnavailable
from davy.model.key import Key


def due(lab: Any, *names: str) -> None:
    """Bring releases to their analysis, with a question out for each."""
    live(lab, *names)
    for name in names:
        release(lab, name=name)
    lab.until(lambda view: all(lab.get(name).step == 2 for name in names))
    lab.turns(2)


def test_what_came_together_is_written_down_in_one_transaction(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    due(lab, "payments", "catalog")
    lab.clock.time += 10
    lab.runs.ask_due(lab.clock.time)
    lab.runs.settle()
    answers = Answers(lab.runs, lab.store)
    lab.store.full = StoreUnavailable("the disk is full")
    taken = answers.take_in()
    assert {run.owner.name for run in taken} == {"payments", "catalog"}
    with pytest.raises(StoreUnavailable):
        answers.write_down()
    assert answers.owners == {Key("default", "payments"), Key("default", "catalog")}
    lab.store.full = None
    before = lab.kinds()
    answers.write_down()
    assert answers.owners == set()
    assert lab.kinds()[len(before) :] == ["analysis_finished", "analysis_finished"]
    answers.write_down()
    assert lab.kinds().count("analysis_finished") == 2


def test_bad_news_count_before_they_can_be_written_down(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    due(lab, "payments")
    lab.provider.value = (0.3,)
    lab.clock.time += 10
    lab.store.full = StoreUnavailable("the disk is full")
    lab.turns(4)
    assert (lab.get().status, lab.get().actual_weight) == ("Degraded", 0)
    lab.store.full = None
    lab.turns(2)
    kinds = lab.kinds()
    assert kinds.count("analysis_finished") == 1
    assert "change_rolled_back" in kinds[kinds.index("ledger_gap") :]
    lab.ask(requests.Retry("default", "payments", "again"))
