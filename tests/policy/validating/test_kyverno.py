"""Kyverno's policies: ValidatingPolicy whole, ClusterPolicy as far as it is CEL, and the pods of objects."""

from typing import Any

import msgspec
import pytest

from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Review, review_of
from davy.policy.validating.reading import read

POLICY = """
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: own-images}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]
  variables: [{name: images, expression: 'object.spec.containers.map(c, c.image)'}]
  validations:
  - expression: variables.images.all(image, image.startsWith("own/"))
    message: only our own images
"""
CLASSIC = """
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: own-images}
spec:
  validationFailureAction: Enforce
  rules:
  - name: images
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      message: only our own images
      cel: {expressions: [{expression: 'object.spec.containers.all(c, c.image.startsWith("own/"))'}]}
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"a": "1"}, "annotations": {"team": "blue"}},
    "spec": {"containers": [{"name": "web", "image": "other/web"}]},
}
TEMPLATE = {"metadata": {"labels": {"a": "1"}}, "spec": POD["spec"]}


def made(api_version: str, kind: str, spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
    }


DEPLOYMENT = made("apps/v1", "Deployment", {"template": TEMPLATE})
ROLLOUT = made("argoproj.io/v1alpha1", "Rollout", {"template": TEMPLATE})
CRON = made("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": TEMPLATE}}})


def policy(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.yaml.decode(POLICY)
    return {**found, "spec": {**found["spec"], **changes}}


def classic(*, validate: Any = None, spec: Any = None, metadata: Any = None, **rule: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.yaml.decode(CLASSIC)
    first = found["spec"]["rules"][0]
    first["validate"] |= validate or {}
    found["spec"]["rules"] = [{**first, **rule}]
    found["metadata"] |= metadata or {}
    return {**found, "spec": {**found["spec"], **(spec or {})}}


def judged(subject: Any, found: Any, *there: Any, review: Review | None = None) -> list[Violation]:
    reading = read([subject])
    assert reading.problems == ()
    asked = review_of(found) if review is None else review
    return [each for one in reading.policies for each in one.judge(asked, Inventory(there), Point.CHECK)]


@pytest.mark.parametrize("subject", [policy(), classic()])
@pytest.mark.parametrize("found", [POD, DEPLOYMENT, ROLLOUT, CRON])
def test_pods_are_judged_wherever_they_are_made(subject: Any, found: Any) -> None:
    (violation,) = judged(subject, found)
    assert (violation.policy, violation.message, violation.action) == (
        "own-images",
        "only our own images",
        "deny",
    )
    assert not violation.broken


def test_what_makes_no_pod_is_not_judged() -> None:
    reference = made("argoproj.io/v1alpha1", "Rollout", {"workloadRef": {"kind": "Deployment", "name": "web"}})
    assert judged(policy(), reference) == []
    assert judged(policy(), made("apps/v1", "Deployment", 5)) == []
    assert judged(policy(), made("v1", "ConfigMap", {})) == []
    scale = Review(kind=Kind("apps", "v1", "Deployment"), object=DEPLOYMENT, sub_resource="scale")
    assert judged(policy(), None, review=scale) == []


def test_an_update_looks_at_the_pods_before_and_after() -> None:
    old = made("apps/v1", "Deployment", {"template": {"spec": {"containers": []}}})
    found = policy(
        validations=[{"expression": "size(oldObject.spec.containers) == 0 && object.metadata.name == 'web'"}]
    )
    assert judged(found, None, review=review_of(DEPLOYMENT, old=old)) == []
    unplaced = {**DEPLOYMENT, "metadata": {"name": "web"}}
    placed = policy(validations=[{"expression": "!has(object.metadata.namespace)"}])
    assert judged(placed, unplaced) == []


def test_autogen_may_be_limited() -> None:
    only = policy(autogen={"podControllers": {"controllers": ["deployments"]}})
    assert len(judged(only, DEPLOYMENT)) == 1
    assert judged(only, ROLLOUT) == []
    assert judged(policy(autogen={"podControllers": {"controllers": []}}), DEPLOYMENT) == []
    noted = classic(metadata={"annotations": {"pod-policies.kyverno.io/autogen-controllers": "Deployment,Job"}})
    assert len(judged(noted, DEPLOYMENT)) == 1
    assert judged(noted, ROLLOUT) == []
    others = classic(match={"any": [{"resources": {"kinds": ["Pod", "Service"]}}]})
    assert judged(others, DEPLOYMENT) == []
    services = {
        "resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]
    }
    assert (
        len(judged(policy(matchConstraints=services, validations=[{"expression": "false"}]), DEPLOYMENT)) == 1
    )


def test_a_namespaced_policy_is_in_force_in_its_namespace() -> None:
    own = {**policy(), "kind": "NamespacedValidatingPolicy", "metadata": {"name": "own", "namespace": "shop"}}
    assert len(judged(own, POD)) == 1
    assert judged(own, {**POD, "metadata": {"name": "web", "namespace": "far"}}) == []
    rule = {**classic(metadata={"namespace": "shop"}), "kind": "Policy"}
    assert len(judged(rule, POD)) == 1
    assert judged(rule, {**POD, "metadata": {"name": "web", "namespace": "far"}}) == []


def test_a_namespace_that_nobody_knows_refuses() -> None:
    asks = {"namespaceSelector": {"matchLabels": {"tier": "prod"}}}
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"tier": "prod"}}}
    rules = policy()["spec"]["matchConstraints"]
    both = (
        policy(matchConstraints=rules | asks),
        classic(match={"any": [{"resources": {"kinds": ["Pod"], **asks}}]}),
    )
    for subject in both:
        (violation,) = judged(subject, POD)
        assert violation.broken
        assert violation.message == "namespace shop is not known, and namespaceSelector asks for its labels"
        assert [each.broken for each in judged(subject, POD, shop)] == [False]


def test_kyvernos_dialect() -> None:
    expression = (
        "object.metadata.name.orValue('x') == 'web' && base64.encode(b'a') == 'YQ==' && cel.bind(a, 1, a == 1)"
    )
    assert judged(policy(validations=[{"expression": expression}]), POD) == []


@pytest.mark.parametrize(("written", "action"), [(["Audit"], "dryrun"), (["Warn"], "warn"), ([], "deny")])
def test_actions(written: list[str], action: str) -> None:
    assert [each.action for each in judged(policy(validationActions=written), POD)] == [action]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"validations": []}, "spec.validations", "a policy needs a validation"),
        ({"evaluation": {"mode": "JSON"}}, "spec.evaluation.mode", "needs mode JSON: not evaluated here"),
        (
            {"autogen": {"podControllers": {"controllers": ["rollout"]}}},
            "spec.autogen.podControllers.controllers",
            "'rollout' makes no pods that are known here",
        ),
        (
            {"validations": [{"expression": "resource.Get('v1', 'configmaps', 'a', 'b') != null"}]},
            "spec.validations[0].expression",
            "needs resource, at 1:1: not evaluated here",
        ),
    ],
)
def test_a_policy_that_cannot_be_used_is_told_and_refuses(changes: Any, path: str, message: str) -> None:
    reading = read([policy(**changes)])
    (told,) = reading.problems
    assert (told.severity, told.path) == ("error", path)
    assert message in told.message
    (found,) = [
        each for one in reading.policies for each in one.judge(review_of(POD), Inventory(), Point.CHECK)
    ]
    assert found.broken
    assert found.message == "policy own-images cannot be used: see its problems"


@pytest.mark.parametrize(
    ("resources", "fits"),
    [
        ({"kinds": ["Pod"]}, True),
        ({"kinds": ["v1/Pod"]}, True),
        ({"kinds": ["*/Pod"]}, True),
        ({"kinds": ["/v1/Pod"]}, True),
        ({"kinds": ["apps/v1/Pod"]}, False),
        ({"kinds": ["Pod/exec"]}, False),
        ({"kinds": ["Pod.exec"]}, False),
        ({"kinds": ["Po?"]}, True),
        ({"kinds": ["*"]}, True),
        ({"kinds": ["*/*/*"]}, True),
        ({"kinds": ["Service", "P*"]}, True),
        ({"names": ["w*", "x"]}, True),
        ({"name": "api"}, False),
        ({"name": "w[a-z]b"}, False),
        ({"namespaces": ["sh*"]}, True),
        ({"namespaces": ["prod"]}, False),
        ({"operations": ["CREATE"]}, True),
        ({"operations": ["DELETE"]}, False),
        ({"annotations": {"te*": "b*"}}, True),
        ({"annotations": {"team": "red"}}, False),
        ({"selector": {"matchLabels": {"a": "1"}}}, True),
        ({"selector": {"matchLabels": {"a": "2"}}}, False),
    ],
)
def test_resource_filters(resources: Any, fits: bool) -> None:
    assert bool(judged(classic(match={"any": [{"resources": resources}]}), POD)) == fits
    assert bool(judged(classic(match={"resources": resources}), POD)) == fits
    assert bool(judged(classic(match={"all": [{"resources": resources}]}), POD)) == fits
    assert bool(judged(classic(exclude={"any": [{"resources": resources}]}), POD)) != fits


def test_any_and_all() -> None:
    one, other = {"resources": {"kinds": ["Pod"]}}, {"resources": {"names": ["api"]}}
    assert len(judged(classic(match={"any": [one, other]}), POD)) == 1
    assert judged(classic(match={"all": [one, other]}), POD) == []
    assert judged(classic(match={}), POD) == []


def test_namespaces_in_filters() -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"tier": "prod"}}}
    false = {"cel": {"expressions": [{"expression": "false"}]}}
    by_name = classic(match={"any": [{"resources": {"namespaces": ["shop"]}}]}, validate=false)
    by_label = classic(
        match={"any": [{"resources": {"namespaceSelector": {"matchLabels": {"tier": "prod"}}}}]}, validate=false
    )
    assert len(judged(by_name, shop)) == len(judged(by_label, shop)) == 1
    assert judged(by_label, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}) == []


def test_conditions_variables_and_messages() -> None:
    cel = {
        "variables": [{"name": "images", "expression": "object.spec.containers.map(c, c.image)"}],
        "expressions": [
            {"expression": "variables.images == []", "message": "none", "messageExpression": "'no ' + 'image'"}
        ],
    }
    subject = classic(
        validate={"cel": cel}, celPreconditions=[{"name": "web", "expression": "object.metadata.name == 'web'"}]
    )
    (found,) = judged(subject, POD)
    assert found.message == "no image"
    assert found.details == {"rule": "images"}
    assert judged(subject, {**POD, "metadata": {"name": "api"}}) == []


@pytest.mark.parametrize(
    ("where", "written", "action"),
    [
        ("spec", "audit", "dryrun"),
        ("spec", "enforce", "deny"),
        ("validate", "Audit", "dryrun"),
        ("spec", None, "dryrun"),
    ],
)
def test_failure_actions(where: str, written: Any, action: str) -> None:
    name = "failureAction" if where == "validate" else "validationFailureAction"
    changes: dict[str, Any] = {where: {name: written}}
    assert [each.action for each in judged(classic(**changes), POD)] == [action]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"mutate": {"a": 1}}, "mutate", "needs mutate: not evaluated here"),
        ({"generate": {"a": 1}}, "generate", "needs generate: not evaluated here"),
        ({"verifyImages": [{"a": 1}]}, "verifyImages", "needs verifyImages: not evaluated here"),
        ({"context": [{"apiCall": {}}]}, "context", "needs context: not evaluated here"),
        ({"preconditions": {"all": []}}, "preconditions", "needs preconditions: not evaluated here"),
        ({"validate": {"pattern": {"spec": 1}}}, "validate.pattern", "needs pattern: not evaluated here"),
        ({"validate": {"deny": {}}}, "validate.deny", "needs deny: not evaluated here"),
        (
            {"validate": {"cel": {"paramKind": {}}}},
            "validate.cel.paramKind",
            "needs paramKind: not evaluated here",
        ),
        ({"validate": {"cel": {}}}, "validate.cel.expressions", "a rule needs an expression"),
        ({"validate": {"failureAction": "Warn"}}, "", "'Warn' is no failure action"),
        ({"spec": {"validationFailureActionOverrides": [1]}}, "", "needs validationFailureActionOverrides"),
        ({"match": {"any": [], "all": []}}, "match", "this has any and all at once"),
        ({"match": {"any": [{"subjects": [1]}]}}, "match.any[0].subjects", "needs subjects"),
    ],
)
def test_what_a_rule_needs_is_refused_by_name(changes: Any, path: str, message: str) -> None:
    reading = read([classic(**changes)])
    (told,) = reading.problems
    assert told.severity == "error"
    assert told.path == f"spec.rules[0].{path}".rstrip(".")
    assert message in told.message
    assert reading.policies == ()


def test_rules_that_are_none() -> None:
    assert [each.path for each in read([classic(spec={"rules": 5})]).problems] == ["spec.rules"]


def test_other_kinds_of_kyvernos_are_told() -> None:
    (told,) = read([{"apiVersion": "policies.kyverno.io/v1", "kind": "MutatingPolicy"}]).problems
    assert (told.severity, told.path) == ("warning", "kind")
    assert told.message == "MutatingPolicy is not read here; Kyverno may do more than Davy says"
    (told,) = read([{**policy(), "apiVersion": "policies.kyverno.io/v7"}]).problems
    assert told.severity == "error"
