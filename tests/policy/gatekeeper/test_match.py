"""`spec.match`: what Gatekeeper itself said of every case, and what has to hold of any other."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.policy.gatekeeper.candidate import candidates, namespace_of
from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.gatekeeper.match import Unmatchable, match
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Review, review_of

RECORDED = json.loads((Path(__file__).parents[2] / "cases" / "policy" / "match.json").read_text())


def verdict(written: Any, review: Review, inventory: Inventory) -> str:
    asked = candidates(review, namespace_of(review, inventory))
    try:
        return "yes" if any(map(match(written), asked)) else "no"
    except Unmatchable:
        return "error"


@pytest.mark.parametrize("known", ["known", "unknown"])
@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: json.dumps(case["match"]))
def test_it_matches_what_gatekeeper_matches(case: Any, known: str) -> None:
    inventory = Inventory(RECORDED["namespaces"] if known == "known" else ())
    found = {
        name: verdict(case["match"], review_of(each), inventory) for name, each in RECORDED["objects"].items()
    }
    assert found == case[known]


NAMES = st.sampled_from(["prod", "prod-eu", "web", "dev", ""])
LABELS = st.dictionaries(st.sampled_from(["app", "env"]), st.sampled_from(["web", "prod"]), max_size=2)
OBJECTS = st.builds(
    lambda kind, name, namespace, labels: {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
    },
    st.sampled_from([("apps/v1", "Deployment"), ("v1", "Pod"), ("v1", "Namespace")]),
    NAMES,
    NAMES,
    LABELS,
)
GLOBS = st.lists(st.sampled_from(["prod", "pro*", "*-eu", "*e*", "*"]), max_size=2)
SELECTORS = st.one_of(
    st.builds(lambda labels: {"matchLabels": labels}, LABELS),
    st.builds(
        lambda key, operator: {
            "matchExpressions": [
                {"key": key, "operator": operator, **({"values": ["web"]} if operator.endswith("In") else {})}
            ]
        },
        st.sampled_from(["app", "env"]),
        st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    ),
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "kinds": st.lists(
            st.builds(
                lambda groups, kinds: {"apiGroups": groups, "kinds": kinds},
                st.lists(st.sampled_from(["apps", "", "*"]), max_size=2),
                st.lists(st.sampled_from(["Deployment", "Pod", "Namespace", "*"]), max_size=2),
            ),
            max_size=2,
        ),
        "scope": st.sampled_from(["*", "Cluster", "Namespaced"]),
        "namespaces": GLOBS,
        "excludedNamespaces": GLOBS,
        "labelSelector": SELECTORS,
        "namespaceSelector": SELECTORS,
        "name": st.sampled_from(["web", "*", "w*", ""]),
        "source": st.sampled_from(["All", "Original", "Generated"]),
    },
)
INVENTORIES = st.builds(
    lambda names: Inventory(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"env": "prod"}}}
        for name in names
    ),
    st.lists(st.sampled_from(["prod", "prod-eu", "dev"]), max_size=3),
)


@given(MATCHES, OBJECTS, INVENTORIES, st.data())
def test_a_matcher_less_never_matches_less(
    written: dict[str, Any], found: dict[str, Any], inventory: Inventory, data: st.DataObject
) -> None:
    if not written:
        return
    fewer = {**written}
    del fewer[data.draw(st.sampled_from(sorted(written)))]
    if verdict(written, review_of(found), inventory) == "yes":
        assert verdict(fewer, review_of(found), inventory) == "yes"


@given(MATCHES, OBJECTS, OBJECTS, INVENTORIES)
def test_either_of_the_old_and_the_new_object_is_enough(
    written: dict[str, Any], new: dict[str, Any], old: dict[str, Any], inventory: Inventory
) -> None:
    review = review_of(new, old=old)
    alone = {verdict(written, review_of(each, namespace=review.namespace), inventory) for each in (new, old)}
    if "error" not in alone:
        old_only = Review(kind=Kind.of(old), object=None, old_object=old, namespace=review.namespace)
        new_only = Review(kind=Kind.of(new), object=new, namespace=review.namespace)
        each = [verdict(written, one, inventory) for one in (new_only, old_only)]
        if "error" not in each:
            assert (verdict(written, review, inventory) == "yes") == ("yes" in each)


def test_what_is_generated_is_told_from_what_is_not() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    generated = Review(kind=Kind.of(pod), object=pod, generated=True)
    found = {
        source: verdict({"source": source}, generated, Inventory())
        for source in ("All", "Original", "Generated")
    }
    assert found == {"All": "yes", "Original": "no", "Generated": "yes"}


def test_a_namespace_that_came_with_the_request_counts_before_the_one_that_is_there() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}}
    came = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": "prod"}}}
    there = Inventory([{**came, "metadata": {"name": "shop", "labels": {"env": "dev"}}}])
    review = Review(kind=Kind.of(pod), object=pod, namespace="shop", namespace_object=came)
    assert verdict({"namespaceSelector": {"matchLabels": {"env": "prod"}}}, review, there) == "yes"


def test_a_namespace_that_came_with_the_request_is_that_of_an_object_that_names_none() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": "dev"}}}
    review = Review(kind=Kind.of(pod), object=pod, namespace_object=shop)
    wanted = [
        {"namespaceSelector": {"matchLabels": {"env": "dev"}}},
        {"namespaceSelector": {"matchLabels": {"env": "prod"}}},
        {"namespaces": ["shop"]},
        {"namespaces": ["prod"]},
        {"scope": "Namespaced"},
        {"scope": "Cluster"},
    ]
    assert [verdict(each, review, Inventory()) for each in wanted] == ["yes", "no"] * 3


def test_labels_of_which_one_is_no_text_are_none_at_all() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"app": "web", "n": 1}}}
    assert verdict({"labelSelector": {"matchLabels": {"app": "web"}}}, review_of(pod), Inventory()) == "no"


def test_what_is_deleted_is_matched_as_it_was() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    review = Review(kind=Kind.of(pod), object=None, old_object=pod, operation="DELETE")
    assert verdict({"name": "a"}, review, Inventory()) == "yes"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("all", "spec.match"),
        ({"kind": []}, "spec.match.kind"),
        ({"kinds": "Pod"}, "spec.match.kinds"),
        ({"kinds": ["Pod"]}, "spec.match.kinds[0]"),
        ({"kinds": [{"kind": ["Pod"]}]}, "spec.match.kinds[0].kind"),
        ({"kinds": [{"kinds": [1]}]}, "spec.match.kinds[0].kinds[0]"),
        ({"scope": 1}, "spec.match.scope"),
        ({"namespaces": ["a*b"]}, "spec.match.namespaces[0]"),
        ({"excludedNamespaces": ["Prod"]}, "spec.match.excludedNamespaces[0]"),
        ({"name": "*a*b*"}, "spec.match.name"),
        ({"source": "Somewhere"}, "spec.match.source"),
        ({"labelSelector": {"labels": {}}}, "spec.match.labelSelector.labels"),
        ({"labelSelector": {"matchLabels": {"a": 1}}}, "spec.match.labelSelector.matchLabels.a"),
        (
            {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            "spec.match.labelSelector.matchExpressions[0].operator",
        ),
        (
            {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "spec.match.labelSelector.matchExpressions[0].values",
        ),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
            "spec.match.namespaceSelector.matchExpressions[0].values",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(written: Any, path: str) -> None:
    with pytest.raises(Malformed) as error:
        match(written)
    assert error.value.path == path
