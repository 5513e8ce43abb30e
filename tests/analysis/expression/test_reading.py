"""Reading: where a text stops being an expression, what is known before it is evaluated, and the bounds."""

import sys

import pytest

from davy.analysis import expression
from davy.analysis.expression import Call, ExpressionError
from davy.analysis.expression.parser import MAX_LENGTH, MAX_NESTING, MAX_NODES, MAX_TREE_DEPTH


def failure(source: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        expression.compile(source)
    return caught.value


def test_an_error_shows_its_place_with_a_caret() -> None:
    error = failure("result >= 1 and\n\tresult = 2")
    assert (error.position, error.line, error.column) == (24, 2, 9)
    assert str(error) == "unexpected operator = (2:9)\n | \tresult = 2\n | \t       ^"
    assert error.hint == "write == to compare"
    assert (error.code, error.exit_code) == ("expression", 2)


def test_of_a_long_line_only_the_neighbourhood_is_shown() -> None:
    error = failure("1 + " * 50 + ")")
    assert len(str(error)) < 400
    assert str(error).endswith("^")


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("a & b", "write and, or &&"),
        ("a AND b", "write and"),
        ("a OR b", "write or"),
        ("a := b", "a conditional is written test ? yes : no"),
        ("'a", "close it with '"),
        ("`a", "close it with `"),
        ("1 /* a", "close it with */"),
        ("'\\d'", "write \\\\ for a backslash"),
        ("a ?? b + 1", "put one of them in parentheses"),
        ("let len = 1; len", "choose another name"),
        ("map(a, #acc)", "map has #index, reduce #index and #acc"),
    ],
)
def test_common_mistakes_are_told_how_to_mend_them(source: str, hint: str) -> None:
    assert failure(source).hint == hint


@pytest.mark.parametrize("half", ["\ud800", "'\udfff'", "a.\ud83d"])
def test_half_of_a_surrogate_pair_is_refused_at_its_place(half: str) -> None:
    error = failure(f"1 + {half}")
    assert "surrogate" in error.message
    assert error.source[error.position] >= "\ud800"


@pytest.mark.parametrize("digits", ["9" * 25, "9" * 5000, "1" + "0" * 400 + ".0", "0x" + "f" * 20])
def test_numbers_that_are_too_large_are_refused(digits: str) -> None:
    assert "too large" in failure(digits).message


def test_leading_zeros_do_not_make_a_number_large() -> None:
    assert expression.compile("0" * 50 + "7").evaluate({}) == 7


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[",
        "-",
        "not ",
        "a ? ",
        "{a: ",
        "len(",
        "map(a, ",
        "a[",
        "1 ** ",
        "if true { ",
        "let q# = 1; ",
        "::len(",
        "a ?: ",
    ],
)
def test_whatever_nests_is_refused_before_the_stack_ends(pattern: str) -> None:
    source = "".join(pattern.replace("q#", f"q{number}") for number in range(400))
    error = failure(source)
    assert error.message == f"the expression nests deeper than {MAX_NESTING} levels"


@pytest.mark.parametrize("link", [" + 1", " or true", ".a", "[0]", "?.a", " | len()", " ?? 1", "[:1]", ".a()"])
def test_whatever_hangs_on_one_another_is_refused_before_the_stack_ends(link: str) -> None:
    error = failure("a" + link * 400)
    assert error.message == f"more than {MAX_TREE_DEPTH} operations build on one another"


def test_the_deepest_expressions_allowed_are_read_and_evaluated() -> None:
    nested = "map(x, " * (MAX_NESTING - 1) + "1" + ")" * (MAX_NESTING - 1)
    chained = "0" + " + 1" * (MAX_TREE_DEPTH - 1)
    depth = sys.getrecursionlimit()
    assert expression.compile(chained).evaluate({}) == MAX_TREE_DEPTH - 1
    value = expression.compile(nested).evaluate({"x": [1]})
    for _ in range(MAX_NESTING - 1):
        assert isinstance(value, list)
        value = value[0]
    assert (value, sys.getrecursionlimit()) == (1, depth)


def test_length_and_number_of_parts_are_bounded() -> None:
    assert f"longer than {MAX_LENGTH} characters" in failure(" " * (MAX_LENGTH + 1)).message
    assert f"more than {MAX_NODES} parts" in failure(f"[{'1,' * (MAX_NODES + 1)}]").message


def test_names_are_the_variables_that_an_expression_needs() -> None:
    read = expression.compile("let x = result.y; any(vector, # > x) and isNil(result) and $env?.other == nil")
    assert read.names() == {"result", "vector"}
    assert expression.compile("1 + 1").names() == frozenset()
    assert read.position_of("vector") == read.source.index("vector")


def test_calls_tell_whether_the_first_argument_is_exactly_the_result() -> None:
    read = expression.compile("isNil(result) or default(result.x, 1) > len(y | trim()) or now() > z()")
    assert read.calls() == (
        Call("isNil", 0, True, False),
        Call("default", 17, False, False),
        Call("len", 40, False, True),
        Call("trim", 48, False, True),
        Call("now", 59, False, True),
        Call("z", 67, False, False),
    )


def test_a_predicate_is_no_first_argument() -> None:
    assert expression.compile("result | filter(# > 1)").calls() == (Call("filter", 9, True, True),)


def test_the_text_and_the_tree_are_kept() -> None:
    read = expression.compile("result > 1")
    assert read.source == "result > 1"
    assert "result > 1" in repr(read)
