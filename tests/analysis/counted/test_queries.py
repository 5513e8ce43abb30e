"""The queries of a Judge: what may fill a placeholder, and what of a query can be asked series by series."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.counted.queries import (
    ERRORS,
    LATENCY,
    REQUESTS,
    Queries,
    each_series,
    fill,
    is_word,
    placeholders,
    queries_of,
    selectors,
)
from davy.analysis.promql.parse import parse
from davy.analysis.promql.syntax import Selector
from davy.analysis.provider import ProviderError
from davy.model.judge import Judge, JudgeCounter, JudgeMetric, JudgePrometheus, JudgeSpec
from davy.model.meta import ObjectMeta


def judge(*metrics: JudgeMetric, **asked: Any) -> Judge:
    prometheus = JudgePrometheus(address="http://127.0.0.1:9090", **asked)
    return Judge(
        metadata=ObjectMeta(name="pay"), spec=JudgeSpec(service="pay", metrics=metrics, prometheus=prometheus)
    )


def test_what_is_left_out_is_what_applications_count() -> None:
    assert queries_of(judge()) == Queries(REQUESTS, ERRORS, LATENCY)
    assert queries_of(judge(requests="a", errors="b", latency="c")) == Queries("a", "b", "c")


def test_latency_is_asked_where_it_is_judged_and_business_metrics_by_their_counters() -> None:
    checkout = JudgeMetric(
        name="checkout", kind="conversions", counter=JudgeCounter(tried="tried", happened="happened")
    )
    assert queries_of(judge(checkout)).latency == ""
    assert queries_of(judge(JudgeMetric(kind="latency"))).latency == LATENCY
    assert queries_of(judge(checkout)).events == {"checkout": ("tried", "happened")}


def test_every_placeholder_is_filled() -> None:
    found = Queries('a{v="{{version}}"}', "b", "c", {"e": ('d{x="{{ zone }}"}', "f")})
    filled = found.filled({"version": "7d4f", "zone": "eu-1"})
    assert filled == Queries('a{v="7d4f"}', "b", "c", {"e": ('d{x="eu-1"}', "f")})
    assert placeholders('a{v="{{version}}"}', "{{ zone }}") == {"version", "zone"}


def test_a_placeholder_that_nobody_fills_is_an_error_that_says_which() -> None:
    with pytest.raises(ProviderError, match=r"\{\{zone\}\}"):
        fill('a{x="{{zone}}"}', {})


@given(st.text())
def test_no_word_changes_what_is_asked(text: str) -> None:
    query = 'up{a="{{word}}",b=~"{{word}}"}'
    if not is_word(text):
        with pytest.raises(ProviderError):
            fill(query, {"word": text})
        return
    asked = parse(fill(query, {"word": text}))
    assert isinstance(asked, Selector)
    (matchers,) = asked.alternatives
    assert {(m.name, m.value) for m in matchers} == {("__name__", "up"), ("a", text), ("b", text)}


@pytest.mark.parametrize(
    "text", ["", 'a"}', "a b", "a\n", "a\\", "{}", "a,b", "a=b", "é", "a" * 254, "a|b", ".*", "$", "a'"]
)
def test_what_could_end_a_string_is_no_word(text: str) -> None:
    assert not is_word(text)


@pytest.mark.parametrize(
    ("query", "series"),
    [
        ('x_total{a="b"}', '{__name__="x_total",a="b"}'),
        ('sum(x_total{a="b"})', '{__name__="x_total",a="b"}'),
        ('sum by (le) (x{a=~"b|c"})', '{__name__="x",a=~"b|c"}'),
        ("sum(x offset 5m)", None),
        ("sum(x @ 100)", None),
        ("sum(rate(x[1m]))", None),
        ("max(x)", None),
        ('{a="1" or b="2"}', None),
        ("sum(x", None),
    ],
)
def test_what_only_adds_up_is_asked_series_by_series(query: str, series: str | None) -> None:
    assert each_series(query) == series


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sum(rate(x[1m])) + -y", ('{__name__="x"}', '{__name__="y"}')),
        ("max_over_time(sum(x)[5m:1m])", ('{__name__="x"}',)),
        ("x + x", ('{__name__="x"}',)),
        ("vector(1)", ()),
        ("sum(x", ()),
    ],
)
def test_what_a_query_rests_on_is_found(query: str, found: tuple[str, ...]) -> None:
    assert selectors(query) == found
