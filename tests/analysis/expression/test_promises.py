"""What holds for every expression and every value."""

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis import expression
from davy.analysis.expression import EvaluationError, ExpressionError
from davy.analysis.expression.texts import quoted, show_float

FEW = settings(max_examples=80, deadline=None)

WORDS = """
1 2.5 0x1f 'a' "b" `c` b'd' true false nil result x m.y # #index #acc . ?. ( ) [ ] { } , ; : ? ?? ?: | ||
&& + - * / % ** ^ == != < <= > >= and or not ! in matches contains startsWith endsWith .. let if else =
len( filter( map( reduce( sortBy( count( sum( /* */ // :: $env isNil( é 🦖 \\
"""
words = st.sampled_from([*WORDS.split(), "\n", "\t", "\ud800"])
soup = st.lists(words, max_size=25).map(" ".join)
any_text = st.text(max_size=60) | soup

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.floats(), max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)

ONE = """
abs ceil floor round int float string len first last type upper lower trim keys values sort reverse uniq
flatten sum mean median min max count toJSON fromJSON toBase64 fromBase64 toPairs fromPairs duration date
bitnot timezone
"""
TWO = """
get take split join repeat indexOf hasPrefix min max mean concat bitand bitshl bitushr sort trimPrefix date
"""
LOOPS = """
all any none one filter map count find findIndex findLast findLastIndex sum groupBy sortBy reduce
"""
BINARY = "+ - * / % ** == != < <= > >= and or in contains startsWith matches .. ?? endsWith"
ATOMS = '1 2 0 3.5 -1 "a" "5" true nil result x [1,2] {a:1} [] 1..3 duration("1h") # .a'
atoms = st.sampled_from(ATOMS.split())


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one, two, loops, binary = (st.sampled_from(names.split()) for names in (ONE, TWO, LOOPS, BINARY))
    return st.one_of(
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("{}({})".format, one, inner),
        st.builds("{}({}, {})".format, two, inner, inner),
        st.builds("{}({}, {})".format, loops, inner, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[{}:{}]".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("(-{})".format, inner),
        st.builds("let v = {}; v".format, inner).map("({})".format),
    )


expressions = st.recursive(atoms, larger, max_leaves=8)


def reading(text: str) -> expression.Expression | ExpressionError:
    try:
        return expression.compile(text)
    except ExpressionError as error:
        return error


def evaluation(text: str, variables: dict[str, object], steps: int = 20_000) -> object:
    """The value, or the error if there is one."""
    read = reading(text)
    try:
        return read if isinstance(read, ExpressionError) else read.evaluate(variables, steps=steps, now=0.0)
    except EvaluationError as error:
        return error


@FEW
@given(any_text)
def test_a_text_is_an_expression_or_an_expression_error_with_a_place(text: str) -> None:
    read = reading(text)
    if isinstance(read, ExpressionError):
        assert 0 <= read.position <= len(text)
        assert read.line >= 1
        assert read.column >= 1
        assert "^" in str(read)
    assert read.source == text


@FEW
@given(soup | expressions, st.dictionaries(st.sampled_from(["result", "x", "m", "isNil"]), values))
def test_an_evaluation_gives_a_value_or_an_evaluation_error(text: str, variables: dict[str, object]) -> None:
    outcome = evaluation(text, variables)
    if isinstance(outcome, EvaluationError):
        assert 0 <= outcome.position <= len(text)
        assert outcome.message
    # As text NaN is equal to itself, and errors are by what they say.
    assert repr(evaluation(text, variables)) == repr(outcome), "the same arguments give the same value"


@FEW
@given(expressions, values, values)
def test_generated_expressions_evaluate_or_say_why_not(text: str, result: object, x: object) -> None:
    outcome = evaluation(text, {"result": result, "x": x})
    if isinstance(outcome, ExpressionError):
        expected = ("unexpected", "takes", "redeclare", "parts", "nests", "build", "missing before")
        assert any(word in outcome.message for word in expected)


@given(st.sampled_from(["<", "<=", ">", ">="]), st.floats() | st.integers(-(2**60), 2**60), st.booleans())
def test_nan_is_in_no_order_with_anything(operator: str, other: float, swap: bool) -> None:
    left, right = ("other", "result") if swap else ("result", "other")
    read = expression.compile(f"{left} {operator} {right}")
    assert read.evaluate({"result": math.nan, "other": other}) is False


@given(st.sampled_from(["==", "in"]), st.floats() | st.integers())
def test_nan_is_equal_to_nothing(operator: str, other: float) -> None:
    text = "result == other" if operator == "==" else "result in [other, result]"
    assert expression.compile(text).evaluate({"result": math.nan, "other": other}) is False


@given(st.integers(1, 2_000), st.integers(1, 4))
def test_no_evaluation_takes_more_steps_than_it_has(steps: int, depth: int) -> None:
    body = "1"
    for _ in range(depth):
        body = f"sum(1..30, {body})"
    outcome = evaluation(body, {}, steps)
    if isinstance(outcome, EvaluationError):
        assert outcome.message == f"the limit of {steps} steps is reached"
    else:
        assert outcome == 30**depth < steps


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.sampled_from(["+", "-", "*"]))
def test_integers_stay_within_64_bits_and_are_right_modulo_them(left: int, right: int, operator: str) -> None:
    value = expression.compile(f"l {operator} r").evaluate({"l": left, "r": right})
    exact = {"+": left + right, "-": left - right, "*": left * right}[operator]
    assert isinstance(value, int)
    assert -(2**63) <= value < 2**63
    assert (value - exact) % 2**64 == 0


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1).filter(bool))
def test_a_remainder_has_the_sign_of_the_dividend(left: int, right: int) -> None:
    value = expression.compile("l % r").evaluate({"l": left, "r": right})
    assert isinstance(value, int)
    assert abs(value) < abs(right)
    assert value == 0 or (value > 0) == (left > 0)
    assert (left - value) % right == 0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_as_text_is_the_same_float(value: float) -> None:
    assert float(show_float(value)) == value
    assert expression.compile("float(string(x))").evaluate({"x": value}) == value
    assert expression.compile("fromJSON(toJSON(x))").evaluate({"x": value}) == value


@given(st.text(max_size=20))
def test_a_text_that_is_quoted_reads_as_itself(text: str) -> None:
    source = quoted(text)
    assert re.fullmatch(r'"[^\n]*"', source, re.DOTALL)
    assert expression.compile(source).evaluate({}) == text


def test_what_cannot_be_seen_is_quoted_as_go_quotes_it() -> None:
    assert quoted('a"\\\a\b\f\n\r\t\v') == r'"a\"\\\a\b\f\n\r\t\v"'
    assert quoted("\x00\x7fé\u200b\U000e0001") == r'"\x00\x7fé\u200b\U000e0001"'


@given(st.lists(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53), max_size=8))
def test_sorting_gives_the_same_elements_in_order(items: list[float]) -> None:
    value = expression.compile("sort(x)").evaluate({"x": items})
    assert isinstance(value, list)
    assert sorted(value) == value
    assert sorted(map(repr, value)) == sorted(map(repr, items))


@given(st.lists(st.integers(-5, 5), max_size=6), st.integers(-8, 8), st.integers(-8, 8))
def test_a_slice_is_that_of_python_but_for_what_is_before_the_start(
    items: list[int], start: int, stop: int
) -> None:
    value = expression.compile("x[start:stop]").evaluate({"x": items, "start": start, "stop": stop})
    assert value == items[max(start, -len(items)) : stop if stop >= -len(items) else 0]


@given(st.lists(st.booleans(), max_size=6))
def test_the_quantifiers_agree_with_the_count(items: list[bool]) -> None:
    count = expression.compile("count(x, #)").evaluate({"x": items})
    assert expression.compile("all(x, #)").evaluate({"x": items}) is (count == len(items))
    assert expression.compile("any(x, #)").evaluate({"x": items}) is (count != 0)
    assert expression.compile("none(x, #)").evaluate({"x": items}) is (count == 0)
    assert expression.compile("one(x, #)").evaluate({"x": items}) is (count == 1)
    assert expression.compile("len(filter(x, #))").evaluate({"x": items}) == count
