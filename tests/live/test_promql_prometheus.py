"""The evaluator and a real Prometheus 2.x, asked the same of the same samples."""

import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.analysis.promql.cases import Group, groups
from tests.live.prometheus import Exposed, Prometheus, running
from tests.live.promql_answers import asked, close, compare, ours, theirs

from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.series import Labels, SeriesStore

pytestmark = pytest.mark.live

START_S = 1_700_000_000
HOUR_S = 3600
INSTANTS = (START_S + 50, START_S + 333.3, START_S + 1000, START_S + 2417.123, START_S + HOUR_S + 130)
CASES = Path(__file__).parent.parent / "cases" / "promql_queries.txt"
QUERIES = tuple(
    line for line in CASES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
)


def samples() -> Iterator[Exposed]:
    """One hour of two services: resets, gaps, births and deaths, NaN and infinities."""
    yield from requests()
    yield from durations()
    yield from gauges()
    yield from oddities()


def every(step_s: float, *, first_s: float = 0.0, last_s: float = HOUR_S) -> Iterator[int]:
    count = int((last_s - first_s) / step_s) + 1
    for index in range(count):
        yield round((START_S + first_s + index * step_s) * 1000)


def requests() -> Iterator[Exposed]:
    chance = random.Random(1)
    for pod in range(6):
        for status in ("200", "201", "404", "500", "503"):
            for method in ("GET", "POST"):
                labels = {
                    "__name__": "http_requests_total",
                    "app": "payments" if pod < 4 else "orders",
                    "pod": f"pod-{pod}",
                    "status": status,
                    "method": method,
                }
                value = float(chance.randrange(100))
                for at in every(5, first_s=pod * 0.7):
                    value += chance.randrange(20 if status == "200" else 3)
                    value = 0.0 if chance.random() < 0.002 else value
                    if chance.random() > 0.01:
                        yield Exposed(labels, at, value)


def durations() -> Iterator[Exposed]:
    chance = random.Random(2)
    bounds = ("0.005", "0.05", "0.1", "0.25", "0.4", "0.5", "1", "2.5", "+Inf")
    for pod in range(3):
        counts = [0] * len(bounds)
        for at in every(5, first_s=pod):
            for _ in range(chance.randrange(6)):
                slow = chance.choice(range(len(bounds)))
                counts = [count + (index >= slow) for index, count in enumerate(counts)]
            for bound, count in zip(bounds, counts, strict=True):
                labels = {"app": "payments", "pod": f"pod-{pod}", "le": bound}
                name = "http_request_duration_seconds_bucket"
                yield Exposed({"__name__": name, **labels}, at, float(count))


def gauges() -> Iterator[Exposed]:
    chance = random.Random(3)
    for pod in range(6):
        labels = {"app": "payments" if pod < 4 else "orders", "pod": f"pod-{pod}"}
        for at in every(5, first_s=pod * 0.7):
            yield Exposed({"__name__": "up", **labels}, at, float(chance.random() > 0.05))
            yield Exposed({"__name__": "temperature", **labels}, at, chance.gauss(20.0, 6.0))
            yield Exposed({"__name__": "constant", **labels}, at, 0.1 * pod)
        for at in every(15):
            yield Exposed({"__name__": "app_info", **labels, "version": f"v{pod % 2}"}, at, 1.0)


def oddities() -> Iterator[Exposed]:
    for at in every(5, first_s=300, last_s=620):
        yield Exposed({"__name__": "short_lived", "pod": "x"}, at, (at / 1000 - START_S) / 5)
    for at in every(37.1):
        yield Exposed({"__name__": "sparse", "pod": "x"}, at, (at / 1000 - START_S) ** 1.5)
    for at in every(5, last_s=1800):
        yield Exposed({"__name__": "ended", "pod": "x"}, at, 7.0)
    for at in every(5):
        second = at / 1000 - START_S
        if not 900 < second < 1150:
            yield Exposed({"__name__": "counter_with_gap", "pod": "x"}, at, second * 3 % 5000)
        specials = (1.0, math.nan, -1.0, math.inf, 0.0, -math.inf, 3.5, math.nan, 2.0)
        for shift, kind in enumerate(("nan", "infinity", "mixed")):
            value = specials[(int(second) // 5 * (shift + 1) + shift) % len(specials)]
            value = 1.0 if kind == "nan" and math.isinf(value) else value
            value = 2.0 if kind == "infinity" and math.isnan(value) else value
            yield Exposed({"__name__": "specials", "kind": kind}, at, value)
        for number, text in enumerate(("line\nbreak", "München", 'quote"back\\slash', "日本")):
            yield Exposed({"__name__": "odd_labels", "text": text}, at, float(number))
        for name in ("twin_one", "twin_two"):
            yield Exposed({"__name__": name, "pod": "x"}, at, second)
        for bound, count in (("-5", 3.0), ("0", 4.0), ("1e1", 9.0), ("no number", 5.0), ("+Inf", 8.0)):
            yield Exposed({"__name__": "strange_bucket", "le": bound}, at, count + second)
            yield Exposed({"__name__": "twin_bucket_one", "le": bound, "pod": "x"}, at, count)
            yield Exposed({"__name__": "twin_bucket_two", "le": bound, "pod": "y"}, at, count * 2)
    for at in every(60):
        for name, instant in (("leap", 1709210096), ("old", -86400.5), ("new", 32503680000), ("now", START_S)):
            yield Exposed({"__name__": "dates", "date": name}, at, float(instant))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with running(tmp_path_factory.mktemp("prometheus"), samples()) as server:
        yield server


@pytest.fixture(scope="module")
def engine() -> Engine:
    store = SeriesStore()
    for sample in samples():
        assert store.append(*sample)
    return Engine(store, prometheus_2=True)


@pytest.mark.parametrize("query", QUERIES)
def test_an_instant_gives_what_prometheus_gives(prometheus: Prometheus, engine: Engine, query: str) -> None:
    for at in INSTANTS:
        mine = asked(lambda *question: ours(engine.instant(*question)), query, at)
        other = asked(lambda *question: theirs(prometheus.instant(*question)), query, at)
        compare(mine, other)
        if query.startswith("sort"):
            assert [v for _, v in mine[1] if v == v] == [v for _, v in other[1] if v == v]


@pytest.mark.parametrize("query", QUERIES)
def test_a_range_gives_what_prometheus_gives(prometheus: Prometheus, engine: Engine, query: str) -> None:
    between = (START_S + 411.0, START_S + 2300.0, 100.0)
    mine = asked(lambda *question: ours(engine.range(*question)), query, *between)
    compare(mine, asked(lambda *question: theirs(prometheus.range(*question)), query, *between))


def test_there_are_enough_queries_to_mean_something() -> None:
    assert len(set(QUERIES)) == len(QUERIES) >= 150


@pytest.fixture(scope="module")
def case_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, tuple[Group, ...]]]:
    """A Prometheus with every group of cases on a day of its own, so that they do not see each other."""
    wanted = tuple(group for group in groups() if not group.only)
    loaded = [
        Exposed(labels, at_ms + day_s(index) * 1000, value)
        for index, group in enumerate(wanted)
        for labels, at_ms, value in group.samples()
    ]
    with running(tmp_path_factory.mktemp("cases"), loaded) as server:
        yield server, wanted


def day_s(index: int) -> int:
    return START_S + index * 86_400


def test_prometheus_gives_the_answers_that_the_cases_write_down(
    case_days: tuple[Prometheus, tuple[Group, ...]],
) -> None:
    server, wanted = case_days
    wrong = []
    for index, group in enumerate(wanted):
        for query, at, expected in group.cases:
            other = asked(lambda *question: theirs(server.instant(*question)), query, day_s(index) + at)
            if " @ " not in query and not agrees(expected, other):
                wrong.append((group.name, query, expected, other))
    assert not wrong


def agrees(expected: Any, other: tuple[str, Any]) -> bool:
    match other:
        case "refused", _:
            return isinstance(expected, Mapping) and "error" in expected
        case "scalar", value:
            return isinstance(expected, int | float) and close(float(expected), value)
        case "string", text:
            return bool(expected == {"string": text})
        case _, elements:
            found = {repr(Labels(labels)): value for labels, value in elements}
            return (
                isinstance(expected, Mapping)
                and set(expected) == set(found)
                and all(close(float(expected[key]), found[key]) for key in found)
            )
