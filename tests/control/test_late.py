"""What an abort could not write down: it is made up for completely, once, and over nothing that is newer."""

from typing import Any

import msgspec
import pytest

from davy.control import requests
from davy.control.runs import RunRecord
from davy.ledger.log import LedgerDamaged
from davy.ledger.store import StoreUnavailable
from davy.rollout.state import RolloutState

FULL = StoreUnavailable("the disk is full")


DAMAGED = LedgerDamaged("the ledger is not what it was when it was last written")


class Died(BaseException):
    """The process ends here."""


def analysing(lab: Any) -> None:
    """Lead a release to its analysis."""
    assert lab.apply("payments").accepted
    lab.turns()
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}, reason="a release"))
    lab.until(lambda _: "analysis_started" in lab.kinds())


def abort(lab: Any) -> None:
    lab.store.full = FULL
    lab.ask(requests.Abort("default", "payments", "full"))
    assert lab.get().actual_weight == 0


def test_an_analysis_that_ended_with_the_abort_is_stored_as_ended(lab: Any) -> None:
    analysing(lab)
    abort(lab)
    lab.store.full = None
    lab.turns(2)
    [run] = [msgspec.json.decode(body, type=RunRecord) for body in lab.store.load("run").values()]
    assert run.state.completed
    assert lab.kinds().count("analysis_finished") == 1
    lab.start()
    lab.turns(2)
    assert lab.kinds().count("analysis_finished") == 1


def test_an_answer_that_comes_late_is_not_written_before_the_abort_that_ended_its_run(lab: Any) -> None:
    analysing(lab)
    lab.runs.settle()
    abort(lab)
    lab.store.full = None
    lab.engine.turn()
    kinds = lab.kinds()
    assert kinds.index("ledger_gap") < kinds.index("analysis_finished")


@pytest.mark.parametrize("trouble", [FULL, DAMAGED], ids=["full", "damaged"])
def test_an_abort_waits_for_no_ledger_be_it_full_or_damaged(lab: Any, trouble: Exception) -> None:
    analysing(lab)
    lab.store.full = trouble
    lab.turns(2, seconds=40)
    lab.ask(requests.Abort("default", "payments", "now"))
    assert lab.get().actual_weight == 0
    noted = [draft.kind for _, drafts in lab.spool.take() for draft in drafts]
    assert {"change_rolled_back", "change_aborted_unexposed"} & set(noted)


def test_what_only_scaled_down_is_written_once_there_is_room(lab: Any) -> None:
    analysing(lab)
    lab.ask(requests.Abort("default", "payments", "no"))
    lab.store.full = FULL
    lab.turns(3, seconds=40)
    assert lab.spool.take() == [], "there is nothing to tell"
    lab.store.full = None
    lab.turns(1)
    state = msgspec.json.decode(lab.store.load("rollout")["default/payments"], type=RolloutState)
    assert state.newest.replicas == 0
    assert lab.get().trouble == ""


def test_a_note_that_was_written_is_not_written_again_over_what_is_newer(lab: Any) -> None:
    analysing(lab)
    abort(lab)
    lab.store.full = None

    def die(_subject: str) -> None:
        raise Died

    lab.spool.clear, clear = die, lab.spool.clear
    try:
        lab.ask(requests.Retry("default", "payments", "room"))
    except Died:
        lab.spool.clear = clear
    lab.start()
    lab.turns(4)
    actions = [entry.detail["action"] for entry in lab.store.entries() if entry.kind == "human_action"]
    assert actions == ["set image", "abort", "retry"]
    assert lab.kinds().count("ledger_gap") == 1
    assert lab.get().status != "Degraded"


def test_another_release_is_written_after_the_abort_before_it(lab: Any) -> None:
    analysing(lab)
    abort(lab)
    lab.store.full = None
    lab.ask(requests.SetImage("default", "payments", {"app": "app:3"}, reason="the next"))
    lab.turns(4)
    kinds = lab.kinds()
    assert kinds.index("change_rolled_back") < kinds.index("update_started", kinds.index("ledger_gap"))
    assert lab.get().status != "Degraded"
    lab.start()
    assert lab.get().revisions[0].images == ("app:3",)
