"""The rules in CEL say what the rules in Rego say, of everything that can be said of one object."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.policy.pack.asking import CASES, section_of

from davy.policy import cel, pack
from davy.policy.pack.native import policy
from davy.policy.review import Review

PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "Canary": "canaries",
    "Ingress": "ingresses",
}

ALONE = {rule: found for section in pack.SECTIONS for found in pack.cel(section.name) for rule in [found.rule]}

COMPARABLE = [
    (rule, example)
    for rule, example in CASES
    if rule in ALONE
    and example.operation
    and (example.review.kind.kind != "Scale" or example.resource)
    and (not ALONE[rule].note or example.inventory == pack.examples()["PD020"].firing[0].inventory)
]
"""Those that the API server asks about, and that do not depend on what else is there."""


@pytest.mark.parametrize(
    ("rule", "example"), COMPARABLE, ids=[f"{rule}: {example.note}" for rule, example in COMPARABLE]
)
def test_cel_and_rego_agree(rule: str, example: pack.Example) -> None:
    assert refuses(rule, example) == (rule in example.fires)


def test_every_rule_is_there_or_named() -> None:
    assert set(ALONE) | set(pack.not_in_cel("strict")) == set(pack.RULES)
    assert not set(ALONE) & set(pack.not_in_cel("strict"))


def test_the_rules_that_look_at_other_objects_are_left_out_or_say_what_they_do_not_see() -> None:
    for rule in ("PD001", "PD002", "PD036", "PD047", "PD060"):
        assert ALONE[rule].note
    assert {"PD031", "PD061"} <= set(pack.not_in_cel("strict"))


@pytest.mark.parametrize("profile", pack.PROFILES)
def test_a_profile_is_a_policy_and_a_binding_for_each_rule(profile: pack.Profile) -> None:
    made = pack.cel_objects(profile, "vap")
    wanted = {rule: pack.RULES[rule].severity[profile] for rule in ALONE}
    bindings = {
        found["spec"]["policyName"]: found["spec"]["validationActions"]
        for found in made
        if found["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert bindings == {
        f"davy-{rule.lower()}": [severity.capitalize()]
        for rule, severity in wanted.items()
        if severity != "off"
    }
    policies = [found for found in made if found["kind"] == "ValidatingAdmissionPolicy"]
    assert {found["metadata"]["name"] for found in policies} == set(bindings)
    for found in policies:
        assert found["spec"]["failurePolicy"] == "Fail"


@pytest.mark.parametrize("profile", pack.PROFILES)
def test_kyverno_is_asked_the_same(profile: pack.Profile) -> None:
    policies = {found["metadata"]["name"]: found for found in pack.cel_objects(profile, "kyverno")}
    for found in pack.cel_objects(profile, "vap"):
        if found["kind"] == "ValidatingAdmissionPolicy":
            theirs = policies.pop(found["metadata"]["name"])
            assert (theirs["apiVersion"], theirs["kind"]) == ("policies.kyverno.io/v1", "ValidatingPolicy")
            assert found["spec"].items() <= theirs["spec"].items()
        else:
            spec = next(
                theirs["spec"]
                for theirs in pack.cel_objects(profile, "kyverno")
                if theirs["metadata"]["name"] == found["metadata"]["name"]
            )
            assert spec["validationActions"] == found["spec"]["validationActions"]
    assert policies == {}


def refuses(rule: str, example: pack.Example) -> bool:
    """Whether a policy refuses an example. An error is a refusal, and no example may end in one."""
    made = policy(ALONE[rule], pack.RULES[rule], section_of(rule).parameters, example.parameters, "vap")
    spec = made["spec"]
    if not matches(spec["matchConstraints"]["resourceRules"], example.review):
        return False
    known = request_of(example.review)
    values: dict[str, Any] = {}
    known["variables"] = values
    types: dict[str, cel.Type] = {}
    for variable in spec["variables"]:
        program = compiled(variable["expression"], known, types)
        values[variable["name"]] = program.evaluate(known)
        types[variable["name"]] = program.result
    program = compiled(spec["validations"][0]["expression"], known, types)
    assert str(program.result) == "bool"
    return program.evaluate(known) is False


def compiled(expression: str, known: Mapping[str, Any], types: Mapping[str, cel.Type]) -> cel.Program:
    """Compile with the types of the variables before it, as the API server does."""
    declared = dict.fromkeys(known, cel.DYN) | {"variables": cel.Type("variables", (), dict(types))}
    return cel.compile(expression, declared)


def resource_of(review: Review) -> str:
    """What the API server calls it."""
    kind = review.kind.kind
    plural = review.resource.resource if review.resource else PLURALS.get(kind, f"{kind.lower()}s")
    return f"{plural}/{review.sub_resource}" if review.sub_resource else plural


def matches(rules: list[Mapping[str, Any]], review: Review) -> bool:
    resource = resource_of(review)
    _main, _, sub = resource.partition("/")
    return any(
        review.operation in rule["operations"]
        and ("*" in rule["apiGroups"] or review.kind.group in rule["apiGroups"])
        and (
            resource in rule["resources"]
            or ("*" in rule["resources"] and not sub)
            or (sub and f"*/{sub}" in rule["resources"])
        )
        for rule in rules
    )


def request_of(review: Review) -> dict[str, Any]:
    """What an expression may use, as the API server makes it."""
    return {
        "object": review.object,
        "oldObject": review.old_object,
        "namespaceObject": review.namespace_object,
        "request": {
            "operation": review.operation,
            "userInfo": dict(review.user),
            "namespace": review.namespace,
            "name": review.name,
            "subResource": review.sub_resource,
            "resource": {"group": review.kind.group, "resource": resource_of(review).partition("/")[0]},
        },
    }
