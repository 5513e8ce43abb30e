"""The policies of an engine: a profile is not lowered in silence, and policies are held to policies."""

import json
from typing import Any

import pytest

from davy.cli.up import policies_of
from davy.control import requests
from davy.control.enforcing import Denied
from davy.control.rulebook import Rulebook, Rules, name_of
from davy.errors import NotFound, UsageError
from davy.policy import pack
from davy.policy.review import Object


def engine(lab: Any, profile: str | None = None, reason: str = "", first: str = "starter") -> Any:
    lab.rules = Rules(pack=policies_of, profile=profile, first=first, reason=reason)
    lab.start()
    return [entry for entry in lab.store.entries() if entry.kind == "engine_started"][-1]


def constraint(lab: Any, action: str) -> Object:
    """Return a constraint of the strict profile that denies, with another action."""
    found = next(each for each in pack.objects("strict") if each["metadata"]["name"] == "davy-tampering-deny")
    return {**found, "spec": {**found["spec"], "enforcementAction": action}}


def apply(lab: Any, found: Object) -> Any:
    return lab.ask(requests.Apply((("policy.json", json.dumps(found)),), "/"))


def test_a_profile_is_kept_and_is_lowered_only_with_a_reason(lab: Any) -> None:
    assert engine(lab).detail["profile"] == "starter"
    assert engine(lab, "strict").detail["profile"] == "strict"
    assert engine(lab).detail["profile"] == "strict"
    with pytest.raises(UsageError, match="lowered from strict to starter, and nobody says why"):
        engine(lab, "starter")
    entry = engine(lab, "starter", "too much at once")
    assert (entry.detail["profile"], entry.detail["loweredFrom"], entry.reason) == (
        "starter",
        "strict",
        "too much at once",
    )


def test_an_engine_without_a_pack_says_nothing_of_profiles(lab: Any) -> None:
    assert "profile" not in engine(lab, first="").detail


def test_weakening_a_policy_is_itself_judged(lab: Any) -> None:
    engine(lab, "strict")
    view = apply(lab, constraint(lab, "dryrun"))
    assert not view.accepted
    assert "PD013" in [finding.code for finding in view.findings]


@pytest.mark.parametrize(
    "version",
    [
        "constraints.gatekeeper.sh/v1",
        "constraints.gatekeeper.sh/v1alpha1",
        "kyverno.io/v1",
        "policies.kyverno.io/v1",
        "config.gatekeeper.sh/v1alpha1",
        "expansion.gatekeeper.sh/v1beta1",
        "templates.gatekeeper.sh/v1",
        "externaldata.gatekeeper.sh/v1beta1",
    ],
)
def test_a_policy_is_not_weakened_by_another_spelling_of_what_it_is(lab: Any, version: str) -> None:
    """Another version of it is the same policy; what has another group never takes its place."""
    engine(lab, "strict")
    view = apply(lab, {**constraint(lab, "dryrun"), "apiVersion": version})
    if version.startswith("constraints."):
        assert "PD013" in [finding.code for finding in view.findings if finding.severity == "error"]
    assert not apply(lab, constraint(lab, "warn")).accepted
    assert apply(lab, constraint(lab, "deny")).applied[0].outcome == "unchanged"


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_a_template_is_not_emptied_by_another_version_of_it(lab: Any, version: str) -> None:
    engine(lab, "strict")
    found = next(each for each in pack.objects("strict") if each["kind"] == "ConstraintTemplate")
    [target] = found["spec"]["targets"]
    nothing = {"target": target["target"], "rego": 'package a\nviolation[{"msg": "x"}] { false }'}
    empty = {
        **found,
        "apiVersion": f"templates.gatekeeper.sh/{version}",
        "spec": {**found["spec"], "targets": [nothing]},
    }
    view = apply(lab, empty)
    assert not view.accepted
    assert "PD013" in [finding.code for finding in view.findings]


@pytest.mark.parametrize("version", ["constraints.gatekeeper.sh/v1beta1", "constraints.gatekeeper.sh/v1"])
def test_a_policy_is_not_weakened_behind_one_that_stays_as_it_is(lab: Any, version: str) -> None:
    engine(lab, "strict")
    weak = {**constraint(lab, "dryrun"), "apiVersion": version}
    texts = (("a.json", json.dumps(constraint(lab, "deny"))), ("b.json", json.dumps(weak)))
    view = lab.ask(requests.Apply(texts, "/"))
    assert not view.accepted
    assert "DV014" in [finding.code for finding in view.findings]


def test_a_policy_that_is_applied_is_kept_and_taking_it_away_is_judged(lab: Any) -> None:
    engine(lab, "strict")
    found = constraint(lab, "deny")
    mine = {**found, "metadata": {"name": "mine"}}
    [applied] = apply(lab, mine).applied
    assert (applied.object_kind, applied.name, applied.outcome) == (mine["kind"], "mine", "created")
    engine(lab)
    [again] = apply(lab, mine).applied
    assert again.outcome == "unchanged"
    with pytest.raises(Denied, match="mine"):
        lab.ask(requests.DeletePolicy(mine["kind"], "mine", "in the way"))
    with pytest.raises(NotFound, match="is of the profile strict"):
        lab.ask(requests.DeletePolicy(found["kind"], found["metadata"]["name"], "x"))
    with pytest.raises(NotFound, match="there is no policy"):
        lab.ask(requests.DeletePolicy("ConstraintTemplate", "none", "x"))


def test_a_policy_is_taken_away_where_policies_only_warn(lab: Any) -> None:
    engine(lab)
    found = next(each for each in pack.objects("strict") if each["metadata"]["name"] == "davy-strategy-deny")
    mine = {**found, "metadata": {"name": "mine"}}
    assert apply(lab, mine).accepted
    message = lab.ask(requests.DeletePolicy(mine["kind"], "mine", "in the way")).message
    assert message == f'{mine["kind"].lower()} "mine" deleted'
    assert [entry.reason for entry in lab.store.entries() if entry.kind == "object_deleted"] == ["in the way"]
    engine(lab)
    assert apply(lab, mine).applied[0].outcome == "created"


def test_a_policy_of_an_engine_without_a_pack_can_be_taken_away(lab: Any) -> None:
    book = Rulebook(lab.store, Rules())
    policy = {"apiVersion": "kyverno.io/v1", "kind": "Policy", "metadata": {"namespace": "shop", "name": "a"}}
    assert book.outcome(policy) == "created"
    book.put([policy])
    assert name_of(policy) == "Policy/shop/a"
    assert book.outcome({**policy, "spec": {}}) == "configured"
    book.remove("Policy/shop/a")
    assert book.documents == ()


def test_policies_that_cannot_be_read_are_refused(lab: Any) -> None:
    engine(lab)
    template = {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": "a"},
    }
    view = apply(lab, template)
    assert not view.accepted
    assert "DV017" in [finding.code for finding in view.findings]
