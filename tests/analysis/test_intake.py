from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis import intake as module
from davy.analysis.exposed import under_target
from davy.analysis.intake import Intake
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.exposition import ExpositionError
from davy.analysis.promql.result import Vector
from davy.analysis.promql.series import Labels, SeriesStore, is_stale
from davy.analysis.vantage import Mapped, is_reserved

TARGET = {"pod": "pay-0", "app": "pay"}


def translate(line: Labels) -> tuple[Mapped, ...]:
    return () if is_reserved(line.name) else (Mapped(under_target(line, TARGET)),)


def contents(store: SeriesStore) -> dict[str, list[tuple[int, float | str]]]:
    """Every series and its samples, by its labels without those of the target."""
    found: dict[str, list[tuple[int, float | str]]] = {}
    for series in store.select([]):
        name = repr(series.labels.without(TARGET))
        found[name] = [(at, "stale" if is_stale(v) else v) for at, v in zip(*series.columns, strict=True)]
    return found


def taken(*pages: str | None, born_ms: int | None = None) -> dict[str, list[tuple[int, float | str]]]:
    """Take a page a second, None being one that could not be had."""
    store = SeriesStore()
    intake = Intake(store, translate, born_ms=born_ms)
    for second, page in enumerate(pages, 1):
        if page is None:
            intake.fail(second * 1000)
        else:
            intake.take(page, second * 1000)
    return contents(store)


def test_samples_stand_under_their_target() -> None:
    store = SeriesStore()
    Intake(store, translate).take('temperature{app="liar"} 21.5\n', 1000)
    (series,) = store.select([])
    assert dict(series.labels) == {
        "__name__": "temperature",
        "app": "pay",
        "exported_app": "liar",
        "pod": "pay-0",
    }
    assert list(series.columns[0]) == [1000]
    assert list(series.columns[1]) == [21.5]


def test_what_a_target_no_longer_shows_is_stale() -> None:
    assert taken("a 1\nb 1\n", "a 2\n", "a 3\n") == {
        "a{}": [(1000, 1.0), (2000, 2.0), (3000, 3.0)],
        "b{}": [(1000, 1.0), (2000, "stale")],
    }


def test_a_target_that_cannot_be_read_is_stale_once_until_it_can_be_again() -> None:
    assert taken("a 1\n", None, None, "a 2\n", None) == {
        "a{}": [(1000, 1.0), (2000, "stale"), (4000, 2.0), (5000, "stale")],
    }


def test_a_new_counter_started_from_zero() -> None:
    page = '# TYPE n_total counter\nn_total{a="1"} 5\n'
    assert taken(page, page + 'n_total{a="2"} 7\n')['n_total{a="2"}'] == [(1001, 0.0), (2000, 7.0)]


def test_of_the_first_page_nobody_knows_where_it_started() -> None:
    assert taken("n_total 5\n") == {"n_total{}": [(1000, 5.0)]}


def test_the_counters_of_a_new_process_started_when_it_did() -> None:
    assert taken("n_total 5\n", "n_total 6\n", born_ms=200) == {
        "n_total{}": [(201, 0.0), (1000, 5.0), (2000, 6.0)]
    }


def test_a_birth_that_lies_ahead_is_passed_over() -> None:
    assert taken("n_total 5\n", born_ms=5000) == {"n_total{}": [(1000, 5.0)]}


def test_a_gauge_and_a_counter_at_zero_start_where_they_are() -> None:
    assert taken("# TYPE g gauge\n", "# TYPE g_total gauge\ng_total 5\nn_total 0\n") == {
        "g_total{}": [(2000, 5.0)],
        "n_total{}": [(2000, 0.0)],
    }


def test_a_counter_that_comes_back_starts_from_zero_again() -> None:
    assert taken("n_total 5\n", "", "n_total 7\n") == {
        "n_total{}": [(1000, 5.0), (2000, "stale"), (2001, 0.0), (3000, 7.0)],
    }


def test_no_errors_is_a_zero_where_requests_are_counted() -> None:
    ok = 'n_total{status="200"} 5\n'
    assert taken(ok, ok + 'n_total{status="500"} 2\n', ok)['n_total{status="500"}'] == [
        (1000, 0.0),
        (1001, 0.0),
        (2000, 2.0),
        (3000, 0.0),
    ]


def test_the_first_errors_of_a_new_version_are_counted_by_rate() -> None:
    store = SeriesStore()
    intake = Intake(store, translate)
    intake.take('n_total{status="200"} 0\n', 1000)
    intake.take('n_total{status="200"} 90\nn_total{status="503"} 10\n', 6000)
    query = 'sum(rate(n_total{status=~"5.."}[10s])) / sum(rate(n_total[10s]))'
    answer = Engine(store).instant(query, 6.0)
    assert isinstance(answer, Vector)
    assert [sample.value for sample in answer.samples] == [pytest.approx(0.1)]


def test_a_family_that_is_reserved_is_not_believed() -> None:
    assert taken('istio_requests_total{destination_version="good"} 5\nup 1\nmine 1\n') == {
        "mine{}": [(1000, 1.0)]
    }


def test_timestamps_are_passed_over() -> None:
    assert taken("a 1 99999999\n", "a 2 99999999\n", "a 3\n") == {
        "a{}": [(1000, 1.0), (2000, 2.0), (3000, 3.0)]
    }


def test_nothing_is_written_of_a_page_that_cannot_be_read() -> None:
    store = SeriesStore()
    intake = Intake(store, translate)
    intake.take("a 1\nb 1\n", 1000)
    with pytest.raises(ExpositionError):
        intake.take("a 2\nb two\n", 2000)
    intake.take("a 3\nb 3\n", 3000)
    assert contents(store) == {"a{}": [(1000, 1.0), (3000, 3.0)], "b{}": [(1000, 1.0), (3000, 3.0)]}


def test_the_lines_are_returned_as_the_target_wrote_them() -> None:
    lines = Intake(SeriesStore(), translate).take('a{app="x"} 1\nup 0\n', 1000)
    assert [(dict(labels), value) for labels, value in lines] == [
        ({"__name__": "a", "app": "x"}, 1.0),
        ({"__name__": "up"}, 0.0),
    ]


def test_families_are_known_by_their_samples_and_by_their_types() -> None:
    intake = Intake(SeriesStore(), translate)
    intake.take(
        '# TYPE empty counter\n# TYPE\nlatency_bucket{le="1"} 1\nn_total{x="\\n# TYPE trick gauge"} 1\n', 1000
    )
    assert intake.families == {"empty", "latency", "n_total"}


def test_a_translation_that_changes_ends_the_old_series_and_invents_no_zero() -> None:
    store, name = SeriesStore(), "one_total"
    intake = Intake(store, lambda line: [Mapped(line.with_label("__name__", name), factor=0.5)])
    intake.take("n_total 4\n", 1000)
    name = "two_total"
    intake.take("n_total 6\n", 2000)
    intake.translate_again()
    intake.take("n_total 8\n", 3000)
    assert contents(store) == {
        "one_total{}": [(1000, 2.0), (2000, 3.0), (3000, "stale")],
        "two_total{}": [(3000, 4.0)],
    }


def test_lines_that_are_never_the_same_again_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MEMORY", 0)
    pages = ["stays_total 1\n" + f'n_total{{request="{n}"}} 1\n' for n in range(20)]
    assert taken(*pages)["stays_total{}"] == [(1000 * second, 1.0) for second in range(1, 21)]


words = st.sampled_from(["a_total", 'a_total{x="1"}', "b", 'c_total{status="200"}', 'c_total{status="500"}'])
pages = st.lists(st.none() | st.dictionaries(words, st.integers(0, 9)), min_size=1, max_size=8)


@settings(max_examples=100)
@given(pages)
def test_the_last_word_of_every_series_is_the_last_pages(history: list[dict[str, int] | None]) -> None:
    texts = [None if page is None else "".join(f"{k} {v}\n" for k, v in page.items()) for page in history]
    at, last = len(history) * 1000, history[-1] or {}
    found = taken(*texts)
    for name, samples in found.items():
        assert all(earlier[0] < later[0] for earlier, later in pairwise(samples))
        shown = {key if "{" in key else f"{key}{{}}": value for key, value in last.items()}
        if name in shown:
            assert samples[-1] == (at, shown[name])
        elif samples[-1][1] != "stale":
            assert (name, samples[-1]) == ('c_total{status="500"}', (at, 0.0))
            assert 'c_total{status="200"}' in last
