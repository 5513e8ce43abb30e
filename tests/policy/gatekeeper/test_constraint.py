"""Constraints: what they see, what they say, what they do about it, and that one that is wrong refuses."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.gatekeeper.documents import Document, constraint, manifest, template

from davy.model.loader import load_raw
from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Resource, Review, review_of
from davy.policy.ruleset import Ruleset, read

SEED = Path(__file__).parents[2] / "cases" / "seed"
SHOWS = 'package shows\nviolation[{"msg": "x", "details": {"input": input}}] { true }\n'


def judged(ruleset: Ruleset, found: Document, point: Point = Point.CHECK) -> list[Violation]:
    return list(ruleset.judge(review_of(found), Inventory(), point))


def seen(review: Review, inventory: Inventory | None = None, **spec: Any) -> Any:
    """Return what a template sees of a review."""
    ruleset = read([template(SHOWS, "Shows"), constraint("Shows", **spec)])
    (violation,) = ruleset.judge(review, inventory or Inventory(), Point.CHECK)
    return violation.details["input"]


def test_the_seeds_policy_runs_as_it_is_written() -> None:
    names = ("require-progressive-template", "require-progressive-constraint")
    texts = [(SEED / f"{name}.yaml").read_text() for name in names]
    ruleset = read([document.value for text in texts for document in load_raw(text, "seed")])
    (problem,) = ruleset.problems
    assert (problem.severity, problem.path) == ("warning", "spec.parameters")
    deployment = manifest("Deployment", "apps/v1")
    assert judged(ruleset, deployment) == []
    assert judged(ruleset, {**deployment, "metadata": {"name": "web", "namespace": "prod"}}) == [
        Violation(
            policy="require-progressive-prod",
            rule="K8sRequireProgressive",
            message="Use Rollout with analysis in prod; Deployments are not allowed",
            source="K8sRequireProgressive",
        )
    ]
    assert (
        judged(ruleset, {**deployment, "kind": "StatefulSet", "metadata": {"name": "a", "namespace": "prod"}})
        == []
    )


def test_of_a_manifest_a_template_sees_what_gatekeeper_shows_it() -> None:
    pod = manifest()
    assert seen(review_of(pod), parameters={"a": [1]}) == {
        "parameters": {"a": [1]},
        "review": {
            "uid": "",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "", "resource": ""},
            "operation": "",
            "userInfo": {},
            "object": pod,
            "oldObject": None,
            "options": None,
            "namespaceObject": None,
            "name": "web",
            "namespace": "shop",
        },
    }
    nameless = seen(review_of({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}}))
    assert nameless["parameters"] == {}
    assert not {"name", "namespace", "dryRun", "requestKind"} & nameless["review"].keys()


def test_of_a_request_a_template_sees_all_of_it() -> None:
    pod, kind = manifest(), Kind("", "v1", "Pod")
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    review = Review(
        kind=kind,
        object=None,
        old_object=pod,
        operation="DELETE",
        name="web",
        namespace="shop",
        resource=Resource("", "v1", "pods"),
        sub_resource="eviction",
        request_kind=kind,
        request_resource=Resource("", "v1", "pods"),
        user={"username": "joe"},
        options={"a": 1},
        dry_run=True,
        uid="7",
    )
    found = seen(review, Inventory([shop]))["review"]
    resource = {"group": "", "version": "v1", "resource": "pods"}
    assert (found["object"], found["oldObject"]) == (pod, pod)
    assert (found["resource"], found["requestResource"]) == (resource, resource)
    assert found["requestKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert (found["userInfo"], found["options"], found["uid"]) == ({"username": "joe"}, {"a": 1}, "7")
    assert (found["operation"], found["subResource"], found["dryRun"]) == ("DELETE", "eviction", True)
    assert found["namespaceObject"] == shop


def test_a_request_that_reviews_nothing_is_refused() -> None:
    ruleset = read([template(), constraint()])
    review = Review(kind=Kind("", "v1", "Pod"), object=None, operation="DELETE")
    assert ruleset.matches(review, Inventory(), Point.CHECK)
    (violation,) = ruleset.judge(review, Inventory(), Point.CHECK)
    assert violation.broken
    assert violation.message.startswith("unable to match constraints: there is neither an object")


def test_without_its_namespace_a_namespace_selector_refuses_as_gatekeeper_does() -> None:
    ruleset = read([template(), constraint(match={"namespaceSelector": {}}, enforcementAction="warn")])
    (violation,) = judged(ruleset, manifest())
    assert violation.message.startswith(
        "unable to match constraints: error matching the requested object: web :failed to run Match criteria: "
        "namespace selector for namespace-scoped object but missing Namespace"
    )
    assert (violation.broken, violation.action) == (True, "warn")
    assert judged(ruleset, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})[0].message == "no"


@pytest.mark.parametrize(
    ("written", "rule", "path", "details"),
    [
        ('{"msg": "x"}', "Says", "", {}),
        (
            '{"msg": "x", "details": {"rule": "PD1", "path": "spec.a"}}',
            "PD1",
            "spec.a",
            {"rule": "PD1", "path": "spec.a"},
        ),
        ('{"msg": "x", "details": {"rule": "", "path": 1}}', "Says", "", {"rule": "", "path": 1}),
        ('{"msg": "x", "details": {"s": {2, 1}}}', "Says", "", {"s": [1, 2]}),
        ('{"msg": "x", "details": "why"}', "Says", "", {"details": "why"}),
    ],
)
def test_what_a_template_says_becomes_a_violation(written: str, rule: str, path: str, details: Any) -> None:
    ruleset = read(
        [template(f"package says\nviolation[{written}] {{ true }}", "Says"), constraint("Says", "one")]
    )
    assert judged(ruleset, manifest()) == [
        Violation(policy="one", rule=rule, message="x", details=details, path=path, source="Says")
    ]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('violation[{"msg": 7}] { true }', "without a text for msg"),
        ('violation[{"message": "x"}] { true }', "without a text for msg"),
        ('violation["x"] { true }', "without a text for msg"),
        (
            'violation[{"msg": "x"}] { f(1) == 1 }\nf(x) = 1 { x > 0 }\nf(x) = 2 { x == 1 }',
            "eval_conflict_error",
        ),
    ],
)
def test_what_cannot_be_evaluated_refuses(body: str, sentence: str) -> None:
    ruleset = read([template(f"package a\n{body}", "A"), constraint("A", enforcementAction="warn")])
    (violation,) = judged(ruleset, manifest())
    assert sentence in violation.message
    assert (violation.broken, violation.action, violation.rule) == (True, "warn", "A")


POINTS = {Point.CHECK, Point.ADMISSION, Point.ENGINE}


def scoped(*actions: tuple[str, list[str]]) -> Document:
    entries = [
        {"action": action, "enforcementPoints": [{"name": name} for name in names]} for action, names in actions
    ]
    return {"enforcementAction": "scoped", "scopedEnforcementActions": entries}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, dict.fromkeys(POINTS, "deny")),
        ({"enforcementAction": ""}, dict.fromkeys(POINTS, "deny")),
        ({"enforcementAction": "deny"}, dict.fromkeys(POINTS, "deny")),
        ({"enforcementAction": "warn"}, dict.fromkeys(POINTS, "warn")),
        ({"enforcementAction": "dryrun"}, dict.fromkeys(POINTS, "dryrun")),
        (
            {**scoped(("warn", ["*"])), "enforcementAction": "deny"},
            dict.fromkeys(POINTS, "deny"),
        ),
        (scoped(("warn", ["*"])), dict.fromkeys(POINTS, "warn")),
        (scoped(("deny", ["engine.davy.dev"])), {Point.ENGINE: "deny"}),
        (scoped(("deny", ["audit.gatekeeper.sh", "vap.k8s.io"])), {}),
        (
            scoped(
                ("dryrun", ["*"]), ("warn", ["gator.gatekeeper.sh"]), ("deny", ["validation.gatekeeper.sh"])
            ),
            {Point.CHECK: "warn", Point.ADMISSION: "deny", Point.ENGINE: "dryrun"},
        ),
        (scoped(("deny", ["*"]), ("warn", ["*"])), dict.fromkeys(POINTS, "deny")),
    ],
)
def test_actions_are_those_of_the_point_that_asks(spec: Document, expected: dict[Point, str]) -> None:
    ruleset = read([template(), constraint(**spec)])
    assert ruleset.problems == ()
    found = {point: [each.action for each in judged(ruleset, manifest(), point)] for point in Point}
    assert found == {point: [expected[point]] if point in expected else [] for point in Point}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"enforcementAction": "Deny"}, "spec.enforcementAction"),
        ({"enforcementAction": 1}, "spec.enforcementAction"),
        ({"enforcementAction": "scoped"}, "spec.scopedEnforcementActions"),
        (scoped(("block", ["*"])), "spec.scopedEnforcementActions[0].action"),
        (scoped(("deny", ["nowhere"])), "spec.scopedEnforcementActions[0].enforcementPoints[0].name"),
        ({"match": {"kind": "Pod"}}, "spec.match.kind"),
        ({"match": "Pod"}, "spec.match"),
        ({"matches": {}}, "spec.matches"),
        ({"parameters": ["x"]}, "spec.parameters"),
    ],
)
def test_a_constraint_that_is_wrong_refuses_with_the_reason(spec: Document, path: str) -> None:
    ruleset = read([template(), constraint(**spec)])
    assert path in [problem.path for problem in ruleset.problems if problem.severity == "error"]
    (violation,) = judged(ruleset, manifest())
    assert (violation.broken, violation.action) == (True, "deny")
    assert path in violation.message


def test_a_constraint_that_is_wrong_refuses_only_what_it_matches_as_far_as_that_is_known() -> None:
    pods = {"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}], "namespaced": True}
    ruleset = read([template(), constraint(match=pods)])
    assert [each.broken for each in judged(ruleset, manifest())] == [True]
    assert judged(ruleset, manifest("Service")) == []


@pytest.mark.parametrize(
    "document", [constraint(), {**constraint(), "metadata": {}}, {**constraint(), "spec": []}]
)
def test_without_a_template_or_a_name_or_a_spec_a_constraint_refuses(document: Document) -> None:
    templates = [template()] if document != constraint() else []
    ruleset = read([*templates, document])
    assert [problem.severity for problem in ruleset.problems] == ["error"]
    assert [each.broken for each in judged(ruleset, manifest())] == [True]


def test_a_scope_that_is_none_is_told_and_acts_as_any() -> None:
    ruleset = read([template(), constraint(match={"scope": "Everywhere"})])
    assert [(each.severity, each.path) for each in ruleset.problems] == [("warning", "spec.match.scope")]
    assert [each.message for each in judged(ruleset, manifest())] == ["no"]


SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"default": 1}}}


@pytest.mark.parametrize(
    ("parameters", "more", "expected", "problems"),
    [
        ({"a": "x"}, {}, {"a": "x", "b": 1}, []),
        ({"a": "x", "c": 1}, {}, {"a": "x", "b": 1, "c": 1}, [("warning", "spec.parameters.c")]),
        ({"a": "x", "c": 1}, {"legacy": True}, {"a": "x", "b": 1, "c": 1}, []),
        ({"a": "x", "c": 1}, {"version": "v1beta1"}, {"a": "x", "b": 1, "c": 1}, []),
        (
            {"a": "x", "c": 1},
            {"version": "v1beta1", "legacy": False},
            {"a": "x", "b": 1, "c": 1},
            [("warning", "spec.parameters.c")],
        ),
        (None, {}, {}, []),
        (None, {"schema": {**SCHEMA, "default": {"a": "y"}}}, {"a": "y", "b": 1}, []),
    ],
)
def test_parameters_are_those_that_an_api_server_would_store(
    parameters: Any, more: Document, expected: Any, problems: Any
) -> None:
    documents = [
        template(SHOWS, "Shows", **{"schema": SCHEMA, **more}),
        constraint("Shows", parameters=parameters),
    ]
    ruleset = read(documents)
    assert [(each.severity, each.path) for each in ruleset.problems] == problems
    (violation,) = judged(ruleset, manifest())
    assert violation.details["input"]["parameters"] == expected


def test_parameters_that_do_not_fit_refuse() -> None:
    ruleset = read([template(SHOWS, "Shows", schema=SCHEMA), constraint("Shows", parameters={"a": 1})])
    assert [each.path for each in ruleset.problems] == ["spec.parameters.a"]
    assert [each.broken for each in judged(ruleset, manifest())] == [True]


def test_parameters_of_a_template_that_is_refused_are_not_looked_at() -> None:
    ruleset = read([template("", "Shows", schema=SCHEMA), constraint("Shows", parameters={"a": 1})])
    assert [each.subject["kind"] for each in ruleset.problems] == ["ConstraintTemplate"]
    assert [each.broken for each in judged(ruleset, manifest())] == [True]


def test_external_data_comes_from_what_was_recorded() -> None:
    rego = """package asks
    violation[{"msg": msg}] {
      answer := external_data({"provider": "p", "keys": ["a", "b"]})
      msg := sprintf("%v %v", [answer.responses, [key | key := answer.errors[_][0]]])
    }"""
    documents = [template(rego, "Asks"), constraint("Asks")]
    told = [
        [each.message for each in judged(read(documents, data=data), manifest())]
        for data in ({"p": {"a": "yes"}}, {"p": 1}, None)
    ]
    assert told == [['[["a", "yes"]] ["b"]'], ['[] ["a", "b"]'], ['[] ["a", "b"]']]
    assert read(documents, data={"p": {}}).digest != read(documents).digest


NAMES = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["deny", "warn"])), max_size=5), st.randoms())
def test_the_order_of_documents_does_not_matter(wanted: list[tuple[str, str]], chance: Any) -> None:
    documents = [template(), *(constraint(name=name, enforcementAction=action) for name, action in wanted)]
    shuffled = [*documents]
    chance.shuffle(shuffled)
    one, other = read(documents), read(shuffled)
    assert one.digest == other.digest
    assert judged(one, manifest()) == judged(other, manifest())
    assert len(judged(one, manifest())) == len(set(wanted))


def test_two_constraints_of_one_name_both_count_and_that_is_told() -> None:
    once = read([template(), constraint(), constraint()])
    assert (len(once.policies), once.problems) == (1, ())
    ruleset = read([template(), constraint(), constraint(enforcementAction="warn")])
    assert [(each.severity, each.path) for each in ruleset.problems] == [("error", "metadata.name")]
    assert sorted(each.action for each in judged(ruleset, manifest())) == ["deny", "warn"]
