"""Davy itself in a cluster: two replicas that may do nothing but read and answer."""

import base64
from typing import Any

from davy.control.webhook.place import Governed, Place

SECRET = "davy-admission-tls"  # noqa: S105 - the name of one
PORT = 8443


def deployment(governed: Governed, place: Place) -> list[dict[str, Any]]:
    """Write the namespace, the account, the certificate where it is given, the Deployment and its Service."""
    found = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": place.namespace, "labels": dict(place.labels)},
        },
        _in_namespace("v1", "ServiceAccount", place.name, place, {}),
        _in_namespace("apps/v1", "Deployment", place.name, place, {"spec": _spec(governed, place)}),
        _in_namespace("v1", "Service", place.name, place, {"spec": _service(place)}),
        _in_namespace(
            "policy/v1",
            "PodDisruptionBudget",
            place.name,
            place,
            {"spec": {"minAvailable": 1, "selector": {"matchLabels": dict(place.labels)}}},
        ),
    ]
    if place.certificate:
        found.insert(1, _secret(place))
    return found


def _secret(place: Place) -> dict[str, Any]:
    texts = {"tls.crt": place.certificate, "tls.key": place.key, "ca.crt": place.bundle.decode()}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    return _in_namespace("v1", "Secret", SECRET, place, {"type": "kubernetes.io/tls", "data": data})


def _service(place: Place) -> dict[str, Any]:
    port = {"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}
    return {"selector": dict(place.labels), "ports": [port]}


def _spec(governed: Governed, place: Place) -> dict[str, Any]:
    labels = dict(place.labels)
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    return {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "serviceAccountName": place.name,
                "priorityClassName": "system-cluster-critical",
                "topologySpreadConstraints": [spread],
                "terminationGracePeriodSeconds": 30,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "fsGroup": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [_container(governed, place)],
                "volumes": [{"name": "tls", "secret": {"secretName": SECRET, "defaultMode": 0o440}}],
            },
        },
    }


def _container(governed: Governed, place: Place) -> dict[str, Any]:
    arguments = [
        "serve",
        "--admission",
        "--in-cluster",
        f"--listen=0.0.0.0:{PORT}",
        "--cert-dir=/tls",
        f"--profile={place.profile}",
        f"--davy={governed.itself}",
        *(f"--controller={name}" for name in governed.controllers),
    ]
    return {
        "name": "davy",
        "image": place.image,
        "command": ["davy"],
        "args": arguments,
        "env": [{"name": "DAVY_HOME", "value": "/nowhere"}],
        "ports": [{"name": "https", "containerPort": PORT}],
        "livenessProbe": _probe("/healthz"),
        "readinessProbe": _probe("/readyz"),
        "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}],
    }


def _probe(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "https", "scheme": "HTTPS"}, "periodSeconds": 5}


def _in_namespace(version: str, kind: str, name: str, place: Place, rest: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": place.namespace, "labels": dict(place.labels)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}
