"""What one evaluation may take: however a rule and a context are made, neither keeps a server busy."""

import json
from typing import Any

import pytest

from davy.flags.details import Details
from davy.flags.reading import load

MANY = list(range(400))
VAR: Any = {"var": ""}


def evaluated(rule: Any, context: dict[str, Any] | None = None) -> Details:
    flag = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": rule,
    }
    flags = load(json.dumps({"flags": {"a.b": flag}}))
    return flags.evaluate("a.b", "boolean", False, context or {})


def within(operator: str, depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = {operator: [MANY, inner, 0]}
    return inner


@pytest.mark.parametrize("operator", ["map", "filter", "reduce", "all", "some", "none"])
def test_loops_within_loops_end(operator: str) -> None:
    answer = evaluated({"if": [within(operator, 3, operator in ("all", "filter")), "on", "off"]})
    assert answer.error_code == "PARSE_ERROR"
    assert "more than 100,000 steps" in answer.error_message


@pytest.mark.parametrize(
    "grown",
    [
        {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]},
        {"merge": [{"var": "accumulator"}, {"var": "accumulator"}]},
        [{"var": "accumulator"}, {"var": "accumulator"}],
    ],
)
def test_what_doubles_at_each_step_ends(grown: Any) -> None:
    doubled: Any = {"reduce": [MANY, grown, "x"]}
    answer = evaluated({"if": [{"==": [{"cat": [doubled]}, "y"]}, "on", "off"]})
    assert answer.error_code == "PARSE_ERROR"


def test_what_is_mapped_to_something_large_is_counted() -> None:
    large: Any = {"map": [MANY, {"map": [list(range(300)), 1]}]}
    assert "steps" in evaluated({"if": [{"cat": [large]}, "on", "off"]}).error_message


@pytest.mark.parametrize("operator", ["cat", "merge"])
def test_what_is_put_together_is_bounded(operator: str) -> None:
    context = {"long": "x" * 60_000 if operator == "cat" else ["x"] * 60_000}
    rule: Any = {"if": [{operator: [{"var": "long"}] * 40}, "on", "off"]}
    assert "longer than" in evaluated(rule, context).error_message
    assert evaluated({"if": [{operator: [{"var": "long"}] * 2}, "on", "off"]}, context).variant == "on"


def test_what_people_write_is_far_below_the_bounds() -> None:
    context = {"groups": [f"g-{number}" for number in range(1000)]}
    for _ in range(3):
        rule: Any = {"if": [{"some": [{"var": "groups"}, {"in": [VAR, ["g-999", "x"]]}]}, "on", "off"]}
        assert evaluated(rule, context).variant == "on"
    total: Any = {"reduce": [{"var": "groups"}, {"+": [{"var": "accumulator"}, 1]}, 0]}
    assert evaluated({"if": [{"==": [total, 1000]}, "on", "off"]}, context).variant == "on"


def test_each_evaluation_has_all_of_it() -> None:
    rule: Any = {"if": [{"all": [list(range(60_000)), True]}, "on", "off"]}
    flag = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": rule,
    }
    flags = load(json.dumps({"flags": {"a.b": flag}}))
    assert [flags.evaluate("a.b", "boolean", False, {}).variant for _ in range(3)] == ["on"] * 3
