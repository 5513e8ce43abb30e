"""The operators, one by one: what they say, and that nothing makes them raise."""

import ast
import math
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.flags.governance import Bucketing
from davy.flags.targeting import BadRule, RuleError, compile_rule
from davy.flags.targeting.compiler import CALLS, RUNTIME, WRITERS, written
from davy.flags.targeting.tree import DEEPEST, MOST_NODES, MOST_OPERATORS
from davy.flags.targeting.values import number, text

from .asking import NOW, said

X = {"var": "x"}
Y = {"var": "y"}


@pytest.mark.parametrize(
    ("rule", "context", "answer"),
    [
        ({"var": "a"}, {"a": 1}, 1),
        ({"var": ["a", 5]}, {}, 5),
        ({"var": ["a", 5]}, {"a": 1}, 1),
        ({"var": ["a", {"var": "b"}]}, {"b": 2}, 2),
        ({"var": "a.b.1"}, {"a": {"b": [1, 2]}}, 2),
        ({"var": ["a.b.7", "d"]}, {"a": {"b": [1, 2]}}, "d"),
        ({"var": ["a.b.01", "d"]}, {"a": {"b": [1, 2]}}, "d"),
        ({"var": "a.b.length"}, {"a": {"b": [1, 2]}}, 2),
        ({"var": "a.0"}, {"a": "xy"}, "x"),
        ({"var": ["a.b", "d"]}, {"a": 5}, "d"),
        ({"var": ["a.b", X]}, {"x": 3}, 3),
        ({"var": {"cat": ["a", "b"]}}, {"ab": 4}, 4),
        ({"var": [{"var": "x"}, "d"]}, {"x": "y"}, "d"),
        (
            {"var": [{"var": "x"}, "d"]},
            {"x": ""},
            {"x": "", "$flagd": {"flagKey": "pay.new", "timestamp": int(NOW)}},
        ),
        ({"var": ""}, {"x": 1}, {"x": 1, "$flagd": {"flagKey": "pay.new", "timestamp": int(NOW)}}),
        ({"var": []}, {"x": 1}, {"x": 1, "$flagd": {"flagKey": "pay.new", "timestamp": int(NOW)}}),
        ({"var": "$flagd.flagKey"}, {}, "pay.new"),
        ({"var": "$flagd.timestamp"}, {"$flagd": {"timestamp": 1}}, int(NOW)),
        ({"var": "$flagd"}, {}, {"flagKey": "pay.new", "timestamp": int(NOW)}),
        ({"var": ["$flagd.other", 3]}, {}, 3),
        ({"var": 1}, {"1": "one"}, "one"),
        ({"missing": ["a", "b"]}, {"a": 1, "b": ""}, ["b"]),
        ({"missing": [["a", "b"]]}, {"a": 1}, ["b"]),
        ({"missing": []}, {}, []),
        ({"missing_some": [1, ["a", "b"]]}, {"a": 1}, []),
        ({"missing_some": [2, ["a", "b"]]}, {"a": 1}, ["b"]),
        ({"missing_some": [2, "a"]}, {}, []),
        ({"if": [X, "a", "b"]}, {"x": 1}, "a"),
        ({"if": [X, "a", "b"]}, {"x": 0}, "b"),
        ({"if": [X, "a"]}, {}, None),
        ({"if": [X]}, {"x": 7}, 7),
        ({"if": []}, {}, None),
        ({"?:": [X, "a", Y, "b", "c"]}, {"y": 1}, "b"),
        ({"?:": [X, "a", Y, "b", "c"]}, {}, "c"),
        ({"cat": [{"if": [X, "a", Y, "b", "c"]}, {"if": []}, {"if": ["only"]}]}, {"y": 1}, "bonly"),
        ({"!": {"if": [X, "", 1]}}, {"x": 1}, True),
        ({"!": {"if": [X, True, False]}}, {"x": 1}, False),
        ({"and": [X, Y]}, {"x": 0, "y": 1}, 0),
        ({"and": [X, Y]}, {"x": 2, "y": []}, []),
        ({"or": [X, Y]}, {"x": [], "y": {}}, {}),
        ({"or": [X, Y]}, {"x": 0, "y": 0.0}, 0.0),
        ({"and": [{"==": [X, 1]}, Y]}, {"x": 1, "y": "z"}, "z"),
        ({"and": []}, {}, None),
        ({"or": X}, {"x": 6}, 6),
        ({"cat": [{"and": [X, Y]}, {"or": [X, Y]}]}, {"x": 1, "y": 2}, "21"),
        ({"cat": [{"and": [{"==": [X, 1]}, "y"]}, {"or": []}]}, {"x": 1}, "y"),
        ({"cat": [{"or": [X, X, X, X, Y]}, "."]}, {"y": 2}, "2."),
        ({"==": [X, "a"]}, {"x": "a"}, True),
        ({"==": ["5", X]}, {"x": 5}, True),
        ({"==": [X, 5]}, {"x": "5.0"}, True),
        ({"!=": [X, 5]}, {"x": 5}, False),
        ({"==": [X, Y]}, {"x": "a", "y": "a"}, True),
        ({"==": [X, Y]}, {"x": True, "y": 1}, True),
        ({"==": [X, Y]}, {"x": [1], "y": "1"}, True),
        ({"==": [X, Y]}, {"x": 1, "y": [1]}, True),
        ({"==": [X, Y]}, {"x": [1], "y": [1]}, False),
        ({"==": [X, X]}, {"x": [1]}, True),
        ({"==": [X, None]}, {}, True),
        ({"==": [X, Y]}, {"x": False}, False),
        ({"===": [X, "1"]}, {"x": 1}, False),
        ({"===": [X, 1]}, {"x": 1.0}, True),
        ({"===": [X, 1]}, {"x": True}, False),
        ({"!==": [X, None]}, {"x": 1}, True),
        ({"===": [X, Y]}, {"x": {}, "y": {}}, False),
        ({"===": [X, Y]}, {"x": "a", "y": "a"}, True),
        ({"===": [X, Y]}, {"x": "a", "y": 1}, False),
        ({"!": X}, {"x": "0"}, False),
        ({"!": [[]]}, {}, True),
        ({"!": []}, {}, True),
        ({"!!": [{"and": [X, Y]}]}, {"x": 1, "y": {}}, True),
        ({"!!": [[X]]}, {}, True),
        ({"!!": X}, {"x": math.nan}, False),
        ({"<": [X, 5]}, {"x": 4}, True),
        ({"<": [X, 5]}, {"x": "4"}, True),
        ({">": [X, 5]}, {"x": "b"}, False),
        ({">=": [5, X]}, {"x": 5}, True),
        ({">": [X, Y]}, {"x": "b", "y": "a"}, True),
        ({"<=": [X, Y]}, {"x": "b", "y": "a"}, False),
        ({"<=": [X, Y]}, {"x": [1, 2], "y": "1,3"}, True),
        ({"<": [1, X, 3]}, {"x": 2}, True),
        ({"<": [1, X, 3]}, {"x": 3}, False),
        ({"<=": [1, X, 3]}, {"x": 3}, True),
        ({">": [3, X, 1]}, {"x": 2}, True),
        ({">=": [3, X, 1]}, {"x": 4}, False),
        ({"max": [1, X, 3]}, {"x": "7"}, 7),
        ({"min": [1, X, 3]}, {"x": -7}, -7),
        ({"+": [1, "2", X]}, {"x": 3.5}, 6.5),
        ({"+": "3"}, {}, 3),
        ({"*": [2, "3"]}, {}, 6),
        ({"-": [5, 2]}, {}, 3),
        ({"-": 5}, {}, -5),
        ({"/": [7, 2]}, {}, 3.5),
        ({"/": [100, 2]}, {}, 50),
        ({"%": [7, 3]}, {}, 1),
        ({"%": [-7, 3]}, {}, -1),
        ({"%": [7.5, 3]}, {}, 1.5),
        ({"in": [X, ["a", "b"]]}, {"x": "b"}, True),
        ({"in": [X, ["a", "b"]]}, {"x": 1}, False),
        ({"in": [X, [1, 2]]}, {"x": 2}, True),
        ({"in": ["b", X]}, {"x": "abc"}, True),
        ({"in": ["b", X]}, {"x": 5}, False),
        ({"in": [X, []]}, {"x": 5}, False),
        ({"cat": ["a", X, 1.0, 1.5, None, True, [1, None, [2]]]}, {"x": 1}, "a111.5true1,,2"),
        ({"substr": ["jsonlogic", 4]}, {}, "logic"),
        ({"substr": ["jsonlogic", -5]}, {}, "logic"),
        ({"substr": ["jsonlogic", 1, 3]}, {}, "son"),
        ({"substr": ["jsonlogic", 4, -2]}, {}, "log"),
        ({"substr": ["jsonlogic", "x"]}, {}, "jsonlogic"),
        ({"substr": ["json", -99, 2]}, {}, "js"),
        ({"merge": [[1, 2], 3, [X]]}, {"x": 4}, [1, 2, 3, 4]),
        ({"log": X}, {"x": 4}, 4),
        ({"log": []}, {}, None),
        ({"map": [X, {"*": [{"var": ""}, 2]}]}, {"x": [1, 2]}, [2, 4]),
        ({"map": [X, {"var": "q.r"}]}, {"x": [{"q": {"r": 9}}, 5]}, [9, None]),
        ({"map": [X]}, {"x": [1]}, [None]),
        ({"map": [5, 1]}, {}, []),
        ({"filter": [X, {">": [{"var": ""}, 1]}]}, {"x": [1, 2]}, [2]),
        ({"filter": [5, 1]}, {}, []),
        ({"reduce": [X, {"+": [{"var": "accumulator"}, {"var": "current"}]}, 1]}, {"x": [1, 2]}, 4),
        ({"reduce": ["no", 1, 5]}, {}, 5),
        ({"reduce": [X, {"var": "current"}]}, {"x": []}, None),
        ({"all": [X, {"var": ""}]}, {"x": [1, 2]}, True),
        ({"all": [X, {"var": ""}]}, {"x": []}, False),
        ({"some": [X, {"var": ""}]}, {"x": [0, 2]}, True),
        ({"some": [5, True]}, {}, False),
        ({"none": [X, {"var": ""}]}, {"x": [0, 2]}, False),
        ({"none": [5, True]}, {}, True),
        ({"starts_with": [X, "ab"]}, {"x": "abc"}, True),
        ({"starts_with": [X, "ab"]}, {"x": 1}, None),
        ({"starts_with": [X, Y]}, {"x": "abc", "y": "ab"}, True),
        ({"starts_with": [X]}, {"x": "abc"}, None),
        ({"ends_with": [X, Y]}, {"x": "abc", "y": "bc"}, True),
        ({"ends_with": [X, Y]}, {"x": "abc"}, None),
        ({"ends_with": [X, "{x}'\"\\"]}, {"x": "a{x}'\"\\"}, True),
        ({"sem_ver": [X, ">=", "1.2"]}, {"x": "v1.2.0"}, True),
        ({"sem_ver": [X, ">=", "nope"]}, {"x": "v1.2.0"}, None),
        ({"sem_ver": [X, Y, {"var": "z"}]}, {"x": "2", "y": "^", "z": "2.9"}, True),
        ({"sem_ver": [X, ">="]}, {"x": "v1.2.0"}, None),
        ({"a": 1, "b": X}, {}, {"a": 1, "b": X}),
        ([1, X], {"x": 2}, [1, 2]),
        ([1, {"a": 1, "b": 2}], {}, [1, {"a": 1, "b": 2}]),
        ({"min": [{"+": [10**30]}, math.inf]}, {}, 1e30),
        ({"cat": [10**40]}, {}, "1e+40"),
    ],
)
def test_an_operator_says_what_the_reference_says(rule: Any, context: dict[str, Any], answer: Any) -> None:
    found = said(rule, context)
    assert found == answer
    assert type(found) is type(answer)


@pytest.mark.parametrize(
    "rule", [{"/": [0, 0]}, {"%": [1, 0]}, {"%": [{"/": [1, 0]}, 3]}, {"min": []}, {"max": [1, "x"]}]
)
def test_what_is_no_number_is_none(rule: Any) -> None:
    assert math.isnan(said(rule))
    assert said({"<": [rule, 1]}) is False


def test_by_zero_is_infinite() -> None:
    assert said({"/": [-1, 0]}) == -math.inf
    assert said({"*": [1e308, 1e308]}) == math.inf


@pytest.mark.parametrize(
    ("value", "as_number"),
    [
        (" 12 ", 12),
        ("1e3", 1000),
        (".5", 0.5),
        ("-Infinity", -math.inf),
        ("0x1F", 31),
        ("0b11", 3),
        ("", 0),
        ([], 0),
        ([5], 5),
        (None, 0),
        (True, 1),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (datetime(2024, 1, 1, tzinfo=UTC), 1704067200000),
        (datetime(2024, 1, 1), 1704067200000),  # noqa: DTZ001 - OpenFeature takes those for UTC
    ],
)
def test_numbers_are_made_as_javascript_makes_them(value: Any, as_number: float) -> None:
    assert number(value) == as_number


@pytest.mark.parametrize("value", ["1_000", "nan", "inf", "١", "1.2.3", "9" * 400 + "x", {}, [1, 2], object()])
def test_what_javascript_takes_for_no_number_is_none(value: Any) -> None:
    assert math.isnan(number(value))


def test_texts_are_made_as_javascript_makes_them() -> None:
    day = datetime(2024, 1, 1, tzinfo=UTC)
    values: list[Any] = [None, True, False, 1e21, math.nan, math.inf, -math.inf, {}, [[[]]], day]
    assert [text(each) for each in values] == [
        "null",
        "true",
        "false",
        "1e+21",
        "NaN",
        "Infinity",
        "-Infinity",
        "[object Object]",
        "",
        "2024-01-01T00:00:00+00:00",
    ]
    deep: list[Any] = []
    deep.append(deep)
    assert text(deep) == ""


def test_a_context_need_not_be_a_dictionary() -> None:
    context = MappingProxyType({"a": MappingProxyType({"b": (1, 2)})})
    assert said({"var": "a.b.1"}, context) == 2
    assert said({"!!": {"var": "a"}}, context) is True
    assert said({"in": [2, {"var": "a.b"}]}, context) is True


def test_shared_rules_are_put_in_and_do_not_nest() -> None:
    assert (
        said({"if": [{"$ref": "pro"}, "on", "off"]}, {"plan": "pro"}, pro={"==": [{"var": "plan"}, "pro"]})
        == "on"
    )
    with pytest.raises(RuleError, match="shared rule that is not in"):
        said({"$ref": "outer"}, outer={"$ref": "inner"}, inner="on")


def test_what_nobody_knows_is_an_error_only_where_it_is_reached() -> None:
    rule = {"if": [X, {"unheard_of": [1]}, "off"]}
    assert said(rule) == "off"
    with pytest.raises(RuleError, match="there is no operator `unheard_of`"):
        said(rule, {"x": True})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
known = st.sampled_from(sorted({*WRITERS, *CALLS, "$ref", "nobody's"}))
any_rules = st.recursive(
    json_values | st.sampled_from([X, Y, {"var": "targetingKey"}, {"var": "$flagd.timestamp"}]),
    lambda inner: (
        st.dictionaries(known, st.lists(inner, max_size=5) | inner, min_size=1, max_size=1)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=25,
)


@given(
    any_rules,
    st.dictionaries(st.sampled_from(["x", "y", "targetingKey"]), json_values),
    st.sampled_from(list(Bucketing)),
)
def test_nothing_makes_a_rule_raise(rule: Any, context: dict[str, Any], drawing: Bucketing) -> None:
    try:
        said(rule, context, drawing)
    except RuleError:
        assert any(name in repr(rule) for name in ("nobody's", "$ref", "': "))


@given(any_rules, st.text(), st.sampled_from(list(Bucketing)))
def test_nothing_that_is_written_in_a_rule_becomes_code(rule: Any, key: str, drawing: Bucketing) -> None:
    source, _ = written(rule, key, drawing, {})
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            named = node.id in RUNTIME or node.id in ("c", "t", "clock", "key", "drawing", "steps")
            assert named or node.id[1:].isdigit()
        if isinstance(node, ast.Attribute):
            assert node.attr in ("get", "startswith", "endswith")
        assert not isinstance(node, ast.Import | ast.ImportFrom | ast.Lambda | ast.ClassDef | ast.Global)


def test_rules_of_one_shape_share_what_is_compiled_and_nothing_else() -> None:
    rules: list[Any] = [
        {"if": [{"==": [{"var": name}, value]}, value, "no"]} for name, value in (("x", "a"), ("y", "b"))
    ]
    one, other = (compile_rule(rule, "k", Bucketing.V3, {}, lambda: NOW) for rule in rules)
    assert one.__code__ is other.__code__
    assert [each({"x": "a", "y": "b"}) for each in (one, other)] == ["a", "b"]


def test_a_rule_may_have_any_number_of_constants() -> None:
    parts = [part for at in range(300) for part in (f"{at}'\n", at, 0.5, {"var": f"x{at}"})]
    context = {f"x{at}": f"<{at}>" for at in range(300)}
    expected = "".join(f"{at}'\n{at}0.5<{at}>" for at in range(300))
    assert said({"cat": parts}, context) == expected


def nested(name: str, times: int) -> Any:
    rule: Any = "on"
    for _ in range(times):
        rule = {name: [{"var": "x"}, rule, "off"]}
    return rule


@pytest.mark.parametrize("name", ["if", "and", "or", "cat", "max", "merge", "fractional", "map"])
def test_depth_costs_no_more_than_it_is(name: str) -> None:
    shallow, deep = (len(written(nested(name, times), "k", Bucketing.V3, {})[0]) for times in (10, 60))
    assert deep < 8 * shallow
    said(nested(name, 60), {"x": 1})


def test_what_is_deep_is_no_deep_expression() -> None:
    """Python's parser takes no more than 200 brackets within each other, and these would be 240."""
    rule: Any = "on"
    for _ in range(60):
        rule = {"or": [X, Y, rule, "off"]}
    assert said(rule) == "on"


def test_what_is_too_deep_or_too_large_is_refused() -> None:
    with pytest.raises(BadRule, match=f"too deep: more than {DEEPEST} lists"):
        said(nested("if", 70))
    with pytest.raises(BadRule, match=f"too large: more than {MOST_NODES:,} values"):
        said({"in": [X, list(range(MOST_NODES))]})
    with pytest.raises(BadRule, match=f"too large: more than {MOST_OPERATORS:,} operators"):
        said({"or": [X] * MOST_OPERATORS})


def test_a_thousand_branches_are_a_thousand_lines() -> None:
    branches = [part for at in range(1000) for part in ({"==": [X, at]}, str(at))]
    assert said({"if": [*branches, "none"]}, {"x": 999}) == "999"
    assert said({"cat": [{"if": [*branches, "none"]}]}, {"x": 1000}) == "none"
