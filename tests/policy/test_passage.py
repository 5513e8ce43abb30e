"""Who passes with what: Argo's own patches, by people, the controller, Davy, and who pretends to be them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.asking import (
    CONTROLLER,
    DAVY,
    account,
    asked,
    body,
    deployment,
    impersonated,
    patched,
    person,
    rollout,
    scale,
)

from davy.policy.admission_request import read
from davy.policy.passage import Trusted, as_signed_in, passage

TRUSTED = Trusted(davy=DAVY)

ABORT = '{"status":{"abort":true}}'
STATUS_PATCHES = {
    "abort": ABORT,
    "promote --full": '{"status":{"promoteFull":true}}',
    "promote, paused": '{"status":{"pauseConditions":null}}',
    "promote, skipping a step": '{"status":{"currentStepIndex":2}}',
    "promote, both": '{"status":{"pauseConditions":null,"controllerPause":false,"currentStepIndex":2}}',
    "retry": '{"status":{"abort":false}}',
    "abort and more": '{"status":{"abort":true,"currentStepIndex":2}}',
    "abort as text": '{"status":{"abort":"true"}}',
    "abort as a number": '{"status":{"abort":1}}',
}
"""What `kubectl argo rollouts` sends to the status of a rollout, and what looks like it."""


def why(review: dict[str, Any], trusted: Trusted = TRUSTED) -> str:
    return passage(read(body(review)).review, trusted)


def status(patch: str, user: dict[str, Any], **before: Any) -> str:
    old = rollout(**before)
    return why(asked(patched(old, json.loads(patch)), old=old, user=user, sub_resource="status"))


@pytest.mark.parametrize("patch", STATUS_PATCHES)
def test_a_person_passes_with_an_abort_and_nothing_else(patch: str) -> None:
    assert status(STATUS_PATCHES[patch], person()) == ("abort" if patch == "abort" else "")


@pytest.mark.parametrize("patch", STATUS_PATCHES)
@pytest.mark.parametrize(("name", "reason"), [(CONTROLLER, "controller"), (DAVY, "davy")])
def test_the_controller_and_davy_pass_with_all_of_it(patch: str, name: str, reason: str) -> None:
    assert status(STATUS_PATCHES[patch], account(name)) == reason


@pytest.mark.parametrize(
    "user",
    [
        impersonated(CONTROLLER),
        impersonated(DAVY),
        {**account(CONTROLLER), "groups": ["system:authenticated"]},
        {**account(CONTROLLER), "username": f"{CONTROLLER}-2"},
        {**account(CONTROLLER), "username": CONTROLLER.upper()},
        account("system:serviceaccount:default:argo-rollouts"),
        {**person(), "groups": ["system:serviceaccounts:argo-rollouts", "system:masters"]},
    ],
)
def test_nobody_passes_by_looking_like_them(user: dict[str, Any]) -> None:
    assert status('{"status":{"promoteFull":true}}', user) == ""
    assert status(ABORT, user) == "abort"


def test_only_service_accounts_are_trusted() -> None:
    trusted = Trusted(frozenset({"admin"}), davy="root")
    user = {"username": "admin", "uid": "1", "groups": ["system:masters", "system:serviceaccounts:"]}
    assert why(asked(deployment(), user=user), trusted) == ""
    assert why(asked(deployment(), user=person("")), Trusted()) == ""


def test_what_was_aborted_is_not_aborted_again_to_hide_something() -> None:
    assert status(ABORT, person(), abort=True) == ""


@pytest.mark.parametrize(
    "also",
    [
        {"spec": {"replicas": 9}},
        {"metadata": {"labels": {"x": "y"}}},
        {"metadata": {"annotations": {"x": "y"}}},
    ],
)
def test_an_abort_that_carries_something_else_is_judged(also: dict[str, Any]) -> None:
    old = rollout()
    new = patched(patched(old, json.loads(ABORT)), also)
    assert why(asked(new, old=old, sub_resource="status")) == ""


def test_an_abort_counts_on_the_status_of_a_rollout_only() -> None:
    old = rollout()
    new = patched(old, json.loads(ABORT))
    assert why(asked(new, old=old)) == ""
    assert why(asked(new, sub_resource="status")) == ""
    other = [patched(each, {"kind": "AnalysisRun"}) for each in (new, old)]
    assert why(asked(other[0], old=other[1], sub_resource="status")) == ""


def test_what_an_api_server_counts_up_does_not_matter() -> None:
    old = rollout()
    counted = {
        "metadata": {"resourceVersion": "1235", "generation": 8, "managedFields": [{"manager": "kubectl"}]}
    }
    new = patched(patched(old, json.loads(ABORT)), counted)
    assert why(asked(new, old=old, sub_resource="status")) == "abort"


@given(st.integers(0, 20), st.integers(0, 20))
def test_more_replicas_pass_and_fewer_are_judged(before: int, after: int) -> None:
    reason = "scale-up" if after > before else ""
    assert why(asked(scale(after), old=scale(before))) == reason
    old, new = (patched(rollout(), {"spec": {"replicas": count}}) for count in (before, after))
    assert why(asked(new, old=old)) == reason


def test_replicas_with_something_else_are_judged() -> None:
    old = rollout()
    others: list[dict[str, Any]] = [
        {"spec": {"strategy": {"canary": {"steps": []}}}},
        {"spec": {"template": None}},
    ]
    for also in others:
        assert why(asked(patched(patched(old, {"spec": {"replicas": 9}}), also), old=old)) == ""


def test_a_deployment_that_is_scaled_up_is_judged() -> None:
    old = deployment()
    assert why(asked(patched(old, {"spec": {"replicas": 9}}), old=old)) == ""


def test_replicas_that_are_none_are_judged() -> None:
    for replicas in ("9", True, None):
        new = patched(scale(1), {"spec": {"replicas": replicas}})
        assert why(asked(new, old=scale(1))) == ""
    bare = patched(rollout(), {"spec": {"replicas": None}})
    assert why(asked(patched(bare, {"spec": {"replicas": 2}}), old=bare)) == "scale-up"
    assert why(asked(patched(scale(1), {"spec": "9"}), old=scale(1))) == ""


@pytest.mark.parametrize("user", [person(), account(CONTROLLER), {"username": ""}])
def test_who_signed_in_keeps_their_name(user: dict[str, Any]) -> None:
    review = read(body(asked(rollout(), user=user))).review
    assert as_signed_in(review) is review


def test_a_borrowed_name_is_told_from_the_real_one() -> None:
    review = read(body(asked(rollout(), user=impersonated(CONTROLLER)))).review
    assert as_signed_in(review).user["username"] == f"{CONTROLLER} (by impersonation)"
