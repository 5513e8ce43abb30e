"""Conditions give Argo Rollouts' verdicts, in its words."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis import condition
from davy.analysis.condition import FUNCTIONS, Assessment, assess, functions_about, read
from davy.analysis.expression import ExpressionError, Function
from davy.analysis.phase import Phase

CASES = json.loads((Path(__file__).parents[1] / "cases" / "argo_conditions.json").read_text("utf-8"))
DECODED_JSON = {"list": [1, 2, 3], "missing": None, "n": 3, "ok": True, "s": "4.5"}


def result_of(printed: str) -> object:
    """Read a value as Go prints it with %#v, for the few shapes that the cases have."""
    named: dict[str, object] = {"<nil>": None, "(*float64)(nil)": None, "true": True, "NaN": math.nan}
    if printed in named:
        return named[printed]
    if printed.startswith("[]float64{"):
        return tuple(float(item) for item in printed[10:-1].split(",") if item)
    if printed.startswith("map["):
        return DECODED_JSON
    if printed.startswith("[]struct"):
        return [{"Values": [0.1]}]
    return json.loads(printed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_verdict_and_the_words_are_those_of_argo(case: dict[str, Any]) -> None:
    found = assess(result_of(case["go_result"]), case["successCondition"], case["failureCondition"])
    assert found == Assessment(Phase(case["phase"]), case.get("error", ""))


# The truth table

truth = st.sampled_from([None, "", "true", "false"])


@given(truth, truth, st.none() | st.floats() | st.just(()) | st.just({}))
def test_the_truth_table_holds_whatever_the_result(
    success: str | None, failure: str | None, result: object
) -> None:
    match success or None, failure or None:
        case (None | "true", None | "false"):
            phase = Phase.SUCCESSFUL
        case (_, "true") | ("false", None):
            phase = Phase.FAILED
        case _:
            phase = Phase.INCONCLUSIVE
    assert assess(result, success, failure) == Assessment(phase)


def test_the_success_condition_comes_first_and_its_error_ends_it() -> None:
    found = assess(1, "nope", "also nope(")
    assert found.message == 'could not evaluate successCondition "nope": unknown name nope'
    found = assess(1, "true", "also nope(")
    assert found.message.startswith('could not evaluate failureCondition "also nope(": unexpected')


@pytest.mark.parametrize(
    ("result", "success", "failure", "phase"),
    [
        # The traps: what looks like a check, and passes on no data.
        ((), "all(result, # >= 0.95)", None, Phase.SUCCESSFUL),
        ((), None, "any(result, # > 0.05)", Phase.SUCCESSFUL),
        ((), "len(result) == 0 or result[0] >= 0.95", None, Phase.SUCCESSFUL),
        ((), "result[0] >= 0.95", None, Phase.ERROR),
        ((), "len(result) == 0 or result >= 0.95", None, Phase.ERROR),
        ((math.nan,), "result[0] >= 0.95", None, Phase.FAILED),
        ((math.nan,), None, "result[0] > 0.05", Phase.SUCCESSFUL),
        ((math.nan,), "result[0] <= 0.05", "result[0] > 0.05", Phase.INCONCLUSIVE),
        ((math.nan,), "isNaN(result)", None, Phase.ERROR),
        ((math.nan,), "isNaN(result[0])", None, Phase.SUCCESSFUL),
        (None, "result?.x == nil", None, Phase.ERROR),
        (None, "result == nil", None, Phase.SUCCESSFUL),
        (None, "isNil(1)", None, Phase.SUCCESSFUL),
        (DECODED_JSON, "isNil(result.nosuch)", None, Phase.FAILED),
        (DECODED_JSON, "default(result.nosuch, 7) == 7", None, Phase.FAILED),
        (DECODED_JSON, "result.nosuch == nil", None, Phase.SUCCESSFUL),
        (DECODED_JSON, 'result.n in ["3"]', None, Phase.ERROR),
        (0.5, "result = 0.5", None, Phase.ERROR),
        (3, "isNaN(result) or isInf(result)", None, Phase.FAILED),
        (math.inf, "isInf(result)", None, Phase.SUCCESSFUL),
        (True, "isNaN(result)", None, Phase.ERROR),
        ({"x": True}, "isNaN(result.x)", None, Phase.ERROR),
        ("3.5", "asFloat(result) == 3.5 and asInt('35') == 35", None, Phase.SUCCESSFUL),
        (3, "asInt(result) == 3 and asFloat(result) == 3", None, Phase.SUCCESSFUL),
        (1e300, "asInt(result) < 0", None, Phase.SUCCESSFUL),
    ],
)
def test_the_traps_of_argo_are_kept(
    result: object, success: str | None, failure: str | None, phase: Phase
) -> None:
    assert assess(result, success, failure).phase is phase


@pytest.mark.parametrize(
    ("result", "text", "reason"),
    [
        (True, "asInt(result) > 0", "asInt() not supported on bool true"),
        ((1.0, 2.0), "asFloat(result) > 0", "asFloat() not supported on []float64 [1 2]"),
        (1, "asInt(nil) > 0", "asInt() not supported on <nil> <nil>"),
        ("x", "asFloat(result) > 0", 'strconv.ParseFloat: parsing "x": invalid syntax'),
        ("", "asInt(result) > 0", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("-٣", "asInt(result) > 0", 'strconv.ParseInt: parsing "-٣": invalid syntax'),
        ("9" * 19, "asInt(result) > 0", f'strconv.ParseInt: parsing "{"9" * 19}": value out of range'),
        ("9" * 5000, "asInt(result) > 0", f'strconv.ParseInt: parsing "{"9" * 5000}": value out of range'),
        ("a", "asInt([#]) > 0", "unexpected operator # (1:8)"),
        (1, "result", "expected bool, but got int"),
        (1, '"text"', "expected bool, but got string"),
        (1, "nil", "expected bool, but got <nil>"),
        (1, "[1.5]", "expected bool, but got []interface {}"),
        ({}, "result.x > 1", "metric result is nil or empty: no data returned from the metric provider"),
        ({1: 2}, "result.x > 1", "a key of the Python type int has no meaning in an expression"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_says_why(result: object, text: str, reason: str) -> None:
    found = assess(result, None, text)
    assert found.phase is Phase.ERROR
    assert found.message.startswith('could not evaluate failureCondition "')
    assert found.message.endswith(f'": {reason}')


def test_the_time_is_an_argument() -> None:
    text = "now().Sub(date('2026-09-21')).Hours() > 14"
    assert assess(1, text, None, now=1_790_000_000).phase is Phase.SUCCESSFUL
    assert assess(1, text, None, now=0).phase is Phase.FAILED
    assert "now() is not known here" in assess(1, text, None).message


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)


@given(values, st.text(max_size=20), st.text(max_size=20))
def test_any_text_and_any_result_give_an_assessment(result: object, success: str, failure: str) -> None:
    found = assess(result, success, failure)
    assert bool(found.message) is (found.phase is Phase.ERROR)


@given(st.sampled_from(["<", "<=", ">", ">=", "=="]), st.floats(), st.sampled_from([math.nan, (math.nan,)]))
def test_nan_never_succeeds_by_a_comparison(operator: str, limit: float, result: object) -> None:
    name = "result[0]" if isinstance(result, tuple) else "result"
    text = f"{name} {operator} {limit!r}" if math.isfinite(limit) else f"{name} {operator} 1 / 0"
    assert assess(result, text, None).phase is Phase.FAILED
    assert assess(result, text, text).phase is Phase.INCONCLUSIVE


# For those who look at a condition before anything is measured


def test_a_condition_is_read_with_the_names_that_conditions_have() -> None:
    assert read("isNil(result) or all(result, # > 1)").names() == {"result"}
    assert {"isNil", "default", "asInt", "asFloat", "isNaN", "isInf"} == FUNCTIONS
    assert all(isinstance(function, Function) for function in functions_about(1).values())


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("result > 1 and results > 2", "unknown name results", 15),
        ("result > 1 and isnil(result)", "unknown function isnil", 15),
        ("isNaN and true", "isNaN is a function: call it", 0),
        ("result >", "unexpected the end of the expression", 8),
    ],
)
def test_a_condition_with_other_names_is_refused_at_its_place(text: str, message: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(text)
    assert (caught.value.message, caught.value.position) == (message, position)


def test_a_condition_is_read_once_however_often_it_is_assessed() -> None:
    for _ in range(5):
        assess(0.01, "result <= 0.0203", "result >")
    before = condition._read.cache_info()
    for value in (0.01, 0.02, 0.03):
        assess(value, "result <= 0.0203", "result >")
    after = condition._read.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 6)
