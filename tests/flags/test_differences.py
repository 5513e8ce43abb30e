"""Where Davy answers otherwise than flagd's evaluator for Python, one by one (docs/reference/flags.md)."""

import json
import logging
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from davy.flags import load


def both(
    rule: Any, context: dict[str, Any] | None = None, kind: str = "string", **fields: Any
) -> tuple[Any, Any]:
    """Return what each of them answers; an exception is the name of its class."""
    variants = {name: name for name in ("true", "false", "1", "1.0", "null", "True", "on")}
    flag = {"state": "ENABLED", "variants": variants, "targeting": rule, **fields}
    document = json.dumps({"flags": {"a": flag}})
    core = FlagdCore()
    logging.getLogger("openfeature.contrib").disabled = True
    try:
        core.set_flags(document)
        asked = EvaluationContext("user", context or {})
        theirs = getattr(core, f"resolve_{kind}_value")("a", None, asked).value
    except (OpenFeatureError, ArithmeticError) as error:
        theirs = type(error).__name__
    found = load(document).evaluate("a", kind, None, {"targetingKey": "user", **(context or {})})
    return found.value if found.error_code is None else str(found.error_code), theirs


X = {"var": "x"}


@pytest.mark.parametrize(
    ("rule", "context", "ours", "theirs"),
    [
        ({"==": [X, 0]}, {}, "false", "true"),
        ({"==": [X, False]}, {}, "false", "true"),
        ({"==": [X, 0]}, {"x": ""}, "true", "false"),
        ({"==": [X, "null"]}, {"x": [None]}, "false", "true"),
        ({"===": [X, 1]}, {"x": True}, "false", "true"),
        ({"===": [X, {"var": "y"}]}, {"x": [1], "y": [1]}, "false", "true"),
        ({"in": [X, [1]]}, {"x": True}, "false", "true"),
        (X, {"x": 1.0}, "1", "1.0"),
        ({"cat": [X]}, {"x": True}, "true", "True"),
        ({"if": [{"==": [{"cat": [X]}, ""]}, "on", "null"]}, {}, "on", "null"),
        ({"<": [X, "a"]}, {}, "false", "false"),
        ({">": [X, "a"]}, {}, "false", "true"),
        ({"<": [1, 2, X]}, {}, "false", "true"),
        ({"==": [{"-": [5, X]}, 5]}, {}, "true", "false"),
        ({"==": [{"%": [-1, 3]}, -1]}, {}, "true", "false"),
        ({"<": [{"/": [1, 0]}, 5]}, {}, "false", "ZeroDivisionError"),
        ({"==": [X, 1000]}, {"x": "1_000"}, "false", "true"),
        ({"fractional": [["on", {"/": [100, 2]}]]}, {}, "on", None),
        ({"fractional": [["on", 1.0]]}, {}, "on", None),
        ({"starts_with": ["a"]}, {}, None, None),
    ],
)
def test_a_rule_is_read_as_the_reference_reads_it(
    rule: Any, context: dict[str, Any], ours: Any, theirs: Any
) -> None:
    assert both(rule, context) == (ours, theirs)


def test_a_boolean_is_no_number() -> None:
    assert both({}, kind="float", variants={"on": True}, defaultVariant="on") == ("TYPE_MISMATCH", 1.0)


def test_what_nobody_knows_in_a_flag_does_not_matter() -> None:
    assert both({"if": [True, "on"]}, owner="pay") == ("on", "ParseError")


def test_a_closed_gate_and_a_kill_leave_nothing_to_a_rule() -> None:
    held: dict[str, Any] = {"metadata": {"gate": "closed"}, "defaultVariant": "false"}
    assert both({"if": [True, "on"]}, **held) == ("false", "on")
