"""ValidatingAdmissionPolicies: what they are about, what they say, and how they fail."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Review, review_of
from davy.policy.validating.reading import Reading, is_validating, read

ROLLOUT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"team": "a"}},
    "spec": {"replicas": 9},
}
SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"tier": "prod"}}}
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [argoproj.io], apiVersions: [v1alpha1], operations: [CREATE, UPDATE], resources: [rollouts]}
  validations:
  - expression: object.spec.replicas <= 5
"""
BINDING = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec: {policyName: few-replicas, validationActions: [Deny]}
"""


def policy(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.yaml.decode(POLICY)
    found["spec"] |= changes
    return {**found, "spec": {name: value for name, value in found["spec"].items() if value is not None}}


def binding(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.yaml.decode(BINDING)
    found["spec"] |= changes
    return found


def judged(
    reading: Reading, found: Mapping[str, Any] = ROLLOUT, *there: Any, review: Review | None = None
) -> list[Violation]:
    asked = review_of(found) if review is None else review
    inventory = Inventory(there)
    return [each for one in reading.policies for each in one.judge(asked, inventory, Point.CHECK)]


def said(*objects: Any, found: Any = ROLLOUT, there: Any = (), review: Review | None = None) -> list[str]:
    reading = read(objects)
    assert reading.problems == ()
    return [each.message for each in judged(reading, found, *there, review=review)]


def problem(*objects: Any) -> tuple[str, str, str]:
    (found,) = read(objects).problems
    return found.severity, found.path, found.message


def test_says_which_expression_failed() -> None:
    reading = read([policy(), binding()])
    assert reading.problems == ()
    (found,) = judged(reading)
    assert found == Violation(
        "few-replicas",
        "few-replicas",
        "failed expression: object.spec.replicas <= 5",
        details={"binding": "everywhere"},
        source="ValidatingAdmissionPolicy",
    )
    assert judged(reading, {**ROLLOUT, "spec": {"replicas": 5}}) == []


def validation(**more: Any) -> list[dict[str, Any]]:
    return [{"expression": "object.spec.replicas <= 5", **more}]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"message": " too many "}, "too many"),
        ({"message": "many", "messageExpression": "'got ' + string(object.spec.replicas)"}, "got 9"),
        ({"message": "many", "messageExpression": "string(object.spec.nothing)"}, "many"),
        ({"message": "many", "messageExpression": "'  '"}, "many"),
        ({"message": "many", "messageExpression": "'a\\nb'"}, "many"),
        ({"message": "many", "messageExpression": "'x'.replace('x', object.metadata.long)"}, "many"),
        ({"reason": "Forbidden"}, "failed expression: object.spec.replicas <= 5"),
    ],
)
def test_says_what_the_policy_says(more: dict[str, Any], message: str) -> None:
    found = {**ROLLOUT, "metadata": {"name": "web", "long": "x" * 6000}}
    assert said(policy(validations=validation(**more)), binding(), found=found) == [message]


def test_an_error_refuses_unless_errors_are_ignored() -> None:
    broken = [{"expression": "object.spec.nothing > 1"}, *validation()]
    (error, failed) = judged(read([policy(validations=broken), binding()]))
    assert error.broken
    assert error.message == "expression 'object.spec.nothing > 1' resulted in error: no such key: nothing"
    assert not failed.broken
    ignoring = policy(validations=broken, failurePolicy="Ignore")
    assert said(ignoring, binding()) == ["failed expression: object.spec.replicas <= 5"]


def test_variables_are_evaluated_once_and_when_they_are_asked_for() -> None:
    variables = [
        {"name": "replicas", "expression": "object.spec.replicas"},
        {"name": "twice", "expression": "variables.replicas * 2"},
        {"name": "wrong", "expression": "object.spec.nothing"},
    ]
    good = policy(variables=variables, validations=[{"expression": "variables.twice + variables.twice == 36"}])
    assert said(good, binding()) == []
    bad = policy(variables=variables, validations=[{"expression": "variables.wrong == 1"}])
    assert said(bad, binding()) == [
        "expression 'variables.wrong == 1' resulted in error: "
        'composited variable "wrong" fails to evaluate: no such key: nothing'
    ]
    every = policy(variables=variables, validations=[{"expression": "size(dyn(variables)) == 2"}])
    assert said(every, binding()) == ["failed expression: size(dyn(variables)) == 2"]
    named = policy(
        variables=variables, validations=[{"expression": "dyn(variables).all(name, name != 'twice')"}]
    )
    assert len(said(named, binding())) == 1


def test_a_variable_that_takes_too_long_refuses() -> None:
    loops = "lists.range(1000).map(a, lists.range(1000).map(b, lists.range(1000).map(c, c)))"
    found = policy(
        variables=[{"name": "long", "expression": loops}],
        validations=[{"expression": "size(variables.long) == 1 || true", "messageExpression": "'a'"}],
    )
    (error,) = judged(read([found, binding()]))
    assert "cost limit exceeded" in error.message


def test_a_message_that_takes_too_long_refuses() -> None:
    loops = "string(size(lists.range(10000).map(a, lists.range(10000).map(b, b))))"
    found = policy(validations=validation(messageExpression=loops))
    (error,) = judged(read([found, binding()]))
    assert "cost limit exceeded" in error.message


@pytest.mark.parametrize(
    ("conditions", "failure", "count"),
    [
        (["object.spec.replicas > 1"], "Fail", 1),
        (["object.spec.replicas > 10"], "Fail", 0),
        (["object.spec.nothing > 10"], "Fail", 1),
        (["object.spec.nothing > 10"], "Ignore", 0),
        (["object.spec.nothing > 10", "object.spec.none == 1", "false"], "Fail", 0),
    ],
)
def test_conditions_say_whether_it_judges(conditions: list[str], failure: str, count: int) -> None:
    written = [{"name": str(at), "expression": each} for at, each in enumerate(conditions)]
    assert len(said(policy(matchConditions=written, failurePolicy=failure), binding())) == count


@pytest.mark.parametrize(
    ("actions", "action"),
    [(["Deny"], "deny"), (["Warn"], "warn"), (["Audit"], "dryrun"), (["Audit", "Deny"], "deny")],
)
def test_actions(actions: list[str], action: str) -> None:
    (found,) = judged(read([policy(), binding(validationActions=actions)]))
    assert found.action == action


def rule(**changes: Any) -> dict[str, Any]:
    found = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"], **changes}
    return {"resourceRules": [found]}


@pytest.mark.parametrize(
    ("place", "matches"),
    [
        (rule(), True),
        (rule(apiGroups=["apps"]), False),
        (rule(apiGroups=["argoproj.io"], apiVersions=["v1beta1"]), True),
        (rule(apiVersions=["v1beta1"]) | {"matchPolicy": "Exact"}, False),
        (rule(apiVersions=["v1alpha1"]) | {"matchPolicy": "Exact"}, True),
        (rule(operations=["UPDATE"]), False),
        (rule(operations=["CREATE"]), True),
        (rule(resources=["rollouts"]), True),
        (rule(resources=["rollouts/status"]), False),
        (rule(resources=["*/*"]), True),
        (rule(resourceNames=["web"]), True),
        (rule(resourceNames=["other"]), False),
        (rule(scope="Namespaced"), True),
        (rule(scope="Cluster"), False),
        (rule() | {"excludeResourceRules": rule(resources=["rollouts"])["resourceRules"]}, False),
        (rule() | {"objectSelector": {"matchLabels": {"team": "a"}}}, True),
        (rule() | {"objectSelector": {"matchLabels": {"team": "b"}}}, False),
        (rule() | {"namespaceSelector": {"matchLabels": {"tier": "prod"}}}, True),
        (rule() | {"namespaceSelector": {"matchLabels": {"tier": "test"}}}, False),
    ],
)
def test_what_it_is_about(place: dict[str, Any], matches: bool) -> None:
    assert bool(said(policy(matchConstraints=place), binding(), there=[SHOP])) == matches
    assert bool(said(policy(), binding(matchResources=place), there=[SHOP])) == matches


def test_a_namespace_that_nobody_knows_refuses() -> None:
    place = rule() | {"namespaceSelector": {"matchLabels": {"tier": "prod"}}}
    (found,) = judged(read([policy(matchConstraints=place), binding()]))
    assert found.broken
    assert found.message == "namespace shop is not known, and namespaceSelector asks for its labels"
    unlabelled = {**ROLLOUT, "metadata": {"name": "web"}}
    assert len(said(policy(matchConstraints=place), binding(), found=unlabelled)) == 1


def test_a_namespace_is_looked_at_by_its_own_labels() -> None:
    place = rule() | {"namespaceSelector": {"matchLabels": {"tier": "prod"}}}
    found = policy(matchConstraints=place, validations=[{"expression": "false"}])
    assert len(said(found, binding(), found=SHOP)) == 1
    assert said(found, binding(), found={**SHOP, "metadata": {"name": "shop", "labels": 5}}) == []


def test_one_object_in_two_groups_is_the_same() -> None:
    place = rule(apiGroups=["apps"], resources=["deployments"])
    found = {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "a"}}
    assert (
        len(said(policy(matchConstraints=place, validations=[{"expression": "false"}]), binding(), found=found))
        == 1
    )


@pytest.mark.parametrize("resources", ["pods/exec", "pods/*", "*/exec", "*/*"])
def test_sub_resources(resources: str) -> None:
    review = Review(kind=Kind("", "v1", "Pod"), object={}, operation="CONNECT", sub_resource="exec", name="a")
    found = policy(matchConstraints=rule(resources=[resources]), validations=[{"expression": "false"}])
    assert len(said(found, binding(), review=review)) == 1
    whole = policy(matchConstraints=rule(resources=["pods", "*"]), validations=[{"expression": "false"}])
    assert said(whole, binding(), review=review) == []


def test_what_the_names_stand_for() -> None:
    expressions = [
        "request.operation == 'DELETE' && object == null && oldObject.metadata.name == 'web'",
        "request.resource.resource == 'rollouts' && request.requestResource.group == 'argoproj.io'",
        "request.kind.kind == 'Rollout' && request.requestKind.version == 'v1alpha1'",
        "request.userInfo.username == 'jane' && request.dryRun == false && request.subResource == ''",
        "namespaceObject.metadata.labels['tier'] == 'prod'",
    ]
    found = policy(
        matchConstraints=rule(), validations=[{"expression": expression} for expression in expressions]
    )
    review = Review(
        kind=Kind.of(ROLLOUT),
        object=ROLLOUT,
        old_object=ROLLOUT,
        operation="DELETE",
        name="web",
        namespace="shop",
        user={"username": "jane"},
    )
    assert said(found, binding(), there=[SHOP], review=review) == []


def test_the_authorizer_fails_closed() -> None:
    asked = "authorizer.group('apps').resource('deployments').namespace('shop').check('create').allowed()"
    (found,) = said(policy(validations=[{"expression": asked}]), binding())
    assert found.endswith("the authorizer is not known here: only an API server can say what a user may do")


PARAMS = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
LIMIT = [
    {
        "expression": "object.spec.replicas <= int(params.data.most)",
        "messageExpression": "string(params.data.most)",
    }
]


def limit(most: str, name: str = "limits", namespace: str = "shop") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"limits": "yes"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"most": most}}


def test_parameters_are_found_by_name_or_by_labels() -> None:
    found = policy(validations=LIMIT, **PARAMS)
    by_name = binding(paramRef={"name": "limits", "parameterNotFoundAction": "Deny"})
    assert said(found, by_name, there=[limit("3"), limit("2", "other"), limit("1", namespace="far")]) == ["3"]
    elsewhere = binding(paramRef={"name": "limits", "namespace": "far", "parameterNotFoundAction": "Deny"})
    assert said(found, elsewhere, there=[limit("3"), limit("1", namespace="far")]) == ["1"]
    labelled = binding(
        paramRef={"selector": {"matchLabels": {"limits": "yes"}}, "parameterNotFoundAction": "Allow"}
    )
    assert said(found, labelled, there=[limit("3"), limit("2", "other")]) == ["3", "2"]


def test_parameters_that_are_missing() -> None:
    found = policy(validations=LIMIT, **PARAMS)
    needed = binding(paramRef={"name": "limits", "parameterNotFoundAction": "Deny"})
    assert said(found, needed) == [
        "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    ]
    assert said(policy(validations=LIMIT, failurePolicy="Ignore", **PARAMS), needed) == []
    assert said(found, binding(paramRef={"name": "limits", "parameterNotFoundAction": "Allow"})) == []
    assert said(policy(validations=[{"expression": "params == null"}], **PARAMS), binding()) == []


def test_audit_annotations_are_compiled_only() -> None:
    found = policy(validations=None, auditAnnotations=[{"key": "a", "valueExpression": "'x'"}])
    assert said(found, binding()) == []


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"validations": []}, "spec.validations", "a policy needs a validation or an audit annotation"),
        ({"matchConstraints": {}}, "spec.matchConstraints.resourceRules", "a policy has to say what resources"),
        (
            {"matchConstraints": rule(operations=["PATCH"])},
            "spec.matchConstraints.resourceRules[0].operations",
            "",
        ),
        (
            {"matchConstraints": rule(resources=[])},
            "spec.matchConstraints.resourceRules[0].resources",
            "at least",
        ),
        ({"matchConstraints": rule(scope="All")}, "spec.matchConstraints.resourceRules[0].scope", "no scope"),
        ({"matchConstraints": rule() | {"matchPolicy": "x"}}, "spec.matchConstraints.matchPolicy", "no match"),
        ({"failurePolicy": "fail"}, "spec.failurePolicy", "'fail' is no failure policy"),
        ({"paramKind": {"kind": 5}}, "spec.paramKind.apiVersion", ""),
        ({"valdations": []}, "spec.valdations", "there is no field 'valdations'"),
        (
            {"validations": [{"expression": "objct.spec == 1"}]},
            "spec.validations[0].expression",
            "undeclared reference to 'objct' (in container ''), at 1:1",
        ),
        ({"validations": [{"expression": "1 + 1"}]}, "spec.validations[0].expression", "must evaluate to bool"),
        (
            {"validations": [{"expression": "params.a == 1"}]},
            "spec.validations[0].expression",
            "undeclared reference to 'params'",
        ),
        (
            {"validations": validation(messageExpression="1")},
            "spec.validations[0].messageExpression",
            "must evaluate to string, and evaluates to int",
        ),
        (
            {"validations": [{"expression": "object.spec.paused"}]},
            "spec.validations[0].expression",
            "to bool, and evaluates to dyn",
        ),
        (
            {"variables": [{"name": "a-b", "expression": "1"}]},
            "spec.variables[0].name",
            "'a-b' cannot be the name of a variable",
        ),
        (
            {"validations": [{"expression": "variables.nope"}]},
            "spec.validations[0].expression",
            "undefined field 'nope'",
        ),
        (
            {"validations": [{"expression": "request.nope == 1"}]},
            "spec.validations[0].expression",
            "undefined field 'nope'",
        ),
    ],
)
def test_a_policy_that_cannot_be_used_is_told_and_refuses(changes: Any, path: str, message: str) -> None:
    reading = read([policy(**changes), binding()])
    (told,) = reading.problems
    assert (told.severity, told.path) == ("error", path)
    assert message in told.message
    (found,) = judged(reading)
    assert found.broken
    assert found.message == "policy few-replicas cannot be used: see its problems"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"validationActions": []}, "spec.validationActions"),
        ({"validationActions": ["deny"]}, "spec.validationActions"),
        ({"validationActions": ["Deny", "Warn"]}, "spec.validationActions"),
        ({"paramRef": {}}, "spec.paramRef"),
        ({"paramRef": {"name": "a"}}, "spec.paramRef.parameterNotFoundAction"),
        ({"matchResources": 5}, "spec.matchResources"),
    ],
)
def test_a_binding_that_cannot_be_used_is_told_and_refuses(changes: Any, path: str) -> None:
    reading = read([policy(), binding(**changes)])
    (told,) = reading.problems
    assert (told.severity, told.path) == ("error", path)
    (found,) = judged(reading)
    assert found.message == "binding everywhere cannot be used: see its problems"


def test_what_cannot_be_used_refuses_no_more_than_it_is_about() -> None:
    wrong = policy(matchConstraints=rule(resources=["pods"]), validations=[{"expression": "!"}])
    assert judged(read([wrong, binding()])) == []


def test_a_policy_without_a_binding_judges_nothing_and_says_so() -> None:
    assert problem(policy()) == (
        "warning",
        "metadata.name",
        "no binding puts this policy in force, so it judges nothing",
    )
    severity, path, message = problem(binding())
    assert (severity, path) == ("warning", "spec.policyName")
    assert "there is no ValidatingAdmissionPolicy 'few-replicas'" in message


def test_versions() -> None:
    assert problem({**policy(), "apiVersion": "admissionregistration.k8s.io/v2"}) == (
        "error",
        "apiVersion",
        "there is no version 'v2' of ValidatingAdmissionPolicy",
    )


def test_which_documents_are_policies() -> None:
    assert is_validating(policy())
    assert is_validating(binding())
    assert is_validating({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy"})
    assert not is_validating(
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    )
    assert not is_validating(ROLLOUT)
    assert read([ROLLOUT]) == Reading()


def test_where_nobody_is_known_nobody_is_in_a_group() -> None:
    written = [{"name": "people", "expression": "!('system:nodes' in request.userInfo.groups)"}]
    assert len(said(policy(matchConditions=written), binding())) == 1
    node = Review(
        kind=Kind.of(ROLLOUT), object=ROLLOUT, operation="CREATE", name="web", user={"groups": ["system:nodes"]}
    )
    assert said(policy(matchConditions=written), binding(), review=node) == []
