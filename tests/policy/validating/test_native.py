"""The CEL of Gatekeeper's templates."""

from typing import Any

import pytest

from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.review import Kind, Review, review_of
from davy.policy.validating.native import compile_native

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"hostNetwork": True}}


def said(source: Any, review: Review | None = None, parameters: Any = None) -> list[str]:
    found = compile_native(source).judge(review_of(POD) if review is None else review, parameters)
    return [each.message for each in found]


def test_parameters_and_the_object_are_variables() -> None:
    source = {
        "variables": [{"name": "limit", "expression": "variables.params.most"}],
        "validations": [
            {
                "expression": "size(variables.anyObject.metadata.name) <= variables.limit",
                "messageExpression": "'longer than ' + string(variables.limit)",
            }
        ],
    }
    assert said(source, parameters={"most": 2}) == ["longer than 2"]
    assert said(source, parameters={"most": 3}) == []


def test_on_delete_the_object_is_null() -> None:
    review = Review(kind=Kind.of(POD), object=None, old_object=POD, operation="DELETE", name="web")
    source = {"validations": [{"expression": "object == null && variables.anyObject.metadata.name == 'api'"}]}
    assert said(source, review) == [
        "failed expression: object == null && variables.anyObject.metadata.name == 'api'"
    ]


def test_conditions() -> None:
    never, no = [{"name": "never", "expression": "false"}], [{"expression": "false"}]
    assert said({"matchCondition": never, "validations": no}) == []
    with pytest.raises(Malformed, match="matchConditions") as raised:  # Gatekeeper does not read it
        compile_native({"matchConditions": never, "validations": no}, "source")
    assert "matchCondition" in raised.value.fix


@pytest.mark.parametrize(
    "expression",
    ["namespaceObject == null", "null == namespaceObject", "request.userInfo != null", "oldObject == null"],
)
def test_an_object_may_be_compared_with_null(expression: str) -> None:
    compile_native({"validations": [{"expression": expression}]})


@pytest.mark.parametrize(
    "expression", ["request.name == null", "null == 1", "[1] == null", "authorizer == null"]
)
def test_a_scalar_may_not_be_compared_with_null(expression: str) -> None:
    with pytest.raises(Malformed, match="no matching overload"):
        compile_native({"validations": [{"expression": expression}]})


def test_of_a_manifest_nobody_knows_the_operation() -> None:
    source = {"validations": [{"expression": "request.operation == 'CREATE'", "message": "unknown"}]}
    assert said(source) == ["unknown"]
    assert said(source, Review(kind=Kind.of(POD), object=POD, operation="CREATE", name="web")) == []


def test_failure_policy() -> None:
    broken = {"validations": [{"expression": "variables.params.a == 1"}]}
    (found,) = compile_native(broken).judge(review_of(POD), {})
    assert found.broken
    assert said({**broken, "failurePolicy": "Ignore"}, parameters={}) == []


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ({"variables": [{"name": "gatekeeper_internal_a", "expression": "1"}]}, "source.variables[0].name"),
        ({"variables": [{"name": "params", "expression": "1"}]}, "source.variables[0].name"),
        ({"validations": [{"expression": "given.params"}]}, "source.validations[0].expression"),
        ({"validations": [{"expression": "params.a"}]}, "source.validations[0].expression"),
        ({"failurePolicy": "x"}, "source.failurePolicy"),
        ({"validation": []}, "source.validation"),
    ],
)
def test_what_cannot_be_compiled_is_told(source: Any, path: str) -> None:
    with pytest.raises(Malformed) as raised:
        compile_native(source, "source")
    assert raised.value.path == path
