"""PD070: nobody writes another's name into a waiver, and nothing of it changes but what is an act."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.asking import asked, body, deployment, patched, person

from davy.policy.admission_request import read
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import review_of
from davy.policy.truthful_waivers import TruthfulWaivers

ASKED: dict[str, Any] = {
    "rule": "PD022",
    "object": {"kind": "Rollout", "namespace": "prod", "name": "payments", "digest": "sha256:0"},
    "reason": "a fix",
    "ticket": "OPS-1",
    "requester": "alice",
    "requestedAt": "2026-03-01T12:00:00Z",
    "expiresAt": "2026-03-03T12:00:00Z",
}
APPROVAL = {"approver": "bob", "approvedAt": "2026-03-01T13:00:00Z", "approval": "sha256:1"}
REVOCATION = {"revokedBy": "carol", "revokedAt": "2026-03-01T14:00:00Z"}
REVIEW = {"reviewedBy": "bob", "reviewedAt": "2026-03-01T14:00:00Z"}
GLASS = {
    **ASKED,
    "breakGlass": True,
    "approver": "alice",
    "approvedAt": "2026-03-01T12:00:00Z",
    "expiresAt": "2026-03-01T13:00:00Z",
}


def waiver(spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "davy.dev/v1alpha1",
        "kind": "Waiver",
        "metadata": {"name": "w-7f3a21"},
        "spec": spec,
    }


def said(new: Any, old: Any = None, *, by: str) -> tuple[str, str]:
    """Return the field and the sentence that PD070 has against writing this, both empty if it has none."""
    before = None if old is None else waiver(old)
    review = read(body(asked(None if new is None else waiver(new), old=before, user=person(by)))).review
    found = TruthfulWaivers().judge(review, Inventory(), Point.ADMISSION)
    if not found:
        return "", ""
    (violation,) = found
    assert (violation.rule, violation.action) == ("PD070", "deny")
    return violation.path, violation.message


@pytest.mark.parametrize(
    ("new", "old", "by"),
    [
        (ASKED, None, "alice"),
        (GLASS, None, "alice"),
        ({**GLASS, "approver": ""}, None, "alice"),
        ({**ASKED, **APPROVAL}, ASKED, "bob"),
        ({**ASKED, **REVOCATION}, ASKED, "carol"),
        ({**ASKED, **APPROVAL, "revokedBy": "alice"}, {**ASKED, **APPROVAL}, "alice"),
        ({**GLASS, **REVIEW}, GLASS, "bob"),
        (ASKED, ASKED, "anybody"),
        (None, ASKED, "alice"),
    ],
)
def test_what_is_true_can_be_written(new: Any, old: Any, by: str) -> None:
    assert said(new, old, by=by) == ("", "")


@pytest.mark.parametrize(
    ("new", "old", "by", "field", "message"),
    [
        (ASKED, None, "mallory", "requester", "the requester is 'alice', but 'mallory' writes this"),
        ({}, None, "mallory", "requester", "the requester is nobody, but 'mallory' writes this"),
        (
            {**ASKED, **APPROVAL},
            None,
            "alice",
            "approval",
            "a waiver begins as a request: it cannot have approval yet",
        ),
        ({**ASKED, "approver": "bob"}, None, "alice", "approver", "a waiver begins as a request"),
        ({**ASKED, "used": 3}, None, "alice", "used", "a waiver begins as a request"),
        ({**GLASS, "approver": "bob"}, None, "alice", "approver", "glass is broken by one person alone"),
        ({**GLASS, **REVIEW}, None, "alice", "reviewedAt", "a waiver begins as a request"),
        ({**ASKED, **APPROVAL}, ASKED, "mallory", "approver", "approver is 'bob', but 'mallory' writes this"),
        (
            {**ASKED, "approver": "alice"},
            ASKED,
            "alice",
            "approver",
            "'alice' asked for this waiver, and somebody",
        ),
        (
            {**ASKED, **APPROVAL, "expiresAt": "2030-01-01T00:00:00Z"},
            ASKED,
            "bob",
            "expiresAt",
            "expiresAt of a",
        ),
        (
            {**ASKED, "ticket": "OPS-2"},
            ASKED,
            "alice",
            "ticket",
            "ticket of a waiver never changes: ask for",
        ),
        ({**ASKED, "uses": True}, {**ASKED, "uses": 1}, "alice", "uses", "uses of a waiver never changes"),
        ({**ASKED, "used": 0}, {**ASKED, "used": 1}, "alice", "used", "used of a waiver never changes"),
        ({**ASKED, **APPROVAL, **REVOCATION}, ASKED, "bob", "revokedAt", "revokedAt of a waiver never changes"),
        (
            {**ASKED, "approver": "carol"},
            {**ASKED, **APPROVAL},
            "carol",
            "approver",
            "approver was 'bob' already",
        ),
        (ASKED, {**ASKED, **REVOCATION}, "carol", "revokedBy", "revokedBy was 'carol' already, and stays that"),
        ({**ASKED, "approvedAt": "x"}, ASKED, "bob", "approvedAt", "approvedAt of a waiver never changes"),
        ({**GLASS, **REVIEW, "reviewedBy": "alice"}, GLASS, "alice", "reviewedBy", "'alice' asked for this"),
        ({**ASKED, **REVIEW}, ASKED, "bob", "reviewedBy", "only a waiver that broke glass is reviewed"),
        (
            {**ASKED, "breakGlass": True, **APPROVAL},
            {**ASKED, "breakGlass": True},
            "bob",
            "approver",
            "glass is",
        ),
        (None, {**ASKED, **APPROVAL}, "bob", "", "a waiver that was approved stays on record: set revokedBy"),
        ("spec", ASKED, "bob", "expiresAt", "expiresAt of a waiver never changes"),
        ({**ASKED, "object": None}, None, "alice", "", "this is no waiver: Expected `object`, got `null`"),
        ({**ASKED, "requestedAt": "2026-03-01"}, None, "alice", "", "this is no waiver: a day has no instant"),
        (
            {**ASKED, "expiresAt": "2027-03-01T12:00:00Z"},
            None,
            "alice",
            "",
            "this waiver would never count: it is",
        ),
    ],
)
def test_what_is_untrue_is_denied(new: Any, old: Any, by: str, field: str, message: str) -> None:
    path, sentence = said(new, old, by=by)
    assert path == (f"spec.{field}" if field else "")
    assert sentence.startswith(message)


def test_other_kinds_and_files_are_not_its_matter() -> None:
    policy = TruthfulWaivers()
    for review in (read(body(asked(deployment()))).review, review_of(waiver({}))):
        assert not policy.matches(review, Inventory(), Point.CHECK)
        assert policy.judge(review, Inventory(), Point.CHECK) == ()


def test_an_operation_that_nobody_knows_is_denied() -> None:
    review = asked(waiver(ASKED), user=person("alice"))
    review["request"]["operation"] = "CONNECT"
    (found,) = TruthfulWaivers().judge(read(body(review)).review, Inventory(), Point.ADMISSION)
    assert found.message == "nothing is known of a CONNECT of a waiver"


VALUES = st.sampled_from(["alice", "bob", "mallory", "", None, True, 1, "2026-03-01T13:00:00Z"])
FIELDS = st.sampled_from([*ASKED, *APPROVAL, *REVOCATION, *REVIEW, "uses", "used", "breakGlass", "expiredAt"])


CHANGES = st.tuples(st.dictionaries(FIELDS, VALUES, max_size=4), st.sampled_from(["alice", "bob"]))


@given(st.lists(CHANGES, max_size=6))
def test_whatever_is_written_nobody_approves_what_they_asked_for(
    changes: list[tuple[dict[str, Any], str]],
) -> None:
    current: dict[str, Any] = ASKED
    for change, user in changes:
        wanted = patched(current, change)
        if said(wanted, current, by=user) == ("", ""):
            current = wanted
    assert current.get("approver") in (None, "", "bob")
    assert {name: current.get(name) for name in ASKED} == ASKED
