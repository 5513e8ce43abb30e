"""The loop: what it decides it writes down, then does; and what breaks stays where it broke."""

from typing import Any

import pytest

from davy.analysis.tally import Tally
from davy.control import requests
from davy.control.tenure import Tenure
from davy.errors import NotFound, Refused, Undecided
from davy.ledger.lease import Fenced, Held
from davy.ledger.store import StoreUnavailable
from davy.model.key import Key
from davy.rollout.platform import Seen

PAYMENTS = Key("default", "payments")


def release(lab: Any, tag: str = "app:2", name: str = "payments") -> None:
    lab.ask(requests.SetImage("default", name, {"app": tag}, reason="a release"))


def live(lab: Any, *names: str) -> None:
    assert lab.apply(*(names or ("payments",))).accepted
    lab.turns()
    assert lab.get().status == "Healthy"


def rest(lab: Any) -> None:
    """Turn until nothing is left to do at this time."""
    while lab.engine.turn() <= lab.clock.time:
        lab.runs.settle()


def looks(lab: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note from now on whom the engine looks at."""
    rest(lab)
    taken: list[str] = []
    look = lab.platform.look

    def noted(key: Key) -> Seen:
        taken.append(key.name)
        seen: Seen = look(key)
        return seen

    monkeypatch.setattr(lab.platform, "look", noted)
    return taken


def test_a_release_goes_its_steps_and_is_promoted(lab: Any) -> None:
    live(lab)
    release(lab)
    view = lab.until(lambda view: view.status == "Paused" and view.step == 4)
    assert view.actual_weight == 50
    assert [step.state for step in view.steps] == ["done", "done", "done", "done", "paused"]
    assert (
        lab.ask(requests.Promote("default", "payments", "looks good")).message == "rollout 'payments' promoted"
    )
    lab.until(lambda view: view.status == "Healthy")
    kinds = lab.kinds()
    assert kinds.count("change_promoted") == 2
    assert kinds.count("analysis_started") == kinds.count("analysis_finished") == 1
    actions = [entry for entry in lab.store.entries() if entry.kind == "human_action"]
    assert [(entry.detail["action"], entry.actor, entry.reason) for entry in actions] == [
        ("set image", "ada (uid 7)", "a release"),
        ("promote", "ada (uid 7)", "looks good"),
    ]


def test_a_failing_analysis_takes_it_back_and_why_has_value_limit_and_number(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.provider.value = (0.3,)
    view = lab.until(lambda view: view.status == "Degraded")
    assert view.actual_weight == 0
    why = lab.ask(requests.Why("default", "payments"))
    assert why.sentence == (
        "payments revision 2 (app:2) was aborted at 20 %: errors: [0.3] meets failureCondition "
        "len(result) > 0 && result[0] > 0.02: failed (1) > failureLimit (0) after 1 measurement"
    )
    assert "change_rolled_back" in lab.kinds()


def test_the_guard_takes_a_release_back_before_any_template_looks(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20, seconds=1)
    canary = lab.get().revisions[0].hash
    lab.turns(2, seconds=1)
    lab.clock.time += 1
    lab.serve(failing=canary)
    lab.engine.looked()
    lab.engine.turn()
    view = lab.get()
    assert (view.status, view.actual_weight) == ("Degraded", 0)
    assert view.guard is not None
    assert view.guard.alarm
    assert "against stable (0.0 %" in lab.ask(requests.Why("default", "payments")).sentence
    assert "analysis_started" not in lab.kinds()


def test_a_release_is_not_taken_back_for_what_was_seen_of_it_in_another_update(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20, seconds=1)
    lab.turns(2, seconds=1)
    lab.clock.time += 1
    lab.serve(failing=lab.get().revisions[0].hash)
    lab.engine.looked()
    lab.engine.turn()
    assert lab.get().status == "Degraded"
    release(lab, "app:3")
    release(lab, "app:2")
    lab.engine.turn()
    assert lab.get().status == "Progressing"


def test_a_provider_that_is_down_is_never_a_pass(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.provider.value = None
    view = lab.until(lambda view: view.status == "Degraded")
    assert "consecutiveErrors (5) > consecutiveErrorLimit (4)" in view.message


def test_no_data_holds_and_says_so(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.provider.value = ()
    view = lab.until(lambda view: view.message == "InconclusiveAnalysisRun")
    assert view.actual_weight == 20
    lab.provider.value = (0.0,)
    lab.ask(requests.Promote("default", "payments", "metrics are back"))
    lab.until(lambda view: view.step == 4)
    assert lab.kinds().count("analysis_started") == 2


def test_refused_manifests_change_nothing(lab: Any) -> None:
    before = lab.kinds()
    view = lab.apply("payments", **{"setWeight: 20": "setWeight: 200"})
    assert not view.accepted
    assert not view.applied
    assert lab.kinds() == before
    with pytest.raises(NotFound, match='rollout "payments" not found'):
        lab.get()


def test_an_image_that_nobody_can_run_is_refused_before_anything_changes(lab: Any) -> None:
    live(lab)
    before = lab.kinds()
    with pytest.raises(Refused, match="unknown"):
        release(lab, "unknown")
    with pytest.raises(NotFound, match='no container "nope"'):
        lab.ask(requests.SetImage("default", "payments", {"nope": "x"}))
    assert lab.kinds() == before


def test_applying_the_same_again_is_no_change(lab: Any) -> None:
    live(lab)
    before = lab.kinds()
    assert {one.outcome for one in lab.apply("payments").applied} == {"unchanged"}
    lab.turns()
    assert lab.kinds() == before


@pytest.mark.parametrize("fault", [Undecided("the data plane does not answer"), ZeroDivisionError("ours")])
def test_one_rollouts_trouble_stays_its_own(lab: Any, fault: Exception) -> None:
    live(lab, "payments", "catalog")
    lab.platform.broken[Key("default", "catalog")] = fault
    release(lab, name="catalog")
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    assert lab.get("catalog").trouble.endswith(str(fault))
    assert "default/catalog" in lab.ask(requests.Health()).troubles[0]
    lab.platform.broken.clear()
    lab.turns(4)
    assert lab.get("catalog").trouble == ""


def test_an_abort_is_decided_while_the_data_plane_does_not_answer(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    lab.platform.broken[PAYMENTS] = Undecided("the data plane does not answer")
    lab.ask(requests.Abort("default", "payments", "it is bad"))
    assert lab.get().status == "Degraded"
    assert lab.kinds()[-2:] == ["change_aborted_unexposed", "weight_set"]
    lab.turns(3)
    assert lab.get().trouble
    lab.platform.broken.clear()
    lab.turns(1, seconds=0.25)
    assert (lab.get().actual_weight, lab.get().trouble) == (0, "")


@pytest.mark.parametrize("crash_after", range(0, 40, 3))
def test_an_engine_that_is_killed_goes_on_where_it_was(lab: Any, crash_after: int) -> None:
    live(lab)
    release(lab)
    for turn in range(60):
        if turn == crash_after:
            lab.start()
        lab.turns(1, seconds=5)
    view = lab.get()
    assert (view.status, view.step, view.actual_weight) == ("Paused", 4, 50)
    kinds = [kind for kind in lab.kinds() if kind != "engine_started"]
    for once in ("change_exposed", "update_started"):
        assert kinds.count(once) == 2, kinds
    assert kinds.count("step_completed") == 4
    assert [entry.seq for entry in lab.store.entries()] == list(range(1, len(lab.kinds()) + 1))


def test_a_crash_between_writing_down_and_doing_does_it_after_the_restart(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    lab.platform.broken[PAYMENTS] = Undecided("killed here")
    lab.ask(requests.Abort("default", "payments", "stop it"))
    assert lab.platform.look(PAYMENTS).weights[lab.get().revisions[0].hash] == 20
    lab.platform.broken.clear()
    lab.start()
    lab.turns(1)
    assert lab.get().actual_weight == 0
    assert lab.get().status == "Degraded"


def test_with_a_full_disk_nothing_is_promoted_and_an_abort_still_happens(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    lab.store.full = StoreUnavailable("the disk is full")
    lab.turns(30, seconds=10)
    assert (lab.get().actual_weight, lab.get().trouble) == (20, "the disk is full")
    with pytest.raises(StoreUnavailable):
        lab.ask(requests.Pause("default", "payments"))
    lab.ask(requests.Abort("default", "payments", "full"))
    assert lab.get().actual_weight == 0
    assert "not written down yet" in lab.get().trouble
    [(_, drafts)] = lab.spool.take()
    assert drafts[0].kind == "human_action"
    lab.store.full = None
    lab.turns(2)
    kinds = lab.kinds()
    at = kinds.index("ledger_gap")
    assert kinds[at + 1] == "human_action"
    assert "change_rolled_back" in kinds[at:]
    assert lab.get().trouble == ""
    assert lab.spool.take() == []


def test_the_guard_aborts_with_a_full_disk_and_a_restart_makes_up_for_it(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20, seconds=1)
    lab.turns(2, seconds=1)
    lab.store.full = StoreUnavailable("the disk is full")
    lab.clock.time += 1
    lab.serve(failing=lab.get().revisions[0].hash)
    lab.engine.looked()
    lab.engine.turn()
    assert lab.get().actual_weight == 0
    lab.store.full = None
    lab.start()
    assert lab.get().status == "Degraded"
    assert "change_rolled_back" in lab.kinds()
    lab.turns(1)
    assert lab.get().actual_weight == 0


def test_pause_freezes_and_resume_goes_on(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    lab.ask(requests.Pause("default", "payments", "lunch"))
    lab.turns(20, seconds=60)
    assert (lab.get().message, lab.get().actual_weight) == ("manually paused", 20)
    with pytest.raises(Refused, match="paused already"):
        lab.ask(requests.Pause("default", "payments", "lunch"))
    lab.start()
    assert lab.get().message == "manually paused"
    lab.ask(requests.Resume("default", "payments", "back"))
    lab.until(lambda view: view.step == 4)
    with pytest.raises(Refused, match="not paused by hand"):
        lab.ask(requests.Resume("default", "payments", "back"))


def test_retry_starts_over(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    lab.ask(requests.Abort("default", "payments", "no"))
    assert lab.ask(requests.Why("default", "payments")).sentence.endswith("at 20 % by ada (uid 7): no")
    lab.ask(requests.Retry("default", "payments", "again"))
    lab.until(lambda view: view.step == 4)


def test_what_is_asked_of_a_name_that_is_not_there(lab: Any) -> None:
    live(lab)
    for request in (requests.Get, requests.Manifest, requests.Why):
        with pytest.raises(NotFound, match="not found") as caught:
            lab.ask(request("default", "nope"))
        assert caught.value.hint == "known there: payments"
    for action in (requests.Promote, requests.Abort):
        with pytest.raises(NotFound):
            lab.ask(action("default", "nope", "why"))


def test_lists_manifests_queries_and_the_record(lab: Any) -> None:
    live(lab, "payments", "catalog")
    assert [view.name for view in lab.ask(requests.List()).items] == ["catalog", "payments"]
    assert lab.ask(requests.List("elsewhere")).items == ()
    manifest = lab.ask(requests.Manifest("default", "payments")).manifest
    assert manifest["status"]["phase"] == "Healthy"
    assert manifest["spec"]["replicas"] == 2
    assert lab.ask(requests.Query("1 + 1")).samples[0].value == "2"
    record = lab.ask(requests.Record("default", "payments", limit=2)).entries
    assert [entry.kind for entry in record] == ["object_applied", "update_started"]


def test_an_engine_that_has_just_started_watches_before_it_asks(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.step == 2)
    lab.watch_first_s = 60.0
    lab.start()
    started = lab.clock.time
    lab.until(lambda view: any(run.metrics[0].successful for run in view.revisions[0].runs), seconds=1)
    assert lab.clock.time >= started + 60


def test_two_aborts_with_a_full_disk_are_both_made_up_for_after_a_crash(lab: Any) -> None:
    live(lab, "payments", "catalog")
    for name in ("payments", "catalog"):
        release(lab, name=name)
    lab.until(lambda view: view.actual_weight == 20 and lab.get("catalog").actual_weight == 20)
    lab.store.full = StoreUnavailable("the disk is full")
    for name in ("payments", "catalog"):
        lab.ask(requests.Abort("default", name, "full"))
    lab.store.full = None
    lab.start()
    assert {view.status for view in lab.ask(requests.List()).items} == {"Degraded"}
    assert lab.kinds().count("ledger_gap") == 2
    lab.turns(3)
    lab.start()
    assert lab.kinds().count("ledger_gap") == 2


def test_an_action_after_the_disk_has_room_again_writes_the_late_entries_once(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    lab.store.full = StoreUnavailable("the disk is full")
    lab.ask(requests.Abort("default", "payments", "full"))
    lab.store.full = None
    lab.ask(requests.Retry("default", "payments", "room"))
    lab.start()
    kinds = [entry.detail.get("action", entry.kind) for entry in lab.store.entries()]
    assert kinds.count("abort") == kinds.count("retry") == kinds.count("ledger_gap") == 1


def test_a_turn_is_taken_of_those_to_whom_something_happened_and_of_no_other(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(lab, "payments", "catalog")
    taken = looks(lab, monkeypatch)
    assert lab.engine.turn() > lab.clock.time
    assert taken == []
    lab.engine.kick(PAYMENTS)
    lab.engine.turn()
    assert taken == ["payments"]
    lab.clock.time += 5
    lab.engine.turn()
    assert sorted(taken[1:]) == ["catalog", "payments"]


def test_what_users_get_concerns_only_those_in_an_update(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live(lab, "payments", "catalog")
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    lab.turns(2, seconds=1)
    taken = looks(lab, monkeypatch)
    lab.engine.looked()
    lab.engine.turn()
    assert taken == []
    for hash_ in lab.traffic.counts:
        lab.traffic.counts[hash_] = Tally(lab.traffic.counts[hash_].requests + 1, 0)
    lab.engine.turn()
    assert taken == []
    lab.engine.looked()
    lab.engine.turn()
    assert taken == ["payments"]


def test_replicas_that_change_give_their_rollout_its_turn(lab: Any) -> None:
    live(lab)
    lab.platform.crash(PAYMENTS, lab.get().revisions[0].hash)
    assert lab.engine.turn() is not None
    assert lab.engine.catalog.rollouts
    assert lab.store.load("rollout")["default/payments"].count(b"Available") > 0
    assert lab.get().status != "Healthy"


def test_a_replica_that_has_to_be_ready_for_a_while_is_waited_for(lab: Any) -> None:
    live(lab)
    assert lab.apply(
        "payments", **{"replicas: 2": "replicas: 2\n  minReadySeconds: 2", "app:1": "app:9"}
    ).accepted
    started = lab.clock.time
    for _ in range(200):
        wake_at = lab.engine.turn()
        if lab.get().actual_weight == 20:
            break
        lab.clock.time = wake_at
    assert lab.clock.time - started == pytest.approx(2.0, abs=0.5)


def test_what_could_not_be_finished_is_tried_again_soon(lab: Any) -> None:
    live(lab)
    lab.platform.broken[PAYMENTS] = Undecided("the data plane does not answer")
    release(lab)
    lab.until(lambda view: view.trouble)
    lab.engine.turn()
    assert lab.engine.turn() <= lab.clock.time + 0.25
    lab.platform.broken.clear()
    lab.clock.time += 0.25
    lab.engine.turn()
    assert lab.get().trouble == ""


def test_news_of_one_comes_before_what_is_due_of_many(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live(lab, "payments", *(f"service-{number:02}" for number in range(80)))
    taken = looks(lab, monkeypatch)
    lab.clock.time += 5
    lab.engine.kick(PAYMENTS)
    assert lab.engine.turn() <= lab.clock.time
    assert taken[0] == "payments"
    assert len(taken) < 80
    lab.engine.turn()
    assert len(set(taken)) == 81


def test_analysis_runs_that_nobody_needs_are_let_go_of(lab: Any) -> None:
    live(lab)
    release(lab)
    for number in range(25):
        lab.provider.value = (0.3,)
        lab.until(lambda view: view.status == "Degraded")
        lab.provider.value = (0.0,)
        if number < 24:
            lab.ask(requests.Retry("default", "payments", "again"))
    assert len(lab.store.load("run")) <= 12
    assert len([run for revision in lab.get().revisions for run in revision.runs]) == len(lab.store.load("run"))
    assert lab.kinds().count("analysis_finished") == 25


def lease(lab: Any, name: str) -> Any:
    """Start an engine that holds the lease of the store; the one before is not told."""
    return lab.start(Tenure(lab.store, lab.store.take(name, lab.clock.time, 5.0), lab.clock.now, 5.0))


def test_an_engine_that_slept_through_its_lease_changes_nothing_and_ends(lab: Any) -> None:
    first = lease(lab, "first")
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    with pytest.raises(Held):
        lease(lab, "second")
    lab.clock.time += 5
    second = lease(lab, "second")
    lab.until(lambda view: view.step == 4)
    lab.engine = first
    before, split = lab.store.entries(limit=10_000), lab.platform.look(PAYMENTS).weights
    with pytest.raises(Fenced, match="second"):
        lab.ask(requests.Abort("default", "payments", "too late"))
    assert first.fenced is not None
    with pytest.raises(Fenced):
        first.turn()
    first.run()  # it ends by itself
    assert lab.store.entries(limit=10_000) == before
    assert lab.platform.look(PAYMENTS).weights == split
    assert second.fenced is None


def test_an_engine_whose_turn_is_fenced_halfway_ends(lab: Any) -> None:
    first = lease(lab, "first")
    live(lab)
    lab.clock.time += 0.5  # before the lease is renewed
    release(lab)
    lab.store.take("second", lab.clock.time, 5.0, over=1)
    with pytest.raises(Fenced):
        rest(lab)
    assert first.fenced is not None


def test_a_lease_that_cannot_be_renewed_is_told(lab: Any) -> None:
    lease(lab, "first")
    live(lab)
    lab.store.full = StoreUnavailable("the disk is full")
    lab.clock.time += 3
    lab.turns(1)
    assert "the lease cannot be renewed: the disk is full" in lab.ask(requests.Health()).troubles


def test_an_engine_that_was_taken_over_from_stops_nothing_of_what_was_deleted(lab: Any) -> None:
    first = lease(lab, "first")
    live(lab)
    lab.store.take("second", lab.clock.time, 5.0, over=1)
    lab.platform.under(2)
    with pytest.raises(Fenced):
        lab.ask(requests.Delete("default", "payments", reason="gone"))
    assert first.fenced is not None
    assert lab.platform.look(PAYMENTS).weights
