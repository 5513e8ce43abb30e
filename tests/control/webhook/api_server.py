"""As much of an API server as asks webhooks and evaluates its own policies (KEP-3716, KEP-3488)."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.policy.asking import body

from davy.control.api_reviews import Reviewing
from davy.policy.admission_request import read
from davy.policy.cel import compile

Json = Mapping[str, Any]


def names(rule: Json, request: Json) -> bool:
    """Say whether a rule names what a request is about, a subresource only where it is named."""
    resource, sub = request["resource"], request.get("subResource", "")
    wanted = f"{resource['resource']}/{sub}" if sub else resource["resource"]
    every = f"*/{sub}" if sub else "*"
    return (
        any(group in ("*", resource["group"]) for group in rule["apiGroups"])
        and any(version in ("*", resource["version"]) for version in rule["apiVersions"])
        and any(operation in ("*", request["operation"]) for operation in rule["operations"])
        and any(each in (wanted, every, "*/*") for each in rule["resources"])
    )


def selects(selector: Json | None, labels: Json) -> bool:
    return all(labels.get(key) == value for key, value in ((selector or {}).get("matchLabels") or {}).items())


def true(expression: str, request: Json) -> bool:
    variables = {"object": request["object"], "oldObject": request["oldObject"], "request": request}
    value = compile(expression, variables.keys()).evaluate(variables)
    assert isinstance(value, bool)
    return value


def asks(configuration: Json, review: Json, labels: Json) -> bool:
    """Say whether one of the webhooks is called."""
    request = review["request"]
    return any(
        any(names(rule, request) for rule in hook["rules"])
        and selects(hook.get("namespaceSelector"), labels)
        and all(true(condition["expression"], request) for condition in hook["matchConditions"])
        for hook in configuration["webhooks"]
    )


def admits(documents: Sequence[Json], review: Json, labels: Json, reviewing: Reviewing | None) -> bool:
    """Say whether a change is made. Without `reviewing` nobody answers, and everything fails closed."""
    (configuration,) = (each for each in documents if each["kind"] == "ValidatingWebhookConfiguration")
    if denied_by_itself(documents, review, labels):
        return False
    if not asks(configuration, review, labels):
        return True
    if reviewing is None:
        return False
    request = read(body(review))
    reply = reviewing.let_through(request) or reviewing.judge(request)
    return bool(reply.body["response"]["allowed"])


def denied_by_itself(documents: Sequence[Json], review: Json, labels: Json) -> bool:
    """Say whether a ValidatingAdmissionPolicy denies a change."""
    request = review["request"]
    policies = {
        each["metadata"]["name"]: each["spec"]
        for each in documents
        if each["kind"] == "ValidatingAdmissionPolicy"
    }
    for binding in (each["spec"] for each in documents if each["kind"] == "ValidatingAdmissionPolicyBinding"):
        policy = policies[binding["policyName"]]
        if (
            selects(binding["matchResources"]["namespaceSelector"], labels)
            and any(names(rule, request) for rule in policy["matchConstraints"]["resourceRules"])
            and all(true(each["expression"], request) for each in policy["matchConditions"])
            and not all(true(each["expression"], request) for each in policy["validations"])
        ):
            return True
    return False
