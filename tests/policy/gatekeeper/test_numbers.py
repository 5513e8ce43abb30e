"""Numbers reach Rego as Gatekeeper's `float64`: the messages below are those of `gator test` 3.20."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.gatekeeper.documents import constraint, manifest, template

from davy.policy.engine import Point
from davy.policy.gatekeeper.numbers import as_float64
from davy.policy.inventory import Inventory
from davy.policy.review import Json, review_of
from davy.policy.ruleset import read

SAYS = """package numbers
violation[{"msg": msg}] {
  n := input.review.object.spec.n
  msg := sprintf("%v|%d|%v|%s|%v|%v", [n, n, [n, {n: n}], json.marshal(n), n + 1, input.parameters])
}
violation[{"msg": "same"}] { input.review.object.spec.n == input.parameters.n }
"""
SCHEMA = {"type": "object", "properties": {"n": {"type": "number"}}}


def said(number: float, parameter: float, **more: Json) -> list[str]:
    ruleset = read([template(SAYS, "Numbers", **more), constraint("Numbers", parameters={"n": parameter})])
    found = ruleset.judge(review_of(manifest(spec={"n": number})), Inventory(), Point.CHECK)
    return [violation.message for violation in found]


@pytest.mark.parametrize("more", [{}, {"schema": SCHEMA}], ids=["no schema", "schema"])
def test_messages_are_those_of_gatekeeper(more: Json) -> None:
    assert said(999999, 2.0, **more) == ['999999|999999|[999999, {999999: 999999}]|999999|1000000|{"n": 2}']
    assert said(1000660000, 1000660000, **more) == [
        "1.00066e+09|%!d(float64=1.00066e+09)|[1.00066e+09, {1.00066e+09: 1.00066e+09}]|1.00066e+09|1000660001|"
        '{"n": 1.00066e+09}',
        "same",
    ]
    assert said(2**53 + 1, 2**53, **more)[-1] == "same"


def test_cel_sees_numbers_as_they_are_written() -> None:
    source = {"validations": [{"expression": "variables.params.n != 1000660000", "message": "int"}]}
    code = [{"engine": "K8sNativeValidation", "source": source}]
    assert said(1, 1000660000, code=code) == ["int"]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nothing_but_numbers_changes_and_those_keep_their_size(value: Json) -> None:
    found = as_float64(value)
    assert as_float64(found) == found
    if found == value:
        assert json.dumps(as_float64(found)) == json.dumps(found)
    assert _shape(found) == _shape(value)


def test_what_does_not_change_is_handed_back_itself() -> None:
    small = {"a": [1, 2.5, {"b": None}], "c": "x"}
    assert as_float64(small) is small
    assert as_float64([10**400]) == [10**400]


def _shape(value: Json) -> Json:
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            return float(value) if abs(value) < 10**300 else "large"
        case list():
            return [_shape(found) for found in value]
        case _:
            return {key: _shape(found) for key, found in value.items()}
