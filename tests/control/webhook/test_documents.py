"""What is written for a cluster: in the official client's models, closed, and with nothing left to guess."""

import base64
import json
from typing import Any

import msgspec
import pytest
from kubernetes import client

from davy.control.webhook import Governed, Place, documents
from davy.control.webhook.waivers import REQUIRED, SPEC
from davy.model.waiver import WaivedObject, WaiverSpec

WHOLE = documents(Governed(), Place(b"pem", image="example.com/davy:1", certificate="crt", key="key"))

MODELS = {
    "CustomResourceDefinition": "V1CustomResourceDefinition",
    "Namespace": "V1Namespace",
    "Secret": "V1Secret",
    "ServiceAccount": "V1ServiceAccount",
    "Deployment": "V1Deployment",
    "Service": "V1Service",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
    "ClusterRole": "V1ClusterRole",
    "ClusterRoleBinding": "V1ClusterRoleBinding",
    "ValidatingAdmissionPolicy": "V1ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding": "V1ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration": "V1ValidatingWebhookConfiguration",
}


def of_kind(kind: str, found: list[dict[str, Any]] = WHOLE) -> list[dict[str, Any]]:
    return [each for each in found if each["kind"] == kind]


@pytest.mark.parametrize("document", WHOLE, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_the_official_client_knows_every_field(document: dict[str, Any]) -> None:
    api = client.ApiClient()
    read = api.deserialize(json.dumps(document), MODELS[document["kind"]], "application/json")
    assert api.sanitize_for_serialization(read) == document  # type: ignore[no-untyped-call]


def test_everything_fails_closed_and_is_asked_with_time_to_answer() -> None:
    (configuration,) = of_kind("ValidatingWebhookConfiguration")
    for hook in configuration["webhooks"]:
        assert hook["failurePolicy"] == "Fail"
        assert hook["matchPolicy"] == "Equivalent"
        assert hook["timeoutSeconds"] == 5
        assert hook["sideEffects"] == "NoneOnDryRun"
        assert hook["admissionReviewVersions"] == ["v1"]
        assert base64.b64decode(hook["clientConfig"]["caBundle"]) == b"pem"
        assert hook["clientConfig"]["service"]["path"] == "/v1/admit"
    (governed, policies, namespaces) = configuration["webhooks"]
    assert governed["namespaceSelector"] == {"matchLabels": {"davy.dev/governed": "true"}}
    assert "namespaceSelector" not in policies
    assert "namespaceSelector" not in namespaces


def test_davy_outside_of_the_cluster_is_asked_by_url_and_nothing_runs_inside() -> None:
    found = documents(Governed(), Place(b"pem", url="https://davy.example:8443/v1/admit"))
    (configuration,) = of_kind("ValidatingWebhookConfiguration", found)
    assert all(
        hook["clientConfig"]["url"] == "https://davy.example:8443/v1/admit"
        for hook in configuration["webhooks"]
    )
    assert not {"Deployment", "Secret", "Service"} & {each["kind"] for each in found}


def test_the_roles_of_people_take_the_status_and_the_verdicts_away() -> None:
    roles = [each for each in of_kind("ClusterRole") if "aggregate" in each["metadata"]["name"]]
    assert {each["metadata"]["name"] for each in roles} == {
        "argo-rollouts-aggregate-to-edit",
        "argo-rollouts-aggregate-to-admin",
    }
    for role in roles:
        for rule in role["rules"]:
            if {"rollouts/status", "analysisruns"} & set(rule["resources"]):
                assert set(rule["verbs"]) == {"get", "list", "watch"}


def test_davy_may_only_read() -> None:
    (role,) = (each for each in of_kind("ClusterRole") if each["metadata"]["name"] == "davy-admission")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    (deployment,) = of_kind("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert f"--davy={Governed().itself}" in container["args"]


def test_the_key_is_in_the_secret_and_nowhere_else() -> None:
    (secret,) = of_kind("Secret")
    assert base64.b64decode(secret["data"]["tls.key"]) == b"key"
    place = Place(b"pem", key="hush")
    assert "hush" not in repr(place)


def test_a_waiver_has_the_fields_that_are_read() -> None:
    fields = {each.encode_name: each for each in msgspec.structs.fields(WaiverSpec)}
    assert SPEC.keys() == fields.keys()
    assert set(REQUIRED) == {name for name, each in fields.items() if each.required}
    below = {each.encode_name: each for each in msgspec.structs.fields(WaivedObject)}
    assert SPEC["object"]["properties"].keys() == below.keys()
    assert set(SPEC["object"]["required"]) == {name for name, each in below.items() if each.required}
