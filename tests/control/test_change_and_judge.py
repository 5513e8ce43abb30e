"""A change that brings what it is judged by: its own policies and its own waivers."""

import json
from typing import Any

import msgspec
import pytest

from davy.control.admission import Admitted, Text, admit
from davy.control.catalog import Catalog
from davy.control.governance import governed
from davy.policy import granting, pack
from davy.policy.engine import Point
from davy.policy.granting import Wish
from davy.policy.waiver_file import document_of
from davy.policy.waivers import Waiver, text_digest

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "payments", "namespace": "prod"},
    "spec": {"replicas": 3},
}
NOW = 1_000_000.0
WEAK = next(
    {**found, "spec": {**found["spec"], "enforcementAction": "dryrun"}}
    for found in pack.objects("strict")
    if found["metadata"]["name"] == "davy-workloads-deny"
)
EMPTY = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": {"name": "davyworkloads"},
    "spec": {
        "crd": {"spec": {"names": {"kind": "DavyWorkloads"}}},
        "targets": [
            {"target": "admission.k8s.gatekeeper.sh", "rego": 'package a\nviolation[{"msg": "x"}] { false }'}
        ],
    },
}


def text(found: Any, name: str = "") -> Text:
    return f"{name or found['kind'].lower()}.json", json.dumps(found)


def check(*found: Any, base: list[Any] | None = None) -> Admitted:
    governance, problems = governed(pack.objects("strict"), point=Point.CHECK, now=NOW)
    assert problems == ()
    before = None if base is None else [text(each) for each in base]
    return admit([text(each) for each in found], "/", Catalog(), governance, base=before)


def codes(admitted: Admitted, severity: str) -> set[str]:
    return {finding.code for finding in admitted.findings if finding.severity == severity}


@pytest.mark.parametrize("policy", [WEAK, {**WEAK, "apiVersion": "constraints.gatekeeper.sh/v1"}, EMPTY])
@pytest.mark.parametrize("base", [None, []])
def test_a_change_is_not_judged_by_what_it_makes_of_the_pack(policy: Any, base: list[Any] | None) -> None:
    admitted = check(DEPLOYMENT, policy, base=base)
    assert "PD001" in codes(admitted, "error")
    assert ("DV017" in codes(admitted, "warning")) is (policy is EMPTY)


def test_a_stronger_one_counts_beside_the_packs_own() -> None:
    governance, _ = governed(pack.objects("starter"), point=Point.CHECK, now=NOW)
    texts = [text(each, str(at)) for at, each in enumerate([DEPLOYMENT, *pack.objects("strict")])]
    assert "PD001" in codes(admit(texts, "/", Catalog(), governance), "error")


def test_what_was_agreed_to_before_counts() -> None:
    assert check(DEPLOYMENT, WEAK, base=[WEAK]).accepted


def test_a_policy_of_the_pack_as_it_is_says_nothing_new() -> None:
    own = next(found for found in pack.objects("strict") if found["metadata"]["name"] == "davy-workloads-deny")
    assert "DV017" not in codes(check(own), "warning")


def waiver(**changes: Any) -> Waiver:
    wish = Wish(rule="PD001", subject=DEPLOYMENT, reason="r", ticket="T", requester="anna", until=NOW + 3600)
    asked = granting.request(wish, NOW, 1)
    assert isinstance(asked, Waiver)
    agreed = granting.approve(asked, "ben", NOW)
    assert isinstance(agreed, Waiver)
    fresh = msgspec.structs.replace(agreed, **changes)
    return msgspec.structs.replace(fresh, approval=text_digest(fresh))


@pytest.mark.parametrize(
    "approver", ["anna", "Anna", " anna ", "anna\u200b", "\uff41nna", "an\u00adna", "anna (uid 1000)"]
)
def test_nobody_agrees_with_themselves_by_another_spelling(approver: str) -> None:
    admitted = check(DEPLOYMENT, document_of(waiver(approver=approver)))
    assert "PD001" in codes(admitted, "error")


def test_a_waiver_that_comes_with_the_change_is_told_of_loudly() -> None:
    own = document_of(waiver())
    for base, severity in (([], "warning"), (None, "note"), ([own], "note")):
        admitted = check(DEPLOYMENT, own, base=base)
        assert admitted.accepted
        [told] = [each for each in admitted.findings if "this waiver excuses" in each.title]
        assert (told.severity, told.place.file) == (severity, "waiver.json")
        assert "anna asked and ben agreed, says the file" in told.title
