"""Ramps: a flag goes from nobody to everybody as a canary does, and back at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.control.flags.conftest import FlagLab

from davy.control import requests, views
from davy.control.rulebook import Rules
from davy.errors import DavyError, NotFound, NotPermitted, Refused
from davy.flags.remote import Acknowledgement, Exposure, ExposureReport, Instance
from davy.ledger.store import StoreUnavailable
from davy.reports.projection import project
from davy.reports.rules import facts

KEY, NAME = "checkout.discount-enabled", "flag:checkout.discount-enabled"

RAMPED = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.discount-enabled}
spec:
  owner: checkout
  jira: PAY-123
  expiry: 2027-03-01
  variants: {"on": true, "off": false}
  safeValue: false
  ramp:
    variant: "on"
    steps:
    - setWeight: 10
    - pause: {duration: 60}
    - analysis: {templates: [{templateName: errors}]}
    - setWeight: 50
    - pause: {}
    - setWeight: 100
"""


@dataclass
class App:
    """A copy of an application: it evaluates by the document that it has, and tells what came of it."""

    lab: "RampLab"
    id: str
    artifact: str = ""
    version: int = 0
    share: int = 0
    since: float = 0.0
    counts: dict[str, list[int]] = field(default_factory=dict)

    @property
    def instance(self) -> Instance:
        return Instance(self.id, "checkout", self.artifact)

    def fetch(self) -> None:
        document = self.lab.engine.flags.document(self.artifact)
        flag = msgspec.json.decode(document.text)["flags"][KEY]
        self.version, self.share = document.version, share_in(flag)

    def acknowledge(self) -> None:
        digest = self.lab.engine.flags.document(self.artifact).digest
        self.lab.engine.flags.acknowledge(Acknowledgement(self.instance, self.version, digest))

    def serve(self, failing: int = 0, others_failing: int = 0, requests_: int = 1000) -> None:
        """Serve users, so many per thousand of either kind in vain, and tell of it."""
        now, mine = self.lab.clock.now(), requests_ * self.share // 100
        rows = [("on", mine, failing), ("off", requests_ - mine, others_failing)]
        told = tuple(
            Exposure(KEY, variant, "SPLIT", self.version, count, count, count * bad // 1000)
            for variant, count, bad in rows
            if count
        )
        self.lab.engine.flags.count(ExposureReport(self.instance, self.since, now, told))
        self.since = now


def share_in(flag: dict[str, Any]) -> int:
    """Read of a served flag how many percent of the users get the variant."""
    match flag:
        case {"targeting": {"fractional": [[_, share], _]}}:
            return int(share)
        case {"targeting": {"if": [_, {"fractional": [_, [_, share], _]}]}}:
            return int(share)
        case _:
            return 100 if flag["defaultVariant"] == "on" else 0


class RampLab(FlagLab):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.apps: list[App] = []

    def ramp(self, actor: str = "ada (uid 7)", key: str = KEY) -> views.FlagStepView:
        view = self.ask(requests.RampFlag(key, "it is ready"), actor)
        assert isinstance(view, views.FlagStepView)
        return view

    def connect(self, *ids: str) -> None:
        for id_ in ids:
            self.apps.append(App(self, id_))
        self.hear()

    def replaced(self, artifact: str) -> None:
        """Let copies of another artifact take the place of those there are."""
        for app in self.apps:
            self.engine.flags.left(app.id)
        self.apps = [App(self, f"{artifact}-{number}", artifact) for number in range(2)]
        self.hear()

    def hear(self) -> None:
        for app in self.apps:
            app.fetch()
            app.acknowledge()

    def rollout(self) -> views.RolloutView:
        return self.get(NAME)

    def share(self) -> int:
        return share_in(self.answers())

    def go(self, turns: int = 1, seconds: float = 1.0, failing: int = 0, others: int = 0) -> None:
        """Let time go by with users, instances that hear, and turns that are due by themselves."""
        for _ in range(turns):
            self.clock.time += seconds
            self.hear()
            for app in self.apps:
                app.serve(failing, others)
            self.settle()

    def settle(self) -> None:
        for _ in range(8):
            self.engine.turn()
            self.runs.settle()

    def to_pause(self) -> None:
        for _ in range(60):
            if self.share() == 50 and self.rollout().status == "Paused":
                return
            self.go(1, 10.0)
        raise AssertionError(self.rollout())

    def events(self) -> list[Any]:
        return project(list(self.store.bodies(0, self.store.head().size)))

    def released(self) -> str:
        """Lead a canary of the linked rollout to its end, and return the hash of it."""
        return self.promoted("app:2")

    def ramp_kinds(self) -> list[str]:
        return [entry.kind for entry in self.store.entries(subject=f"Rollout default/{NAME}")]


@pytest.fixture
def ramping(tmp_path: Path) -> RampLab:
    """A lab with a flag that has a ramp, and two instances that have heard of it."""
    lab = RampLab(tmp_path)
    lab.declare(RAMPED, lab.template)
    lab.connect("i-1", "i-2")
    return lab


def test_a_ramp_takes_the_steps_of_a_canary(ramping: RampLab) -> None:
    assert ramping.share() == 0
    assert ramping.ramp().message == f'the ramp of flag "{KEY}" has begun: 6 steps'
    ramping.settle()
    assert ramping.share() == 10
    view = ramping.rollout()
    assert (view.actual_weight, view.set_weight) == (0, 10)
    assert "i-1, i-2 has not said yet" in view.trouble
    ramping.go()
    assert ramping.rollout().actual_weight == 10
    assert [step.state for step in ramping.rollout().steps][:2] == ["done", "paused"]
    ramping.go(5, 20.0)
    assert ramping.share() == 50
    assert "analysis_finished" in ramping.ramp_kinds()
    ramping.ask(requests.Promote("default", NAME, "good"))
    ramping.go(4)
    assert ramping.rollout().status == "Healthy"
    assert ramping.share() == 100
    assert ramping.ramp_kinds().count("change_promoted") == 1


def test_the_data_plane_are_the_instances_and_one_that_is_silent_holds_the_ramp(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.settle()
    ramping.apps[0].fetch()
    ramping.apps[0].acknowledge()
    for _ in range(20):
        ramping.clock.time += 30
        ramping.settle()
    assert ramping.rollout().step == 0
    assert ramping.rollout().actual_weight == 5, "half of the instances give it to ten percent"
    ramping.engine.flags.left("i-2")
    ramping.settle()
    assert ramping.rollout().step == 1


def test_nobody_is_counted_before_somebody_has_it(ramping: RampLab) -> None:
    for app in ramping.apps:
        ramping.engine.flags.left(app.id)
    ramping.ramp()
    for _ in range(5):
        ramping.clock.time += 100
        ramping.settle()
    assert ramping.rollout().step == 0
    assert "no instance has said" in ramping.rollout().trouble
    assert "change_exposed" not in ramping.ramp_kinds()


def test_who_asks_the_engine_itself_has_it_at_once(ramping: RampLab) -> None:
    for app in ramping.apps:
        ramping.engine.flags.left(app.id)
    ramping.apps = [App(ramping, "ofrep/shop")]
    ramping.ramp()
    ramping.settle()
    for _ in range(3):
        ramping.apps[0].fetch()
        ramping.clock.time += 5
        ramping.apps[0].serve()
        ramping.settle()
    assert ramping.rollout().actual_weight == 10
    assert "change_exposed" in ramping.ramp_kinds()


def test_the_guard_takes_the_variant_away_from_users_that_it_fails(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.go(3)
    ramping.go(6, 5.0, failing=300, others=5)
    assert ramping.share() == 0
    view = ramping.rollout()
    assert view.status == "Degraded"
    assert "guard: 5xx ratio of the canary" in view.message
    assert "change_rolled_back" in ramping.ramp_kinds()
    why = ramping.ask(requests.Why("default", NAME))
    assert why.sentence.startswith(f"{NAME} revision 2 (on) was aborted at 10 %: guard:")


def test_failures_of_everybody_are_nobodys(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.go(3)
    ramping.go(6, 5.0, failing=300, others=300)
    assert ramping.share() == 10
    assert "change_rolled_back" not in ramping.ramp_kinds()


def test_an_analysis_that_fails_takes_it_back(ramping: RampLab) -> None:
    ramping.provider.value = (0.5,)
    ramping.ramp()
    ramping.go(12, 10.0)
    assert ramping.share() == 0
    assert ramping.rollout().status == "Degraded"


def test_no_data_holds_and_never_promotes(ramping: RampLab) -> None:
    ramping.provider.value = ()
    ramping.ramp()
    ramping.go(15, 10.0)
    assert ramping.share() == 10
    assert ramping.rollout().message == "InconclusiveAnalysisRun"


def test_an_abort_by_a_person_is_a_failed_change_of_kind_flag(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.go(2)
    ramping.ask(requests.Abort("default", NAME, "the discount is wrong"))
    assert ramping.share() == 0, "at once"
    found = facts(ramping.events())
    [rollout] = found.rollouts
    assert (rollout.kind, rollout.failed, rollout.service) == ("flag", True, "checkout")


def test_a_ramp_is_one_change_exposed_and_promoted_once(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.to_pause()
    ramping.ask(requests.Promote("default", NAME, "good"))
    ramping.go(4)
    [attempt] = facts(ramping.events()).attempts.values()
    assert attempt.kind == "flag"
    assert attempt.exposed is not None
    assert attempt.promoted is not None
    assert attempt.rolled_back is None
    ramping.ask(requests.KillFlag(KEY, "it broke later"))
    [attempt] = facts(ramping.events()).attempts.values()
    assert attempt.rolled_back is not None, "a kill takes back what the ramp gave"


def test_a_kill_ends_a_ramp_and_restoring_does_not_go_on_with_it(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.to_pause()
    ramping.ask(requests.KillFlag(KEY, "tickets"))
    assert ramping.answers()["metadata"]["killed"] is True
    ramping.ask(requests.RestoreFlag(KEY, "all is well"))
    assert ramping.share() == 0
    ramping.go(3)
    assert ramping.share() == 0
    [attempt] = facts(ramping.events()).attempts.values()
    assert attempt.rolled_back is not None


def test_off_by_hand_ends_a_ramp(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.go(2)
    ramping.ask(requests.SetFlag(KEY, "no", on=False))
    assert ramping.share() == 0
    ramping.settle()
    assert ramping.rollout().status == "Degraded"
    assert ramping.entries("change_rolled_back")[-1].detail["cause"] == f"{KEY} was set by hand"


def test_a_flag_with_a_ramp_goes_up_by_nothing_else(ramping: RampLab) -> None:
    for wanted in ({"on": True}, {"share": 20}, {"variant": "on"}):
        with pytest.raises(Refused, match="has a ramp"):
            ramping.ask(requests.SetFlag(KEY, "quick", **wanted))
    ramping.ramp()
    ramping.to_pause()
    ramping.ask(requests.SetFlag(KEY, "less", share=20))
    assert ramping.share() == 20


def test_begun_again_it_is_another_attempt_at_the_same_change(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.go(2)
    ramping.ask(requests.Abort("default", NAME, "stop"))
    ramping.settle()
    with pytest.raises(Refused, match="begun again by who begins it"):
        ramping.ask(requests.Retry("default", NAME))
    ramping.ramp()
    ramping.go(2)
    assert ramping.share() == 10
    one, two = sorted(facts(ramping.events()).attempts.values(), key=lambda each: each.key.attempt)
    assert one.key.change == two.key.change
    assert (one.rolled_back is not None, two.rolled_back) == (True, None)


def test_it_stays_promoted_whatever_becomes_of_the_flag_then(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.to_pause()
    ramping.ask(requests.Promote("default", NAME, "good"))
    ramping.go(4)
    with pytest.raises(Refused, match="end of its ramp"):
        ramping.ramp()
    ramping.ask(requests.SetFlag(KEY, "no", on=False))
    ramping.go(10, 10.0)
    assert ramping.share() == 0, "a ramp that is over moves nothing"
    ramping.ramp()
    ramping.go(2)
    assert ramping.share() == 10
    assert ramping.rollout().revisions[0].number == 4


def test_an_engine_that_starts_anew_goes_on_where_it_was(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.to_pause()
    written = len(ramping.store.entries())
    ramping.start()
    ramping.turns(4)
    assert ramping.share() == 50
    kinds = [entry.kind for entry in ramping.store.entries()[written:]]
    assert "weight_set" not in kinds
    ramping.hear()
    ramping.ask(requests.Promote("default", NAME, "good"))
    ramping.go(4)
    assert ramping.share() == 100


def test_an_abort_waits_for_no_store(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.to_pause()
    working = type(ramping.store).commit
    ramping.store.commit = lambda *_: (_ for _ in ()).throw(StoreUnavailable("the disk is full"))  # type: ignore[method-assign]
    ramping.ask(requests.Abort("default", NAME, "stop"))
    assert ramping.share() == 0
    del ramping.store.commit
    assert type(ramping.store).commit is working
    ramping.start()
    assert ramping.share() == 0
    ramping.turns(2)
    assert ramping.ramp_kinds()[-1] in ("change_rolled_back", "weight_set")
    assert ramping.rollout().status == "Degraded"


def test_what_a_ramp_is_about_does_not_change_on_the_way(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.declare(RAMPED.replace("PAY-123", "PAY-124"))
    with pytest.raises(Refused, match="on its ramp"):
        ramping.declare(RAMPED.replace("setWeight: 50", "setWeight: 60"))
    with pytest.raises(Refused, match="middle of an update"):
        ramping.ask(requests.DeletePolicy("FeatureFlag", KEY, "away", "default"))
    ramping.ask(requests.Abort("default", NAME, "stop"))
    ramping.declare(RAMPED.replace("setWeight: 50", "setWeight: 60"))
    ramping.ask(requests.DeletePolicy("FeatureFlag", KEY, "away", "default"))
    with pytest.raises(NotFound):
        ramping.rollout()


@pytest.mark.parametrize(
    "action",
    [
        requests.Undo("default", NAME),
        requests.Restart("default", NAME),
        requests.Scale("default", NAME, 3),
        requests.SetImage("default", NAME, {"*": "x"}),
    ],
)
def test_a_ramp_has_nothing_to_restart(ramping: RampLab, action: requests.AnyRequest) -> None:
    ramping.ramp()
    with pytest.raises(Refused, match="is the ramp of a flag"):
        ramping.ask(action)


def test_one_that_much_depends_on_takes_two(ramping: RampLab) -> None:
    ramping.declare(RAMPED.replace("owner: checkout", "owner: checkout\n  criticality: high"))
    waiting = ramping.ramp().proposal
    with pytest.raises(NotFound):
        ramping.rollout()
    with pytest.raises(NotPermitted):
        ramping.ask(requests.ApproveFlag(waiting))
    ramping.ask(requests.ApproveFlag(waiting, "fine"), "ben (uid 8)")
    ramping.settle()
    assert ramping.share() == 10
    [begun] = [each for each in ramping.entries("human_action") if each.detail["action"] == "ramp"]
    assert begun.detail["approval"]["by"] == "ben (uid 8)"


def test_it_begins_through_an_open_gate_only_and_waits_while_that_is_shut(ramping: RampLab) -> None:
    assert ramping.apply("payments").accepted
    ramping.turns(4)
    ramping.declare(RAMPED.replace("  ramp:", "  rollout: {name: payments, weight: 20}\n  ramp:"))
    with pytest.raises(Refused, match="gate of flag"):
        ramping.ramp()
    hash_ = ramping.released()
    ramping.replaced(hash_)
    ramping.ramp()
    ramping.go(2)
    assert ramping.rollout().actual_weight == 10
    ramping.ask(requests.SetImage("default", "payments", {"app": "app:9"}, reason="next"))
    ramping.replaced("another")
    ramping.go(8, 30.0)
    assert "the gate is shut for another" in ramping.rollout().trouble
    assert ramping.rollout().actual_weight == 0


def test_policies_are_asked_as_of_any_change(tmp_path: Path) -> None:
    lab = RampLab(tmp_path)
    lab.declare(RAMPED, lab.template)
    for kind in ("FeatureFlag", "Rollout"):
        group = "davy.dev" if kind == "FeatureFlag" else "argoproj.io"
        freeze = (
            FREEZE.replace("GROUP", group).replace("KINDS", kind.lower() + "s").replace("NAME", kind.lower())
        )
        lab.declare(freeze)
        with pytest.raises(DavyError, match="frozen"):
            lab.ramp()
        lab.ask(requests.DeletePolicy("ValidatingAdmissionPolicyBinding", f"freeze-{kind.lower()}", "thaw"))
    lab.ramp()


FREEZE = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: freeze-NAME}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [GROUP], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [KINDS]}
  validations:
  - {expression: "false", message: everything is frozen}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: freeze-NAME}
spec: {policyName: freeze-NAME, validationActions: [Deny]}
"""


def test_the_rules_of_the_pack_have_nothing_against_a_ramp(tmp_path: Path) -> None:
    lab = RampLab(tmp_path)
    lab.rules = Rules()
    lab.start()
    lab.declare(RAMPED, lab.template)
    lab.ramp()


def test_more_instances_than_can_be_known_hold_a_ramp(
    ramping: RampLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davy.control.flags.instances.MOST", 2)
    ramping.connect("i-3")
    ramping.ramp()
    ramping.go(3)
    assert ramping.rollout().step == 0
    assert ramping.rollout().trouble == "there are more instances than can be known"


def test_what_was_counted_is_stored_with_what_was_judged_by_it(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.go(3)
    ramping.go(1, 5.0, failing=20, others=20)
    counted = ramping.rollout().revisions[0]
    ramping.start()
    again = ramping.rollout().revisions[0]
    assert (again.requests, again.errors) == (counted.requests, counted.errors) != (0, 0)


def test_what_was_counted_before_a_ramp_began_is_not_of_it(ramping: RampLab) -> None:
    ramping.ramp()
    ramping.go(3, failing=5)
    ramping.ask(requests.Abort("default", NAME, "again"))
    ramping.settle()
    ramping.ramp()
    ramping.settle()
    assert [each.requests for each in ramping.rollout().revisions] == [0, 0]


def test_status_says_how_far_it_has_come(ramping: RampLab) -> None:
    assert ramping.flag().ramp == f"not begun: davy flag ramp {KEY}"
    ramping.ramp()
    ramping.go(2)
    assert ramping.flag().ramp == f"under way, 10 percent: davy get rollout {NAME}"
    ramping.ask(requests.Abort("default", NAME, "stop"))
    assert ramping.flag().ramp == f"over: davy get rollout {NAME}"
