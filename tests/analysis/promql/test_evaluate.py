"""The engine at its edges: bounds, kinds of queries, the two generations of semantics."""

import math

import pytest
from tests.analysis.promql.expressions import vector

from davy.analysis.promql.dates import civil_date
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.functions import FUNCTIONS
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.result import Matrix, Points, Sample, Scalar, String, Vector
from davy.analysis.promql.series import EMPTY_LABELS, NAME, Labels, SeriesStore

UP = Labels({NAME: "up", "pod": "a"})


def store(samples: int = 13, step_ms: int = 10_000) -> SeriesStore:
    filled = SeriesStore()
    for index in range(samples):
        filled.append(UP, index * step_ms, float(index))
    return filled


def refused(engine: Engine, query: str, at_s: float = 60.0) -> str:
    with pytest.raises(QueryError) as caught:
        engine.instant(query, at_s)
    return caught.value.message


def test_an_answer_is_one_of_four_values() -> None:
    engine = Engine(store())
    assert engine.instant("1 + 1", 60) == Scalar(2.0)
    assert engine.instant("'text'", 60) == String("text")
    assert engine.instant("up", 60.5) == Vector((Sample(UP, 6.0, 60_500),))
    assert engine.instant("up[15s]", 60) == Matrix((Points(UP, (50_000, 60_000), (5.0, 6.0)),))
    assert engine.instant("(up * 2)[20s:10s]", 60) == Matrix(
        (Points(UP.without_name(), (50_000, 60_000), (10.0, 12.0)),)
    )


def test_a_range_has_a_point_at_every_step() -> None:
    engine = Engine(store(), lookback_s=15.0)
    assert engine.range("up", 100, 160, 20) == Matrix((Points(UP, (100_000, 120_000), (10.0, 12.0)),))
    assert engine.range("2", 0, 0, 5) == Matrix((Points(EMPTY_LABELS, (0,), (2.0,)),))
    assert engine.range("start() + end() + step() + range()", 10, 30, 10) == Matrix(
        (Points(EMPTY_LABELS, (10_000, 20_000, 30_000), (70.0, 70.0, 70.0)),)
    )


def test_the_edges_of_a_range_pin_selectors_at_every_step() -> None:
    ranged = Engine(store()).range("up @ end() - up @ start() offset -10s", 20, 100, 40)
    assert [points.values for points in ranged.series] == [(7.0, 7.0, 7.0)]


@pytest.mark.parametrize("query", ["up[1m]", "up[1m:10s]", "'text'"])
def test_a_range_is_asked_of_scalars_and_vectors(query: str) -> None:
    with pytest.raises(QueryError, match="scalar or an instant vector"):
        Engine(store()).range(query, 0, 10, 5)


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        ((0, 10, 0), "step"),
        ((0, 10, -1), "step"),
        ((0, 10, 0.0001), "step"),
        ((10, 0, 5), "before it starts"),
        ((0, 11_000, 1), "11000 points"),
        ((0, math.inf, 1), "inf seconds is no time"),
        ((math.nan, 1, 1), "nan seconds is no time"),
        ((0, 1e300, 1e299), "is no time"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(between: tuple[float, float, float], reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        Engine(store()).range("up", *between)


def test_a_range_may_have_as_many_points_as_prometheus_allows() -> None:
    (points,) = Engine(SeriesStore()).range("1", 0, 10_999, 1).series
    assert len(points.values) == 11_000


def test_a_query_touches_no_more_samples_than_it_may() -> None:
    assert vector(Engine(store(), max_samples=13), "sum_over_time(up[2m])", 120.0) == {'{pod="a"}': 78.0}
    message = refused(Engine(store(), max_samples=12), "sum_over_time(up[2m])", 120)
    assert message == "the query touches more than 12 samples"
    assert "12 samples" in refused(Engine(store(), max_samples=12), "up + up + sum_over_time(up[100s])", 120)
    with pytest.raises(QueryError, match="more than 50 samples"):
        Engine(store(), max_samples=50).range("up", 0, 100, 1)
    with pytest.raises(QueryError, match="more than 50 samples"):
        Engine(SeriesStore(), max_samples=50).range("1", 0, 100, 1)


def test_a_subquery_over_nothing_is_not_free() -> None:
    nested = "max_over_time(max_over_time(max_over_time(x[3h:1s])[3h:1s])[3h:1s])"
    assert "more than 100000 samples" in refused(Engine(SeriesStore(), max_samples=100_000), nested)


def test_a_subquery_has_a_limit_of_points() -> None:
    engine = Engine(SeriesStore(), max_samples=20_000)
    assert engine.instant("count_over_time(x[11000s:1s])", 60) == Vector(())
    assert "11000 points" in refused(engine, "count_over_time(x[11001s:1s])")
    assert "11000 points" in refused(engine, "count_over_time(x[100000y:1ms])")


def test_a_subquery_without_a_step_takes_the_engines() -> None:
    assert vector(Engine(store()), "count_over_time(up[2m:])", 120.0) == {'{pod="a"}': 2.0}
    engine = Engine(store(), subquery_step_s=20.0)
    assert vector(engine, "count_over_time(up[2m:])", 120.0) == {'{pod="a"}': 6.0}


def test_a_label_does_not_grow_without_end() -> None:
    query = "up"
    for _ in range(40):
        query = f'label_join({query}, "pod", "", "pod", "pod")'
    assert "65536 characters" in refused(Engine(store()), query)
    longer = 'label_replace(up, "pod", "' + "x" * 10 + '", "pod", ".*")'
    replaced = f'label_replace({longer}, "pod", "{"$1" * 10_000}", "pod", "(.*)")'
    assert "65536 characters" in refused(Engine(store()), replaced)


def test_elements_that_lose_their_difference_are_refused() -> None:
    twins = SeriesStore()
    for name in ("a", "b"):
        twins.append({NAME: name}, 0, 1.0)
        twins.append({NAME: name}, 10_000, 2.0)
    query = 'rate({__name__=~"a|b"}[20s])'
    assert "same labelset" in refused(Engine(twins), query, 12.0)
    assert "same labelset" in refused(Engine(twins, prometheus_2=True), f"count({query})", 12.0)
    assert vector(Engine(twins), f"count({query})", 12.0) == {"{}": 2.0}
    added = '{__name__=~"a|b"} + on(__name__) {__name__=~"a|b"}'
    for older in (False, True):
        engine = Engine(twins, prometheus_2=older)
        assert "same labelset" in refused(engine, added, 12.0)
        assert "same labelset" in refused(engine, f"max_over_time(({added})[10s:10s])", 12.0)


def test_an_older_prometheus_counts_the_left_edge_in() -> None:
    query = "count_over_time(up[20s])"
    assert vector(Engine(store()), query, 60.0) == {'{pod="a"}': 2.0}
    assert vector(Engine(store(), prometheus_2=True), query, 60.0) == {'{pod="a"}': 3.0}
    assert vector(Engine(store(), lookback_s=20), "up", 140.0) == {}
    assert vector(Engine(store(), lookback_s=20, prometheus_2=True), "up", 140.0) == {'up{pod="a"}': 12.0}
    assert vector(Engine(store()), "count_over_time(up[20s:10s])", 60.0) == {'{pod="a"}': 2.0}
    older = Engine(store(), prometheus_2=True)
    assert vector(older, "count_over_time(up[20s:10s])", 60.0) == {'{pod="a"}': 3.0}


def test_an_older_prometheus_looks_at_the_zero_of_a_counter_first() -> None:
    begun = SeriesStore()
    for index in range(6):
        begun.append(UP, 30_000 + index * 5000, 7.0 * (index + 1))
    assert vector(Engine(begun), "increase(up[60s])", 62.5)['{pod="a"}'] == pytest.approx(42.0)
    assert vector(Engine(begun, prometheus_2=True), "increase(up[60s])", 62.5)['{pod="a"}'] == pytest.approx(
        45.5
    )


def test_an_older_prometheus_takes_the_name_off_at_once() -> None:
    query = 'label_replace(rate(up[1m]), "metric", "$1", "__name__", "(.*)")'
    assert vector(Engine(store()), query) == {'{metric="up", pod="a"}': 0.1}
    assert vector(Engine(store(), prometheus_2=True), query) == {'{pod="a"}': 0.1}
    assert vector(Engine(store(), prometheus_2=True), "up > bool on(pod, __name__) up") == {'{pod="a"}': 0.0}
    plain = 'label_replace(up, "not plain", "x", "pod", ".*")'
    assert "invalid label name" in refused(Engine(store(), prometheus_2=True), plain)


@pytest.mark.parametrize("samples", [63, 64, 65, 66, 130, 300])
@pytest.mark.parametrize("seconds", [5, 315, 320, 325, 640, 1000])
def test_a_window_is_found_however_many_samples_there_are(samples: int, seconds: int) -> None:
    filled = Engine(store(samples, 5000))
    newest = (samples - 1) * 5.0
    for at in (newest, newest + 1, newest - 100):
        expected = sum(1 for index in range(samples) if at - seconds < index * 5 <= at)
        assert vector(filled, f"count_over_time(up[{seconds}s])", at) == {'{pod="a"}': expected}


def test_a_set_operator_joins_long_chains() -> None:
    query = " or ".join(f'nothing{{n="{number}"}}' for number in range(200)) + " or up"
    assert vector(Engine(store()), query) == {'up{pod="a"}': 12.0}


def test_every_function_that_the_grammar_knows_is_answered_or_refused_by_name() -> None:
    engine = Engine(store())
    for name in ("histogram_count", "histogram_sum", "histogram_avg", "info"):
        assert name in refused(engine, f"{name}(up)")
        assert name not in FUNCTIONS


@pytest.mark.parametrize(
    ("days", "date"),
    [
        (0, (1970, 1, 1)),
        (-1, (1969, 12, 31)),
        (11_016, (2000, 2, 29)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
        (-719_468, (0, 3, 1)),
        (-719_469, (0, 2, 29)),
        (2_932_896, (9999, 12, 31)),
        (2_932_897, (10_000, 1, 1)),
    ],
)
def test_days_are_dates(days: int, date: tuple[int, int, int]) -> None:
    assert civil_date(days) == date
