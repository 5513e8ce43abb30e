"""What the recorded cases leave open: odd arguments, odd values, and what differs from cel-go on purpose."""

from datetime import timedelta
from typing import Any

import pytest

from davy.policy.cel import Budget, CelError, Optional, OutOfBudget, compile
from davy.policy.cel.library.moments import EPOCH, local
from davy.policy.cel.types import INT, list_of
from davy.policy.cel.values import Instant, sort_of
from davy.policy.review import Kind
from davy.policy.validating.resources import resource_of


def value(expression: str, x: Any = None, environment: Any = "kubernetes") -> Any:
    return compile(expression, ["x"], environment).evaluate({"x": x})


def error(expression: str, x: Any = None, environment: Any = "kubernetes") -> str:
    with pytest.raises(CelError) as raised:
        value(expression, x, environment)
    return raised.value.message


@pytest.mark.parametrize(
    ("expression", "x", "wanted"),
    [
        ("x.endsWith('b') && x.contains('a') && !x.endsWith('a')", "ab", True),
        ("x.flatten()", [1, [2, [3]]], [1, 2, [3]]),
        ("x.flatten(2)", [1, [2, [3]]], [1, 2, 3]),
        ("x.flatten(0)", [1, [2]], [1, [2]]),
        ("int(timestamp(5)) + int(duration('1s'))", None, 1_000_000_005),
        ("{timestamp(0): 1}[timestamp(1)] == 1 || true", None, True),
        ("timestamp(0) in {timestamp(0): 1} && timestamp(1) in [timestamp(1)]", None, True),
        ("duration('1s') in {duration('1000ms'): 1}", None, True),
        ("int in {int: 1}", None, True),
        ("quantity('1') in {quantity('1000m'): 1}", None, True),
        ("x in {'a': 1}", [1], False),
        ("double('0x1p4') == 16.0 && double('1_0') == 10.0", None, True),
        ("x % 3", 10, 1),
        ("x / 2.0", 5.0, 2.5),
        ("string(0.0 / x)", 0.0, "NaN"),
        ("string((1.0 / 0.0 - 1.0 / 0.0) / x)", 0.0, "NaN"),
        ("x.l[[0, 1][1]]", {"l": [5, 6]}, 6),
        ("{?'a': x.?b, 'b': dyn(2)}", {}, {"b": 2}),
        ("{?'a': x.?b, 'b': dyn(2)}", {"b": 1}, {"a": 1, "b": 2}),
        ("'%% %s'.format([x])", 1, "% 1"),
        ("[?x.?a, ?x.?b, x.a]", {"a": 1}, [1, 1]),
        ("[].map(e, e.foo)", None, []),
        ("x.all(e, e)", [], True),
        ("x < 'b' && 'a' < x + 'c'", "a", True),
    ],
)
def test_values(expression: str, x: Any, wanted: Any) -> None:
    assert value(expression, x) == wanted


@pytest.mark.parametrize(
    ("expression", "x", "message"),
    [
        ("x.flatten(-1)", [], "level must be non-negative"),
        ("'%s %s'.format(x)", [1], "error during formatting: index 1 out of range"),
        ("quantity('1e123456')", None, "unable to parse quantity's suffix"),
        ("string(x)", [], "no such overload: string(list)"),
        ("string(bytes(x) + b'\\xff')", "a", "invalid UTF-8 in bytes, cannot convert to string"),
        ("double(x)", "1e400", "type conversion error from 'string' to 'double'"),
        ("double(x)", "0x10", "type conversion error from 'string' to 'double'"),
        ("x % 0", 1, "modulus by zero"),
        ("int(x)", 1e19, "integer overflow"),
        ("int(x)", float("nan"), "integer overflow"),
        ("[?x]", 1, "no such overload"),
        ("{?'a': x}", 1, "no such overload"),
        ("{x: 1}", [1], "unsupported key type: list"),
        ("{x: 1}", object(), "unsupported key type: dyn"),
        ("{1: 1}.transformMapEntry(k, v, {x: 1, dyn(1): 2})", True, "a map cannot have both bools and numbers"),
        ("x[0]", [], "index out of bounds: 0"),
        ("x[1.0]", {}, "no such key: 1"),
        ("x[true]", {}, "no such key: true"),
        ("x.f.g", {"f": object()}, "no such key: g"),
        ("x", None, "no such attribute(s): x"),
        ("timestamp(x)", "2020-01-01T00:00:00+24:00", "type conversion error from 'string'"),
        ("timestamp(x)", "2020-13-01T00:00:00Z", "type conversion error from 'string'"),
        ("timestamp('9999-12-31T23:59:59Z').getHours('+05:00')", None, "timestamp overflow"),
        ("timestamp(0).getHours(x)", "é:1", "unknown time zone"),
        ("x.matches(x)", "(", "error parsing regexp"),
        ("authorizer", None, "undeclared reference to 'authorizer'"),
        ("x.sortBy(e, e)", "a", "got 'types.String', expected iterable type"),
    ],
)
def test_errors(expression: str, x: Any, message: str) -> None:
    if expression == "x":
        with pytest.raises(CelError, match=r"no such attribute\(s\): x"):
            compile("x", ["x"]).evaluate({})
        return
    said = error(expression, x)
    assert message in said or (message.startswith("error during formatting: ") and message[25:] in said)


def test_numbers_that_kyverno_chooses_among() -> None:
    assert "no such overload" in error("math.greatest(x, 1, 2)", "a", "kyverno")
    assert "argument must not be empty" in error("math.least(x)", [], "kyverno")
    assert value("math.greatest(x, 2, 3.5)", 3, "kyverno") == 3.5


def test_the_careful_way_agrees_with_the_fast_one() -> None:
    assert error("x.l.all(e, e > 0) && x.nope", {"l": [1, 2]}) == "no such key: nope"
    assert error("!x.l.exists(e, e > 5) && x.nope", {"l": [1, 2]}) == "no such key: nope"
    assert (
        error("(x.l[0] == 1 || x.nope) && (x.l[0] == 1 && true) && x.nope", {"l": [1]}) == "no such key: nope"
    )
    assert error("[?x.?l, ?x.?m, x.nope][0]", {"l": 1}) == "no such key: nope"
    assert error("x.?m.value()", {}) == "optional.none() dereference"
    assert error("x.?m.or(x).value()", {"l": 1}) == "no such overload: value(map)"


def test_an_unterminated_text_is_told() -> None:
    assert error("'abc") == "Syntax error: the text that begins here does not end"
    assert error("x # 1") == "Syntax error: token recognition error at: '#'"
    assert error("9223372036854775808") == "invalid int literal"


def test_an_error_that_an_optional_falls_back_to_is_not_met() -> None:
    assert value("x.?a.orValue(1 / 0)", {"a": 1}) == 1
    assert error("x.?b.orValue(1 / 0)", {"a": 1}) == "division by zero"
    assert value("x.a.orValue(2)", {"a": 1}, "kyverno") == 1
    assert value("x.?b.orValue(2)", {"a": 1}, "kyverno") == 2
    assert error("x.a.orValue(2)", {"a": 1}) == "no such overload"


def test_work_inside_a_loop_that_absorbs_errors_is_bounded() -> None:
    inner = "[1,2,3,4,5,6,7,8,9,10].map(a, x.l.map(b, b)).size() > 0"
    program = compile(f"x.all(e, e == 'l' && (x.nope || {inner}))", ["x"])
    with pytest.raises(OutOfBudget):
        program.evaluate({"x": {"l": [0] * 50}}, Budget(300))


@pytest.mark.parametrize(
    ("operator", "steps"), [("x + x", 20), ("x == x", 9), ("x.distinct()", 9), ("x.reverse()", 9)]
)
def test_what_is_copied_or_compared_costs(operator: str, steps: int) -> None:
    program = compile(operator, ["x"])
    program.evaluate({"x": [[1]] * 5}, Budget(1000))
    with pytest.raises(OutOfBudget):
        program.evaluate({"x": [[1]] * 11}, Budget(steps))


def test_values_of_other_classes_are_of_no_type() -> None:
    assert sort_of(object) == "dyn"
    assert sort_of(Optional) == "optional_type"


def test_names_in_scope_hide_others() -> None:
    assert value("x.map(x, x.map(x, x + 1))", [[1], [2]]) == [[2], [3]]
    assert compile("int", {"int": INT}).evaluate({"int": 5}) == 5
    assert compile("x.first().value() + 1", {"x": list_of(INT)}).evaluate({"x": [1]}) == 2


def test_a_clock_shows_microseconds() -> None:
    assert local(Instant(1_000_000_001), "UTC") - EPOCH == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Deployment", "deployments"),
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("Endpoints", "endpoints"),
        ("", ""),
    ],
)
def test_resources_of_kinds(kind: str, resource: str) -> None:
    assert resource_of(Kind("", "v1", kind)).resource == resource
