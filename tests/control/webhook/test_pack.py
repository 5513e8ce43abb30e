"""Davy's own pack at admission: what it has against Argo's patches, and what a waiver lets pass."""

import json
from typing import Any

import msgspec
import pytest
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
)
from tests.policy.test_passage import STATUS_PATCHES

from davy.control.api_reviews import Reviewing
from davy.control.rules_in_force import in_force
from davy.policy import pack
from davy.policy.admission_request import read
from davy.policy.digest import digest_of
from davy.policy.passage import Trusted
from davy.policy.waiver_file import document_of
from davy.policy.waivers import Waiver, text_digest

NOW = 1_772_366_400.0
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "labels": {"env": "prod"}}}
PEOPLE = [person(), account("system:serviceaccount:prod:deployer"), impersonated(CONTROLLER)]


def answered(
    review: dict[str, Any], *there: dict[str, Any], profile: pack.Profile = "standard"
) -> dict[str, Any]:
    rules = in_force(None, (*pack.objects(profile), NAMESPACE, *there))
    assert not rules.problem
    reviewing = Reviewing(Trusted(frozenset({CONTROLLER}), DAVY), lambda: NOW, rules)
    request = read(body(review))
    reply = reviewing.let_through(request) or reviewing.judge(request)
    response: dict[str, Any] = reply.body["response"]
    return response


def status(name: str, user: dict[str, Any]) -> dict[str, Any]:
    old = rollout()
    return asked(patched(old, json.loads(STATUS_PATCHES[name])), old=old, user=user, sub_resource="status")


@pytest.mark.parametrize("user", PEOPLE)
@pytest.mark.parametrize(
    "name", ["promote --full", "promote, skipping a step", "promote, both", "abort and more"]
)
def test_promotions_past_the_gates_are_denied(name: str, user: dict[str, Any]) -> None:
    response = answered(status(name, user))
    assert not response["allowed"]
    assert "PD043" in response["status"]["message"]


@pytest.mark.parametrize("name", STATUS_PATCHES)
def test_the_controller_is_not_in_its_own_way_and_nobody_in_that_of_an_abort(name: str) -> None:
    assert answered(status(name, account(CONTROLLER)))["allowed"]
    assert answered(status("abort", person()), profile="strict")["allowed"]


@pytest.mark.parametrize("user", PEOPLE)
def test_no_verdict_is_written_by_hand(user: dict[str, Any]) -> None:
    run = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "r", "namespace": "prod"},
        "spec": {"metrics": []},
        "status": {"phase": "Running"},
    }
    response = answered(asked(patched(run, {"status": {"phase": "Successful"}}), old=run, user=user))
    assert not response["allowed"]
    assert "PD065" in response["status"]["message"]


def test_a_plain_deployment_is_denied_where_rollouts_are_asked_for() -> None:
    response = answered(asked(deployment()), profile="strict")
    assert not response["allowed"]
    assert "PD001" in response["status"]["message"]


def waiver(**changes: Any) -> dict[str, Any]:
    written = Waiver(
        id="w-1",
        rule="PD043",
        kind="Rollout",
        namespace="prod",
        name="payments",
        digest=digest_of(rollout()),
        reason="a fix that cannot wait",
        ticket="OPS-1",
        requester="alice",
        requested_at=NOW - 60,
        expires_at=NOW + 3600,
        approver="bob",
        approved_at=NOW - 30,
    )
    written = msgspec.structs.replace(written, approval=text_digest(written))
    return document_of(msgspec.structs.replace(written, **changes))


def test_a_waiver_lets_a_promotion_pass_and_stays_in_sight() -> None:
    response = answered(status("promote --full", person()), waiver())
    assert (response["allowed"], response["status"]) == (True, {"code": 299})
    assert any("waived by w-1" in warning for warning in response["warnings"])
    assert response["auditAnnotations"]["waivers"] == "w-1"


@pytest.mark.parametrize(
    "changes",
    [{"expires_at": NOW}, {"approver": "alice"}, {"approver": ""}, {"name": "other"}, {"digest": "sha256:0"}],
)
def test_a_waiver_that_does_not_hold_lets_nothing_pass(changes: dict[str, Any]) -> None:
    assert not answered(status("promote --full", person()), waiver(**changes))["allowed"]


def test_nothing_is_allowed_in_a_namespace_that_nobody_knows() -> None:
    """Its labels say whether it is production; an abort does not wait for them."""
    there = {**rollout(), "metadata": {**rollout()["metadata"], "namespace": "shop"}}
    response = answered(asked(there))
    assert not response["allowed"]
    assert "nothing is known of the namespace shop" in response["status"]["message"]
    known = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert answered(asked(there), known)["allowed"]
    assert answered(asked(patched(there, {"status": {"abort": True}}), old=there, sub_resource="status"))[
        "allowed"
    ]
