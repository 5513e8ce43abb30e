"""What the record says of a change is enough for the figures: whose it is, where it goes, how it went."""

from typing import Any

from davy.analysis.tally import Tally
from davy.control import requests
from davy.ledger.entry import Draft, Entry, encode
from davy.reports.projection import project

REPOSITORY = "github.com/acme/payments"
FIRST, SECOND = "1" * 40, "2" * 40


def annotations(commit: str, **more: str) -> str:
    said = {"repository": f"https://{REPOSITORY}.git", "commit": commit, **more}
    return ", ".join(f'davy.dev/{name}: "{value}"' for name, value in said.items())


def release(lab: Any, image: str, commit: str, **more: str) -> None:
    written = f"metadata: {{annotations: {{{annotations(commit, **more)}}}, labels: {{app: payments}}}}"
    view = lab.apply("payments", **{"metadata: {labels: {app: payments}}": written, "app:1": image})
    assert view.accepted, view.findings


def change(lab: Any, *kinds: str) -> list[Entry]:
    return [entry for entry in lab.store.entries() if entry.kind in kinds]


def story(entry: Entry) -> dict[str, Any]:
    named = ("change", "service", "environment", "target", "team", "rollout", "attempt", "kind", "from")
    return {name: entry.detail[name] for name in (*named, "remediates", "waiver") if name in entry.detail}


def settled(lab: Any) -> None:
    lab.until(lambda view: view.status == "Healthy")


def promoted(lab: Any) -> None:
    """Go through all the steps of an update; the last pause is ended by a person."""
    for _ in range(40):
        lab.turns(1, 10.0)
        view = lab.get()
        if view.status == "Healthy":
            return
        if view.status == "Paused" and view.actual_weight == 50:
            lab.ask(requests.Promote("default", "payments", reason="it is good"))
    raise AssertionError(view)


def test_a_rollout_without_annotations_is_known_by_its_template(lab: Any) -> None:
    lab.apply("payments")
    settled(lab)
    started, exposed, done = change(lab, "update_started", "change_exposed", "change_promoted")
    hash_ = started.detail["hash"]
    whose = {
        "change": {"repo": "rollout:default/payments", "commit": hash_},
        "service": "payments",
        "environment": "production",
        "rollout": "default/payments#1.1",
        "attempt": 1,
        "kind": "code",
    }
    assert story(started) == whose
    assert {entry.kind: story(entry) for entry in (exposed, done)} == {
        "change_exposed": whose,
        "change_promoted": whose,
    }


def test_annotations_say_whose_change_it_is_and_from_where_to_where_it_goes(lab: Any) -> None:
    release(lab, "app:1", FIRST)
    settled(lab)
    more = {"service": "pay", "environment": "staging", "target": "eu-1", "team": "money", "kind": "config"}
    release(lab, "app:2", SECOND, remediates=FIRST, **more)
    started = change(lab, "update_started")[-1]
    assert story(started) == {
        **more,
        "change": {"repo": REPOSITORY, "commit": SECOND},
        "rollout": "default/payments#2.1",
        "attempt": 1,
        "remediates": FIRST,
        "from": {"repo": REPOSITORY, "commit": FIRST, "rollout": "default/payments#1.1"},
    }


def test_what_a_version_answered_is_told_when_it_is_over_with_what_it_failed_beyond_stable(lab: Any) -> None:
    release(lab, "app:1", FIRST)
    settled(lab)
    release(lab, "app:2", SECOND)
    lab.until(lambda view: view.actual_weight == 20)
    hash_ = lab.get().revisions[0].hash
    stable = next(iter(set(lab.traffic.counts) - {hash_}))
    lab.turns(1, 1.0)
    for counted, more in ((hash_, Tally(100, 12)), (stable, Tally(400, 8))):
        before = lab.traffic.counts[counted]
        lab.traffic.counts[counted] = Tally(before.requests + more.requests, before.errors + more.errors)
    lab.clock.time += 1.0
    lab.engine.looked()
    lab.engine.turn()
    lab.ask(requests.Abort("default", "payments", reason="enough"))
    (back,) = change(lab, "change_rolled_back")
    told = back.detail["requests"], back.detail["badRequests"]
    assert told == (100, 10)  # 12 of 100 failed, where stable failed 8 of 400, which is 2 of 100


def test_another_attempt_is_another_rollout_of_the_same_change(lab: Any) -> None:
    release(lab, "app:1", FIRST)
    settled(lab)
    release(lab, "app:2", SECOND)
    lab.until(lambda view: view.actual_weight == 20)
    lab.ask(requests.Abort("default", "payments", reason="enough"))
    lab.ask(requests.Retry("default", "payments", reason="again"))
    names = [entry.detail["rollout"] for entry in change(lab, "update_started", "change_aborted_unexposed")]
    first, second = "default/payments#2.1", "default/payments#2.2"
    assert names == ["default/payments#1.1", first, first, second]


def test_going_back_is_a_rollback_of_the_change_that_the_version_always_was(lab: Any) -> None:
    release(lab, "app:1", FIRST)
    settled(lab)
    release(lab, "app:2", SECOND)
    promoted(lab)
    lab.ask(requests.Undo("default", "payments", reason="it was better"))
    promoted(lab)
    started, done = change(lab, "update_started", "change_promoted")[-2:]
    assert started.detail["kind"] == done.detail["kind"] == "rollback"
    assert started.detail["change"] == {"repo": REPOSITORY, "commit": FIRST}
    assert started.detail["from"]["commit"] == SECOND
    release(lab, "app:2", SECOND)
    assert change(lab, "update_started")[-1].detail["kind"] == "code"  # the same change once more, forward


def test_annotations_of_the_rollout_stay_with_the_version_that_they_came_with(lab: Any) -> None:
    for image, commit in (("app:1", FIRST), ("app:2", SECOND)):
        own = f"metadata: {{name: payments, annotations: {{{annotations(commit)}}}}}"
        lab.apply(
            "payments", **{"kind: Rollout\nmetadata: {name: payments}": f"kind: Rollout\n{own}", "app:1": image}
        )
        if image == "app:1":
            settled(lab)
    promoted(lab)
    lab.ask(requests.Undo("default", "payments", reason="it was better"))
    assert change(lab, "update_started")[-1].detail["change"] == {"repo": REPOSITORY, "commit": FIRST}


def test_an_update_that_another_takes_the_place_of_tells_how_far_it_had_come(lab: Any) -> None:
    release(lab, "app:1", FIRST)
    settled(lab)
    release(lab, "app:2", SECOND)
    lab.until(lambda view: view.actual_weight == 20)
    lab.turns(2, 1.0)
    release(lab, "app:3", "3" * 40)
    (left,) = change(lab, "change_superseded")
    assert (left.detail["exposed"], left.detail["weight"]) == (True, 20)
    assert left.detail["change"] == {"repo": REPOSITORY, "commit": SECOND}


def test_the_figures_can_be_read_off_what_an_engine_writes_down_alone(lab: Any) -> None:
    """Two releases, the second at its second attempt, and back: five attempts of two changes."""
    release(lab, "app:1", FIRST)
    settled(lab)
    release(lab, "app:2", SECOND)
    lab.until(lambda view: view.actual_weight == 20)
    lab.turns(2, 1.0)
    lab.ask(requests.Abort("default", "payments", reason="enough"))
    lab.ask(requests.Retry("default", "payments", reason="again"))
    promoted(lab)
    lab.ask(requests.Undo("default", "payments", reason="it was better"))
    promoted(lab)
    events = project([encode(as_draft(entry)) for entry in lab.store.entries()])
    told = [(event.type, event.commit[0], event.attempt, event.kind) for event in events]
    assert told == [
        ("exposed", "1", 1, "code"),
        ("promoted", "1", 1, "code"),
        ("exposed", "2", 1, "code"),
        ("rolled_back", "2", 1, "code"),
        ("exposed", "2", 2, "code"),
        ("promoted", "2", 2, "code"),
        ("exposed", "1", 2, "rollback"),
        ("rolled_back", "2", 2, "code"),
        ("promoted", "1", 2, "rollback"),
    ]


def as_draft(entry: Entry) -> Draft:
    return Draft(entry.at, entry.kind, entry.subject, entry.detail, entry.actor, entry.reason)
