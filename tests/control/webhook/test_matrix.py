"""Who gets what past a cluster that asks Davy: through the rules of the webhook, or around them."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.control.webhook.api_server import admits, asks, true
from tests.policy.asking import (
    CONTROLLER,
    DAVY,
    account,
    asked,
    body,
    impersonated,
    patched,
    person,
    rollout,
    scale,
)
from tests.policy.test_passage import ABORT as ABORT_PATCH
from tests.policy.test_passage import STATUS_PATCHES
from tests.serve.admitting import STRICT, rules

from davy.control.api_reviews import Reviewing
from davy.control.webhook import Governed, Place, documents
from davy.control.webhook.configuration import ABORT, COLLECTORS
from davy.policy.admission_request import read
from davy.policy.passage import Trusted, is_abort

GOVERNED = {"davy.dev/governed": "true"}
DOCUMENTS = documents(Governed(), Place(b"pem"))
ALONE = documents(Governed(), Place(b"pem"), with_backstop=False)
DEPLOYER = account("system:serviceaccount:prod:deployer")


def reviewing() -> Reviewing:
    return Reviewing(Trusted(frozenset({CONTROLLER}), DAVY), lambda: 0.0, rules(STRICT))


def status(patch: str, user: dict[str, Any], **before: Any) -> dict[str, Any]:
    old = rollout(**before)
    return asked(patched(old, json.loads(patch)), old=old, user=user, sub_resource="status")


def configuration(found: list[dict[str, Any]]) -> dict[str, Any]:
    (only,) = (each for each in found if each["kind"] == "ValidatingWebhookConfiguration")
    return only


def leaks(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return which of Argo's patches people and programs get past, that only the controller may send."""
    return {
        (name, user["username"])
        for name, patch in STATUS_PATCHES.items()
        for user in (person(), DEPLOYER, impersonated(CONTROLLER))
        if name != "abort" and admits(found, status(patch, user), GOVERNED, reviewing())
    }


def test_nobody_promotes_or_skips_past_the_controller() -> None:
    assert leaks(DOCUMENTS) == leaks(ALONE) == set()


def test_the_matrix_would_notice_if_the_status_were_not_named() -> None:
    broken = deepcopy(ALONE)
    for hook in configuration(broken)["webhooks"]:
        for rule in hook["rules"]:
            rule["resources"] = [each for each in rule["resources"] if not each.endswith("/status")]
    assert len(leaks(broken)) == 3 * (len(STATUS_PATCHES) - 1)


def test_the_matrix_would_notice_a_star_instead_of_names() -> None:
    broken = deepcopy(ALONE)
    for hook in configuration(broken)["webhooks"]:
        for rule in hook["rules"]:
            rule["resources"] = ["*"]
    assert leaks(broken)


@pytest.mark.parametrize("patch", STATUS_PATCHES)
@pytest.mark.parametrize("name", [CONTROLLER, DAVY])
@pytest.mark.parametrize("answers", [True, False])
def test_the_controller_and_davy_are_never_in_the_way_of_themselves(
    patch: str, name: str, answers: bool
) -> None:
    review = status(STATUS_PATCHES[patch], account(name))
    assert admits(DOCUMENTS, review, GOVERNED, reviewing() if answers else None)


@pytest.mark.parametrize(
    "user", [person(), DEPLOYER, impersonated(CONTROLLER)], ids=["person", "account", "as"]
)
@pytest.mark.parametrize("answers", [True, False])
def test_everybody_aborts_whether_davy_answers_or_not(user: dict[str, Any], answers: bool) -> None:
    assert admits(DOCUMENTS, status(ABORT_PATCH, user), GOVERNED, reviewing() if answers else None)


@pytest.mark.parametrize("patch", [name for name in STATUS_PATCHES if name != "abort"])
def test_while_nobody_answers_nothing_else_passes(patch: str) -> None:
    assert not admits(DOCUMENTS, status(STATUS_PATCHES[patch], person()), GOVERNED, None)
    assert not admits(DOCUMENTS, asked(rollout()), GOVERNED, None)
    assert not admits(DOCUMENTS, asked(None, old=rollout()), GOVERNED, None)


def test_the_backstop_holds_promotions_where_the_webhook_is_gone() -> None:
    gone = [each for each in DOCUMENTS if each["kind"] != "ValidatingWebhookConfiguration"]
    gone.append({"kind": "ValidatingWebhookConfiguration", "webhooks": []})
    found = {name for name, _ in leaks(gone)}
    assert found == {"retry", "abort as text", "abort as a number"}


@pytest.mark.parametrize(
    "patch",
    [
        {"stableRS": ""},
        {"stableRS": "9c4d"},
        {"canary": {"currentStepAnalysisRunStatus": {"name": "x", "status": "Successful"}}},
        {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2020-01-01T00:00:00Z"}]},
        {"abort": False, "stableRS": "9c4d"},
        None,
    ],
)
def test_the_rest_of_the_status_is_nobodys_but_the_controllers(patch: dict[str, Any] | None) -> None:
    before = {"stableRS": "5d8f", "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-11-25"}]}
    old = patched(rollout(), {"status": before})
    gone = [each for each in DOCUMENTS if each["kind"] != "ValidatingWebhookConfiguration"]
    gone.append({"kind": "ValidatingWebhookConfiguration", "webhooks": []})
    for user in (person(), DEPLOYER, impersonated(CONTROLLER)):
        review = asked(patched(old, {"status": patch}), old=old, user=user, sub_resource="status")
        assert not admits(gone, review, GOVERNED, None)
        assert not admits(ALONE, review, GOVERNED, reviewing())
    own = asked(patched(old, {"status": patch}), old=old, user=account(CONTROLLER), sub_resource="status")
    assert admits(DOCUMENTS, own, GOVERNED, None)


def run(phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "payments-5d8f-2", "namespace": "prod", **metadata},
        "spec": {"metrics": []},
        "status": {"phase": phase},
    }


OWNED = {"ownerReferences": [{"kind": "Rollout", "name": "payments", "controller": True}]}


@pytest.mark.parametrize("user", [person(), DEPLOYER, impersonated(CONTROLLER)])
def test_no_verdict_is_written_by_hand(user: dict[str, Any]) -> None:
    for review in (
        asked(run("Successful"), old=run(), user=user),
        asked(patched(run(), {"spec": {"terminate": True}}), old=run(), user=user),
        asked(run("Successful"), user=user),
        asked(run("", **OWNED), user=user),
        asked(None, old=run(), user=user),
    ):
        assert not admits(DOCUMENTS, review, GOVERNED, reviewing())
    assert admits(DOCUMENTS, asked(patched(run(), {"status": None}), user=user), GOVERNED, reviewing())


@pytest.mark.parametrize("name", COLLECTORS)
def test_runs_of_what_is_gone_are_collected(name: str) -> None:
    assert admits(DOCUMENTS, asked(None, old=run(), user=account(name)), GOVERNED, reviewing())


def test_a_namespace_without_the_label_is_left_alone() -> None:
    assert admits(DOCUMENTS, status('{"status":{"promoteFull":true}}', person()), {}, None)


def namespace(**labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "labels": labels}}


def test_a_label_that_governs_is_not_taken_off_without_asking() -> None:
    governed, free = namespace(**GOVERNED), namespace()
    hooks = configuration(DOCUMENTS)
    assert asks(hooks, asked(free, old=governed), {})
    assert asks(hooks, asked(None, old=governed), GOVERNED)
    assert not asks(hooks, asked(free, old=free), {})
    assert not asks(hooks, asked(governed, old=free), GOVERNED)
    bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    assert not asks(hooks, asked(bare, old=bare), {})
    for sub in ("status", "finalize"):
        assert asks(hooks, asked(free, old=governed, sub_resource=sub), {})
        collector = account("system:serviceaccount:kube-system:namespace-controller")
        assert not asks(hooks, asked(governed, old=governed, sub_resource=sub, user=collector), {})


@pytest.mark.parametrize(
    ("group", "resource", "sub", "operation"),
    [
        ("apps", "deployments", "", "CREATE"),
        ("apps", "deployments", "scale", "UPDATE"),
        ("apps", "statefulsets", "scale", "UPDATE"),
        ("apps", "replicasets", "", "CREATE"),
        ("apps", "daemonsets", "", "CREATE"),
        ("", "pods", "", "CREATE"),
        ("", "replicationcontrollers", "", "CREATE"),
        ("batch", "jobs", "", "CREATE"),
        ("batch", "cronjobs", "", "CREATE"),
        ("argoproj.io", "rollouts", "", "DELETE"),
        ("argoproj.io", "rollouts", "scale", "UPDATE"),
        ("argoproj.io", "rollouts", "status", "UPDATE"),
        ("argoproj.io", "analysisruns", "", "UPDATE"),
        ("argoproj.io", "analysisruns", "status", "UPDATE"),
        ("argoproj.io", "experiments", "", "CREATE"),
        ("argoproj.io", "experiments", "status", "UPDATE"),
        ("argoproj.io", "applicationsets", "", "UPDATE"),
        ("apps", "replicasets", "", "UPDATE"),
        ("", "pods", "", "UPDATE"),
        ("argoproj.io", "analysistemplates", "", "UPDATE"),
        ("argoproj.io", "analysistemplates", "", "DELETE"),
        ("argoproj.io", "clusteranalysistemplates", "", "UPDATE"),
        ("argoproj.io", "applications", "", "UPDATE"),
        ("templates.gatekeeper.sh", "constrainttemplates", "", "DELETE"),
        ("constraints.gatekeeper.sh", "davystrategy", "", "UPDATE"),
        ("", "services", "", "UPDATE"),
        ("networking.istio.io", "virtualservices", "", "UPDATE"),
        ("gateway.networking.k8s.io", "httproutes", "", "UPDATE"),
        ("gateway.networking.k8s.io", "tlsroutes", "", "UPDATE"),
        ("split.smi-spec.io", "trafficsplits", "", "UPDATE"),
        ("traefik.io", "traefikservices", "", "UPDATE"),
        ("keda.sh", "scaledobjects", "", "CREATE"),
        ("autoscaling", "horizontalpodautoscalers", "", "CREATE"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "UPDATE"),
        ("davy.dev", "waivers", "", "CREATE"),
    ],
)
def test_davy_is_asked_about_it(group: str, resource: str, sub: str, operation: str) -> None:
    request = {
        "resource": {"group": group, "version": "v1", "resource": resource},
        "subResource": sub,
        "operation": operation,
        "object": {"metadata": {}},
        "oldObject": {"metadata": {}},
        "userInfo": person(),
    }
    assert asks(configuration(DOCUMENTS), {"request": request}, GOVERNED)


VALUES = st.sampled_from([True, False, None, 1, 2, "true", [], [{"reason": "x"}], {}, {"a": 1}])
STATUS = st.dictionaries(
    st.sampled_from(["abort", "promoteFull", "currentStepIndex", "phase", "canary"]), VALUES
)


@given(STATUS, STATUS)
def test_the_api_server_and_davy_agree_on_what_an_abort_is(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    old, new = ({**rollout(), "status": each} for each in (before, after))
    review = asked(new, old=old, sub_resource="status")
    found = true(ABORT, review["request"])
    assert found <= is_abort(read(body(review)).review)
    if all(type(before.get(name)) is type(after.get(name)) for name in {*before, *after} - {"abort"}):
        assert found is is_abort(read(body(review)).review)


def test_an_abort_of_something_without_a_status_is_asked_about() -> None:
    old = patched(rollout(), {"status": None})
    assert asks(
        configuration(DOCUMENTS),
        asked(patched(old, json.loads(ABORT_PATCH)), old=old, sub_resource="status"),
        GOVERNED,
    )
    assert asks(configuration(DOCUMENTS), asked(scale(2), old=scale(1)), GOVERNED)
