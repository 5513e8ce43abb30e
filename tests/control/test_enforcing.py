"""The engine asks policies about what people do, and a no is on record; an abort is never asked about."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests.control.conftest import ROLLOUT
from tests.policy import test_waivers as waivers

from davy.control import admission, requests, views
from davy.control.catalog import Catalog
from davy.control.enforcing import Denied
from davy.control.governance import Governance
from davy.control.rulebook import Rules
from davy.errors import Conflict, NotFound, NotPermitted, Refused, UsageError
from davy.ledger.store import StoreUnavailable
from davy.model.loader import load_all
from davy.policy.decision import decide
from davy.policy.engine import Point, Violation
from davy.policy.granting import Wish
from davy.policy.inventory import Inventory
from davy.policy.review import Review, review_of
from davy.policy.waiver_file import document_of, read
from davy.policy.waivers import DAY_S, HOUR_S, Terms, standing

ANNA, BEN = "anna (uid 1000)", "ben (uid 1001)"
STEEP = {"setWeight: 20": "setWeight: 60", "app:1": "app:2"}


@dataclass(frozen=True)
class Weights:
    """Has something against rollouts whose first step is more than a half."""

    name: str = "weights"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        canary = review.subject.get("spec", {}).get("strategy", {}).get("canary", {})
        weights = [step["setWeight"] for step in canary.get("steps", ()) if "setWeight" in step]
        if not weights or weights[0] <= 50:
            return ()
        is_or_was = "was" if review.operation == "DELETE" else "is"
        return [Violation("weights", "PD022", f"the first step {is_or_was} {weights[0]} %")]


@dataclass(frozen=True)
class Never:
    """Has something against every change of a rollout, whoever makes it."""

    name: str = "never"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        assert review.user["username"] == "ada"
        assert point is Point.ENGINE
        if review.kind.kind != "Rollout" or review.operation == "CREATE":
            return ()
        return [Violation("never", "PD044", f"{review.operation} of {review.name}")]


@dataclass(frozen=True)
class Patient:
    """Has something against whoever ends a pause, as the pack's PD043 does where a pause has an end."""

    name: str = "patient"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        old, new = ((found or {}).get("status", {}) for found in (review.old_object, review.object))
        if not old.get("pauseConditions") or new.get("pauseConditions"):
            return ()
        return [Violation("patient", "PD043", "it ends a pause")]


def governed(lab: Any, *policies: Any, **rules: Any) -> Any:
    lab.rules = Rules(policies=policies, **rules)
    lab.start()
    return lab


def live(lab: Any, *names: str, **changes: str) -> None:
    assert lab.apply(*(names or ("payments",)), **changes).accepted
    lab.turns()
    assert lab.get().status == "Healthy"


def text(**changes: str) -> str:
    found = ROLLOUT.replace("NAME", "payments")
    for old, new in changes.items():
        found = found.replace(old, new)
    return found


def manifest(**changes: str) -> dict[str, Any]:
    return load_all([("payments.yaml", text(**changes))], raw=True).raw[0].value


def ask(lab: Any, actor: str = ANNA, rule: str = "PD022", **changes: Any) -> views.WaiverStepView:
    asked: dict[str, Any] = {
        "rule": rule,
        "kind": "Rollout",
        "namespace": "default",
        "name": "payments",
        "reason": "it burns",
        "ticket": "OPS-17",
        "for_s": HOUR_S,
    }
    view = lab.ask(requests.AskWaiver(**{**asked, **changes}), actor)
    assert isinstance(view, views.WaiverStepView)
    return view


def granted(lab: Any, **changes: Any) -> str:
    id_ = ask(lab, **changes).waiver.id
    lab.ask(requests.ApproveWaiver(id_), BEN)
    return id_


def entries(lab: Any, kind: str) -> list[Any]:
    return [entry for entry in lab.store.entries() if entry.kind == kind]


def test_the_life_of_a_waiver(lab: Any) -> None:
    """It is asked for, approved by another, gives the same answer everywhere, and ends everywhere at once."""
    governed(lab, Weights())
    live(lab)
    refused = lab.apply("payments", **STEEP)
    assert not refused.accepted
    [denied] = entries(lab, "policy_denied")
    assert (denied.subject, denied.detail["rules"]) == ("Rollout default/payments", ["PD022"])
    assert denied.actor == "ada (uid 7)"

    asked = ask(lab, object=manifest(**STEEP))
    id_ = asked.waiver.id
    assert (asked.waiver.state, asked.generation) == ("waiting", 1)
    assert not lab.apply("payments", **STEEP).accepted
    with pytest.raises(NotPermitted, match="nobody approves their own"):
        lab.ask(requests.ApproveWaiver(id_), ANNA)
    agreed = lab.ask(requests.ApproveWaiver(id_, "seen"), BEN)
    assert agreed.waiver.digest[:15] in agreed.message
    assert (agreed.waiver.state, agreed.generation) == ("in force", 2)
    with pytest.raises(Refused, match="approved already"):
        lab.ask(requests.ApproveWaiver(id_), "carl (uid 1002)")

    view = lab.apply("payments", **STEEP)
    assert view.accepted
    assert view.waiver_generation == 2
    assert [f.severity for f in view.findings if f.code == "PD022"] == ["note"]
    assert [each.detail["used"] for each in entries(lab, "waiver_used")] == [1]
    assert [each.detail.get("waiver") for each in entries(lab, "update_started")] == [None, id_]

    [shown] = lab.ask(requests.Waivers()).items
    waiver = read(shown.manifest)
    ends = waiver.expires_at
    for now, holds in ((ends - 1, True), (ends, False), (ends + 1, False)):
        ci = Governance(policies=[Weights()], waivers=[waiver], now=now)
        texts = [("payments.yaml", text(**STEEP)), ("errors.yaml", lab.template)]
        assert admission.admit(texts, "/", Catalog(), ci).accepted is holds
        for subject in (manifest(**STEEP), review_of(manifest(**STEEP), namespace="default").subject):
            asking = review_of({**subject, "status": {"phase": "Paused"}})
            answer = decide([Weights()], asking, Inventory(), point=Point.ADMISSION, waivers=[waiver], now=now)
            assert answer.allowed is holds
        lab.ask(requests.Abort("default", "payments", "back"))
        lab.clock.time = now
        if holds:
            lab.ask(requests.Retry("default", "payments"))
        else:
            with pytest.raises(Denied, match=f"waiver {id_} expired [01] s ago"):
                lab.ask(requests.Retry("default", "payments"))
    lab.turns()
    assert [entry.detail["waiver"] for entry in entries(lab, "waiver_expired")] == [id_]
    kinds = [entry.kind for entry in lab.store.entries() if entry.detail.get("waiver") == id_]
    assert kinds == [
        "waiver_requested",
        "policy_denied",
        "waiver_approved",
        "waiver_used",
        "update_started",
        "waiver_used",
        "update_started",
        "waiver_expired",
    ]


def test_what_stays_as_it_is_stands_in_nobodys_way(lab: Any) -> None:
    governed(lab, Weights())
    granted(lab, object=manifest(**STEEP))
    live(lab, **STEEP)
    lab.clock.time += HOUR_S
    view = lab.apply(
        "payments",
        "catalog",
        **{k: v for k, v in STEEP.items() if k == "app:1"},
        **{"setWeight: 20": "setWeight: 60"},
    )
    assert not view.accepted  # the new rollout is as steep, and nobody excuses that
    view = lab.ask(requests.Apply((("a.yaml", text(**STEEP)), ("errors.yaml", lab.template)), "/", "again"))
    assert view.accepted
    assert [f.severity for f in view.findings if f.code == "PD022"] == ["warning"]


def test_a_dry_run_and_what_stays_use_nothing_up(lab: Any) -> None:
    governed(lab, Weights())
    id_ = granted(lab, object=manifest(**STEEP), uses=1)
    texts = (("payments.yaml", text(**STEEP)), ("errors.yaml", lab.template))
    for _ in range(2):
        assert lab.ask(requests.Apply(texts, "/", dry_run=True)).accepted
    assert not entries(lab, "waiver_used")
    assert lab.ask(requests.Apply(texts, "/")).accepted
    assert lab.ask(requests.Apply(texts, "/")).accepted
    assert len(entries(lab, "waiver_used")) == 1
    lab.turns()
    with pytest.raises(Denied, match=f"waiver {id_} is used up"):
        lab.ask(requests.Delete("default", "payments", "old"))


VERBS: dict[str, Callable[[], Any]] = {
    "set image": lambda: requests.SetImage("default", "payments", {"app": "app:3"}),
    "scale": lambda: requests.Scale("default", "payments", 1),
    "restart": lambda: requests.Restart("default", "payments"),
    "undo": lambda: requests.Undo("default", "payments"),
    "delete": lambda: requests.Delete("default", "payments", "old"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_changes_a_rollout_is_asked_about_and_a_no_is_on_record(lab: Any, verb: str) -> None:
    live(lab)
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    lab.until(lambda view: view.status == "Paused" and view.step == 4)
    lab.ask(requests.Promote("default", "payments", "fine"))
    lab.until(lambda view: view.status == "Healthy")
    governed(lab, Never())
    before = lab.engine.catalog.objects, lab.get()
    with pytest.raises(Denied, match=r"\[never\]") as refused:
        lab.ask(VERBS[verb]())
    assert "davy waiver request PD044 --scope payments" in refused.value.hint
    assert (lab.engine.catalog.objects, lab.get()) == before
    [denied] = entries(lab, "policy_denied")
    assert denied.detail["rules"] == ["PD044"]
    assert verb.split()[0] in denied.detail["action"]


def test_what_gives_users_back_what_works_is_never_asked_about(lab: Any) -> None:
    live(lab)
    governed(lab, Never())
    lab.ask(requests.Scale("default", "payments", 5))
    governed(lab)
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    lab.until(lambda view: view.step == 1 and view.status == "Paused", seconds=1)
    governed(lab, Never())
    for verb in (requests.Promote("default", "payments", "x"), requests.Restart("default", "payments")):
        with pytest.raises(Denied):
            lab.ask(verb)
    lab.ask(requests.Pause("default", "payments"))
    lab.ask(requests.Resume("default", "payments"))
    lab.ask(requests.Undo("default", "payments", 1))
    lab.turns()
    assert lab.get().status == "Healthy"
    governed(lab)
    lab.ask(requests.SetImage("default", "payments", {"app": "app:3"}))
    lab.until(lambda view: view.actual_weight == 20, seconds=1)
    governed(lab, Never())
    lab.ask(requests.Abort("default", "payments", "it burns"))
    assert lab.get().status == "Degraded"
    with pytest.raises(Denied):
        lab.ask(requests.Retry("default", "payments"))


def test_whoever_tries_to_agree_with_themselves_is_on_record(lab: Any) -> None:
    governed(lab, Weights())
    id_ = ask(lab, object=manifest(**STEEP)).waiver.id
    with pytest.raises(NotPermitted):
        lab.ask(requests.ApproveWaiver(id_, "nobody looks"), ANNA)
    [denied] = entries(lab, "policy_denied")
    assert (denied.actor, denied.reason, denied.detail["waiver"]) == (ANNA, "nobody looks", id_)
    assert "nobody approves their own" in denied.detail["sentences"][0]


def test_policies_see_that_a_promotion_ends_a_pause(lab: Any) -> None:
    live(lab)
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    lab.until(lambda view: view.step == 1 and view.status == "Paused", seconds=1)
    governed(lab, Patient())
    with pytest.raises(Denied, match="it ends a pause"):
        lab.ask(requests.Promote("default", "payments", "no time"))
    assert lab.get().step == 1
    lab.ask(requests.Abort("default", "payments", "it burns"))
    assert lab.get().status == "Degraded"


def test_a_no_is_one_while_nothing_can_be_written_down(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live(lab)
    governed(lab, Never())

    def full(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(lab.store, "commit", full)
    with pytest.raises(Denied):
        lab.ask(requests.Restart("default", "payments"))


# Passing over what an update has still to show:


def under_way(lab: Any) -> None:
    live(lab)
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    lab.until(lambda view: view.step == 1 and view.status == "Paused", seconds=1)


@pytest.mark.parametrize("way", [{"full": True}, {"skip_step": True}])
def test_nothing_is_passed_over_without_a_waiver_that_is_named(lab: Any, way: dict[str, Any]) -> None:
    under_way(lab)
    with pytest.raises(Refused, match="nothing does without a waiver"):
        lab.ask(requests.Promote("default", "payments", "now", **way))
    with pytest.raises(NotFound, match="there is no waiver w-1"):
        lab.ask(requests.Promote("default", "payments", "now", **way, waiver="w-1"))
    other = granted(lab, rule="PD022")
    with pytest.raises(Denied, match=r"PD043: promote --.* passes over"):
        lab.ask(requests.Promote("default", "payments", "now", **way, waiver=other))
    waiting = ask(lab, rule="PD043").waiver.id
    with pytest.raises(Denied, match="waits for somebody else"):
        lab.ask(requests.Promote("default", "payments", "now", **way, waiver=waiting))
    assert lab.get().step == 1


def test_a_full_promotion_by_a_waiver_is_on_record(lab: Any) -> None:
    under_way(lab)
    id_ = granted(lab, rule="PD043")
    other = granted(lab, rule="PD022")
    with pytest.raises(Denied):  # it is not named
        lab.ask(requests.Promote("default", "payments", "now", full=True, waiver=other))
    said = lab.ask(requests.Promote("default", "payments", "now", full=True, waiver=id_)).message
    assert said == f"rollout 'payments' fully promoted by waiver {id_}"
    lab.until(lambda view: view.status == "Healthy")
    [action] = [each for each in entries(lab, "human_action") if each.detail["action"] == "promote --full"]
    assert (action.detail["waiver"], action.detail["skipped"]) == (id_, [1, 2, 3, 4])
    assert [entry.detail["waiver"] for entry in entries(lab, "waiver_used")] == [id_]


def test_a_waiver_for_one_update_is_not_one_for_the_next(lab: Any) -> None:
    under_way(lab)
    id_ = granted(lab, rule="PD043")
    lab.ask(requests.Promote("default", "payments", "now", skip_step=True, waiver=id_))
    assert lab.get().step == 2
    lab.ask(requests.SetImage("default", "payments", {"app": "app:3"}))
    lab.until(lambda view: view.step == 1 and view.status == "Paused", seconds=1)
    with pytest.raises(Denied, match="was granted for other content"):
        lab.ask(requests.Promote("default", "payments", "now", skip_step=True, waiver=id_))


def test_one_of_two_ways_and_not_while_it_is_frozen(lab: Any) -> None:
    under_way(lab)
    with pytest.raises(UsageError, match="one of --full and --skip-step"):
        lab.ask(requests.Promote("default", "payments", "x", full=True, skip_step=True, waiver="w"))
    lab.ask(requests.Pause("default", "payments"))
    with pytest.raises(Refused, match="paused by hand"):
        lab.ask(requests.Promote("default", "payments", "x", full=True, waiver="w"))


# Waivers in the engine:


def test_waivers_outlive_the_engine_and_their_generation_only_grows(lab: Any) -> None:
    live(lab)
    id_ = granted(lab)
    before = lab.ask(requests.Waivers())
    lab.start()
    assert lab.ask(requests.Waivers()) == before
    assert lab.ask(requests.RevokeWaiver(id_, "not needed"), "carl (uid 1002)").generation == 3
    with pytest.raises(NotFound, match="there is no waiver w-none"):
        lab.ask(requests.RevokeWaiver("w-none", "x"))
    assert lab.ask(requests.Waivers()).items[0].state == "revoked"
    assert lab.ask(requests.Waivers(within_s=9 * DAY_S)).items == ()


def test_a_waiver_that_ran_out_is_noted_once_and_when_there_is_a_store(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(lab)
    granted(lab)
    wakes = lab.engine.turn()
    assert wakes <= 1000.0 + HOUR_S + 60
    lab.clock.time += 2 * HOUR_S
    commit = lab.store.commit

    def full(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(lab.store, "commit", full)
    lab.turns(2)
    monkeypatch.setattr(lab.store, "commit", commit)
    lab.turns(2)
    assert len(entries(lab, "waiver_expired")) == 1
    lab.clock.time -= HOUR_S * 1.5
    lab.start()
    assert lab.ask(requests.Waivers()).items[0].state == "expired"


def test_glass_is_broken_loudly_and_reviewed_by_somebody_else(lab: Any) -> None:
    governed(lab, Weights())
    view = ask(lab, object=manifest(**STEEP), break_glass=True)
    assert "GLASS BROKEN" in view.message
    [entry] = entries(lab, "glass_broken")
    assert (entry.detail["severity"], entry.actor) == ("critical", ANNA)
    answer = lab.apply("payments", **STEEP)
    assert answer.accepted
    assert any("GLASS BROKEN by anna" in finding.title for finding in answer.findings)
    lab.clock.time += 25 * HOUR_S
    assert lab.ask(requests.Waivers()).items[0].review_overdue
    with pytest.raises(NotPermitted, match="who cannot review it"):
        lab.ask(requests.ReviewWaiver(view.waiver.id), ANNA)
    lab.ask(requests.ReviewWaiver(view.waiver.id, "it was right"), BEN)
    assert entries(lab, "waiver_reviewed")[0].detail["late"]
    with pytest.raises(Refused, match="longer than 1 h"):
        ask(lab, object=manifest(**STEEP), break_glass=True, for_s=2 * HOUR_S)


def test_what_is_asked_for_has_an_end_and_an_object(lab: Any) -> None:
    live(lab)
    for changes in ({"for_s": None}, {"until": 5000.0}):
        with pytest.raises(UsageError, match="ends at one time"):
            ask(lab, **changes)
    with pytest.raises(NotFound, match='rollout "cart" not found'):
        ask(lab, name="cart")
    with pytest.raises(UsageError, match="there is no rule PD999 in Davy's pack"):
        ask(lab, rule="PD999")
    with pytest.raises(UsageError, match="DV010 is no rule"):
        ask(lab, rule="DV010")
    with pytest.raises(NotFound, match="holds no Secret default/payments"):
        ask(lab, kind="Secret")
    with pytest.raises(UsageError, match="Rollout default/payments, and Rollout default/cart is meant"):
        ask(lab, name="cart", object=manifest())
    with pytest.raises(UsageError, match="is meant"):
        ask(lab, object={"kind": "Rollout", "metadata": 3})
    with pytest.raises(Refused, match="it is past"):
        ask(lab, for_s=None, until=10.0)
    assert ask(lab, kind="AnalysisTemplate", name="errors").waiver.object_kind == "AnalysisTemplate"
    assert ask(lab, for_s=None, until=9000.0).waiver.state == "waiting"


def test_a_waiver_in_a_file_is_a_request_of_whoever_applies_it(lab: Any) -> None:
    governed(lab, Weights())
    id_ = granted(lab, object=manifest(**STEEP))
    file = lab.ask(requests.Waivers()).items[0].manifest

    def apply(found: dict[str, Any]) -> Any:
        return lab.ask(requests.Apply((("waiver.json", json.dumps(found)),), "/"))

    assert apply(file).applied[0].outcome == "unchanged"
    assert lab.ask(requests.Waivers()).items[0].state == "in force"
    longer = {**file, "spec": {**file["spec"], "expiresAt": "1970-01-02T00:00:00Z"}}
    with pytest.raises(Refused, match="what it asks for never changes"):
        apply(longer)
    assert lab.ask(requests.Waivers()).items[0].state == "in force"
    longer["metadata"] = {"name": "w-longer"}
    [applied] = apply(longer).applied
    assert (applied.object_kind, applied.name, applied.outcome) == ("Waiver", "w-longer", "created")
    [item] = [each for each in lab.ask(requests.Waivers()).items if each.id != id_]
    assert (item.state, item.requester, item.approver) == ("waiting", "ada (uid 7)", "")
    with pytest.raises(NotPermitted):
        lab.ask(requests.ApproveWaiver("w-longer"))
    with pytest.raises(Refused, match="is not done by a file"):
        apply({**file, "spec": {**file["spec"], "breakGlass": True}})
    forever = {
        **longer,
        "metadata": {"name": "w"},
        "spec": {**file["spec"], "expiresAt": "1999-01-01T00:00:00Z"},
    }
    with pytest.raises(Refused, match="it is for longer than 30 days"):
        apply(forever)


def test_what_somebody_is_about_to_agree_to_is_not_swapped(lab: Any) -> None:
    """People agree by an id, so that what goes by it stays what they have read."""
    governed(lab, Weights())
    waiting = ask(lab, object=manifest(**STEEP)).waiver
    other = {**waiting.manifest, "spec": {**waiting.manifest["spec"], "rule": "PD043"}}
    with pytest.raises(Refused, match=f"{waiting.id} is there already"):
        lab.ask(requests.Apply((("w.json", json.dumps(other)),), "/"), "mallory (uid 5)")
    approved = lab.ask(requests.ApproveWaiver(waiting.id), BEN).waiver
    assert (approved.rule, approved.requester) == ("PD022", ANNA)


def test_broken_glass_is_not_swept_under_a_file(lab: Any) -> None:
    governed(lab, Weights())
    broken = ask(lab, object=manifest(**STEEP), break_glass=True, for_s=600.0).waiver
    told = ("breakGlass", "approver", "approvedAt", "approval")
    asked = {name: value for name, value in broken.manifest["spec"].items() if name not in told}
    with pytest.raises(Refused, match="never changes"):
        lab.ask(requests.Apply((("w.json", json.dumps({**broken.manifest, "spec": asked})),), "/"))
    assert [each.break_glass for each in lab.ask(requests.Waivers()).items] == [True]


def test_no_waiver_takes_the_place_of_another_by_its_id(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id has six digits, and whoever words the reason could look for one that is taken."""
    governed(lab, Weights())
    real = Wish.waiver

    def alike(wish: Wish, now: float, number: int, *, break_glass: bool) -> Any:
        found = real(wish, now, number, break_glass=break_glass)
        return msgspec.structs.replace(found, id="w-1" if number < 3 else found.id)

    monkeypatch.setattr(Wish, "waiver", alike)
    first = ask(lab, object=manifest(**STEEP)).waiver.id
    second = ask(lab, object=manifest(**STEEP), reason="another").waiver.id
    assert first == "w-1" != second
    assert len(lab.ask(requests.Waivers()).items) == 2


def test_a_waiver_excuses_nothing_that_is_applied_with_it(lab: Any) -> None:
    governed(lab, Weights())
    waiver = waivers.granted(now=900.0, until=2000.0, subject=manifest(**STEEP))
    assert standing(waiver, waiver.digest, 1000.0) == ""
    forged = ("waiver.json", json.dumps(document_of(waiver)))
    texts = (forged, ("payments.yaml", text(**STEEP)), ("errors.yaml", lab.template))
    assert not lab.ask(requests.Apply(texts, "/")).accepted
    assert not lab.ask(requests.Waivers()).items
    assert lab.ask(requests.Apply((forged,), "/")).accepted
    assert not lab.ask(requests.Apply(texts, "/")).accepted


def test_an_apply_whose_waiver_ends_meanwhile_is_a_conflict(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    governed(lab, Weights())
    id_ = granted(lab, object=manifest(**STEEP))
    resolve = lab.platform.resolve

    def slowly(key: Any, template: Any) -> Any:
        lab.ask(requests.RevokeWaiver(id_, "no"), BEN)
        return resolve(key, template)

    monkeypatch.setattr(lab.platform, "resolve", slowly)
    with pytest.raises(Conflict, match="was revoked by ben"):
        lab.apply("payments", **STEEP)
    assert not lab.engine.catalog.rollouts


def test_who_may_approve_can_be_said(lab: Any) -> None:
    governed(lab, terms=Terms(approvers=frozenset({"carl"})))
    id_ = ask(lab, object=manifest()).waiver.id
    with pytest.raises(NotPermitted, match="may not approve waivers"):
        lab.ask(requests.ApproveWaiver(id_), BEN)
    lab.ask(requests.ApproveWaiver(id_), "carl (uid 5)")
