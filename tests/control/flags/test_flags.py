"""Flags of an engine: toggles, gates, kills, drills, and what is written down of them."""

from itertools import pairwise
from typing import Any

import pytest
from tests.control.flags.conftest import FLAG, KEY, SWITCH, SWITCHED, FlagLab

from davy.control import requests
from davy.errors import Conflict, NotFound, NotPermitted, Refused, UsageError
from davy.flags.remote import Exposure, ExposureReport, Instance
from davy.ledger.store import StoreUnavailable
from davy.reports.projection import project
from davy.serve.flag_gauges import FlagGauges

FULL = StoreUnavailable("the disk is full")


def kill(lab: FlagLab, key: str = SWITCHED) -> Any:
    return lab.ask(requests.KillFlag(key, "it hurts"))


# Gates.


def test_a_flag_is_off_until_the_canary_of_its_rollout_has_passed(released: FlagLab) -> None:
    assert not released.is_on()
    assert released.answers()["metadata"]["gate"] == "closed"
    hash_ = released.promoted("app:2")
    assert released.is_on()
    assert released.is_on(artifact=hash_)
    opened = released.entries("flag_gate_opened")
    assert [entry.detail["weight"] for entry in opened] == [20, 100]
    assert released.answers()["metadata"]["gateEvidence"] == opened[-1].detail["evidence"]
    assert released.flag().gate.evidence == opened[-1].detail["evidence"]


def test_a_gate_opens_in_the_transaction_that_ends_its_analysis(released: FlagLab) -> None:
    sizes: list[list[str]] = []
    commit = released.store.commit

    def noted(changes: Any, drafts: Any) -> Any:
        sizes.append([draft.kind for draft in drafts])
        return commit(changes, drafts)

    released.store.commit = noted  # type: ignore[method-assign]
    released.promoted("app:2")
    opening = [kinds for kinds in sizes if "flag_gate_opened" in kinds]
    assert ["analysis_finished" in kinds or "change_promoted" in kinds for kinds in opening] == [True, True]


def test_a_new_artifact_is_off_until_it_passes_and_the_stable_one_keeps_its_own(released: FlagLab) -> None:
    stable = released.promoted("app:2")
    fresh = released.release("app:3")
    assert released.is_on(artifact=stable)
    assert not released.is_on(artifact=fresh)
    assert not released.is_on(), "nobody knows which of the two it is"
    assert released.entries("flag_gate_closed")[-1].detail["artifact"] == fresh


@pytest.mark.parametrize("value", [None, ()], ids=["error", "inconclusive"])
def test_what_is_not_known_opens_nothing(released: FlagLab, value: Any) -> None:
    released.provider.value = value
    hash_ = released.release("app:2")
    for _ in range(60):
        released.turns(1, 10.0)
        assert not released.is_on()
        assert not released.is_on(artifact=hash_)
    assert released.entries("flag_gate_opened") == []


def test_a_step_that_was_passed_over_is_no_evidence(released: FlagLab) -> None:
    released.release("app:2")
    asked = requests.AskWaiver("PD043", "Rollout", "default", "payments", "now", "OPS-1", for_s=3600.0)
    waiver = released.ask(asked).waiver.id
    released.ask(requests.ApproveWaiver(waiver), "ben (uid 8)")
    released.ask(requests.Promote("default", "payments", "now", full=True, waiver=waiver))
    released.turns(8, 10.0)
    assert released.get().status == "Healthy"
    assert not released.is_on()


def test_a_flag_that_comes_after_its_canary_finds_it_passed(lab: FlagLab) -> None:
    assert lab.apply("payments").accepted
    lab.turns(4)
    lab.promoted("app:2")
    lab.declare(FLAG)
    assert lab.is_on()
    assert [entry.detail["version"] for entry in lab.entries("flag_gate_opened")] == [2]


def test_elsewhere_than_in_production_nothing_waits_for_a_canary(lab: FlagLab) -> None:
    lab.environment = "staging"
    lab.start()
    lab.declare(FLAG)
    assert lab.is_on()
    assert lab.flag().gate.state == "none"


@pytest.mark.parametrize("environment", ["prod", "prodution", "eu"])
def test_an_environment_that_nobody_knows_has_gates(lab: FlagLab, environment: str) -> None:
    lab.environment = environment
    lab.start()
    lab.declare(FLAG)
    assert not lab.is_on()
    assert lab.flag().gate.state == "closed"


# The interlock.


def test_an_abort_kills_what_is_linked_in_the_same_transaction(released: FlagLab) -> None:
    stable = released.promoted("app:2")
    fresh = released.release("app:3")
    released.turns(4, 10.0)
    released.ask(requests.Abort("default", "payments", "it smells"))
    assert not released.is_on(artifact=stable)
    assert not released.is_on(artifact=fresh)
    assert released.answers()["metadata"]["killed"] is True
    assert released.is_on(SWITCHED), "it is linked to nothing"
    [killed] = [entry for entry in released.entries("flag_changed") if entry.detail["action"] == "killed"]
    assert killed.detail["undone"] is True
    assert "it smells" in killed.reason
    assert released.entries("flag_gate_closed")[-1].detail["artifact"] == fresh
    assert "it smells" in released.flag().why


def test_the_abort_of_a_failing_canary_kills_once_however_often_it_is_told(released: FlagLab) -> None:
    released.promoted("app:2")
    released.release("app:3")
    released.provider.value = (0.5,)
    for _ in range(30):
        released.turns(1, 10.0)
    assert released.get().status == "Degraded"
    kills = [entry for entry in released.entries("flag_changed") if entry.detail["action"] == "killed"]
    assert len(kills) == 1
    released.ask(requests.Abort("default", "payments", "again"))
    assert len(released.entries("flag_changed")) == released.entries("flag_changed").index(kills[0]) + 1


def test_the_abort_of_what_nobody_had_leaves_the_flag_to_the_next_canary(released: FlagLab) -> None:
    released.release("app:2")
    released.turns(3, 10.0)
    released.ask(requests.Abort("default", "payments", "no"))
    assert not released.flag().killed
    assert not released.is_on()
    assert released.entries("flag_gate_closed")
    released.promoted("app:3")
    assert released.is_on()


def test_a_kill_by_an_abort_waits_for_no_store_and_is_written_later(released: FlagLab) -> None:
    released.promoted("app:2")
    released.release("app:3")
    released.turns(4, 10.0)
    released.store.full = FULL
    released.ask(requests.Abort("default", "payments", "now"))
    assert not released.is_on()
    assert released.ask(requests.Health()).troubles
    released.store.full = None
    released.turns(2)
    actions = [entry.detail["action"] for entry in released.entries("flag_changed")]
    assert actions.count("killed") == 1
    assert not released.is_on()
    assert released.start().flags is not None
    assert not released.is_on()


def test_a_kill_by_an_abort_is_known_to_the_next_engine_though_nothing_was_written(released: FlagLab) -> None:
    released.promoted("app:2")
    released.release("app:3")
    released.turns(4, 10.0)
    released.store.full = FULL
    released.ask(requests.Abort("default", "payments", "now"))
    released.store.full = None
    released.start()
    assert not released.is_on()
    actions = [entry.detail["action"] for entry in released.entries("flag_changed")]
    assert actions.count("killed") == 1


def test_a_kill_by_a_person_waits_for_no_store_either(released: FlagLab) -> None:
    released.store.full = FULL
    kill(released)
    assert not released.is_on(SWITCHED)
    with pytest.raises(StoreUnavailable):
        released.ask(requests.SetFlag(SWITCHED, "no", on=False))
    released.store.full = None
    released.start()
    assert not released.is_on(SWITCHED)
    killed = [entry for entry in released.entries("flag_changed") if entry.detail["action"] == "killed"]
    assert [entry.reason for entry in killed] == ["it hurts"]
    assert released.spool.take() == []


def test_a_kill_that_was_late_is_written_once_when_there_is_room(released: FlagLab) -> None:
    released.store.full = FULL
    kill(released)
    released.store.full = None
    released.engine.turn()
    released.start()
    killed = [entry for entry in released.entries("flag_changed") if entry.detail["action"] == "killed"]
    assert len(killed) == 1
    assert released.kinds().count("ledger_gap") == 1


def test_a_killed_flag_comes_back_only_through_an_open_gate(released: FlagLab) -> None:
    released.promoted("app:2")
    released.ask(requests.KillFlag(KEY, "now"))
    released.release("app:3")
    released.turns(2, 10.0)
    released.ask(requests.RestoreFlag(KEY, "better"))
    assert not released.flag().killed
    released.ask(requests.KillFlag(KEY, "again"))
    assert "again" in released.flag().why


def test_behind_a_closed_gate_nothing_is_restored(released: FlagLab) -> None:
    released.ask(requests.KillFlag(KEY, "now"))
    with pytest.raises(Refused, match="no canary of default/payments has passed"):
        released.ask(requests.RestoreFlag(KEY, "better"))
    assert released.flag().killed


# What people set.


def test_a_toggle_is_one_transaction_with_its_entry_and_nothing_twice(lab: FlagLab) -> None:
    lab.declare(SWITCH.replace("high", "low"))
    before = lab.flag(SWITCHED)
    assert (
        lab.ask(requests.SetFlag(SWITCHED, "a test", on=False, ticket="OPS-1")).flag.version
        == before.version + 1
    )
    assert not lab.is_on(SWITCHED)
    [toggled] = [entry for entry in lab.entries("flag_changed") if entry.detail["action"] == "toggled"]
    assert toggled.detail["ticket"] == "OPS-1"
    assert toggled.detail["before"]["digest"] == before.digest
    assert toggled.detail["difference"] == ["settings.enabled: none → false"]
    assert toggled.actor == "ada (uid 7)"
    count = len(lab.kinds())
    lab.ask(requests.SetFlag(SWITCHED, "a test", on=False))
    assert len(lab.kinds()) == count


def test_a_share_is_drawn_by_the_targeting_key(lab: FlagLab) -> None:
    lab.declare(SWITCH.replace("high", "low"))
    lab.ask(requests.SetFlag(SWITCHED, "some", share=25))
    assert lab.answers(SWITCHED)["targeting"] == {"fractional": [["on", 25], ["off", 75]]}
    assert lab.entries("flag_changed")[-1].detail["weight"] == 100, "three quarters lose it"
    lab.ask(requests.SetFlag(SWITCHED, "more", share=50))
    assert lab.entries("flag_changed")[-1].detail["weight"] == 50


def test_who_changes_another_version_than_he_looked_at_is_told(lab: FlagLab) -> None:
    lab.declare(SWITCH.replace("high", "low"))
    version = lab.flag(SWITCHED).version
    lab.ask(requests.SetFlag(SWITCHED, "one", on=False, if_version=version))
    with pytest.raises(Conflict, match=f"is at version {version + 1}, not {version}"):
        lab.ask(requests.SetFlag(SWITCHED, "other", on=True, if_version=version))


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (requests.SetFlag("checkout.nothing", "x", on=True), NotFound),
        (requests.SetFlag(SWITCHED, "x"), UsageError),
        (requests.SetFlag(SWITCHED, "x", variant="purple"), UsageError),
        (requests.SetFlag(SWITCHED, "x", on=False, share=3), UsageError),
        (requests.SetFlag(SWITCHED, "x", share=101), UsageError),
        (requests.RestoreFlag(SWITCHED, "x"), Refused),
        (requests.ApproveFlag("fc-00000000"), NotFound),
    ],
)
def test_what_makes_no_sense_changes_nothing(lab: FlagLab, request_: Any, error: type[Exception]) -> None:
    lab.declare(SWITCH)
    count = len(lab.kinds())
    with pytest.raises(error):
        lab.ask(request_)
    assert len(lab.kinds()) == count


def test_what_much_depends_on_takes_a_second_person_unless_it_is_towards_safe(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.ask(requests.SetFlag(SWITCHED, "off", on=False))
    asked = lab.ask(requests.SetFlag(SWITCHED, "on again", on=True, ticket="OPS-2"))
    assert not lab.is_on(SWITCHED)
    assert lab.flag(SWITCHED).proposals[0].id == asked.proposal
    with pytest.raises(NotPermitted, match="nobody approves their own"):
        lab.ask(requests.ApproveFlag(asked.proposal))
    assert lab.kinds()[-1] == "policy_denied"
    lab.ask(requests.ApproveFlag(asked.proposal, "seen"), "ben (uid 8)")
    assert lab.is_on(SWITCHED)
    entry = lab.entries("flag_changed")[-1]
    assert entry.actor == "ada (uid 7)"
    assert entry.detail["approval"]["by"] == "ben (uid 8)"
    assert lab.flag(SWITCHED).proposals == ()


def test_a_proposal_is_for_the_flag_as_it_was_and_ends_by_itself(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.ask(requests.SetFlag(SWITCHED, "off", on=False))
    asked = lab.ask(requests.SetFlag(SWITCHED, "on", on=True)).proposal
    lab.clock.time += 25 * 3600
    with pytest.raises(Refused, match="nobody agreed to it in time"):
        lab.ask(requests.ApproveFlag(asked), "ben (uid 8)")
    asked = lab.ask(requests.SetFlag(SWITCHED, "on", on=True)).proposal
    kill(lab)
    with pytest.raises(NotFound):
        lab.ask(requests.ApproveFlag(asked), "ben (uid 8)")
    assert not lab.is_on(SWITCHED)


def test_a_kill_takes_nobody_else_and_to_restore_does(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    kill(lab)
    assert not lab.is_on(SWITCHED)
    asked = lab.ask(requests.RestoreFlag(SWITCHED, "better")).proposal
    assert not lab.is_on(SWITCHED)
    lab.ask(requests.ApproveFlag(asked), "ben (uid 8)")
    assert lab.is_on(SWITCHED)


def test_a_changed_manifest_is_another_version_and_keeps_the_kill(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    kill(lab)
    lab.declare(SWITCH.replace("PAY-124", "PAY-125"))
    assert lab.flag(SWITCHED).version == 3
    assert not lab.is_on(SWITCHED)
    lab.declare(SWITCH.replace("PAY-124", "PAY-125"))
    assert lab.flag(SWITCHED).version == 3


def test_a_key_is_one_flag_whatever_its_namespace(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    other = SWITCH.replace("{name:", "{namespace: other, name:")
    with pytest.raises(UsageError, match="is a flag of namespace default already"):
        lab.declare(other)


def test_versions_go_on_after_a_flag_was_taken_away(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    first = lab.engine.flags.document().version
    lab.ask(requests.DeletePolicy("FeatureFlag", SWITCHED, "gone"))
    with pytest.raises(NotFound):
        lab.flag(SWITCHED)
    lab.start()
    assert lab.engine.flags.document().version > first
    lab.declare(SWITCH)
    assert lab.flag(SWITCHED).version == 3


# Who has heard.


def test_a_kill_is_confirmed_once_by_what_instances_say_themselves(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge("i-1")
    lab.acknowledge("i-2")
    assert kill(lab).flag.missing == ("i-1", "i-2")
    lab.acknowledge("i-1")
    lab.turns(1)
    assert lab.entries("flag_confirmed") == []
    lab.clock.time += 2.0
    lab.acknowledge("i-2")
    lab.turns(3)
    [confirmed] = lab.entries("flag_confirmed")
    assert (confirmed.detail["instances"], confirmed.detail["seconds"]) == (2, 2.0)


def test_instances_that_have_not_heard_in_time_are_named(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge("i-1")
    kill(lab)
    lab.turns(4, 10.0)
    [missing] = lab.entries("flag_unconfirmed")
    assert missing.detail["missing"] == ["i-1"]
    lab.acknowledge("i-1")
    lab.turns(2, 10.0)
    assert lab.entries("flag_confirmed") == []


def test_exposures_are_summed_and_what_is_foreign_is_turned_away(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    version = lab.engine.flags.document().version
    row = Exposure(SWITCHED, "on", "STATIC", version, 5, 4, 1)
    report = ExposureReport(Instance("i-1", "checkout"), 990.0, 995.0, (row,))
    lab.engine.flags.count(report)
    assert lab.flag(SWITCHED).exposures == (), "it is not connected"
    lab.acknowledge("i-1")
    lab.engine.flags.count(report)
    lab.engine.flags.count(report)
    [seen] = lab.flag(SWITCHED).exposures
    assert (seen.count, seen.requests, seen.failed) == (5, 4, 1), "once, however often it is told"
    lab.turns(2, 40.0)
    lab.start()
    assert [each.count for each in lab.flag(SWITCHED).exposures] == [5]


# Drills.


def test_a_drill_kills_for_real_and_restores_when_all_have_heard(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge()
    lab.ask(requests.DrillFlag(SWITCHED, "monthly"))
    assert not lab.is_on(SWITCHED)
    assert lab.answers(SWITCHED)["metadata"]["killed"] is True
    lab.clock.time += 1.5
    lab.acknowledge()
    lab.turns(1)
    assert lab.is_on(SWITCHED)
    assert (lab.flag(SWITCHED).drill.outcome, lab.flag(SWITCHED).drill.seconds) == ("confirmed", 1.5)
    assert [kind for kind in lab.kinds() if kind.startswith("drill")] == ["drill_started", "drill_finished"]
    assert [event.type for event in project(lab.store.ledger)] == ["exposed", "promoted"], (
        "of its first version"
    )


def test_a_drill_that_somebody_does_not_hear_of_ends_by_itself_and_fails(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge()
    lab.ask(requests.DrillFlag(SWITCHED, "monthly"))
    lab.turns(4, 10.0)
    assert lab.is_on(SWITCHED)
    assert lab.entries("drill_finished")[0].detail["missing"] == ["i-1"]


def test_a_drill_whose_engine_dies_is_over_when_the_next_one_starts(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge()
    lab.ask(requests.DrillFlag(SWITCHED, "monthly"))
    lab.start()
    assert lab.is_on(SWITCHED)
    assert lab.entries("drill_finished")[0].detail["outcome"] == "interrupted"


def test_a_kill_in_a_drill_is_for_real(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge()
    lab.ask(requests.DrillFlag(SWITCHED, "monthly"))
    kill(lab)
    lab.acknowledge()
    lab.turns(6, 10.0)
    assert not lab.is_on(SWITCHED)
    assert lab.flag(SWITCHED).killed


def test_drills_come_due_and_none_begins_while_an_update_is_under_way(released: FlagLab) -> None:
    linked = SWITCH.replace("drillEvery", "rollout: {name: payments, weight: 20}\n  drillEvery")
    released.declare(linked)
    released.promoted("app:2")
    released.acknowledge()
    released.release("app:3")
    with pytest.raises(Refused, match="has an update under way"):
        released.ask(requests.DrillFlag(SWITCHED, "now"))
    with pytest.raises(Refused, match="no kill switch"):
        released.ask(requests.DrillFlag(KEY, "now"))
    [flag] = released.ask(requests.FlagList(drills=True)).items
    assert not flag.drill.overdue
    released.clock.time += 31 * 24 * 3600
    [flag] = released.ask(requests.FlagList(drills=True)).items
    assert flag.drill.overdue


def test_without_anybody_connected_there_is_no_drill(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    with pytest.raises(NotPermitted, match="nobody to rehearse with"):
        lab.ask(requests.DrillFlag(SWITCHED, "now"))


# The figures.


def test_a_toggle_is_a_change_and_a_kill_makes_it_a_failed_one(released: FlagLab) -> None:
    released.promoted("app:2")
    released.ask(requests.KillFlag(KEY, "it hurts"))
    events = [
        event for event in project(released.store.ledger) if event.kind == "flag" and "discount" in event.repo
    ]
    assert [event.type for event in events] == ["exposed", "promoted", "rolled_back"]
    assert len({(event.repo, event.commit) for event in events}) == 1
    assert {event.service for event in events} == {"payments"}


def test_a_flag_that_nobody_has_yet_is_no_change(released: FlagLab) -> None:
    events = [event for event in project(released.store.ledger) if event.kind == "flag"]
    assert {event.repo for event in events} == {f"flag/{SWITCHED}"}


# Order.


def test_what_is_told_is_in_order_and_there(lab: FlagLab) -> None:
    lab.declare(SWITCH.replace("high", "low"))
    told: list[Any] = []
    end = lab.engine.flags.subscribe(told.append)
    for on in (False, True, False):
        lab.ask(requests.SetFlag(SWITCHED, "x", on=on))
    end()
    end()
    lab.ask(requests.SetFlag(SWITCHED, "x", on=True))
    assert [each.flags for each in told] == [(SWITCHED,)] * 3
    assert all(one.version < other.version for one, other in pairwise(told))


def test_history_has_all_of_one_flag(lab: FlagLab) -> None:
    lab.declare(FLAG, SWITCH)
    kill(lab)
    entries = lab.ask(requests.FlagHistory(SWITCHED)).entries
    assert [entry.kind for entry in entries] == ["object_applied", "flag_changed", "flag_changed"]


def test_prometheus_is_told_of_kills_gates_and_who_has_heard(released: FlagLab) -> None:
    released.acknowledge()
    kill(released)
    row = Exposure(SWITCHED, "on", "STATIC", 1, 5)
    released.engine.flags.count(ExposureReport(Instance("i-1", "checkout"), 990.0, 995.0, (row,)))
    text = FlagGauges(lambda: released.ask(requests.FlagList()).items).metrics()
    for line in (
        f'davy_flag_killed{{flag="{SWITCHED}"}} 1',
        f'davy_flag_gate_open{{flag="{KEY}"}} 0',
        f'davy_flag_instances_missing{{flag="{SWITCHED}"}} 1',
        f'davy_flag_answers_total{{flag="{SWITCHED}",variant="on",service="checkout"}} 5',
    ):
        assert line in text.splitlines()
