"""What expressions give, as data: tests/cases/expressions.json, found by running expr-lang 1.17.8."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from davy.analysis import expression
from davy.analysis.condition import functions_about
from davy.analysis.expression.layouts import write
from davy.analysis.expression.moments import Duration, Instant, Named

CASES = json.loads((Path(__file__).parents[2] / "cases" / "expressions.json").read_text("utf-8"))


def decoded(value: Any) -> Any:
    match value:
        case {"$float": text}:
            return float(text)
        case {"$vector": items}:
            return tuple(items)
        case dict():
            return {key: decoded(item) for key, item in value.items()}
        case list():
            return [decoded(item) for item in value]
    return value


def encoded(value: object) -> object:
    """Write a value as the cases do, in a form that tells 1 from 1.0 and from true."""
    match value:
        case float():
            return {"$float": "NaN" if math.isnan(value) else repr(value)}
        case int() if not isinstance(value, bool):
            return {"$int": str(value)}
        case Duration():
            return {"$nanoseconds": encoded(value.nanoseconds)}
        case Instant():
            return {"$time": write(value, "2006-01-02T15:04:05.999999999Z07:00")}
        case Named():
            return encoded(value.number)
        case dict() if all(isinstance(key, str) for key in value):
            return {key: encoded(item) for key, item in value.items()}
        case dict():
            pairs = [[encoded(key), encoded(item)] for key, item in value.items()]
            return {"$pairs": sorted(pairs, key=repr)}
        case list() | tuple() | bytes():
            return [encoded(item) for item in value]
    return value


def expected(value: Any) -> object:
    match value:
        case {"$float": text}:
            return encoded(float(text))
        case {"$pairs": pairs}:
            return {"$pairs": sorted(([expected(key), expected(item)] for key, item in pairs), key=repr)}
        case dict():
            return {key: expected(item) for key, item in value.items()}
        case list():
            return [expected(item) for item in value]
    return encoded(value)


VARIABLES = decoded(CASES["variables"]) | functions_about(None)


@pytest.mark.parametrize("group", CASES["groups"])
def test_an_expression_gives_what_expr_lang_gives(group: str) -> None:
    cases = CASES["groups"][group]
    assert len(cases) > 5
    wrong = []
    for case in cases:
        try:
            value = expression.compile(case["expression"]).evaluate(VARIABLES)
        except (expression.ExpressionError, expression.EvaluationError) as error:
            outcome: object = {"error": error.message}
            wanted: object = {"error": case.get("error", "none")}
        else:
            outcome = {"value": encoded(value)}
            wanted = {"value": expected(case["value"])} if "value" in case else {"error": case["error"]}
        if outcome != wanted:
            wrong.append((case["expression"], outcome, wanted))
    assert wrong == []
