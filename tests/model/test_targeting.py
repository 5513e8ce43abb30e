"""The variants that targeting names, and where it names them."""

from typing import Any

import pytest

from davy.model.targeting import outcomes


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("on", [("at", "on")]),
        (True, [("at", "true")]),
        (False, [("at", "false")]),
        (None, []),
        (5, []),
        ({"var": "plan"}, []),
        ({"if": "on"}, []),
        ({"if": [{"var": "beta"}, "on", "off"]}, [("at.if[1]", "on"), ("at.if[2]", "off")]),
        ({"fractional": [{"var": "id"}, ["on", 1], [{"var": "x"}], []]}, [("at.fractional[1][0]", "on")]),
        ({"if": [True, {"?:": [1, "a"]}]}, [('at.if[1]["?:"][1]', "a")]),
        ({"a": 1, "b": 2}, []),
    ],
)
def test_what_targeting_names(rule: Any, named: list[tuple[str, str]]) -> None:
    assert list(outcomes(rule, "at")) == named
