"""The seed's two queries over an hour of samples, in process and by a real Prometheus over HTTP."""

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from tests.live.prometheus import Exposed, Prometheus, running

from bench.figure import Figure, Skipped, median, percentile
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.result import Vector
from davy.analysis.promql.series import SeriesStore

START_S, HOUR_S, EVERY_S = 1_700_000_000, 3600, 5
ROUNDS = 300
RANGE_ROUNDS, RANGE_STEP_S = 30, 15
QUERIES = {
    "error ratio": 'sum(rate(http_requests_total{app="payments",status=~"5.."}[1m]))'
    ' / sum(rate(http_requests_total{app="payments"}[1m]))',
    "latency p95": "histogram_quantile(0.95, sum(rate("
    'http_request_duration_seconds_bucket{app="payments"}[1m])) by (le))',
}


def measure() -> list[Figure]:
    """Ask both the same, in turns; an answer that differs is no figure but a fault."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        raise Skipped("prometheus and promtool are not on PATH (Debian: apt-get install prometheus)")
    samples = list(_samples())
    store = SeriesStore()
    for labels, at_ms, value in samples:
        store.append(labels, at_ms, value)
    engine = Engine(store, prometheus_2=True)
    figures = []
    with (
        tempfile.TemporaryDirectory(prefix="davy-bench-") as directory,
        running(Path(directory), samples) as peer,
    ):
        for name, query in QUERIES.items():
            inside, outside = [], []
            for turn in range(ROUNDS):
                at = START_S + 1800 + turn * EVERY_S
                ours, took = _timed(_here, engine, query, at)
                inside.append(took)
                theirs, took = _timed(_there, peer, query, at)
                outside.append(took)
                assert abs(ours - theirs) <= 1e-9 * abs(theirs), f"{query} at {at}: {ours} here, {theirs} there"
            figures += [
                Figure(
                    f"{name}: in process / over HTTP, medians",
                    median(inside) / median(outside),
                    "x",
                    ROUNDS,
                    1.0,
                ),
                Figure(f"{name}: in process, median", median(inside), "ms", ROUNDS),
                Figure(f"{name}: in process, p99", percentile(inside, 99), "ms", ROUNDS),
                Figure(f"{name}: over HTTP, median", median(outside), "ms", ROUNDS),
            ]
            figures += _ranges(name, query, engine, peer)
    return figures


def _ranges(name: str, query: str, engine: Engine, peer: Prometheus) -> list[Figure]:
    """Ask both for the whole hour, as a chart does."""
    span = (START_S, START_S + HOUR_S, RANGE_STEP_S)
    inside, outside = [], []
    for _ in range(RANGE_ROUNDS):
        ours, took = _timed(_range_here, engine, query, *span)
        inside.append(took)
        theirs, took = _timed(_range_there, peer, query, *span)
        outside.append(took)
        assert ours == theirs, f"{query} over an hour: {ours} points here, {theirs} there"
    chart = f"{name}, chart of an hour"
    ratio = median(inside) / median(outside)
    return [
        Figure(f"{chart}: in process / over HTTP", ratio, "x", RANGE_ROUNDS),
        Figure(f"{chart}: in process, median", median(inside), "ms", RANGE_ROUNDS),
        Figure(f"{chart}: over HTTP, median", median(outside), "ms", RANGE_ROUNDS),
    ]


def _samples() -> Iterator[Exposed]:
    """Make 100 counters and 120 buckets."""
    chance = random.Random(1)
    for pod in range(20):
        for status in ("200", "201", "404", "500", "503"):
            labels = {"__name__": "http_requests_total", "app": "payments", "pod": f"p{pod}", "status": status}
            yield from _counter(labels, chance, 50 if status == "200" else 3)
    for pod in range(12):
        for size, bound in enumerate(
            ("0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.75", "1", "2.5", "+Inf"), 1
        ):
            labels = {"__name__": "http_request_duration_seconds_bucket", "app": "payments", "pod": f"p{pod}"}
            yield from _counter({**labels, "le": bound}, random.Random(pod), 5, times=size)


def _counter(labels: dict[str, str], chance: random.Random, most: int, *, times: int = 1) -> Iterator[Exposed]:
    """Count upwards for an hour; `times` makes wider buckets hold more, from the same chance."""
    value = 0
    for second in range(0, HOUR_S + 1, EVERY_S):
        value += chance.randrange(most) * times
        yield Exposed(labels, (START_S + second) * 1000, float(value))


def _here(engine: Engine, query: str, at: float) -> float:
    result = engine.instant(query, at)
    assert isinstance(result, Vector)
    return result.samples[0].value


def _there(peer: Prometheus, query: str, at: float) -> float:
    return float(peer.instant(query, at)["result"][0]["value"][1])


def _range_here(engine: Engine, query: str, *span: float) -> float:
    return float(sum(len(points.values) for points in engine.range(query, *span).series))


def _range_there(peer: Prometheus, query: str, *span: float) -> float:
    return float(sum(len(points["values"]) for points in peer.range(query, *span)["result"]))


def _timed(ask: Callable[..., float], *question: object) -> tuple[float, float]:
    began = perf_counter()
    value = ask(*question)
    return value, 1000 * (perf_counter() - began)
