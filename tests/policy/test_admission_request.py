"""Reviews from an API server: what is read of a good one, and what is said of every other."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.asking import asked, body, deployment, patched, person, rollout, scale

from davy.policy.admission_request import DEEPEST, LONGEST, BadReview, Request, read
from davy.policy.review import Kind, Resource

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


def sentence(raw: bytes, uid: str = UID) -> str:
    with pytest.raises(BadReview) as refused:
        read(raw)
    assert refused.value.uid == uid
    return refused.value.sentence


def changed(**fields: Any) -> bytes:
    """Return the review of a deployment with some fields of the request changed."""
    return body(patched(asked(deployment()), {"request": fields}))


def test_a_creation_is_read() -> None:
    request = read(body(asked(deployment(), dry_run=True)))
    review = request.review
    assert (request.uid, review.uid) == (UID, UID)
    assert review.kind == review.request_kind == Kind("apps", "v1", "Deployment")
    assert review.resource == review.request_resource == Resource("apps", "v1", "deployments")
    assert (review.operation, review.name, review.namespace) == ("CREATE", "payments", "prod")
    assert review.object == deployment()
    assert review.old_object is None
    assert review.user["username"] == "alice"
    assert review.dry_run
    assert review.options == {"apiVersion": "meta.k8s.io/v1", "kind": "UpdateOptions"}


def test_an_update_of_a_subresource_is_read() -> None:
    review = read(body(asked(scale(5), old=scale(3)))).review
    assert (review.kind.kind, review.sub_resource) == ("Scale", "scale")
    assert review.resource == Resource("argoproj.io", "v1alpha1", "rollouts")
    assert review.old_object == scale(3)


def test_a_deletion_is_judged_by_what_is_deleted() -> None:
    review = read(body(asked(None, old=rollout()))).review
    assert review.object is None
    assert review.subject == rollout()


def test_the_namespace_of_the_request_is_written_into_an_object_that_names_none() -> None:
    found = patched(asked(deployment()), {"request": {"object": {"metadata": {"namespace": None}}}})
    review = read(body(found)).review
    assert review.subject["metadata"]["namespace"] == "prod"


def test_a_namespace_is_in_no_namespace() -> None:
    found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}
    review = read(body(patched(asked(found), {"request": {"namespace": "prod"}}))).review
    assert review.subject == found


def test_what_is_not_sent_is_empty() -> None:
    names = ("requestKind", "requestResource", "options", "dryRun", "namespace", "name")
    found = patched(asked(deployment()), {"request": dict.fromkeys(names)})
    del found["request"]["object"]["metadata"]
    review = read(body(found)).review
    assert (review.request_kind, review.request_resource, review.options) == (None, None, None)
    assert (review.dry_run, review.namespace, review.name) == (False, "", "")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": None}, "the request has no kind"),
        ({"resource": None}, "the request has no resource"),
        ({"kind": "Deployment"}, "request.kind is not an object"),
        ({"kind": {"group": 3}}, "request.kind does not name group, version and kind"),
        ({"operation": "PATCH"}, 'the operation is "PATCH", not one of CREATE, UPDATE, DELETE, CONNECT'),
        ({"operation": None}, "the operation is missing, not one of CREATE, UPDATE, DELETE, CONNECT"),
        ({"operation": ""}, 'the operation is "", not one of CREATE, UPDATE, DELETE, CONNECT'),
        ({"operation": ["CREATE"]}, "the operation is a list, not one of"),
        ({"operation": "UPDATE"}, "an UPDATE without oldObject: what changes cannot be judged"),
        ({"operation": "DELETE"}, "a DELETE without oldObject: there is nothing to judge"),
        ({"object": None}, "a CREATE without object: there is nothing to judge"),
        ({"object": ["a"]}, "request.object is not an object"),
        ({"object": {"kind": "Pod"}}, "object is apps/v1 Pod, but the request is about apps/v1 Deployment"),
        ({"object": {"kind": None}}, "object is apps/v1 of no kind, but the request is about"),
        ({"object": {"metadata": ["a"]}}, "object.metadata is not an object"),
        (
            {"object": {"metadata": {"namespace": "dev"}}},
            'object is in namespace "dev", but the request is about "prod"',
        ),
        ({"namespace": 7}, "request.namespace is not a text"),
        ({"dryRun": "true"}, "request.dryRun is neither true nor false"),
        ({"userInfo": None}, "request.userInfo has no username: nobody knows who asks"),
        ({"userInfo": {"username": None}}, "request.userInfo has no username: nobody knows who asks"),
        ({"userInfo": {"groups": "admins"}}, "request.userInfo.groups is not a list of texts"),
        ({"userInfo": {"extra": "none"}}, "request.userInfo is not in the form of authentication.k8s.io/v1"),
        ({"userInfo": {"uid": 3}}, "request.userInfo is not in the form of authentication.k8s.io/v1"),
    ],
)
def test_a_request_that_cannot_be_judged_is_refused_in_a_sentence(fields: dict[str, Any], said: str) -> None:
    assert sentence(changed(**fields)).startswith(said)


def nested(depth: int) -> bytes:
    found = asked(deployment())
    found["request"]["object"]["spec"] = "HERE"
    return body(found).replace(b'"HERE"', b"[" * depth + b"]" * depth)


def with_text(text: str) -> Callable[[], bytes]:
    return lambda: body(asked(deployment("NAME"))).replace(b'"NAME"', text.encode(), 1)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (with_text('"a", "name": "b"'), "the key 'name' is there twice"),
        (with_text("NaN"), "NaN is not JSON, and compares with nothing"),
        (with_text("-Infinity"), "-Infinity is not JSON"),
        (with_text("1e999"), "the number 1e999 is larger than any that can be compared"),
        (with_text("1" * 5000), "a number has too many digits to be read"),
        (with_text('"\\ud800"'), "a text holds half of a surrogate pair"),
        (with_text("'a'"), "the body is no AdmissionReview: not JSON at line 1, column "),
        (lambda: nested(DEEPEST), f"the review is nested more than {DEEPEST} deep"),
        (lambda: nested(100_000), f"the review is nested more than {DEEPEST} deep"),
        (lambda: body(asked(deployment())) + b" " * LONGEST, f"the review is longer than {LONGEST} bytes"),
        (lambda: body(asked(deployment())).replace(b"alice", b"\xff"), "the body is no AdmissionReview: byte "),
    ],
)
def test_text_that_can_be_read_in_two_ways_or_in_none_is_refused(raw: Callable[[], bytes], said: str) -> None:
    assert sentence(raw()).startswith(said)


def test_what_is_within_the_limits_is_read() -> None:
    assert read(nested(DEEPEST - 3)).uid == UID
    assert read(with_text('"\\ud83d\\ude00"')()).review.name == "😀"


@pytest.mark.parametrize(
    ("raw", "uid", "said"),
    [
        (b"", "", "the body is no AdmissionReview: not JSON at line 1, column 1"),
        (b"[]", "", "the body is no AdmissionReview: it is not a JSON object"),
        (b"{}", "", "the body is no AdmissionReview: its kind is missing"),
        (
            body({**asked(deployment()), "kind": "Review"}),
            UID,
            'the body is no AdmissionReview: its kind is "Review"',
        ),
        (body({**asked(deployment()), "kind": "x" * 500}), UID, "the body is no AdmissionReview: its kind is"),
        (
            body({**asked(deployment()), "apiVersion": "admission.k8s.io/v1beta1"}),
            UID,
            'AdmissionReview "admission.k8s.io/v1beta1" is not spoken here, only admission.k8s.io/v1: '
            "write admissionReviewVersions: [v1] into the webhook configuration",
        ),
        (body({**asked(deployment()), "request": None}), "", "the AdmissionReview has no request"),
        (changed(uid=None), "", "the request has no uid of 1 to 128 characters"),
        (changed(uid="x" * 129), "", "the request has no uid of 1 to 128 characters"),
        (changed(uid=7), "", "the request has no uid of 1 to 128 characters"),
    ],
)
def test_what_is_no_review_is_refused_too(raw: bytes, uid: str, said: str) -> None:
    assert sentence(raw, uid).startswith(said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(path for name, each in below for path in paths(each, (*above, name)))]


UPDATE = asked(rollout(), old=rollout(phase="Healthy"), user=person(), sub_resource="status")


def read_or_refused(raw: bytes) -> Request | None:
    try:
        return read(raw)
    except BadReview:
        return None


@given(st.sampled_from(paths(UPDATE)), JSON)
def test_whatever_stands_in_a_review_it_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    document: Any = json.loads(json.dumps(UPDATE))
    place = document
    for name in path[:-1]:
        place = place[name]
    if path:
        place[path[-1]] = value
    else:
        document = value
    request = read_or_refused(json.dumps(document).encode())
    if request is not None:
        assert request.uid
        assert request.review.subject["kind"] == request.review.kind.kind


@given(st.binary())
def test_whatever_comes_in_is_read_or_refused(raw: bytes) -> None:
    with pytest.raises(BadReview):
        read(raw)


@given(st.integers(0, 4000), st.binary(max_size=6))
def test_a_review_that_was_damaged_on_its_way_is_read_or_refused(place: int, damage: bytes) -> None:
    whole = body(UPDATE)
    place %= len(whole)
    read_or_refused(whole[:place] + damage + whole[place + len(damage) :])
