"""Whatever a document holds, reading it ends in a policy and problems, and judging ends in an answer."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.gatekeeper.documents import constraint, expansion, manifest, template

from davy.policy.engine import Point
from davy.policy.gatekeeper.malformed import Malformed, join, listed, mapping, named, nearest, text, texts
from davy.policy.gatekeeper.suite import suite
from davy.policy.gatekeeper.verify import verify
from davy.policy.inventory import Inventory
from davy.policy.review import review_of
from davy.policy.ruleset import read

SCHEMA = {
    "type": "object",
    "required": ["a"],
    "properties": {"a": {"type": "array", "items": {"type": "string", "pattern": "x", "minLength": 1}}},
    "additionalProperties": {"type": "integer", "minimum": 1},
    "allOf": [{"not": {"enum": [1]}}],
}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
DOCUMENTS: list[Any] = [
    template(schema=SCHEMA, libs=["package lib.x\ny = 1"], operations=["CREATE"]),
    template("", code=[{"engine": "Rego", "source": {"rego": "package a", "libs": [], "version": "v1"}}]),
    constraint(
        match={
            "kinds": [{"apiGroups": ["apps"], "kinds": ["Deployment"]}],
            "scope": "*",
            "namespaces": ["a*"],
            "labelSelector": SELECTOR,
            "namespaceSelector": SELECTOR,
            "name": "w*",
            "source": "All",
        },
        parameters={"a": ["x"], "b": 1},
        enforcementAction="scoped",
        scopedEnforcementActions=[{"action": "deny", "enforcementPoints": [{"name": "*"}]}],
    ),
    expansion(enforcementAction="warn"),
    manifest("Deployment", "apps/v1", spec={"template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}),
    manifest("Rollout", "argoproj.io/v1alpha1", spec={"workloadRef": {"kind": "Deployment", "name": "web"}}),
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a", "*", "("]),
    lambda below: (
        st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(["a", "kind", "name"]), below, max_size=2)
    ),
    max_leaves=4,
)


def spoil(found: Any, data: st.DataObject) -> Any:
    """Put something else in one place of a document, or take something out."""
    if data.draw(st.integers(0, 4)) and isinstance(found, dict) and found:
        key = data.draw(st.sampled_from(sorted(found)))
        if data.draw(st.integers(0, 9)) == 0:
            return {name: value for name, value in found.items() if name != key}
        return {**found, key: spoil(found[key], data)}
    if data.draw(st.integers(0, 4)) and isinstance(found, list) and found:
        return [spoil(found[0], data), *found[1:]]
    return data.draw(ANYTHING)


@settings(deadline=None)
@given(st.data())
def test_no_document_makes_reading_or_judging_fail(data: st.DataObject) -> None:
    documents = [*DOCUMENTS]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(documents) - 1))
        spoiled = spoil(documents[at], data)
        documents[at] = spoiled if isinstance(spoiled, dict) else {"kind": spoiled}
    ruleset = read(documents)
    inventory = Inventory(documents)
    for point in Point:
        for document in documents:
            review = review_of(document)
            violations = ruleset.judge(review, inventory, point)
            assert violations == ruleset.judge(review, inventory, point)
            assert ruleset.matches(review, inventory, point) or not violations


@given(st.data())
def test_no_suite_makes_running_it_fail(data: st.DataObject) -> None:
    case = {"name": "c", "object": "o", "inventory": ["i"], "assertions": [{"violations": 1, "message": "x"}]}
    written = {"tests": [{"name": "t", "template": "t", "constraint": "c", "expansion": "e", "cases": [case]}]}
    try:
        tests = suite(spoil(written, data))
    except Malformed:
        return
    for test in tests:
        outcomes = list(verify(test, lambda _: [{**DOCUMENTS[0], "spec": spoil(DOCUMENTS[0]["spec"], data)}]))
        assert outcomes[-1].case == ""


def test_what_is_read_is_what_it_has_to_be() -> None:
    assert (mapping(None, "p"), listed(None, "p"), texts(["a"], "p"), text("a", "p")) == ({}, [], ["a"], "a")
    values: list[Any] = [None, True, 1, 1.5, "", [], {}]
    assert [named(value) for value in values] == [
        "nothing",
        "a truth value",
        "a number",
        "a number",
        "a text",
        "a list",
        "a mapping",
    ]
    assert (join("", "a"), join("a", "b")) == ("a", "a.b")
    assert nearest("namespace", ("namespaces", "kinds")) == "did you mean namespaces?"
    assert nearest("zzz", ("namespaces", "kinds")) == "there are namespaces, kinds"
    assert str(Malformed("", "x")) == "x"
