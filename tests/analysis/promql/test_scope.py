"""What can be said about a query without a sample."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.promql.expressions import expressions, promise

from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.parse import parse
from davy.analysis.promql.scope import Comparison, comparison, selectors
from davy.analysis.promql.syntax import Binary, Number, Operator

ERROR_RATE = """\
sum(rate(http_requests_total{app="payments",status=~"5.."}[1m]))
/
sum(rate(http_requests_total{app="payments"}[1m])) > 0.02
"""


def found(query: str) -> Comparison:
    result = comparison(query)
    assert result is not None
    return result


def test_a_threshold_is_told_from_what_it_limits() -> None:
    result = found(ERROR_RATE)
    assert result.query == ERROR_RATE.removesuffix(" > 0.02\n")
    assert (result.operator, result.threshold, result.threshold_text) == (Operator.GREATER, 0.02, "0.02")
    assert ERROR_RATE[result.start : result.end] == "> 0.02"
    assert result.holds is Operator.GREATER


@pytest.mark.parametrize(
    ("query", "left", "cut", "threshold"),
    [
        ("m > 1", "m", "> 1", 1.0),
        ("(m > 1)", "m", "> 1", 1.0),
        ("((  (m)>1 ))", "(m)", ">1", 1.0),
        ("m <= -1e-3", "m", "<= -1e-3", -0.001),
        ("m != (2)", "m", "!= (2)", 2.0),
        ("m > - 1 # limit", "m", "> - 1", -1.0),
        ("m # > 5\n > 1", "m", "> 1", 1.0),
        ('m{a=">1",b!="2"} == 3', 'm{a=">1",b!="2"}', "== 3", 3.0),
        ("m > 1 > 2", "m > 1", "> 2", 2.0),
        ("a + b > 1", "a + b", "> 1", 1.0),
        ("(a > b) < 3", "(a > b)", "< 3", 3.0),
        ("(a) > 1", "(a)", "> 1", 1.0),
        ("a > bool b > 5m", "a > bool b", "> 5m", 300.0),
        ("max_over_time((m > 1)[5m:]) >= 2", "max_over_time((m > 1)[5m:])", ">= 2", 2.0),
        ("m offset 5m < +Inf", "m offset 5m", "< +Inf", float("inf")),
        ("sum(m) by (b) > 1", "sum(m) by (b)", "> 1", 1.0),
    ],
)
def test_a_comparison_is_found_where_it_stands(query: str, left: str, cut: str, threshold: float) -> None:
    result = found(query)
    assert (result.query, result.threshold, result.number_first) == (left, threshold, False)
    assert query[result.start : result.end] == cut
    parse(query[: result.start] + query[result.end :])


@pytest.mark.parametrize(
    ("query", "left", "cut", "holds"),
    [
        ("0.02 < m", "m", "0.02 <", Operator.GREATER),
        ("(-1 >= a / b)", "a / b", "-1 >=", Operator.LESS_EQUAL),
        ("1 > (m)", "(m)", "1 >", Operator.LESS),
        ("1 <= m", "m", "1 <=", Operator.GREATER_EQUAL),
        ("1 == m", "m", "1 ==", Operator.EQUAL),
        ("1 != m", "m", "1 !=", Operator.NOT_EQUAL),
    ],
)
def test_the_number_may_come_first(query: str, left: str, cut: str, holds: Operator) -> None:
    result = found(query)
    assert (result.query, result.number_first, result.holds) == (left, True, holds)
    assert query[result.start : result.end] == cut
    parse(query[: result.start] + query[result.end :])


@pytest.mark.parametrize(
    "query",
    [
        "m",
        "m + 1",
        "a > b",
        "m > bool 1",
        "1 > bool 2",
        "m > 1 or n",
        "m > 1 and n > 2",
        "m > 1 unless n",
        "sum(m > 1)",
        "(m > 1) + 1",
        "-(m > 1)",
        "m > scalar(n)",
        "m > 2 * 0.01",
        "vector(1) or m > 1",
        "42",
    ],
)
def test_other_queries_are_no_comparison_with_a_number(query: str) -> None:
    assert comparison(query) is None


def test_a_query_that_cannot_be_read_is_refused() -> None:
    for ask in (comparison, selectors):
        with pytest.raises(QueryError):
            ask("m >")


@promise
@given(expressions, st.sampled_from([">", "<", ">=", "<=", "==", "!="]), st.integers(-99, 99))
def test_a_comparison_that_was_put_on_can_be_cut_out(query: str, operator: str, threshold: int) -> None:
    try:
        parse(query)
    except QueryError:
        return
    for compared in (f"({query}) {operator} {threshold}", f"(({threshold} {operator} ({query})))"):
        result = found(compared)
        assert (result.query, result.operator, result.threshold) == (f"({query})", operator, threshold)
        assert repr(parse(compared[: result.start] + compared[result.end :])) == repr(parse(query))


@promise
@given(expressions)
def test_only_a_comparison_with_a_number_is_called_one(query: str) -> None:
    try:
        tree = parse(query)
    except QueryError:
        return
    is_one = (
        isinstance(tree, Binary)
        and tree.operator.compares
        and not tree.return_bool
        and isinstance(tree.right, Number)
    )
    assert (comparison(query) is not None) is is_one


def test_every_selector_is_found() -> None:
    query = (
        'sum by (a) (rate(m{track="canary"}[1m])) / -n > on() group_left vector(scalar(o{x=~"y"})) '
        'or topk(scalar(p), max_over_time(q[5m:]))  unless label_replace(r, "a", "b", "c", "d")'
    )
    assert sorted(selector.metric for selector in selectors(query)) == ["m", "n", "o", "p", "q", "r"]


def test_a_query_is_scoped_when_every_selector_is() -> None:
    def scoped(query: str) -> bool:
        return all(selector.requires("track", "canary") for selector in selectors(query))

    assert scoped('rate(m{track="canary"}[1m]) / rate(n{track="canary",code=~"5.."}[1m])')
    assert not scoped('rate(m{track="canary"}[1m]) / rate(n[1m])')
    assert not scoped('m{track!="stable"}')
    assert selectors("vector(1)") == ()
