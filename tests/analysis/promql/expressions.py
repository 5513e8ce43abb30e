"""Stores and queries to draw from."""

from collections.abc import Mapping

from hypothesis import settings
from hypothesis import strategies as st

from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.result import Matrix, Vector
from davy.analysis.promql.series import NAME, STALE, SeriesStore

promise = settings(max_examples=60, deadline=None)
"""How often a promise is tried; how long a try takes says nothing here."""

STEP_MS = 5000
SAMPLES = 24
NOW_S = 120.0

numbers = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-5, 5).map(float),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0, 1e308, STALE]),
)
finite = st.one_of(st.floats(-1e6, 1e6), st.integers(-5, 5).map(float))


def stored(series: Mapping[tuple[str, str, str], list[float | None]]) -> SeriesStore:
    """Store values of series named by metric and two labels, a sample every five seconds up to `NOW_S`."""
    store = SeriesStore()
    for (name, pod, code), values in series.items():
        handle = store.series({NAME: name, "pod": pod, "code": code})
        for index, value in enumerate(values):
            if value is not None:
                handle.append(round(NOW_S * 1000) - (len(values) - 1 - index) * STEP_MS, value)
    return store


def stores(
    values: st.SearchStrategy[float], names: tuple[str, ...] = ("m", "n")
) -> st.SearchStrategy[SeriesStore]:
    """Draw a few series of a few samples, with gaps."""
    keys = st.tuples(st.sampled_from(names), st.sampled_from("abc"), st.sampled_from(("200", "500")))
    columns = st.lists(st.none() | values, min_size=1, max_size=SAMPLES)
    return st.dictionaries(keys, columns, max_size=6).map(stored)


@st.composite
def counters(draw: st.DrawFn) -> list[float | None]:
    """Draw a counter: it only grows, but for falls to zero or to what came since."""
    steps = draw(st.lists(st.none() | st.floats(0, 1e6), min_size=2, max_size=SAMPLES))
    resets = draw(st.sets(st.integers(0, SAMPLES), max_size=3))
    values: list[float | None] = []
    value = draw(st.floats(0, 1e6))
    for index, step in enumerate(steps):
        value = (0.0 if index in resets else value) + (step or 0.0)
        values.append(None if step is None else value)
    return values


counter_stores = st.dictionaries(
    st.tuples(st.just("m"), st.sampled_from("abc"), st.sampled_from(("200", "500"))), counters(), max_size=4
).map(stored)

_selectors = st.sampled_from(
    ["m", "n", 'm{pod="a"}', 'm{pod=~"a|b"}', 'n{code!="200"}', "m offset 10s", "m @ 60", "n @ end()"]
)
_windows = st.sampled_from(["m[1m]", "n[30s]", 'm{code="500"}[17s]', "m[1m] offset 20s"])
_seconds = st.sampled_from(["0", "0.5", "2", "-1", "1e3", "NaN", "Inf", "time()", "pi()", "scalar(m)"])
_over_windows = st.sampled_from(
    ["rate", "increase", "irate", "delta", "idelta", "deriv", "resets", "changes", "absent_over_time"]
    + [f"{name}_over_time" for name in ("sum", "avg", "min", "max", "count", "stddev", "last", "first", "mad")]
)
_over_vectors = st.sampled_from(
    ["abs", "ceil", "exp", "ln", "sqrt", "sgn", "sort", "timestamp", "absent", "hour", "year", "sinh", "acosh"]
)
_aggregations = st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"])
_groupings = st.sampled_from(["", " by (pod)", " by (pod, code)", " without (code)", " by (__name__)"])
_on_numbers = st.sampled_from(["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<=", "> bool"])
_on_vectors = _on_numbers | st.sampled_from(["and", "or", "unless"])
_matchings = st.sampled_from(
    ["", " on(pod)", " ignoring(code)", " on(pod) group_left(code)", " on(pod) group_right()"]
)


def _larger(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{}({})".format, _over_vectors, smaller),
        st.builds("{}{}({})".format, _aggregations, _groupings, smaller),
        st.builds("topk{}({}, {})".format, _groupings, _seconds, smaller),
        st.builds("quantile{}({}, {})".format, _groupings, _seconds, smaller),
        st.builds('count_values{}("v", {})'.format, _groupings, smaller),
        st.builds("histogram_quantile({}, {})".format, _seconds, smaller),
        st.builds("clamp({}, {}, {})".format, smaller, _seconds, _seconds),
        st.builds("round({}, {})".format, smaller, _seconds),
        st.builds('label_replace({}, "le", "$1", "code", "(.).*")'.format, smaller),
        st.builds('label_join({}, "pod", "-", "pod", "code")'.format, smaller),
        st.builds("max_over_time(({})[40s:{}])".format, smaller, st.sampled_from(["7s", "10s", ""])),
        st.builds("rate(({})[1m:10s])".format, smaller),
        st.builds("({}){}{} ({})".format, smaller, _on_vectors, _matchings, smaller),
        st.builds("({}) {} {}".format, smaller, _on_numbers, _seconds),
        st.builds("-({})".format, smaller),
    )


expressions = st.recursive(
    st.one_of(
        _selectors,
        st.builds("{}({})".format, _over_windows, _windows),
        st.builds("quantile_over_time({}, {})".format, _seconds, _windows),
        st.builds("predict_linear({}, {})".format, _windows, _seconds),
        st.builds("vector({})".format, _seconds),
    ),
    _larger,
    max_leaves=5,
)
"""Queries that the grammar knows; some of them have no answer."""


def vector(engine: Engine, query: str, at_s: float = NOW_S) -> dict[str, float]:
    """Ask for a vector."""
    result = engine.instant(query, at_s)
    assert isinstance(result, Vector)
    return {repr(sample.labels): sample.value for sample in result.samples}


def last_points(matrix: Matrix, at_s: float) -> dict[str, float]:
    """Give the points of a matrix at one instant."""
    at_ms = round(at_s * 1000)
    return {
        repr(points.labels): value
        for points in matrix.series
        for timestamp, value in zip(points.timestamps_ms, points.values, strict=True)
        if timestamp == at_ms
    }
