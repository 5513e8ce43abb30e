"""A real Prometheus and our own evaluator, asked the same through the provider seam."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.live.prometheus import Prometheus, binaries

from davy.adapters.http import Unreachable, request
from davy.adapters.ports import free_port
from davy.adapters.prometheus import HttpPrometheus, InProcessPrometheus, PrometheusProvider
from davy.adapters.targets import Fetched, Observed, Target
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.series import STALE, Labels, SeriesStore
from davy.analysis.provider import ProviderError
from davy.model.key import Key
from davy.model.providers import MetricProvider, PrometheusMetric, PrometheusRangeQueryArgs
from davy.testing.patience import until

pytestmark = pytest.mark.live

ERRORS = 'sum(rate(http_requests_total{app="pay",status=~"5.."}[1m]))'
QUERIES = [
    "42",
    "vector(time()) - time()",
    'http_requests_total{app="pay"}',
    "nothing",
    "queue_length",
    f"{ERRORS} / sum(rate(http_requests_total[1m]))",
    'sum by (status) (increase(http_requests_total{app="pay"}[2s]))',
    'histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket{app="pay"}[1m])))',
    'sum(irate(http_requests_total{exported_app="liar"}[5m]))',
    "rate(idle_total[1m]) / rate(idle_total[1m])",
    "up",
    "up[1s]",
    "max_over_time(idle_total[1m]) - min_over_time(took_seconds_sum[1m])",
]


class _App(BaseHTTPRequestHandler):
    """An application that serves nine good and one bad request between two looks at its metrics."""

    looks = 0

    def do_GET(self) -> None:
        type(self).looks += 1
        body = page(self.looks).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def page(looks: int) -> str:
    return f"""# TYPE http_requests_total counter
http_requests_total{{app="liar",job="theirs",exported_job="taken",status="200"}} {9 * looks}
http_requests_total{{app="liar",job="theirs",exported_job="taken",status="500"}} {looks}
# TYPE took_seconds histogram
took_seconds_bucket{{le="0.1"}} {5 * looks}
took_seconds_bucket{{le="0.5"}} {9 * looks}
took_seconds_bucket{{le="+Inf"}} {10 * looks}
took_seconds_sum {1.7 * looks}
took_seconds_count {10 * looks}
# TYPE queue_length gauge
queue_length{{pod="",shard="a"}} NaN
queue_length{{pod="mine",shard="b"}} {1e-9 * looks}
idle_total 0
"""


@dataclass(frozen=True)
class Site:
    """An application, a Prometheus that scrapes it, and all that Prometheus knew at one instant."""

    address: str
    app_port: int
    process: "subprocess.Popen[bytes]"
    now: float
    store: SeriesStore


@contextmanager
def app() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _App)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def prometheus(directory: Path, app_port: int) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    program, _ = binaries()
    config = directory / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n"
        "scrape_configs:\n"
        "- job_name: payments\n"
        "  static_configs:\n"
        f"  - targets: ['127.0.0.1:{app_port}']\n"
        "    labels: {app: pay, namespace: shop, pod: pay-0, rollouts_pod_template_hash: aaa}\n"
    )
    port, log = free_port(), directory / "prometheus.log"
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=directory)
        address = f"http://127.0.0.1:{port}"
        try:
            until(lambda: is_ready(address), why=log.read_text)
            yield process, address
        finally:
            process.kill()
            process.wait()


def is_ready(address: str) -> bool:
    try:
        return request("GET", f"{address}/-/ready").status == 200
    except Unreachable:
        return False


def copied(server: Prometheus, now: float) -> SeriesStore:
    """Take over every raw sample that a Prometheus has at an instant."""
    store = SeriesStore()
    for run in server.instant('{__name__=~".+"}[10m]', now)["result"]:
        series = store.series(Labels(run["metric"]))
        for at, value in run["values"]:
            series.append(round(at * 1000), float(value))
    return store


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with app() as app_port, prometheus(tmp_path_factory.mktemp("prometheus"), app_port) as (process, address):
        server = Prometheus(address)
        enough = "count_over_time(up[10m]) >= 20"
        until(lambda: server.instant(enough, time.time())["result"])
        now = round(time.time(), 3)
        # A scrape of a moment ago may be on its way into the database: later ones come after it.
        until(lambda: server.instant(f"timestamp(up) > {now + 0.2}", time.time())["result"])
        yield Site(address, app_port, process, now, copied(server, now))


def ask(site: Site, query: str, **fields: object) -> MetricProvider:
    metric = PrometheusMetric(address=site.address, query=query, **fields)  # type: ignore[arg-type]
    return MetricProvider(prometheus=metric)


def in_order(result: object) -> list[float]:
    """Sort a result: without `sort`, the order of a vector means nothing."""
    assert isinstance(result, float | tuple)
    values = result if isinstance(result, tuple) else (result,)
    return sorted(values, key=lambda value: (value != value, value))


@pytest.mark.parametrize("query", QUERIES)
def test_both_sources_answer_alike(site: Site, query: str) -> None:
    theirs = HttpPrometheus().measure(ask(site, query), now=site.now)
    ours = InProcessPrometheus(Engine(site.store, prometheus_2=True)).measure(ask(site, query), now=site.now)
    assert type(ours.result) is type(theirs.result)
    assert in_order(ours.result) == pytest.approx(in_order(theirs.result), rel=1e-9, abs=1e-12, nan_ok=True)
    assert ours.text.count(",") == theirs.text.count(",")


def test_both_answer_a_range_alike(site: Site) -> None:
    window = PrometheusRangeQueryArgs('now() - duration("1s")', "now()", "100ms")
    question = ask(site, 'sum(rate(http_requests_total{app="pay"}[1s]))', range_query=window)
    theirs = HttpPrometheus().measure(question, now=site.now)
    ours = InProcessPrometheus(Engine(site.store, prometheus_2=True)).measure(question, now=site.now)
    assert in_order(ours.result) == pytest.approx(in_order(theirs.result), rel=1e-9)
    assert isinstance(theirs.result, tuple)
    assert len(theirs.result) >= 10


@pytest.mark.parametrize("query", ["sum(", '"text"', "http_requests_total + on() http_requests_total"])
def test_both_refuse_alike(site: Site, query: str) -> None:
    for provider in (HttpPrometheus(), InProcessPrometheus(Engine(site.store))):
        with pytest.raises(ProviderError):
            provider.measure(ask(site, query), now=site.now)


def test_our_scraper_labels_samples_as_prometheus_does(site: Site) -> None:
    labels = {"app": "pay", "namespace": "shop", "pod": "pay-0"}
    target = Target(Key("shop", "payments"), "aaa", "pay-0", site.app_port, labels)
    store = SeriesStore()
    Observed(target, store).note(Fetched(target, site.now, 0.001, page(1)))
    only_theirs = {"scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"}
    theirs = {series.labels.pairs for series in site.store.select([]) if series.labels.name not in only_theirs}
    assert {series.labels.pairs for series in store.select([])} == theirs


def test_a_real_prometheus_is_chosen_and_kept_to(site: Site) -> None:
    store = SeriesStore()
    store.append({"__name__": "up"}, round(site.now * 1000), STALE)
    provider = PrometheusProvider(Engine(store))
    answer = provider.measure(ask(site, "up"), now=site.now)
    assert (answer.result, answer.metadata["source"]) == ((1.0,), site.address)
    site.process.terminate()
    site.process.wait(timeout=20)
    with pytest.raises(ProviderError, match="cannot be reached"):
        provider.measure(ask(site, "up"), now=site.now)
