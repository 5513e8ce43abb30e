"""The ValidatingWebhookConfiguration: about what an API server asks, and about what it does not have to.

Everything is named. In a rule `*` means every resource and no subresource, and a promotion is a patch of
`rollouts/status`: a webhook that does not name it never hears of one.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

from davy.control.webhook.place import Governed, Place

NAME = "davy-admission"

_WRITES = ("CREATE", "UPDATE", "DELETE")

NAMESPACED: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "argoproj.io",
        (
            *("rollouts", "rollouts/status", "rollouts/scale", "analysistemplates"),
            *("analysisruns", "analysisruns/status", "experiments", "experiments/status"),
        ),
        _WRITES,
    ),
    ("argoproj.io", ("applications", "applicationsets"), ("CREATE", "UPDATE")),
    ("apps", ("deployments", "replicasets", "statefulsets", "daemonsets"), _WRITES),
    ("", ("pods", "pods/ephemeralcontainers", "replicationcontrollers"), ("CREATE", "UPDATE")),
    ("batch", ("jobs", "cronjobs"), ("CREATE", "UPDATE")),
    ("apps.openshift.io", ("deploymentconfigs",), ("CREATE", "UPDATE")),
    ("apps.kruise.io", ("clonesets", "statefulsets", "daemonsets"), ("CREATE", "UPDATE")),
    ("serving.knative.dev", ("services",), ("CREATE", "UPDATE")),
    ("flagger.app", ("canaries",), ("CREATE", "UPDATE")),
    ("*", ("*/scale",), ("UPDATE",)),
    ("", ("services",), ("CREATE", "UPDATE")),
    ("networking.istio.io", ("virtualservices", "destinationrules"), ("CREATE", "UPDATE", "DELETE")),
    ("gateway.networking.k8s.io", ("httproutes", "grpcroutes", "tcproutes", "tlsroutes"), _WRITES),
    ("split.smi-spec.io", ("trafficsplits",), ("CREATE", "UPDATE")),
    ("traefik.io", ("traefikservices",), ("CREATE", "UPDATE")),
    ("traefik.containo.us", ("traefikservices",), ("CREATE", "UPDATE")),
    ("networking.k8s.io", ("ingresses",), ("CREATE", "UPDATE")),
    ("autoscaling", ("horizontalpodautoscalers",), ("CREATE", "UPDATE")),
    ("keda.sh", ("scaledobjects",), ("CREATE", "UPDATE")),
)
"""What is judged in a governed namespace: group, resources, operations."""

CLUSTER_WIDE: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("argoproj.io", ("clusteranalysistemplates",), _WRITES),
    ("templates.gatekeeper.sh", ("constrainttemplates",), _WRITES),
    ("constraints.gatekeeper.sh", ("*",), _WRITES),
    ("expansion.gatekeeper.sh", ("*",), _WRITES),
    ("davy.dev", ("waivers",), _WRITES),
    (
        "admissionregistration.k8s.io",
        (
            "validatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ),
        ("UPDATE", "DELETE"),
    ),
)
"""What says what is allowed, which is in no namespace."""

COLLECTORS = (
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
)
"""Who takes away what belonged to something that is gone."""

STATUS_KEPT = (
    'object.status.all(k, k == "abort" || (k in oldObject.status && object.status[k] == oldObject.status[k]))'
    ' && oldObject.status.all(k, k == "abort" || k in object.status)'
)
"""CEL: whether a status that is there stays what it is, `abort` left aside."""

ABORT = (
    'request.resource.group == "argoproj.io" && request.resource.resource == "rollouts"'
    ' && has(request.subResource) && request.subResource == "status" && request.operation == "UPDATE"'
    " && has(object.status) && has(oldObject.status)"
    " && has(object.status.abort) && object.status.abort == true"
    " && !(has(oldObject.status.abort) && oldObject.status.abort == true)"
    f" && {STATUS_KEPT}"
)
"""CEL: whether this is an abort and nothing else, as `davy.policy.passage.is_abort` says it."""


def account(names: Sequence[str]) -> str:
    """Write in CEL: whether it is one of some service accounts, signed in itself (`--as` has no uid)."""
    return (
        f"request.userInfo.username in {json.dumps(list(names))}"
        ' && has(request.userInfo.uid) && request.userInfo.uid != ""'
    )


def configuration(governed: Governed, place: Place) -> dict[str, Any]:
    """Write the configuration. All of it fails closed, in governed namespaces and for what governs them."""
    label, _, value = governed.label.partition("=")
    excluded = [
        {"name": "not-the-controller", "expression": f"!({account(governed.accounts)})"},
        {"name": "not-an-abort", "expression": f"!({ABORT})"},
    ]
    of_governed = f'oldObject.metadata.?labels[?{json.dumps(label)}].orValue("") == {json.dumps(value)}'
    hooks = [
        _hook("governed", NAMESPACED, place, excluded) | {"namespaceSelector": {"matchLabels": {label: value}}},
        _hook("policies", CLUSTER_WIDE, place, excluded[:1]),
        _hook(
            "namespaces",
            (("", ("namespaces", "namespaces/status", "namespaces/finalize"), ("UPDATE", "DELETE")),),
            place,
            [
                *excluded[:1],
                {"name": "not-a-collector", "expression": f"!({account(COLLECTORS)})"},
                {"name": "is-governed", "expression": of_governed},
            ],
        ),
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": NAME, "labels": dict(place.labels)},
        "webhooks": hooks,
    }


def _hook(
    name: str,
    about: Sequence[tuple[str, Sequence[str], Sequence[str]]],
    place: Place,
    conditions: Sequence[dict[str, str]],
) -> dict[str, Any]:
    return {
        "name": f"{name}.admission.davy.dev",
        "admissionReviewVersions": ["v1"],
        "clientConfig": _client(place),
        "rules": [
            {
                "apiGroups": [group],
                "apiVersions": ["*"],
                "resources": list(resources),
                "operations": list(operations),
                "scope": "*",
            }
            for group, resources, operations in about
        ],
        "matchPolicy": "Equivalent",
        "failurePolicy": "Fail",
        "timeoutSeconds": 5,
        "sideEffects": "NoneOnDryRun",
        "matchConditions": list(conditions),
    }


def _client(place: Place) -> dict[str, Any]:
    bundle = {"caBundle": base64.b64encode(place.bundle).decode()}
    if place.url:
        return {"url": place.url, **bundle}
    service = {"namespace": place.namespace, "name": place.name, "path": "/v1/admit", "port": 443}
    return {"service": service, **bundle}
