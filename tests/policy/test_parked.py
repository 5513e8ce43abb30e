"""A Deployment that only carries a Rollout's template is not refused for being one, and for all else it is."""

from pathlib import Path
from typing import Any

import pytest
from tests.policy.gatekeeper.documents import constraint, template

from davy.model.loader import load_raw
from davy.policy.decision import Decision, decide
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Review, review_of
from davy.policy.ruleset import read

SEED = Path(__file__).parents[1] / "cases" / "seed"
SEEDS_POLICY = read(
    [
        document.value
        for name in ("require-progressive-template.yaml", "require-progressive-constraint.yaml")
        for document in load_raw((SEED / name).read_text(), name)
    ]
)


def deployment(replicas: Any = 0, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"replicas": replicas, **spec},
    }


def rollout(name: str = "web", **reference: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, **reference}},
    }


def asked(found: Any, *there: Any, rules: Any = SEEDS_POLICY) -> Decision:
    review = found if isinstance(found, Review) else review_of(found)
    return decide([rules], review, Inventory(there), point=Point.CHECK)


def test_the_seeds_policy_lets_a_rollout_take_its_template_from_a_deployment_that_runs_nothing() -> None:
    decision = asked(deployment(), rollout())
    assert decision.allowed
    (told,) = decision.violations
    assert told.message == "Use Rollout with analysis in prod; Deployments are not allowed"
    assert told.note == "not held against it: it runs nothing, and the Rollout web takes its template from it"


@pytest.mark.parametrize(
    ("found", "there"),
    [
        pytest.param(deployment(), [], id="no rollout takes it"),
        pytest.param(deployment(), [rollout("other")], id="a rollout takes another"),
        pytest.param(deployment(), [rollout(kind="ReplicaSet")], id="a rollout takes another kind"),
        pytest.param(deployment(), [rollout(apiVersion="extensions/v1beta1")], id="of another group"),
        pytest.param(deployment(), [{**rollout(), "spec": None}], id="a rollout that says nothing"),
        pytest.param(deployment(1), [rollout()], id="it runs"),
        pytest.param(deployment("0"), [rollout()], id="who knows what it runs"),
        pytest.param({**deployment(), "spec": None}, [rollout()], id="it runs one by default"),
    ],
)
def test_any_other_deployment_is_refused(found: Any, there: Any) -> None:
    decision = asked(found, *there)
    assert not decision.allowed
    assert decision.violations[0].note == ""


def test_scaling_it_up_is_another_matter() -> None:
    scale = Review(
        kind=Kind("apps", "v1", "Deployment"),
        object=deployment(),
        name="web",
        namespace="prod",
        sub_resource="scale",
    )
    assert not asked(scale, rollout()).allowed


CONTENT = {
    "labels": 'input.review.kind.kind == "Deployment"; not input.review.object.metadata.labels.team',
    "spec": "input.review.object.spec.replicas < 2",
    "all of it": 'object := input.review.object; object.kind == "Deployment"',
    "the whole input": 'x := input; x.review.kind.kind == "Deployment"',
    "a field by a variable": 'some name; input.review[name].kind == "Deployment"',
    "what else is there, one by one": "not data.inventory.cluster.v1.Namespace.prod",
    "what else is there": "not data.inventory.namespace.prod.v1.Service",
    "before": "is_null(input.review.oldObject)",
}


@pytest.mark.parametrize("body", CONTENT.values(), ids=CONTENT)
def test_what_a_policy_has_against_its_content_counts(body: str) -> None:
    rules = read([template(f'package always\nviolation[{{"msg": "no"}}] {{ {body} }}'), constraint()])
    decision = asked(deployment(), rollout(), rules=rules)
    assert [violation.of_kind for violation in decision.violations] == [False]
    assert not decision.allowed


KIND = {
    "kind": 'input.review.kind.kind == "Deployment"',
    "the kind it says": 'input.review.object.kind == "Deployment"',
    "name": 'startswith(input.review.object.metadata.name, "w")',
    "parameters": "not input.parameters.allowed",
    "a library": "data.lib.kinds.banned(input.review.kind.kind)",
}


@pytest.mark.parametrize("body", KIND.values(), ids=KIND)
def test_what_a_policy_has_against_the_kind_does_not(body: str) -> None:
    library = 'package lib.kinds\nbanned(kind) { kind == "Deployment" }'
    code = f'package always\nviolation[{{"msg": "no"}}] {{ {body} }}'
    rules = read([template(code, libs=[library]), constraint()])
    assert asked(deployment(), rollout(), rules=rules).allowed
    assert not asked(deployment(1), rollout(), rules=rules).allowed
