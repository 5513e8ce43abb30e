"""The series store: what goes in comes out, and readers are not disturbed."""

import math
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.promql.expressions import promise

from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.matching import Matcher, MatchOperator
from davy.analysis.promql.result import Vector
from davy.analysis.promql.series import EMPTY_LABELS, NAME, STALE, Labels, SeriesStore, is_stale
from davy.errors import UsageError

REQUESTS = Labels({NAME: "requests", "pod": "a"})
BY_NAME = (Matcher(NAME, MatchOperator.EQUAL, "requests"),)


def samples(store: SeriesStore, labels: Labels = REQUESTS) -> list[tuple[int, float]]:
    return list(zip(*store.series(labels).columns, strict=True))


def test_labels_with_the_same_pairs_are_the_same() -> None:
    assert Labels({"a": "1", "b": "2"}) == Labels({"b": "2", "a": "1", "c": ""})
    assert hash(Labels({"a": "1", "b": "2"})) == hash(Labels({"b": "2", "a": "1"}))
    assert Labels({"a": "1"}) != Labels({"a": "2"})
    assert Labels({"a": "1"}) != {"a": "1"}
    assert len({Labels({"a": "1"}), Labels({"a": "1"}), EMPTY_LABELS}) == 2


def test_labels_read_like_a_mapping() -> None:
    assert dict(REQUESTS) == {NAME: "requests", "pod": "a"}
    assert REQUESTS["pod"] == "a"
    assert REQUESTS.get("absent", "") == ""
    assert (len(REQUESTS), REQUESTS.name, EMPTY_LABELS.name) == (2, "requests", "")


def test_labels_give_changed_copies() -> None:
    assert REQUESTS.without_name() == Labels({"pod": "a"})
    assert REQUESTS.without_name() is REQUESTS.without_name()
    assert REQUESTS.without_name().without_name() is REQUESTS.without_name()
    assert REQUESTS.with_label("pod", "b")["pod"] == "b"
    assert REQUESTS.with_label("pod", "") == REQUESTS.without(["pod"]) == Labels({NAME: "requests"})


def test_labels_print_as_a_selector() -> None:
    labels = Labels({NAME: "requests", "pod": 'a"\\\n', "app": "x"})
    assert repr(labels) == 'requests{app="x", pod="a\\"\\\\\\n"}'
    assert repr(EMPTY_LABELS) == "{}"


def test_the_staleness_marker_is_one_nan_among_many() -> None:
    assert is_stale(STALE)
    assert STALE != STALE
    assert not is_stale(math.nan)
    assert not is_stale(-STALE)
    assert not is_stale(1.0)
    store = SeriesStore()
    store.append(REQUESTS, 1, STALE)
    assert struct.pack("<d", store.series(REQUESTS).columns[1][0]) == struct.pack("<Q", 0x7FF0000000000002)


def test_a_sample_that_is_not_newer_is_ignored() -> None:
    store = SeriesStore()
    assert store.append(REQUESTS, 10, 1.0)
    assert not store.append(dict(REQUESTS), 10, 2.0)
    assert not store.append(REQUESTS, 9, 3.0)
    assert store.append(REQUESTS, 11, 4.0)
    assert samples(store) == [(10, 1.0), (11, 4.0)]
    assert (store.series_count, store.sample_count) == (1, 2)


@pytest.mark.parametrize("labels", [{"pod": "\ud800"}, {"\udfff": "a"}])
def test_labels_that_are_no_text_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="not text"):
        SeriesStore().append(labels, 1, 1.0)


def test_series_are_found_by_matchers() -> None:
    store = SeriesStore()
    for name, pod in (("requests", "a"), ("requests", "b"), ("errors", "a")):
        store.append({NAME: name, "pod": pod}, 1, 1.0)
    store.append({"pod": "c"}, 1, 1.0)

    def found(*matchers: Matcher) -> list[str]:
        return [repr(series.labels) for series in store.select(matchers)]

    assert found(*BY_NAME) == ['requests{pod="a"}', 'requests{pod="b"}']
    assert found(*BY_NAME, Matcher("pod", MatchOperator.NOT_EQUAL, "a")) == ['requests{pod="b"}']
    assert found(Matcher("pod", MatchOperator.MATCHES, "[ab]")) == [
        'requests{pod="a"}',
        'requests{pod="b"}',
        'errors{pod="a"}',
    ]
    assert found(Matcher("pod", MatchOperator.MATCHES_NOT, "[ab]")) == ['{pod="c"}']
    assert found(Matcher(NAME, MatchOperator.EQUAL, "")) == ['{pod="c"}']
    assert found(Matcher(NAME, MatchOperator.EQUAL, "nothing")) == []


def test_a_series_that_comes_later_is_found_by_the_same_question() -> None:
    store = SeriesStore()
    assert store.select(BY_NAME) == ()
    store.append(REQUESTS, 1, 1.0)
    assert store.select(BY_NAME) == (store.series(REQUESTS),)
    assert store.select(BY_NAME) is store.select(BY_NAME)
    store.trim(2)
    assert store.select(BY_NAME) == ()


def test_ever_new_questions_do_not_fill_the_memory() -> None:
    store = SeriesStore()
    store.append(REQUESTS, 1, 1.0)
    for number in range(1000):
        assert len(store.select([Matcher("pod", MatchOperator.NOT_EQUAL, str(number))])) == 1
    assert len(store._selections) <= 256


def test_trimming_forgets_samples_and_then_series() -> None:
    store = SeriesStore()
    other = Labels({NAME: "requests", "pod": "b"})
    for at in range(10):
        store.append(REQUESTS, at, float(at))
    store.append(other, 9, 9.0)
    store.trim(7)
    assert samples(store) == [(7, 7.0), (8, 8.0), (9, 9.0)]
    store.trim(0)
    assert store.sample_count == 4
    store.append(REQUESTS, 12, 12.0)
    store.trim(10)
    assert [series.labels for series in store.select(BY_NAME)] == [REQUESTS]
    store.trim(100)
    assert (store.series_count, store.sample_count) == (0, 0)


def test_a_handle_stays_good_after_its_series_was_forgotten() -> None:
    store = SeriesStore()
    handle = store.series(REQUESTS)
    handle.append(1, 1.0)
    store.trim(2)
    assert handle.append(5, 5.0)
    assert not handle.append(4, 4.0)
    assert store.append(REQUESTS, 6, 6.0)
    assert handle.append(7, 7.0)
    assert samples(store) == [(5, 5.0), (6, 6.0), (7, 7.0)]


def test_a_reader_keeps_what_it_has_taken() -> None:
    store = SeriesStore()
    for at in range(10):
        store.append(REQUESTS, at, float(at))
    timestamps, values = store.series(REQUESTS).columns
    store.trim(5)
    assert list(zip(timestamps, values, strict=True)) == [(at, float(at)) for at in range(10)]


@promise
@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 9))), st.lists(st.integers(0, 60), max_size=3))
def test_what_is_left_is_in_order_and_not_older_than_the_last_trim(
    appended: list[tuple[int, float]], trims: list[int]
) -> None:
    store = SeriesStore()
    handle = store.series(REQUESTS)
    for number, (at, value) in enumerate(appended):
        handle.append(at, value)
        if number < len(trims):
            store.trim(trims[number])
    timestamps = [at for at, _ in samples(store)]
    assert timestamps == sorted(set(timestamps))
    assert all((at, value) in appended for at, value in samples(store))


def test_queries_are_right_while_another_thread_appends_and_trims() -> None:
    """Counters of seconds: whatever moment a reader sees, they grow by one a second."""
    store = SeriesStore()
    engine = Engine(store, lookback_s=1e6)
    done = threading.Event()
    seen: list[float] = []

    def read() -> None:
        while not done.is_set():
            for query in ("deriv(seconds[10000s])", "irate(seconds[10000s])", "resets(seconds[10000s]) + 1"):
                result = engine.instant(query, 9e3)
                assert isinstance(result, Vector)
                seen.extend(sample.value for sample in result.samples)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for second in range(1, 9000):
        store.append({NAME: "seconds", "pod": str(second % 3)}, second * 1000, float(second))
        if second % 100 == 0:
            store.trim((second - 1000) * 1000)
    done.set()
    for reader in readers:
        reader.join()
    assert all(math.isclose(value, 1.0, rel_tol=1e-6) for value in seen)
