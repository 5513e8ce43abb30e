"""Who may do what, in roles of the cluster: the status of a rollout is the controller's.

Argo Rollouts gives everybody who may edit a namespace `patch` on `rollouts/status`, which is a promotion past
every gate, and on `analysisruns`, which is a verdict. These roles have its names and take its place.
"""

from typing import Any

from davy.control.webhook.place import Governed, Place

_READS = ["get", "list", "watch"]
_WRITES = ["create", "delete", "deletecollection", "patch", "update"]
_AUTHORIZED = "rbac.authorization.k8s.io"


def roles(governed: Governed, place: Place) -> list[dict[str, Any]]:
    """Write the roles of people, and of Davy where it runs in the cluster."""
    written = [_aggregated("edit"), _aggregated("admin"), _on_call(place)]
    return [*written, _own(place), _bound(place)] if place.image else written


def _aggregated(to: str) -> dict[str, Any]:
    name = f"argo-rollouts-aggregate-to-{to}"
    labels = {
        "app.kubernetes.io/component": "aggregate-cluster-role",
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "argo-rollouts",
        f"{_AUTHORIZED}/aggregate-to-{to}": "true",
    }
    return _role(
        name,
        labels,
        [
            _rule(
                "argoproj.io",
                ["rollouts", "rollouts/scale", "analysistemplates", "clusteranalysistemplates", "experiments"],
                [*_READS, *_WRITES],
            ),
            _rule("argoproj.io", ["rollouts/status", "analysisruns"], _READS),
        ],
    )


def _on_call(place: Place) -> dict[str, Any]:
    """Let people abort with kubectl: the webhook holds them to that."""
    rules = [_rule("argoproj.io", ["rollouts/status"], ["get", "patch"])]
    return _role("davy-abort-rollouts", dict(place.labels), rules)


def _own(place: Place) -> dict[str, Any]:
    argo = ["rollouts", "analysistemplates", "clusteranalysistemplates"]
    policies = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]
    return _role(
        "davy-admission",
        dict(place.labels),
        [
            _rule("", ["namespaces"], _READS),
            _rule("argoproj.io", argo, _READS),
            _rule("apps", ["deployments", "replicasets"], _READS),
            _rule("autoscaling", ["horizontalpodautoscalers"], _READS),
            _rule("davy.dev", ["waivers"], _READS),
            _rule("templates.gatekeeper.sh", ["constrainttemplates"], _READS),
            _rule("constraints.gatekeeper.sh", ["*"], _READS),
            _rule("expansion.gatekeeper.sh", ["*"], _READS),
            _rule("admissionregistration.k8s.io", policies, _READS),
        ],
    )


def _bound(place: Place) -> dict[str, Any]:
    return {
        "apiVersion": f"{_AUTHORIZED}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "davy-admission", "labels": dict(place.labels)},
        "roleRef": {"apiGroup": _AUTHORIZED, "kind": "ClusterRole", "name": "davy-admission"},
        "subjects": [{"kind": "ServiceAccount", "name": place.name, "namespace": place.namespace}],
    }


def _role(name: str, labels: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": f"{_AUTHORIZED}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
