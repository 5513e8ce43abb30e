"""Expansion: what an object will make is judged with it, and what cannot be made refuses."""

from typing import Any

import pytest
from tests.policy.gatekeeper.documents import Document, constraint, expansion, manifest, template

from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Review, review_of
from davy.policy.ruleset import Ruleset, read

PODS = {"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]}
SHOWS = 'package shows\nviolation[{"msg": "x", "details": {"review": input.review}}] { true }\n'
SHOWN = [template(SHOWS, "Shows"), constraint("Shows", match=PODS)]
POD = {"metadata": {"labels": {"a": "b"}, "name": "n"}, "spec": {"containers": [{"name": "c"}]}}
DEPLOYMENT = manifest("Deployment", "apps/v1", "Web", spec={"template": POD})
ROLLOUT = manifest("Rollout", "argoproj.io/v1alpha1", spec={"template": POD})


def judged(ruleset: Ruleset, found: Document, *there: Document, **more: Any) -> list[Violation]:
    review = review_of(found, **more)
    inventory = Inventory(there)
    assert ruleset.matches(review, inventory, Point.CHECK) == bool(
        ruleset.judge(review, inventory, Point.CHECK)
    )
    return list(ruleset.judge(review, inventory, Point.CHECK))


def test_the_pods_of_a_deployment_are_judged_as_gatekeeper_makes_them() -> None:
    (violation,) = judged(read([*SHOWN, expansion()]), DEPLOYMENT)
    assert (violation.message, violation.action) == ("[Implied by pods] x", "deny")
    assert violation.path == "spec.template"
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "Web", "uid": "", "controller": True}
    assert violation.details["review"]["object"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"a": "b"}, "name": "web-pod", "namespace": "shop", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "c"}]},
    }
    assert violation.details["review"]["operation"] == ""
    assert violation.details["review"]["name"] == "web-pod"


def test_without_a_template_nothing_is_made_of_a_deployment() -> None:
    assert judged(read(SHOWN), DEPLOYMENT) == []


def test_a_path_in_the_child_is_one_in_its_parent() -> None:
    rego = 'package says\nviolation[{"msg": "x", "details": {"path": "spec.containers[0]"}}] { true }'
    ruleset = read([template(rego, "Says"), constraint("Says", match=PODS), expansion()])
    assert [each.path for each in judged(ruleset, DEPLOYMENT)] == ["spec.template.spec.containers[0]"]


def test_an_expansion_may_say_what_its_violations_lead_to() -> None:
    ruleset = read([*SHOWN, expansion(enforcementAction="warn")])
    assert [each.action for each in judged(ruleset, DEPLOYMENT)] == ["warn"]


def test_the_namespace_of_the_parent_is_that_of_the_child() -> None:
    match = {"namespaceSelector": {"matchLabels": {"env": "prod"}}, **PODS}
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": "prod"}}}
    ruleset = read([template(), constraint(match=match), expansion()])
    assert [each.broken for each in judged(ruleset, DEPLOYMENT, shop)] == [False]
    assert [each.broken for each in judged(ruleset, DEPLOYMENT)] == [True]


def test_what_is_generated_may_be_told_apart() -> None:
    for source, count in (("Original", 0), ("Generated", 1), ("All", 1)):
        ruleset = read([template(), constraint(match={**PODS, "source": source}), expansion()])
        assert len(judged(ruleset, DEPLOYMENT)) == count


def test_what_has_no_namespace_makes_what_has_none() -> None:
    nowhere = {**DEPLOYMENT, "metadata": {"generateName": "web-"}}
    (violation,) = judged(read([*SHOWN, expansion()]), nowhere)
    metadata = violation.details["review"]["object"]["metadata"]
    assert (metadata["name"], "namespace" in metadata) == ("web--pod", False)


def test_generation_follows_generation_and_each_is_implied_by_its_own() -> None:
    jobs = expansion(
        "jobs",
        applyTo=[{"groups": ["batch"], "kinds": ["CronJob"], "versions": ["v1"]}],
        templateSource="spec.jobTemplate",
        generatedGVK={"group": "batch", "version": "v1", "kind": "Job"},
        enforcementAction="warn",
    )
    pods = expansion(applyTo=[{"groups": ["batch"], "kinds": ["Job"], "versions": ["v1"]}])
    found = manifest("CronJob", "batch/v1", "nightly", spec={"jobTemplate": {"spec": {"template": POD}}})
    (violation,) = judged(read([*SHOWN, jobs, pods]), found)
    assert (violation.message, violation.action) == ("[Implied by pods] x", "deny")
    assert violation.path == "spec.jobTemplate.spec.template"
    assert violation.details["review"]["object"]["metadata"]["name"] == "nightly-job-pod"


def test_deleting_makes_nothing() -> None:
    kind = review_of(DEPLOYMENT).kind
    for found in (None, DEPLOYMENT):
        review = Review(kind=kind, object=found, old_object=DEPLOYMENT, operation="DELETE")
        assert read([*SHOWN, expansion()]).judge(review, Inventory(), Point.ADMISSION) == ()


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, 'error expanding resource Web: could not find source field "spec.template" in resource Web'),
        (None, 'error expanding resource Web: could not find source field "spec.template" in resource Web'),
        ({"template": "x"}, "error expanding resource Web: spec.template is no object"),
        ({"template": None}, "error expanding resource Web: spec.template is no object"),
    ],
)
def test_what_cannot_be_made_refuses_the_review(spec: Any, sentence: str) -> None:
    (violation,) = judged(read([*SHOWN, expansion(enforcementAction="dryrun")]), {**DEPLOYMENT, "spec": spec})
    assert violation.message.startswith(sentence)
    assert (violation.policy, violation.rule, violation.action, violation.broken) == (
        "pods",
        "ExpansionTemplate",
        "deny",
        True,
    )


def test_policies_about_pods_bite_on_rollouts_without_being_told() -> None:
    (violation,) = judged(read(SHOWN), ROLLOUT)
    assert violation.message == "[Implied by rollout-pods] x"
    everything = {"kinds": [{"apiGroups": ["*"], "kinds": ["Deployment"]}]}
    assert judged(read([template(), constraint(match=everything)]), ROLLOUT) == []


def test_a_users_own_expansion_of_rollouts_counts_instead() -> None:
    own = expansion(
        "own", applyTo=[{"groups": ["argoproj.io"], "kinds": ["Rollout"], "versions": ["v1alpha1"]}]
    )
    assert [each.message for each in judged(read([*SHOWN, own]), ROLLOUT)] == ["[Implied by own] x"]


REFERENCES = [
    ({"apiVersion": "apps/v1", "kind": "Deployment", "name": "parked"}, "spec"),
    ({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "parked"}, "spec"),
    ({"apiVersion": "v1", "kind": "PodTemplate", "name": "parked"}, "itself"),
]
OWN = expansion("own", applyTo=[{"groups": ["argoproj.io"], "kinds": ["Rollout"], "versions": ["v1alpha1"]}])


@pytest.mark.parametrize(("reference", "where"), REFERENCES)
@pytest.mark.parametrize("documents", [SHOWN, [*SHOWN, OWN]])
def test_the_workload_that_a_rollout_names_is_looked_up(
    reference: Document, where: str, documents: list[Document]
) -> None:
    referring = {**ROLLOUT, "spec": {"workloadRef": reference}}
    body = {"template": POD} if where == "itself" else {"spec": {"template": POD}}
    parked = {**manifest(reference["kind"], reference["apiVersion"], "parked"), **body}
    (violation,) = judged(read(documents), referring, parked)
    assert violation.details["review"]["object"]["spec"] == POD["spec"]


@pytest.mark.parametrize(
    "workload",
    [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"},
        {"apiVersion": "apps/v1", "kind": "Deployment"},
        {"apiVersion": "example.com/v1", "kind": "Thing", "name": "web"},
    ],
)
def test_a_workload_that_is_not_known_makes_nothing_unless_somebody_says_it_must(workload: Document) -> None:
    referring = {**ROLLOUT, "spec": {"workloadRef": workload}}
    thing = manifest("Thing", "example.com/v1")
    assert judged(read(SHOWN), referring, thing) == []
    assert [each.broken for each in judged(read([*SHOWN, OWN]), referring, thing)] == [True]


@pytest.mark.parametrize("spec", [None, {}, {"template": "x"}])
def test_a_rollout_without_pods_makes_none(spec: Any) -> None:
    assert judged(read(SHOWN), {**ROLLOUT, "spec": spec}) == []


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**expansion(), "apiVersion": "expansion.gatekeeper.sh/v9"}, "apiVersion"),
        ({**expansion(), "metadata": {}}, "metadata.name"),
        (expansion("x" * 64), "metadata.name"),
        (expansion(templateSource="spec..template"), "spec.templateSource"),
        (expansion(templateSource=None), "spec.templateSource"),
        (expansion(generatedGVK={}), "spec.generatedGVK"),
        (expansion(generatedGVK={"group": "apps", "version": "v1", "kind": "Deployment"}), "spec.generatedGVK"),
        (expansion(enforcementAction="block"), "spec.enforcementAction"),
        (expansion(apply=[]), "spec.apply"),
    ],
)
def test_an_expansion_that_is_wrong_refuses_what_it_applies_to(document: Document, path: str) -> None:
    ruleset = read([*SHOWN, document])
    assert [(each.severity, each.path) for each in ruleset.problems] == [("error", path)]
    (violation,) = judged(ruleset, DEPLOYMENT)
    assert violation.broken
    assert "this expansion cannot be used" in violation.message
    assert judged(ruleset, manifest("Service")) == []


@pytest.mark.parametrize("apply", [[], [{"kinds": ["Deployment"], "versions": ["v1"]}], ["x"]])
def test_an_expansion_of_nothing_is_told(apply: Any) -> None:
    ruleset = read([*SHOWN, expansion(applyTo=apply)])
    assert [each.path.partition("[")[0] for each in ruleset.problems] == ["spec.applyTo"]
    assert judged(ruleset, DEPLOYMENT) == []


def test_two_of_one_name_and_a_circle_are_refused() -> None:
    assert read([expansion(), expansion()]).problems == ()
    ruleset = read([*SHOWN, expansion(), expansion(enforcementAction="warn")])
    assert [each.path for each in ruleset.problems] == ["metadata.name"]
    back = expansion(
        "back",
        applyTo=[{"groups": [""], "kinds": ["Pod"], "versions": ["v1"]}],
        generatedGVK={"group": "apps", "version": "v1", "kind": "Deployment"},
    )
    circle = read([*SHOWN, expansion(), back])
    assert [each.path for each in circle.problems] == ["spec.generatedGVK"]
    assert any(each.broken for each in judged(circle, DEPLOYMENT))


def test_there_is_an_end_to_generations() -> None:
    chain = [
        expansion(
            f"e{at}",
            applyTo=[{"groups": ["g"], "kinds": [f"K{at}"], "versions": ["v1"]}],
            templateSource="t",
            generatedGVK={"group": "g", "version": "v1", "kind": f"K{at + 1}"},
        )
        for at in range(32)
    ]
    deep: Document = {}
    for _ in range(32):
        deep = {"t": deep}
    (violation,) = judged(read([*SHOWN, *chain]), {**manifest("K0", "g/v1"), **deep})
    assert "more than 30 times" in violation.message
