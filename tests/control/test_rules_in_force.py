"""Which rules are in force: the newest set that could be read, with what is there now."""

from dataclasses import replace
from typing import Any

from tests.policy.asking import deployment
from tests.serve.test_admission import granted

from davy.control.rules_in_force import in_force
from davy.control.sound_policies import SoundPolicies
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import Operation, review_of
from davy.policy.truthful_waivers import TruthfulWaivers
from davy.policy.waiver_file import document_of

REGO = """
package nodeployments
violation[{"msg": msg}] {
  input.review.object.kind == "Deployment"
  msg := "use a Rollout"
}
"""


def template(rego: str = REGO) -> dict[str, Any]:
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": "nodeployments"},
        "spec": {
            "crd": {"spec": {"names": {"kind": "NoDeployments"}}},
            "targets": [{"target": "admission.k8s.gatekeeper.sh", "rego": rego}],
        },
    }


def constraint(action: str = "deny") -> dict[str, Any]:
    return {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": "NoDeployments",
        "metadata": {"name": "no-deployments"},
        "spec": {
            "enforcementAction": action,
            "match": {"kinds": [{"apiGroups": ["apps"], "kinds": ["Deployment"]}]},
        },
    }


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}
GOOD = (template(), constraint())
BAD = (template("package x\nviolation[{"), constraint())


def test_a_set_is_an_edition_whatever_the_order_of_its_documents() -> None:
    first = in_force(None, GOOD)
    assert (first.edition.generation, first.problem) == (1, "")
    assert in_force(first, GOOD[::-1]).edition == first.edition
    second = in_force(first, (template(), constraint("warn")))
    assert second.edition.generation == 2
    assert second.edition.digest != first.edition.digest


def test_a_set_that_cannot_be_read_replaces_none_that_can() -> None:
    first = in_force(None, GOOD)
    second = in_force(first, (*BAD, NAMESPACE, document_of(granted(0))))
    assert second.edition == first.edition
    assert second.governance.rules == first.governance.rules
    assert second.problem.startswith(
        "newer policies cannot be read, and those before them stay in force: Constraint"
    )
    assert second.governance.inventory.namespace("prod") == NAMESPACE
    assert len(second.governance.waivers) == 1
    assert in_force(second, GOOD).problem == ""


def test_the_first_set_is_taken_as_it_is_and_a_better_one_replaces_it() -> None:
    first = in_force(None, BAD)
    assert "ConstraintTemplate nodeployments" in first.problem
    assert in_force(first, BAD).problem == first.problem
    assert in_force(first, (template("package x\n}"), constraint())).edition.generation == 2
    assert in_force(first, GOOD).problem == ""


def test_a_waiver_that_cannot_be_read_is_told_and_excuses_nothing() -> None:
    good, other = document_of(granted(0)), document_of(granted(2))
    bad = {**good, "metadata": {"name": "w-0"}, "spec": {}}
    found = in_force(None, (*GOOD, good, good, bad))
    assert [waiver.id for waiver in found.governance.waivers] == ["w-7f3a21"]
    assert found.notes[0].startswith("waiver w-0 is not applied: ")
    assert found.problem == ""
    twice = in_force(found, (*GOOD, good, other))
    assert twice.governance.waivers == ()
    assert twice.notes == (
        "waiver w-7f3a21 is there twice with different content, and none of them is applied",
    )


def test_who_writes_waivers_is_always_judged() -> None:
    found = in_force(None, ())
    assert any(isinstance(policy, TruthfulWaivers) for policy in found.governance.policies)
    assert in_force(found, (deployment(),)).governance.inventory.objects == (deployment(),)


def written(found: dict[str, Any], *there: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    """Return what is said of writing a policy beside those that are there."""
    operation: Operation = "CREATE" if old is None else "UPDATE"
    review = replace(review_of(found, old=old), operation=operation)
    return [each.message for each in in_force(None, there).governance.decide(review).violations]


def test_a_policy_that_cannot_be_read_is_not_let_in() -> None:
    assert written(template()) == []
    assert written(constraint(), template()) == []
    (said,) = written(template("package x\nviolation[{"), *GOOD, old=template())
    assert "rego_parse_error" in said
    assert written(constraint()) != []
    assert written({**constraint(), "spec": {"enforcementAction": "denny"}}, *GOOD) != []


def test_what_is_taken_away_and_what_is_no_policy_is_not_its_matter() -> None:
    policy = SoundPolicies()
    bad = replace(review_of(template("package x\n{")), operation="CREATE")
    assert policy.judge(bad, Inventory(), Point.ADMISSION)
    for review in (replace(bad, operation="DELETE"), replace(bad, sub_resource="status"), review_of(NAMESPACE)):
        assert policy.judge(review, Inventory(), Point.ADMISSION) == ()
