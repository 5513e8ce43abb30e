"""What people do to rollouts beside the pauses: go back, restart, scale, delete."""

from collections.abc import Callable
from typing import Any

import pytest

from davy.control import requests
from davy.errors import Conflict, NotFound, Refused, Undecided, UsageError
from davy.ledger.store import StoreUnavailable
from davy.model.key import Key

PAYMENTS = Key("default", "payments")
WINDOW = {"replicas: 2": "replicas: 2\n  rollbackWindow: {revisions: 2}"}


def release(lab: Any, tag: str = "app:2", name: str = "payments") -> None:
    lab.ask(requests.SetImage("default", name, {"app": tag}, reason="a release"))


def live(lab: Any, *names: str, **changes: str) -> None:
    assert lab.apply(*(names or ("payments",)), **changes).accepted
    lab.turns()
    assert lab.get().status == "Healthy"


def promoted(lab: Any, tag: str = "app:2") -> None:
    release(lab, tag)
    lab.until(lambda view: view.status == "Paused" and view.step == 4)
    lab.ask(requests.Promote("default", "payments", "looks good"))
    lab.until(lambda view: view.status == "Healthy")


def undo(lab: Any, to: int | None = None) -> str:
    message: str = lab.ask(requests.Undo("default", "payments", to, "it was better")).message
    return message


def image(lab: Any) -> str:
    found: str = lab.engine.catalog.rollouts[PAYMENTS].spec.template.spec.containers[0].image
    return found


def last_action(lab: Any) -> tuple[Any, str, str]:
    found = [entry for entry in lab.store.entries() if entry.kind == "human_action"][-1]
    return found.detail, found.actor, found.reason


def meanwhile(lab: Any, monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Let somebody else do something while it is found out what stands behind an image."""
    resolve = lab.platform.resolve

    def slowly(key: Key, template: Any) -> Any:
        monkeypatch.setattr(lab.platform, "resolve", resolve)
        do()
        return resolve(key, template)

    monkeypatch.setattr(lab.platform, "resolve", slowly)


def test_what_is_done_while_an_image_is_looked_up_is_not_lost(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(lab)
    meanwhile(lab, monkeypatch, lambda: lab.ask(requests.Scale("default", "payments", 3)))
    release(lab)
    assert (image(lab), lab.get().replicas.desired) == ("app:2", 3)


def test_two_who_change_the_template_at_once_do_not_both_win(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live(lab)
    changed = {'image: "app:1"': 'image: "app:1", env: [{name: A, value: b}]'}
    meanwhile(lab, monkeypatch, lambda: lab.apply("payments", **changed))
    with pytest.raises(Conflict, match="got another template in the meantime"):
        release(lab)
    assert image(lab) == "app:1"
    release(lab)
    assert image(lab) == "app:2"


def test_undo_goes_to_the_revision_before_and_takes_its_steps(lab: Any) -> None:
    live(lab)
    promoted(lab)
    assert undo(lab) == "rollout 'payments' undo to revision 1 (app:1)"
    assert last_action(lab) == ({"action": "undo", "revision": 1}, "ada (uid 7)", "it was better")
    assert image(lab) == "app:1"
    view = lab.until(lambda view: view.step == 4)
    assert (view.revisions[0].number, view.revisions[0].images, view.actual_weight) == (3, ("app:1",), 50)
    lab.start()
    assert image(lab) == "app:1"


def test_undo_of_an_update_gives_everything_back_to_stable_at_once(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.actual_weight == 20)
    assert undo(lab).endswith("(app:1): Rollback to stable ReplicaSets")
    assert (lab.get().actual_weight, lab.get().set_weight) == (100, 100)
    lab.turns(2)
    assert lab.get().status == "Healthy"
    assert "change_superseded" in lab.kinds()


def test_undo_within_the_window_takes_no_steps(lab: Any) -> None:
    live(lab, **WINDOW)
    promoted(lab)
    promoted(lab, "app:3")
    assert undo(lab, 1) == "rollout 'payments' undo to revision 1 (app:1): Rollback within window"
    started = [entry for entry in lab.store.entries() if entry.kind == "update_started"][-1]
    assert started.detail["quick"] == "Rollback within window"
    analyses = lab.kinds().count("analysis_started")
    lab.until(lambda view: view.status == "Healthy")
    assert lab.kinds().count("analysis_started") == analyses


def test_undo_runs_what_ran_and_not_what_its_tag_stands_for_today(lab: Any) -> None:
    lab.platform.digests["app:1"] = "good"
    live(lab)
    lab.platform.digests["app:1"] = "bad"
    release(lab, "app:1")
    view = lab.until(lambda view: view.actual_weight == 20)
    assert view.revisions[0].hash != view.revisions[1].hash
    undo(lab)
    lab.turns(2)
    assert lab.get().revisions[0].hash == view.revisions[1].hash


def test_undo_to_what_is_not_there_lists_what_is(lab: Any) -> None:
    live(lab)
    with pytest.raises(Refused, match="no revision to go back to"):
        undo(lab)
    release(lab)
    with pytest.raises(NotFound, match="has no revision 9") as caught:
        undo(lab, 9)
    assert caught.value.hint == "its revisions: 2, 1"
    with pytest.raises(Refused, match="is at revision 2 already"):
        undo(lab, 2)


def test_restart_writes_the_time_into_the_manifest(lab: Any) -> None:
    live(lab)
    lab.clock.time = 1_700_000_000.0504
    message = lab.ask(requests.Restart("default", "payments", "leaks")).message
    assert message == "rollout 'payments' restarts in 0s"
    at = "2023-11-14T22:13:20.051Z"
    assert lab.engine.catalog.rollouts[PAYMENTS].spec.restart_at == at
    assert last_action(lab) == ({"action": "restart", "restartAt": at}, "ada (uid 7)", "leaks")
    assert (lab.get().status, lab.get().message) == ("Progressing", "rollout is restarting")


def test_scale_changes_the_number_of_replicas(lab: Any) -> None:
    live(lab)
    assert lab.ask(requests.Scale("default", "payments", 3, "sale")).message == "rollout 'payments' scaled to 3"
    assert last_action(lab)[0] == {"action": "scale", "replicas": 3}
    lab.turns(2)
    assert len(lab.get().revisions[0].pods) == 3
    lab.start()
    lab.turns(2)
    assert lab.get().replicas.desired == 3
    for number in (-1, 2**31):
        with pytest.raises(UsageError, match="no number of replicas"):
            lab.ask(requests.Scale("default", "payments", number))


def test_scale_leaves_no_step_without_a_replica(lab: Any) -> None:
    live(
        lab,
        **{"trafficRouting: {smi: {}}": "maxSurge: 0\n      maxUnavailable: 1", "replicas: 2": "replicas: 5"},
    )
    with pytest.raises(Refused, match="20 % of 1 replicas with maxSurge 0 is no replica at all"):
        lab.ask(requests.Scale("default", "payments", 1))
    lab.ask(requests.Scale("default", "payments", 0))


def test_delete_takes_everything_but_the_record(lab: Any) -> None:
    live(lab, "payments", "catalog")
    promoted(lab)
    message = lab.ask(requests.Delete("default", "payments", "replaced")).message
    assert message == 'rollout "payments" deleted'
    assert lab.platform.look(PAYMENTS).pods == ()
    with pytest.raises(NotFound):
        lab.get()
    gone = lab.store.entries(subject="Rollout default/payments")[-1]
    assert (gone.kind, gone.actor, gone.reason) == ("object_deleted", "ada (uid 7)", "replaced")
    lab.start()
    lab.turns(2)
    assert [view.name for view in lab.ask(requests.List()).items] == ["catalog"]
    assert lab.store.load("run") == lab.store.load("watch") == lab.store.load("leaving") == {}


def test_a_rollout_that_is_applied_after_it_was_deleted_begins_anew(lab: Any) -> None:
    live(lab)
    promoted(lab)
    lab.ask(requests.Delete("default", "payments", "replaced"))
    live(lab)
    view = lab.get()
    assert [(revision.number, revision.runs) for revision in view.revisions] == [(1, ())]


def test_delete_waits_for_the_end_of_an_update(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: view.step == 2)
    with pytest.raises(Refused, match="in the middle of an update to revision 2") as caught:
        lab.ask(requests.Delete("default", "payments", "x"))
    assert caught.value.hint.startswith("davy abort payments")
    lab.ask(requests.Abort("default", "payments", "x"))
    lab.ask(requests.Delete("default", "payments", "x"))


def test_an_answer_that_comes_after_the_end_is_no_trouble(lab: Any) -> None:
    live(lab)
    release(lab)
    lab.until(lambda view: bool(view.revisions[0].runs))
    lab.store.full = StoreUnavailable("the disk is full")
    lab.turns(1, seconds=10)
    lab.store.full = None
    lab.ask(requests.Abort("default", "payments", "x"))
    lab.ask(requests.Delete("default", "payments", "x"))
    lab.turns(3, seconds=10)
    assert lab.ask(requests.Health()).troubles == ()


def test_what_cannot_be_stopped_at_once_is_stopped_later(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live(lab)
    forget = lab.platform.forget

    def broken(_: Key) -> None:
        raise Undecided("the data plane does not answer")

    monkeypatch.setattr(lab.platform, "forget", broken)
    message = lab.ask(requests.Delete("default", "payments", "x")).message
    assert message == (
        'rollout "payments" deleted; default/payments is still being stopped: the data plane does not answer'
    )
    lab.turns(2)
    assert lab.platform.look(PAYMENTS).pods
    lab.start()
    monkeypatch.setattr(lab.platform, "forget", forget)
    lab.turns(1)
    assert not lab.platform.look(PAYMENTS).pods


def test_one_that_is_applied_anew_is_not_stopped_in_the_place_of_the_old(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(lab)
    before = lab.platform.look(PAYMENTS).pods
    with monkeypatch.context() as patch:
        patch.setattr(lab.platform, "forget", lambda _: (_ for _ in ()).throw(Undecided("no answer")))
        lab.ask(requests.Delete("default", "payments", "x"))
    live(lab)
    lab.start()
    lab.turns(3)
    assert lab.platform.look(PAYMENTS).pods == before
