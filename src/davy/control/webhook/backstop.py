"""ValidatingAdmissionPolicies that an API server evaluates itself: what holds while nobody answers.

They know no waivers. Where they are in force, a promotion that a waiver excuses goes by way of Davy.
"""

from typing import Any

from davy.control.webhook.configuration import COLLECTORS, STATUS_KEPT, account
from davy.control.webhook.place import Governed, Place

STATUS, RUNS = "davy-rollout-status", "davy-analysis-runs"

_PROMOTES = "object.?status.?promoteFull.orValue(false) && !oldObject.?status.?promoteFull.orValue(false)"
_SAME_STEP = "object.?status.?currentStepIndex.orValue(0) == oldObject.?status.?currentStepIndex.orValue(0)"
_STAYS_PAUSED = (
    "object.?status.?pauseConditions.orValue([]).size()"
    " >= oldObject.?status.?pauseConditions.orValue([]).size()"
    " && (!oldObject.?status.?controllerPause.orValue(false) || object.?status.?controllerPause.orValue(false))"
)
_KEPT = f"has(object.status) == has(oldObject.status) && (!has(object.status) || {STATUS_KEPT})"


def backstop(governed: Governed, place: Place) -> list[dict[str, Any]]:
    """Write the policies with their bindings."""
    people = {"name": "not-the-controller", "expression": f"!({account(governed.accounts)})"}
    collectors = {"name": "not-a-collector", "expression": f"!({account(COLLECTORS)})"}
    status = _policy(
        STATUS,
        place,
        [("rollouts/status", ["UPDATE"])],
        [people],
        [
            (f"!({_PROMOTES})", "promoteFull skips every gate: only the controller and Davy set it"),
            (_SAME_STEP, "currentStepIndex is the controller's: nobody else skips a step"),
            (_STAYS_PAUSED, "a pause ends by davy promote"),
            (_KEPT, "the status is the controller's: nobody else writes more of it than abort"),
        ],
    )
    runs = _policy(
        RUNS,
        place,
        [
            ("analysisruns", ["CREATE", "UPDATE", "DELETE"]),
            ("analysisruns/status", ["UPDATE"]),
            ("experiments/status", ["UPDATE"]),
        ],
        [people, collectors],
        [
            (
                'request.operation == "CREATE" && !has(object.metadata.ownerReferences)'
                ' && object.?status.?phase.orValue("") == ""',
                "an AnalysisRun is evidence: only the controller writes it",
            )
        ],
    )
    return [document for policy in (status, runs) for document in (policy, _binding(policy, governed))]


def _policy(
    name: str,
    place: Place,
    about: list[tuple[str, list[str]]],
    conditions: list[dict[str, str]],
    validations: list[tuple[str, str]],
) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": dict(place.labels)},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "resourceRules": [
                    {
                        "apiGroups": ["argoproj.io"],
                        "apiVersions": ["*"],
                        "resources": [resource],
                        "operations": operations,
                    }
                    for resource, operations in about
                ],
            },
            "matchConditions": conditions,
            "validations": [
                {"expression": expression, "message": message, "reason": "Forbidden"}
                for expression, message in validations
            ],
        },
    }


def _binding(policy: dict[str, Any], governed: Governed) -> dict[str, Any]:
    label, _, value = governed.label.partition("=")
    metadata = policy["metadata"]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {
            "policyName": metadata["name"],
            "validationActions": ["Deny", "Audit"],
            "matchResources": {"namespaceSelector": {"matchLabels": {label: value}}},
        },
    }
