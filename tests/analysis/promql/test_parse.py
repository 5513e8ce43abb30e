"""Reading queries: bounds, positions, and the tree that comes out."""

import pytest

from davy.analysis.promql.matching import Matcher, MatchOperator, QueryError
from davy.analysis.promql.parse import parse
from davy.analysis.promql.syntax import (
    Aggregation,
    Binary,
    Call,
    Cardinality,
    Edge,
    Matching,
    Negation,
    Number,
    Operator,
    Selector,
    Subquery,
    Text,
    Window,
)

M = Selector("m", ((Matcher("__name__", MatchOperator.EQUAL, "m"),),))


def selector(text: str) -> Selector:
    found = parse(text)
    assert isinstance(found, Selector)
    return found


def refused(query: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(query)
    return caught.value


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("m", M),
        ("((m))", M),
        ("-m", Negation(M)),
        ("-(2)", Number(-2.0)),
        ("'text'", Text("text")),
        ("m[5m]", Window(M, 300_000)),
        ("m[1.5]", Window(M, 1500)),
        ("m[5m:30s] offset 1m", Subquery(M, 300_000, 30_000, 60_000, None)),
        ("m[5m:] @ start()", Subquery(M, 300_000, None, 0, Edge.START)),
        ("abs(m)", Call("abs", (M,))),
        ("SUM(m)", Aggregation("sum", M, None, (), False)),
        ("topk by (a, b) (3, m)", Aggregation("topk", M, Number(3.0), ("a", "b"), False)),
        ("sum without (a) (m)", Aggregation("sum", M, None, ("a",), True)),
        ("m > bool 1", Binary(Operator.GREATER, M, Number(1.0), True, Matching())),
        (
            "m / on(a) group_left(b) m",
            Binary(Operator.DIVIDE, M, M, False, Matching(Cardinality.MANY_TO_ONE, True, ("a",), ("b",))),
        ),
        (
            "m - ignoring(a) group_right m",
            Binary(Operator.SUBTRACT, M, M, False, Matching(Cardinality.ONE_TO_MANY, False, ("a",))),
        ),
        ("m AND m", Binary(Operator.AND, M, M, False, Matching(Cardinality.MANY_TO_MANY))),
    ],
)
def test_a_query_becomes_a_tree(query: str, tree: object) -> None:
    assert parse(query) == tree


def test_a_selector_knows_its_metric_wherever_the_name_stands() -> None:
    assert selector('{__name__="m"}').metric == "m"
    assert selector('{"m", a="b"}').metric == "m"
    assert selector('{__name__=~"m|n"}').metric == ""
    assert selector('{__name__="m",a="1" or __name__="n"}').metric == ""


def test_a_selector_knows_what_it_requires() -> None:
    assert selector('m{track="canary"}').requires("track", "canary")
    assert not selector('m{track=~"canary"}').requires("track", "canary")
    assert not selector('m{track="canary" or a="b"}').requires("track", "canary")


@pytest.mark.parametrize(
    ("pinned", "at"),
    [("", None), ("@ 1.5", 1500), ("@ 1700000000.123", 1_700_000_000_123), ("@ end()", Edge.END)],
)
def test_a_selector_is_pinned(pinned: str, at: object) -> None:
    assert selector(f"m {pinned}").at == at


def test_offsets_go_both_ways() -> None:
    assert selector("m offset 1h30m").offset_ms == 5_400_000
    assert selector("m offset -5m").offset_ms == -300_000


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("sum(m", 3),
        ("m)", 1),
        ("m{a=]", 4),
        ("m + $", 4),
        ('m{a="b', 4),
        ("abs(nothing_like_it(m))", 4),
        ("m # ünd\n + é", 11),
        ("m @ -5", 4),
        ("m[1e400]", 2),
        ("m +", None),
    ],
)
def test_a_refusal_says_where(query: str, position: int | None) -> None:
    error = refused(query)
    assert error.position == position
    assert (error.code, error.exit_code) == ("query", 2)
    assert ("at character" in error.message) is (position is not None)


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("m" * 32_769, "32768"),
        ("(" * 65 + "m" + ")" * 65, "64 brackets"),
        ("(" * 100_000, "32768"),
        ("m" + " + m" * 251, "250"),
        ("-" * 200 + "m", "64 expressions"),
        ("^".join(["m"] * 100), "64 expressions"),
        ("abs(" * 64 + "-m" + ")" * 64, "64 expressions"),
        ("[" * 30_000, "64 brackets"),
    ],
)
def test_what_is_too_large_is_refused_and_does_not_overflow(query: str, limit: str) -> None:
    assert limit in refused(query).message


def test_a_long_chain_is_not_deep() -> None:
    assert isinstance(parse(" or ".join(["m"] * 120)), Binary)
    assert isinstance(parse("m" + " + 1" * 250), Binary)
    assert isinstance(parse("m{" + ",".join(f'a{i}="b"' for i in range(400)) + "}"), Selector)


@pytest.mark.parametrize("where", ["m[{}]", "m[5m:{}]", "m offset {}"])
@pytest.mark.parametrize("duration", ["1e400", "1e13", "1e300", "99999999999y", "9999999y"])
def test_endless_durations_are_refused(where: str, duration: str) -> None:
    assert refused(where.format(duration)).exit_code == 2


@pytest.mark.parametrize("sign", ["", "-", "+ "])
@pytest.mark.parametrize("number", ["NaN", "Inf", "inf", "1e400"])
def test_an_offset_is_a_number(sign: str, number: str) -> None:
    assert "out of bounds" in refused(f"m offset {sign}{number}").message


@pytest.mark.parametrize("query", ["m[0.0001]", "m[5m:0.0001]"])
def test_nothing_goes_over_no_time(query: str) -> None:
    assert "at least a millisecond" in refused(query).message


def test_words_inside_braces_are_labels() -> None:
    assert selector('m{anchored="1",offset="NaN",holt_winters="x"}').metric == "m"


def test_numbers_are_not_matched_by_labels() -> None:
    for query in ("1 + on(a) 2", "m + ignoring(a) 2", "scalar(m) * on(a) m", "m + on(a) -(time())"):
        assert "vector matching only allowed between" in refused(query).message, query


def test_a_message_that_repeats_the_query_is_cut() -> None:
    assert len(refused('m{a=~"' + "(" * 20_000 + '"}').message) < 600
