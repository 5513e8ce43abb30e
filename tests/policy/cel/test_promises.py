"""What holds for every expression and every object, however odd they are."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.policy.cel import DYN, Budget, CelError, OutOfBudget, Type, compile
from davy.policy.cel.types import STRING

json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | st.text(max_size=5),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=3), part, max_size=4),
    max_leaves=12,
)
WORDS = [
    "x",
    "a",
    ".",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "?",
    ":",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "in",
    "'t'",
    "1",
]
WORDS += [
    "1u",
    "1.5",
    ",",
    "==",
    "<",
    ".all(e, e)",
    ".map(e, e.a)",
    "has(x.a)",
    ".?a",
    "[?0]",
    "true",
    "null",
    ".orValue(1)",
]
WORDS += [
    "size(x)",
    "string(x)",
    "int(x)",
    ".matches('a')",
    "duration('1h')",
    ".first()",
    ".sort()",
    ".transformMap(k, v, v)",
]


def value(expression: str, x: Any = None, environment: Any = "kubernetes", **more: Any) -> Any:
    return compile(expression, ["x", *more], environment).evaluate({"x": x, **more})


def error(expression: str, x: Any = None, environment: Any = "kubernetes") -> str:
    with pytest.raises(CelError) as raised:
        value(expression, x, environment)
    return raised.value.message


@given(st.lists(st.sampled_from(WORDS), max_size=9), json)
@settings(max_examples=600, deadline=None)
def test_any_text_ends_in_a_value_or_in_an_error_with_a_place(words: list[str], x: Any) -> None:
    for text in ("".join(words), " ".join(words)):
        try:
            compile(text, ["x"]).evaluate({"x": x})
        except CelError as raised:
            line, column = raised.position
            assert line >= 1
            assert 0 <= column <= len(text)


@given(st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_text_becomes_code(text: str) -> None:
    literal = '"' + "".join(f"\\U{ord(sign):08x}" for sign in text if not 0xD800 <= ord(sign) < 0xE000) + '"'
    wanted = "".join(sign for sign in text if not 0xD800 <= ord(sign) < 0xE000)
    assert value(literal) == wanted
    assert value(f"{{{literal}: 1}}[{literal}]") == 1
    assert value(f"x[{literal}]", {wanted: 2}) == 2


@given(json, json)
@settings(max_examples=300, deadline=None)
def test_comparing_never_raises_and_agrees_with_itself(a: Any, b: Any) -> None:
    found = compile("a == b", ["a", "b"])
    assert found.evaluate({"a": a, "b": b}) is found.evaluate({"a": b, "b": a})
    assert compile("a != b", ["a", "b"]).evaluate({"a": a, "b": b}) is not found.evaluate({"a": a, "b": b})


@given(st.lists(st.sampled_from(["true", "false", "x.nope", "1 / 0 == 1"]), min_size=2, max_size=5))
def test_the_order_of_operands_does_not_matter(operands: list[str]) -> None:
    for sign, decides in (("&&", False), ("||", True)):
        wanted = decides if str(decides).lower() in operands else None
        for order in (operands, operands[::-1]):
            try:
                found = value(f" {sign} ".join(order), {})
            except CelError:
                found = None
            if wanted is not None:
                assert found is wanted
            elif any("x" in operand or "/" in operand for operand in operands):
                assert found is None
            else:
                assert found is not decides


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.sampled_from("+-*/%"))
def test_arithmetic_is_exact_or_an_error(a: int, b: int, sign: str) -> None:
    exact: Callable[[], int] = {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
        "%": lambda: abs(a) % abs(b) * (-1 if a < 0 else 1),
    }[sign]
    program = compile(f"a {sign} b", ["a", "b"])
    wanted = None if b == 0 and sign in "/%" else exact()
    try:
        found = program.evaluate({"a": a, "b": b})
    except CelError:
        found = None
    assert found == (wanted if wanted is not None and -(2**63) <= wanted < 2**63 else None)


def test_an_error_has_its_place() -> None:
    with pytest.raises(CelError) as raised:
        value("true &&\n  x.a.b == 1", {"a": {}})
    assert raised.value.position == (2, 5)
    assert str(raised.value) == "ERROR: <input>:2:6: no such key: b\n |   x.a.b == 1\n | .....^"
    with pytest.raises(CelError) as raised:
        compile("x.all(e, e.a) && nope", ["x"])
    assert raised.value.position == (1, 17)


def test_work_is_bounded() -> None:
    loops = "[1,2,3,4,5,6,7,8,9,10]"
    deep = loops
    for level in range(8):
        deep = f"{loops}.map(a{level}, {deep})"
    for text in (
        deep,
        f"{deep} == [] || true",
        f"[1].exists(e, size({deep}) > 0) || true",
        f"x.a || size({deep}) > 1",
    ):
        program = compile(text, ["x"])
        with pytest.raises(OutOfBudget) as raised:
            program.evaluate({"x": {}})
        assert "cost limit exceeded" in str(raised.value)
    doubled = "'x'"
    for level in range(40):
        doubled = f"cel.bind(a{level}, {doubled}, a{level} + a{level})" if level < 20 else doubled
    big = compile(f"cel.bind(b, {doubled}, b + b + b + b + b + b + b + b + b + b + b + b)", ["x"], "kyverno")
    with pytest.raises(OutOfBudget):
        big.evaluate({"x": 1})


def test_a_budget_may_be_shared() -> None:
    budget = Budget(25)
    program = compile("x.all(e, e > 0)", ["x"])
    assert program.evaluate({"x": [1] * 10}, budget) is True
    assert program.evaluate({"x": [1] * 10}, budget) is True
    with pytest.raises(OutOfBudget):
        program.evaluate({"x": [1] * 10}, budget)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60 + "1" + ")" * 60,
        "!" * 60 + "true",
        "[" * 60 + "]" * 60,
        "x" + ".a" * 120,
        "1" + " + 1" * 120,
        "-" * 120 + "x",
        "x" * 200_000,
    ],
)
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(CelError, match=r"recursion limit|longer than"):
        compile(text, ["x"])


def test_what_is_nested_deeply_enough_is_evaluated() -> None:
    assert value("(" * 45 + "1" + ")" * 45) == 1
    assert value(" + ".join(["1"] * 90)) == 90
    assert value(" && ".join(["x == 1"] * 2000), 1) is True
    assert value("!" * 44 + "true") is True
    nested: Any = {"b": 1}
    for _ in range(90):
        nested = {"a": nested}
    assert value("x" + ".a" * 90 + ".b", nested) == 1
    inner = " + ".join(["e"] * 30)
    assert value(f"x.map(e, {inner}).map(f, f + {inner.replace('e', 'f')})", [1, 2]) == [930, 1860]
    assert value(f"x.all(e, ({inner}) > x.map(e, {inner})[0] - 1)", [1, 2]) is True
    assert "overflow" in error(
        f"x.map(e, {inner}).map(f, f + {inner.replace('e', 'f')} + 9223372036854775807)", [1]
    )
    parts = "x[0]"
    for level in range(40):
        parts = f"(x[{level % 2}] == {level} ? {parts} : {level})"
    assert value(parts, [0, 39]) == 38


def test_values_may_be_nested_deeply() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert error("x == x.map(e, e)", deep) == "the values are nested too deeply"


def test_an_expression_that_is_parsed_deep_in_a_stack_is_refused_and_no_more() -> None:
    def at(depth: int) -> Any:
        return at(depth - 1) if depth else error("(" * 45 + "1" + ")" * 45)

    assert at(700) == "expression recursion limit exceeded"


def test_objects_are_used_as_they_are() -> None:
    inner = {"b": [1]}
    assert value("x.a", {"a": inner}) is inner
    mapping: Any = OrderedDict(a=(1, 2))
    assert value("x.a.map(e, e * 2)", mapping) == [2, 4]
    assert (
        value("has(x.a) && x.a[1] == 2 && x == {'a': [1, 2]} && type(x) == map && type(x.a) == list", mapping)
        is True
    )


def test_declarations_may_have_types() -> None:
    known = {"x": Type("thing", fields={"name": STRING, "more": DYN})}
    assert compile("x.name + 'b'", known).evaluate({"x": {"name": "a"}}) == "ab"
    for wrong in ("x.nam", "has(x.nam)", "x.name == 1", "x.name.more", "x[0]"):
        with pytest.raises(CelError):
            compile(wrong, known)


def test_a_program_says_what_type_it_gives() -> None:
    assert str(compile("[1].map(e, e > 0)", []).result) == "list(bool)"
    assert str(compile("{'a': duration('1s')}", []).result) == "map(string, duration)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Object{a: 1}", "messages cannot be built here"),
        ("x.Object{}", "messages cannot be built here"),
        ("cel.bind(1, 2, 3)", "cel.bind() takes a name, a value and an expression"),
        ("cel.bind(a, 2)", "cel.bind() takes a name, a value and an expression"),
        ("cel.bind(a, 1, a)", "undeclared reference to 'cel'"),
        ("x.existsOne(e, e)", "undeclared reference to 'existsOne'"),
        ("1.5.all(e, e)", "cannot be range of a comprehension"),
        ("1.optMap(e, e)", "found no matching overload for 'hasValue' applied to 'int.()'"),
        ("x.?a.optFlatMap(e, 1)", "found no matching overload for 'optFlatMap'"),
        ("{1: 1}.transformMapEntry(k, v, 1)", "expected a map but found 'int'"),
        ("'%q'.format([1])", "unrecognized formatting clause"),
        ("'a'.foo(nope)", "undeclared reference to 'foo'"),
        ("nope.foo()", "undeclared reference to 'nope'"),
        ("b'\\u0041'", "no unicode escapes in bytes"),
        ("'\\ud800'", "invalid escape"),
        ("18446744073709551616u", "invalid uint literal"),
        ("999999999999999999999", "invalid int literal"),
        ("1e999", "invalid double literal"),
        ("x.(a)", "unexpected '('"),
        ("-9223372036854775809", "invalid int literal"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(CelError) as raised:
        compile(text, ["x"])
    assert message in raised.value.message


def test_one_expression_may_not_take_what_many_may() -> None:
    budget = Budget(10_000_000)
    many = "x.map(a, x.map(b, b)).size() > 0"
    assert compile(many, ["x"]).evaluate({"x": [0] * 900}, budget) is True
    assert budget.left == 10_000_000 - 900 * 901
    with pytest.raises(OutOfBudget):
        compile(many, ["x"]).evaluate({"x": [0] * 1000}, budget)
    assert 8_000_000 < budget.left < 9_000_000
