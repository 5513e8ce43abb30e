"""What PromQL promises, whatever the samples are."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.analysis.promql.expressions import (
    NOW_S,
    counter_stores,
    expressions,
    finite,
    last_points,
    numbers,
    promise,
    stores,
    vector,
)

from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.result import Matrix
from davy.analysis.promql.series import NAME, SeriesStore


def asked(engine: Engine, query: str, at_s: float) -> str:
    """Give the answer or the refusal: there is nothing else."""
    try:
        return repr(engine.instant(query, at_s))
    except QueryError as error:
        return error.message


def close(left: dict[str, float], right: dict[str, float]) -> bool:
    return left.keys() == right.keys() and all(
        (left[key] != left[key] and right[key] != right[key])
        or math.isclose(left[key], right[key], rel_tol=1e-9, abs_tol=1e-9)
        for key in left
    )


@promise
@given(counter_stores, st.sampled_from(["rate", "increase", "irate"]), st.integers(6, 130))
def test_a_counter_never_shrinks(store: SeriesStore, function: str, window_s: int) -> None:
    assert all(value >= 0 for value in vector(Engine(store), f"{function}(m[{window_s}s])").values())


@promise
@given(counter_stores, st.integers(6, 130))
def test_an_increase_is_the_rate_times_the_seconds(store: SeriesStore, window_s: int) -> None:
    engine = Engine(store)
    assert close(
        vector(engine, f"increase(m[{window_s}s])"), vector(engine, f"rate(m[{window_s}s]) * {window_s}")
    )


@promise
@given(stores(finite), st.sampled_from(["pod", "code", "pod, code", "nothing"]))
def test_the_sums_of_the_parts_are_the_sum_of_the_whole(store: SeriesStore, labels: str) -> None:
    engine = Engine(store)
    assert close(vector(engine, f"sum(sum by ({labels}) (m))"), vector(engine, "sum(m)"))
    assert close(vector(engine, f"sum(sum without ({labels}) (m))"), vector(engine, "sum(m)"))
    assert vector(engine, f"sum(count by ({labels}) (m))") == vector(engine, "count(m)")


@promise
@given(stores(finite), st.floats(0, 1))
def test_a_quantile_and_an_average_lie_between_the_least_and_the_greatest(
    store: SeriesStore, rank: float
) -> None:
    engine = Engine(store)
    for query in (f"quantile({rank}, m)", "avg(m)", "min(m)", "max(m)"):
        for value in vector(engine, query).values():
            (least,), (greatest,) = vector(engine, "min(m)").values(), vector(engine, "max(m)").values()
            slack = 1e-12 * max(abs(least), abs(greatest))
            assert least - slack <= value <= greatest + slack


@promise
@given(stores(finite))
def test_an_average_is_never_beyond_what_it_averages_by_a_last_digit(store: SeriesStore) -> None:
    engine = Engine(store)
    assert vector(engine, "avg by (pod) (m) > max by (pod) (m)") == {}
    assert vector(engine, "avg_over_time(m[1m]) < min_over_time(m[1m])") == {}


@promise
@given(stores(numbers), expressions, st.integers(1, 60), st.booleans())
def test_the_last_point_of_a_range_is_what_the_instant_gives(
    store: SeriesStore, query: str, step_s: int, prometheus_2: bool
) -> None:
    assume("end()" not in query)
    engine = Engine(store, prometheus_2=prometheus_2)
    try:
        ranged = engine.range(query, NOW_S - 3 * step_s, NOW_S, step_s)
    except QueryError:
        return
    assert close(last_points(ranged, NOW_S), vector(engine, query))


@promise
@given(
    counter_stores,
    st.sampled_from(
        [
            "increase(m[1m])",
            "rate(m[17s] offset 20s)",
            "irate(m[1m])",
            "delta(m[40s] @ 90)",
            "increase(m[30s] @ end() offset -5s)",
            "max_over_time(increase(m[20s])[30s:5s])",
            "sum(increase(m[50s])) + on() sum(resets(m[1m]))",
        ]
    ),
    st.integers(3, 40),
    st.booleans(),
)
def test_every_point_of_a_range_is_what_the_instant_gives(
    store: SeriesStore, query: str, step_s: int, prometheus_2: bool
) -> None:
    engine = Engine(store, prometheus_2=prometheus_2)
    ranged = engine.range(query, 0.0, NOW_S, step_s)
    for at_s in range(0, int(NOW_S) + 1, step_s):
        pinned = query.replace("end()", str(NOW_S))
        assert close(last_points(ranged, at_s), vector(engine, pinned, at_s))


def test_a_range_knows_a_reset_from_the_edge_of_its_windows() -> None:
    store = SeriesStore()
    for second, value in enumerate((5.0, 9.0, 2.0, 3.0, 1.0, 8.0)):
        store.append({NAME: "m"}, second * 1000, value)
    ranged = Engine(store).range("increase(m[2500ms])", 2, 5, 1)
    assert [points.values for points in ranged.series] == [(7.5, 3.75, 2.5, 10.0)]


@promise
@given(stores(numbers), expressions, st.floats(-1e3, 1e6), st.booleans())
def test_a_query_has_an_answer_or_is_refused(
    store: SeriesStore, query: str, at_s: float, prometheus_2: bool
) -> None:
    assert asked(Engine(store, prometheus_2=prometheus_2, max_samples=100_000), query, at_s)


@promise
@given(st.text(alphabet="mab01. (){}[]\"'`\\=!~<>+-*/%^@,:#\n", max_size=40) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert asked(Engine(SeriesStore()), text, NOW_S)


@promise
@given(stores(numbers), expressions)
def test_asking_twice_gives_the_same(store: SeriesStore, query: str) -> None:
    engine = Engine(store)
    assert asked(engine, query, NOW_S) == asked(engine, query, NOW_S)


@promise
@given(stores(numbers), st.floats(-1e6, 1e6), st.sampled_from([(">", "<="), ("<", ">="), ("==", "!=")]))
def test_a_comparison_and_its_opposite_part_the_numbers(
    store: SeriesStore, limit: float, operators: tuple[str, str]
) -> None:
    engine = Engine(store)
    first, second = (vector(engine, f"(m == m) {operator} {limit}") for operator in operators)
    assert first.keys().isdisjoint(second)
    assert first.keys() | second.keys() == vector(engine, "m == m").keys()


@promise
@given(stores(numbers))
def test_and_with_unless_part_a_vector_and_or_brings_it_together(store: SeriesStore) -> None:
    engine = Engine(store)
    both, left, either = (vector(engine, f"m {operator} n") for operator in ("and", "unless", "or"))
    assert both.keys() | left.keys() == vector(engine, "m").keys()
    assert len(either) == len(both) + len(left) + len(vector(engine, "n unless m"))


@promise
@given(stores(finite), st.integers(0, 7))
def test_the_largest_are_at_least_as_large_as_the_rest(store: SeriesStore, count: int) -> None:
    engine = Engine(store)
    everything, top = vector(engine, "m"), vector(engine, f"topk({count}, m)")
    assert len(top) == min(count, len(everything))
    rest = [value for key, value in everything.items() if key not in top]
    assert all(value >= other for value in top.values() for other in rest)
    assert list(top.values()) == sorted(top.values(), reverse=True)


@promise
@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=8),
    st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
)
def test_a_higher_quantile_of_a_histogram_is_no_lower(counts: list[int], ranks: list[float]) -> None:
    store = SeriesStore()
    for index in range(len(counts)):
        bound = "+Inf" if index == len(counts) - 1 else str(index / 2)
        store.append({NAME: "h_bucket", "le": bound}, 0, float(sum(counts[: index + 1])))
    low, high = (vector(Engine(store), f"histogram_quantile({rank}, h_bucket)", 1.0)["{}"] for rank in ranks)
    assert (low != low and high != high) or low <= high + 1e-9


@promise
@given(stores(finite), st.floats(-1, 100), st.floats(-1, 100))
def test_a_clamped_value_is_within_its_bounds(store: SeriesStore, low: float, high: float) -> None:
    clamped = vector(Engine(store), f"clamp(m, {low}, {high})")
    assert all(low <= value <= high for value in clamped.values())
    assert not clamped or low <= high


@promise
@given(stores(numbers), expressions)
def test_samples_that_no_window_reaches_change_nothing(store: SeriesStore, query: str) -> None:
    assume("@" not in query)
    engine = Engine(store, lookback_s=20.0)
    try:
        before = vector(engine, query, 1000.0)
    except QueryError:
        return
    store.trim(900_000)
    assert store.series_count == 0
    assert close(before, vector(engine, query, 1000.0))


@promise
@given(stores(finite), st.integers(1, 50))
def test_shifting_every_sample_and_the_question_gives_the_same(store: SeriesStore, minutes: int) -> None:
    shifted = SeriesStore()
    for series in store.select(()):
        for at, value in zip(*series.columns, strict=True):
            shifted.append(series.labels, at + minutes * 60_000, value)
    query = "rate(m[1m]) + on(pod, code) group_left max_over_time(m[50s:10s])"
    assert close(vector(Engine(store), query), vector(Engine(shifted), query, NOW_S + minutes * 60))


def test_a_range_of_a_scalar_is_one_series_without_labels() -> None:
    ranged = Engine(SeriesStore()).range("time() * 2", 10, 20, 5)
    assert isinstance(ranged, Matrix)
    assert [(p.timestamps_ms, p.values) for p in ranged.series] == [
        ((10_000, 15_000, 20_000), (20.0, 30.0, 40.0))
    ]
