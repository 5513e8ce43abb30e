"""Assess a measurement by its conditions, with the verdicts and the words of Argo Rollouts.

Source of the table and of the functions' behaviour: `utils/evaluate/evaluate.go` of argoproj/argo-rollouts.

| success | failure | S value | F value | phase |
|---|---|---|---|---|
| absent | absent | | | Successful |
| set | absent | true / false | | Successful / Failed |
| absent | set | | true / false | Failed / Successful |
| set | set | true | false | Successful |
| set | set | any | true | Failed |
| set | set | false | false | Inconclusive |
| an error, or no bool (success first; after it, failure is not looked at) | | | | Error |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isinf, isnan
from typing import Final

from davy.analysis.expression import (
    DEFAULT_STEPS,
    EvaluationError,
    Expression,
    ExpressionError,
    Fault,
    Function,
    Signature,
    compile,
)
from davy.analysis.expression.builtins.numbers import parse_float
from davy.analysis.expression.kinds import BOOL, FLOAT, INT, UNKNOWN, type_name
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.texts import quoted, shown
from davy.analysis.expression.values import LARGEST, SMALLEST, admitted, float_to_int
from davy.analysis.phase import Phase

NO_DATA: Final = "metric result is nil or empty: no data returned from the metric provider"
"""Argo's words for any error on a result that is nil or empty, whatever the error was."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the conditions make of a result, and why where they could not be evaluated."""

    phase: Phase
    message: str = ""


def assess(
    result: object,
    success: str | None,
    failure: str | None,
    now: float | None = None,
    *,
    steps: int = DEFAULT_STEPS,
) -> Assessment:
    """Return the phase of a measurement with this result; a condition that is empty is absent.

    A vector of samples is a tuple of floats. An int is an integer and a float is none, as in Go, where a
    provider that reads JSON gives floats only.

    Args:
        result: the measured value: a number, a vector, decoded JSON, a text, or None where there was no data.
        success: the successCondition.
        failure: the failureCondition.
        now: what `now()` returns, in seconds since 1970.
        steps: the work that each condition may take.
    """
    passed = failed = False
    if success:
        outcome = _evaluate("successCondition", success, result, now, steps)
        if isinstance(outcome, Assessment):
            return outcome
        passed = outcome
    if failure:
        outcome = _evaluate("failureCondition", failure, result, now, steps)
        if isinstance(outcome, Assessment):
            return outcome
        failed = outcome
    if failed:
        return _FAILED
    if passed or not success:
        return _SUCCESSFUL
    return _INCONCLUSIVE if failure else _FAILED


_SUCCESSFUL: Final = Assessment(Phase.SUCCESSFUL)
_FAILED: Final = Assessment(Phase.FAILED)
_INCONCLUSIVE: Final = Assessment(Phase.INCONCLUSIVE)


def read(condition: str) -> Expression:
    """Read a condition, for those who look at it before anything is measured.

    Raises:
        ExpressionError: it is no expression, or it names something that no condition has.
    """
    expression = compile(condition)
    for name in sorted(expression.names() - {"result"}):
        raise ExpressionError(
            f"{name} is a function: call it" if name in FUNCTIONS else f"unknown name {name}",
            source=condition,
            position=expression.position_of(name),
            hint="a condition knows result",
        )
    for call in expression.calls():
        if not call.of_language and call.name not in FUNCTIONS:
            raise ExpressionError(
                f"unknown function {call.name}",
                source=condition,
                position=call.position,
                hint=f"besides those of the language there are {', '.join(sorted(FUNCTIONS))}",
            )
    return expression


@lru_cache(maxsize=1024)
def _read(condition: str) -> Expression | str:
    """Read a condition once; one that cannot be read is remembered by what is wrong with it."""
    try:
        return compile(condition)
    except ExpressionError as error:
        return f"{error.message} ({error.line}:{error.column})"


def _evaluate(field: str, condition: str, result: object, now: float | None, steps: int) -> bool | Assessment:
    expression = _read(condition)
    try:
        if isinstance(expression, str):
            raise Fault(expression)
        value = expression.evaluate(_variables(expression, result), steps=steps, now=now)
        if value is True or value is False:
            return value
        raise Fault(f"expected bool, but got {type_name(value)}")
    except (EvaluationError, Fault) as error:
        empty = result is None or (isinstance(result, (list, tuple, Mapping)) and not result)
        reason = NO_DATA if empty and isinstance(error, EvaluationError) else error.message
        return Assessment(Phase.ERROR, f"could not evaluate {field} {quoted(condition)}: {reason}")


def _variables(expression: Expression, result: object) -> Mapping[str, object]:
    if not expression.calls():
        return {"result": result}
    return {"result": result, **functions_about(result)}


def functions_about(result: object) -> dict[str, object]:
    """Return the functions that a condition on this result has besides those of the language.

    `isNil` and `default` ignore their first argument and look at the whole result, as Argo's do.
    """
    return {
        **_FIXED,
        "isNil": Function(_ONE_TO_BOOL, lambda value: result is None),
        "default": Function(_TWO, lambda value, fallback: fallback if result is None else admitted(result)),
    }


def _as_int(value: object) -> int:
    match value:
        case bool():
            pass
        case int():
            return value
        case float():
            return float_to_int(value)
        case str():
            return _parsed_int(value)
    raise Fault(f"asInt() not supported on {_type_and_value(value)}")


def _parsed_int(text: str) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdigit()):
        raise Fault(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
    number = int(text) if len(digits.lstrip("0")) < 20 else LARGEST + 1
    if not SMALLEST <= number <= LARGEST:
        raise Fault(f"strconv.ParseInt: parsing {quoted(text)}: value out of range")
    return number


def _as_float(value: object) -> float:
    match value:
        case bool():
            pass
        case int() | float():
            return float(value)
        case str():
            number = parse_float(value)
            if number is None:
                raise Fault(f"strconv.ParseFloat: parsing {quoted(value)}: invalid syntax")
            return number
    raise Fault(f"asFloat() not supported on {_type_and_value(value)}")


def _type_and_value(value: object) -> str:
    return "<nil> <nil>" if value is None else f"{type_name(value)} {shown(value, Meter(1_000))}"


def _number(value: object) -> float:
    # Go refuses an int here; whoever hands JSON's 3 over as an int means the number.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise Fault(f"cannot use {type_name(value)} as argument (type float64)")


_ONE_TO_BOOL: Final = Signature((UNKNOWN,), BOOL)
_TWO: Final = Signature((UNKNOWN, UNKNOWN), UNKNOWN)
_FIXED: Final[Mapping[str, Function]] = {
    "asInt": Function(Signature((UNKNOWN,), INT), _as_int),
    "asFloat": Function(Signature((UNKNOWN,), FLOAT), _as_float),
    "isNaN": Function(Signature((FLOAT,), BOOL), lambda value: isnan(_number(value))),
    "isInf": Function(Signature((FLOAT,), BOOL), lambda value: isinf(_number(value))),
}
FUNCTIONS: Final = frozenset({*_FIXED, "isNil", "default"})
"""The functions that a condition has besides those of the language."""
