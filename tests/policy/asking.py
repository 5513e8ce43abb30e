"""AdmissionReviews as API servers send them, from what people and programs send to API servers.

Objects are made by the official client, and a patch is applied as RFC 7386 says and an API server does.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from kubernetes import client

CONTROLLER = "system:serviceaccount:argo-rollouts:argo-rollouts"
DAVY = "system:serviceaccount:davy-system:davy"

RESOURCES = {
    "Rollout": ("argoproj.io", "v1alpha1", "rollouts"),
    "AnalysisRun": ("argoproj.io", "v1alpha1", "analysisruns"),
    "AnalysisTemplate": ("argoproj.io", "v1alpha1", "analysistemplates"),
    "Deployment": ("apps", "v1", "deployments"),
    "Pod": ("", "v1", "pods"),
    "Namespace": ("", "v1", "namespaces"),
    "Scale": ("autoscaling", "v1", "rollouts"),
    "Waiver": ("davy.dev", "v1alpha1", "waivers"),
}


@cache
def _spelling() -> client.ApiClient:
    return client.ApiClient()


def as_json(found: Any) -> dict[str, Any]:
    """Spell an object as the official client sends it."""
    spelt = _spelling().sanitize_for_serialization(found)  # type: ignore[no-untyped-call]
    return dict(json.loads(json.dumps(spelt)))


def deployment(name: str = "payments", namespace: str = "prod") -> dict[str, Any]:
    labels = {"app": name}
    container = client.V1Container(name="app", image="example.com/payments:2", ports=[])
    pod = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(
        replicas=3, selector=client.V1LabelSelector(match_labels=labels), template=pod
    )
    metadata = client.V1ObjectMeta(name=name, namespace=namespace, labels=labels)
    return as_json(client.V1Deployment(api_version="apps/v1", kind="Deployment", metadata=metadata, spec=spec))


def rollout(**status: Any) -> dict[str, Any]:
    """A rollout in the middle of an update."""
    found = deployment()
    found |= {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    found["metadata"] |= {"generation": 7, "resourceVersion": "1234", "uid": "0b3e"}
    found["spec"]["strategy"] = {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}]}}
    found["status"] = {
        "stableRS": "5d8f",
        "currentPodHash": "7c9a",
        "currentStepIndex": 1,
        "phase": "Paused",
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-03-01T12:00:00Z"}],
        **status,
    }
    return found


def scale(replicas: int) -> dict[str, Any]:
    metadata = client.V1ObjectMeta(name="payments", namespace="prod")
    spec = client.V1ScaleSpec(replicas=replicas)
    return as_json(client.V1Scale(api_version="autoscaling/v1", kind="Scale", metadata=metadata, spec=spec))


def patched(found: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch (RFC 7386)."""
    result = deepcopy(dict(found))
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            below = result.get(name)
            result[name] = patched(below if isinstance(below, Mapping) else {}, value)
        else:
            result[name] = deepcopy(value)
    return result


def person(name: str = "alice") -> dict[str, Any]:
    return {"username": name, "uid": name, "groups": ["system:authenticated"]}


def account(name: str) -> dict[str, Any]:
    """Whoever holds the token of a service account."""
    _, _, namespace, _ = name.split(":")
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    return {"username": name, "uid": "5f1c2a4e", "groups": groups}


def impersonated(name: str) -> dict[str, Any]:
    """What is left of an administrator behind `kubectl --as`: the name and groups of another, and no uid."""
    return {field: value for field, value in account(name).items() if field != "uid"}


def asked(
    found: Mapping[str, Any] | None,
    *,
    old: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    sub_resource: str = "",
    dry_run: bool = False,
    uid: str = "705ab4f5-6393-11e8-b7cc-42010a800002",
) -> dict[str, Any]:
    """Wrap an object: a CREATE, with `old` an UPDATE, without an object a DELETE."""
    about = found if found is not None else old
    assert about is not None
    group, version, resource = RESOURCES[str(about["kind"])]
    if about["kind"] == "Scale":
        plural = {"group": "argoproj.io", "version": "v1alpha1", "resource": resource}
        sub_resource = "scale"
    else:
        plural = {"group": group, "version": version, "resource": resource}
    kind = {"group": group, "version": version, "kind": about["kind"]}
    request: dict[str, Any] = {
        "uid": uid,
        "kind": kind,
        "resource": plural,
        "requestKind": kind,
        "requestResource": plural,
        "name": about["metadata"].get("name", ""),
        "operation": "DELETE" if found is None else "CREATE" if old is None else "UPDATE",
        "userInfo": dict(user or person()),
        "object": found,
        "oldObject": old,
        "dryRun": dry_run,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "UpdateOptions"},
    }
    if "namespace" in about["metadata"]:
        request["namespace"] = about["metadata"]["namespace"]
    if sub_resource:
        request |= {"subResource": sub_resource, "requestSubResource": sub_resource}
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def body(review: Mapping[str, Any]) -> bytes:
    return json.dumps(review).encode()
