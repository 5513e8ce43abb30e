"""Evaluation beyond the cases: the bounds, the time, the values that come in and go out."""

import contextlib
import itertools
import math
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pytest

from davy.analysis import expression
from davy.analysis.expression import EvaluationError, ExpressionError, Fault, Function, Signature
from davy.analysis.expression.builtins import BUILTINS, METHODS
from davy.analysis.expression.kinds import INT, UNKNOWN
from davy.analysis.expression.moments import Duration, Instant


def evaluate(source: str, now: float | None = None, steps: int = 100_000, **variables: object) -> object:
    return expression.compile(source).evaluate(variables, now=now, steps=steps)


def failure(
    source: str, now: float | None = None, steps: int = 100_000, **variables: object
) -> EvaluationError:
    with pytest.raises(EvaluationError) as caught:
        evaluate(source, now, steps, **variables)
    return caught.value


def test_an_error_has_the_place_of_what_failed_and_a_hint() -> None:
    error = failure("result > 1 and count > 2", result=3)
    assert (error.position, error.line, error.column) == (15, 1, 16)
    assert str(error) == "unknown name count (1:16)\n | result > 1 and count > 2\n |                ^"
    assert (error.code, error.exit_code) == ("evaluation", 3)
    assert failure("len > 0", result=1).hint == "call it: len(…)"
    assert failure("map > 0").hint == "call it: map(…)"
    assert failure("x > 0", result=1, y=2).hint == "known are: result, y"
    assert failure("x > 0").hint == ""


def test_the_place_of_a_failure_is_that_nearest_to_its_cause() -> None:
    source = "any([1, 2], {let v = x; v.deep.er > #})"
    assert failure(source, x={"deep": None}).position == source.index(".er")


def test_what_a_local_shadows_is_refused() -> None:
    assert failure("let result = 1; result", result=2).message == "cannot redeclare result"


# Bounds


@pytest.mark.parametrize(
    "source",
    [
        "1..10000000",
        "1..9223372036854775807",
        "repeat('ab', 100000000)",
        "repeat(repeat('ab', 100000), 10000)",
        "map(1..1000, map(1..1000, 1))",
        "sum(1..1000, len(filter(1..1000, true)))",
        "reduce(1..1000, #acc + #acc, 'x')",
        "reduce(1..60, concat(#acc, #acc), [1])",
        "reduce(1..60, join([#acc, #acc]), 'xx')",
        "reduce(1..60, replace(#acc, 'x', 'xx'), 'x')",
        "join(map(1..300, ''), repeat('x', 100000))",
        "let a = reduce(1..60, [#acc, #acc], [1]); a == a",
        "let a = reduce(1..60, [#acc, #acc], [1]); {b: a} == {b: a}",
        "let a = reduce(1..60, [#acc, #acc], [1]); string(a)",
        "let a = reduce(1..60, [#acc, #acc], [1]); toJSON(a)",
        "let a = reduce(1..60, [#acc, #acc], [1]); flatten(a)",
        "let a = reduce(1..60, [#acc, #acc], [1]); max(a)",
        "let a = reduce(1..60, ({a: #acc, b: #acc}), {a: 1}); a",
        "let a = reduce(1..60, [#acc, #acc], [1]); a",
        "let a = reduce(1..60, ({a: #acc, b: #acc}), {a: 1}); string(a)",
        "let a = reduce(1..60, ({a: #acc, b: #acc}), {a: 1}); toJSON(a)",
        "let s = repeat('x', 1000000); map(1..1000, s[#:])",
        "map(1..90000, 'x' matches string(#))",
        "uniq(1..40000)",
        "split(repeat('x', 200000), '')",
        "map(1..2000, timezone('Europe/Zurich'))",
        "sort(1..100000)",
        "let m = {s: repeat('x', 6000000)}; map(1..10, m.s[0])",
        "let m = {s: repeat('x', 3000000)}; sum(m.s)",
    ],
)
def test_no_expression_takes_time_or_memory_without_bound(source: str) -> None:
    error = failure(source)
    assert "steps is reached" in error.message or "nests deeper" in error.message
    assert error.hint or "nests" in error.message


@pytest.mark.parametrize("function", ["string", "toJSON", "flatten", "max", "len"])
def test_values_that_nest_too_deeply_are_refused_where_someone_goes_down(function: str) -> None:
    source = f"{function}(reduce(1..500, [#acc], 1))"
    if function == "len":
        assert evaluate(source) == 1
    else:
        assert "nests deeper than 100 levels" in failure(source).message
    assert "nests deeper" in failure("reduce(1..500, [#acc], 1)").message
    assert "nests deeper" in failure("let a = reduce(1..500, [#acc], 1); a == a").message
    assert "nests deeper" in failure("reduce(1..500, ({a: #acc}), 1)").message


def test_text_costs_little_and_elements_cost_each() -> None:
    assert evaluate("len(s)", steps=3, s="x" * 10_000) == 10_000
    assert "steps" in failure("s contains 'y'", steps=100, s="x" * 10_000).message
    assert evaluate("all(x, # == 1)", steps=100, x=[1] * 10) is True
    assert "steps" in failure("all(x, # == 1)", steps=100, x=[1] * 100).message


def test_a_pattern_has_a_length_and_is_matched_in_linear_time() -> None:
    assert "longer than 1000" in failure("x matches repeat('a', 1001)", x="a").message
    assert evaluate("x matches '^(a+)+$'", x="a" * 50_000 + "b") is False
    assert "error parsing regexp" in failure("x matches p", x="a", p="((a{1000}){1000}){1000}").message
    assert "error parsing regexp" in failure(r"x matches '\\C'", x="a").message
    assert evaluate(r"x matches '\\\\C'", x="\\C") is True


# Time


def test_now_is_an_argument_and_nothing_else() -> None:
    assert failure("now()").message == "now() is not known here"
    assert evaluate("now()", now=1.5) == Instant(1_500_000_000)
    assert evaluate("now().Unix()", now=1_790_000_000.25) == 1_790_000_000
    assert evaluate("(now() - date('2026-09-21')).Hours() > 14", now=1_790_000_000) is True
    assert evaluate("now(timezone('Europe/Zurich')).Hour()", now=0) == 1
    assert "argument" in failure("now(x.y)", now=0, x={"y": 1}).message
    for unreal in (math.nan, math.inf):
        assert failure("now()", now=unreal).message == "the time now is no number"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("date('2023-08-14').Format('Monday, 02-Jan-06 15:04:05 MST')", "Monday, 14-Aug-23 00:00:00 UTC"),
        ("date('2023-08-14 3pm', '2006-01-02 3pm').Format('3PM 15 03')", "3PM 15 03"),
        ("date('2023-08-14 12am', '2006-01-02 3pm').Hour()", 0),
        ("date('2023-08-14 12pm', '2006-01-02 3pm').Hour()", 12),
        ("date('2023-08-14 03', '2006-01-02 03').Hour()", 3),
        ("date('2023-08-14 -01:30', '2006-01-02 -07:00').UTC().Format('15:04')", "01:30"),
        ("date('2023-08-14 +02', '2006-01-02 -07').UTC().Hour()", 22),
        ("date('2023-08-14 +02:00:30', '2006-01-02 -07:00:00').UTC().Second()", 30),
        ("date('2023-08-14 +02:00:30', '2006-01-02 -07:00:00').Format('-07:00:00 MST')", "+02:00:30 +0200"),
        ("date('2023-08-14 Z', '2006-01-02 Z0700').Format('Z07')", "Z"),
        ("date('2023 365', '2006 002').Format('01-02')", "12-31"),
        ("date('2024   5', '2006 __2').Day()", 5),
        ("date('August 4 2023', 'January 2 2006').Month().String()", "August"),
        ("date('2023-08-14 05,25', '2006-01-02 05,00').Nanosecond()", 250_000_000),
        ("date('2023-08-14 1:2:3', '2006-01-02 15:4:5').Second()", 3),
        ("date('2023-08-14').Format('Mon Jan')", "Mon Aug"),
        ("date('2023-08-14').Format('.999 .000')", " .000"),
        ("date('2023-12-31').AddDate(0, 0, 1).Year()", 2024),
        ("date('2023-08-14').UnixMicro()", 1_691_971_200_000_000),
        ("date('2023-08-14').Minute()", 0),
        ("date('2023-08-14') - date('2023-08-14')", "0s"),
        ("date('9999-01-01') - date('0001-01-01')", "2562047h47m16.854775807s"),
        ("date('9999-01-01').Sub(date('0001-01-01'))", "2562047h47m16.854775807s"),
        ("timezone('Europe/Zurich').String()", "Europe/Zurich"),
        ("date('2023-08-14').Location().String()", "UTC"),
        ("date('2023-08-14').Weekday().String()", "Monday"),
        ("string(date('2023-08-14').Weekday())", "Monday"),
        ("duration('-2562047h47m16.854775808s').Abs()", "2562047h47m16.854775807s"),
        ("duration('2562047h47m16s').Round(duration('1h'))", "2562047h47m16.854775807s"),
        ("duration('-1ms').Milliseconds()", -1),
        ("duration('70m').Round(duration('1h'))", "1h0m0s"),
        ("duration('-70m').Round(duration('1h'))", "-1h0m0s"),
        ("toJSON(timezone('UTC'))", "{}"),
        ("string(isZero)", "func"),
    ],
)
def test_times_are_those_of_go(source: str, value: object) -> None:
    function = Function(Signature((), INT), lambda: 0)
    found = evaluate(source, isZero=function)
    assert (str(found) if isinstance(value, str) else found) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("date('9999-12-31').Add(duration('48h')).Year()", "outside the years"),
        ("date('0001-01-01') .AddDate(-1, 0, 0)", "outside the years"),
        ("date('2023-08-14').AddDate(1000001, 0, 0)", "outside the years"),
        ("date('2023-08-14').AddDate(0, 0, 1000000000)", "outside the years"),
        ("date('9999-12-31').AddDate(0, 0, 1).Year()", "outside the years"),
        ("date('2023-08-14 +24:00', '2006-01-02 -07:00')", "a day or more"),
        ("date('2023 366', '2006 002')", "invalid date"),
        ("date('2023-08-14 13pm', '2006-01-02 3pm')", "invalid date"),
        ("date('2023-08-14 25', '2006-01-02 15')", "invalid date"),
        ("date('2023-08-14 x', '2006-01-02 ')", "invalid date"),
        ("date('2023-08-14', '2006-01-02 x')", "invalid date"),
        ("date('2023x', '2006-01')", "invalid date"),
        ("timezone('../../etc/passwd')", "unknown time zone"),
        ("timezone('Europe')", "unknown time zone"),
        ("timezone(repeat('x', 5000))", "unknown time zone"),
        ("timezone(x.n)", "cannot use int"),
        ("date(x.n)", "cannot use int"),
        ("x.d.Round(1)", "cannot use int"),
        ("x.d.Nope()", "cannot fetch Nope"),
        ("x.d.Hours(1)", "takes 0 arguments"),
        ("x.y()", "cannot call nil"),
        ("x.n()", "cannot call int"),
    ],
)
def test_times_that_are_none_are_refused(source: str, message: str) -> None:
    assert message in failure(source, x={"n": 1, "d": evaluate("duration('1h')")}).message


# Values in and out


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        (2**63, 2.0**63),
        (Level.HIGH, 3),
        (Colour.RED, "red"),
        ("a\ud800b", "a\ufffdb"),
        ("\U0001f996é", "\U0001f996é"),
        (MappingProxyType({"a": (1.0, 2.0)}), {"a": (1.0, 2.0)}),
        (b"x", b"x"),
        ([{"a": [None, True]}], [{"a": [None, True]}]),
    ],
)
def test_values_from_outside_become_values_of_the_language(value: object, inside: object) -> None:
    found = evaluate("x", x=value)
    assert (found, type(found)) == (inside, type(inside))


@pytest.mark.parametrize("value", [object(), {1, 2}, {1: 2}, 10**400, 1j, {"a": [print]}])
def test_values_that_mean_nothing_in_an_expression_are_refused(value: object) -> None:
    message = failure("x", x=value).message
    assert "has no meaning" in message or "too large for 64 bits" in message


def test_input_that_nests_too_deeply_is_refused() -> None:
    value: object = 1
    for _ in range(200):
        value = [value]
    assert "nests deeper than 100 levels" in failure("x", x=value).message
    assert "nests" in failure("fromJSON(x)", x="[" * 200 + "]" * 200).message
    assert "nests" in failure("fromJSON(x)", x="[" * 100_000).message


def test_what_an_expression_does_not_need_is_not_looked_at() -> None:
    assert evaluate("1 + x", x=1, y=object()) == 2
    assert "has no meaning" in failure("$env.x", x=1, y=object()).message


def test_the_values_that_come_out_are_plain_ones() -> None:
    assert evaluate("1..3") == [1, 2, 3]
    assert evaluate("groupBy([1, 2, 3], # > 1)") == {False: [1], True: [2, 3]}
    assert evaluate("{a: 1..2}") == {"a": [1, 2]}
    assert evaluate("x", x=(1.0, 2.0)) == (1.0, 2.0)


def test_an_evaluation_changes_nothing_that_it_is_given() -> None:
    given = {"a": [3, 1, 2], "b": {"c": 1}}
    evaluate("[sort(x.a), reverse(x.a), concat(x.a, [1]), x.b, toPairs(x.b)]", x=given)
    assert given == {"a": [3, 1, 2], "b": {"c": 1}}


def test_functions_of_the_caller_are_checked_and_called() -> None:
    def refuse(value: object) -> object:
        raise Fault("no such service", "ask another one")

    half = Function(Signature((INT,), INT), lambda value: value // 2)
    lookup = Function(Signature((UNKNOWN,), UNKNOWN), refuse)
    assert evaluate("half(5) + 1", half=half) == 3
    assert evaluate("5 | half()", half=half) == 2
    assert failure("half()", half=half).message == "not enough arguments to call half"
    assert failure("half(1, 2)", half=half).message == "too many arguments to call half"
    assert failure("half('a')", half=half).message == "cannot use string as argument (type int) to call half"
    assert failure("half(nil)", half=half).message == "cannot use nil as argument (type int) to call half"
    assert failure("half(1)", half=3).message == "int is not callable"
    error = failure("1 + lookup(2)", lookup=lookup)
    assert (error.message, error.hint, error.position) == ("no such service", "ask another one", 4)


def test_the_environment_is_a_map_of_all_variables() -> None:
    assert evaluate("$env.x + $env['y'] + get($env, 'x')", x=1, y=2) == 4
    assert evaluate("len($env)", x=1, y=2) == 2
    assert evaluate("$env?.z == nil", x=1) is True
    assert failure("$env.z", x=1).message == "unknown name z"
    assert evaluate("$env[k]", k="x", x=1) == 1


def test_escapes_reach_to_the_last_character_and_make_no_half_of_a_pair() -> None:
    assert evaluate(r"'\U0010ffff\u{10ffff}'") == "\U0010ffff" * 2
    assert evaluate(r"'\ud7ff\ud800\udfff\ue000'") == "\ud7ff\ufffd\ufffd\ue000"
    assert evaluate(r"b'\xff\377\0" + "60'") == b"\xff\xff0"


# Every function on every kind of value

KINDS = (None, True, 1, 0.5, "a", b"a", [1, "a"], {"a": 1}, Duration(1), Instant(0))
# How many arguments each function takes, by hand from https://expr-lang.org/docs/language-definition.
ARITIES = """
1 1 len first last reverse uniq flatten keys values toPairs fromPairs abs ceil floor round int float type
1 1 string upper lower fromJSON toJSON toBase64 fromBase64 bitnot duration timezone
2 2 get take repeat indexOf lastIndexOf hasPrefix hasSuffix
2 2 bitand bitor bitxor bitnand bitshl bitshr bitushr
1 2 sort trim trimPrefix trimSuffix join
2 3 split splitAfter
3 4 replace
1 9 min max mean median concat
1 3 date
0 1 now
"""
ROWS = [line.split() for line in ARITIES.strip().splitlines()]
CALLS = [(name, int(least), int(most)) for least, most, *names in ROWS for name in names]


def test_no_function_is_forgotten() -> None:
    assert {name for name, _, _ in CALLS} == BUILTINS.keys()


@pytest.mark.parametrize(("name", "least", "most"), CALLS)
def test_a_function_takes_its_arguments_or_says_that_it_cannot(name: str, least: int, most: int) -> None:
    for count in range(5):
        source = f"{name}({', '.join('x.' + 'abcd'[place] for place in range(count))})"
        if least <= count <= most:
            try_all(source, count)
        else:
            with pytest.raises(ExpressionError, match="takes"):
                expression.compile(source)


@pytest.mark.parametrize("name", sorted({key.name for key in METHODS}))
def test_a_method_takes_its_arguments_or_says_that_it_cannot(name: str) -> None:
    for count in range(4):
        try_all(f"x.a.{name}({', '.join('x.' + 'bcd'[place] for place in range(count))})", count + 1)


def try_all(source: str, count: int) -> None:
    """Evaluate on many combinations of values; whatever is raised besides an EvaluationError fails the test."""
    read = expression.compile(source)
    for values in itertools.islice(itertools.product(KINDS, repeat=count), 0, None, 1 if count < 3 else 41):
        with contextlib.suppress(EvaluationError):
            read.evaluate({"x": dict(zip("abcd", values, strict=False))}, now=0)
