"""PromQL over our own samples, and the choice between them and a Prometheus that answers."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from davy.adapters.prometheus import InProcessPrometheus, PrometheusProvider, provider
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Provider, ProviderError
from davy.model.providers import MetricProvider, PrometheusMetric, PrometheusRangeQueryArgs, WebMetric
from davy.plugins import load
from davy.testing.provider import Expected, ProviderContract

NOW = ProviderContract.now
NAN = float("nan")


def engine() -> Engine:
    """An engine over a minute of two counters, one sample a second."""
    store = SeriesStore()
    for second in range(61):
        at = round((NOW - 60 + second) * 1000)
        store.append({"__name__": "requests_total", "status": "200"}, at, 9.0 * second)
        store.append({"__name__": "requests_total", "status": "500"}, at, 1.0 * second)
        store.append({"__name__": "idle_total"}, at, 0.0)
    return Engine(store)


def ask(query: str, **fields: object) -> MetricProvider:
    return MetricProvider(prometheus=PrometheusMetric(query=query, **fields))  # type: ignore[arg-type]


def last(seconds: int) -> PrometheusRangeQueryArgs:
    return PrometheusRangeQueryArgs(f'now() - duration("{seconds}s")', "now()", "10s")


AGES = PrometheusRangeQueryArgs('date("1970-01-01")', "now()", "1s")
RATIO = 'sum(rate(requests_total{status="500"}[30s])) / sum(rate(requests_total[30s]))'


class TestInProcessPrometheus(ProviderContract):
    def provider(self) -> Provider:
        return InProcessPrometheus(engine())

    def answers(self) -> Sequence[Expected]:
        return [
            Expected("scalar", ask("1 + 0.5"), 1.5, "1.5"),
            Expected("vector", ask(RATIO), (0.1,), "[0.1]"),
            Expected("several", ask("sort(requests_total)"), (60.0, 540.0), "[60,540]"),
            Expected("empty", ask("nothing"), (), "[]"),
            Expected("NaN", ask("rate(idle_total[30s]) / rate(idle_total[30s])"), (NAN,), "[NaN]"),
            Expected("infinite", ask("vector(1) / 0"), (float("inf"),), "[+Inf]"),
            Expected("matrix", ask("idle_total[2s]"), (0.0, 0.0), "[0,0]"),
            Expected("range", ask("vector(7)", range_query=last(20)), (7.0, 7.0, 7.0), "[7,7,7]"),
        ]

    def troubles(self) -> Mapping[str, MetricProvider]:
        return {
            "no query": ask(""),
            "no PromQL": ask("sum("),
            "deep": ask("(" * 5000 + "1" + ")" * 5000),
            "no pattern": ask('x{a=~"["}'),
            "many to many": ask("requests_total / ignoring(status) requests_total"),
            "text": ask('"text"'),
            "too many points": ask("vector(1)", range_query=AGES),
            "range of nothing": ask("vector(1)", range_query=PrometheusRangeQueryArgs()),
            "not for us": MetricProvider(web=WebMetric(url="http://127.0.0.1:1")),
        }


class TestPrometheusProviderInProcess(TestInProcessPrometheus):
    def provider(self) -> Provider:
        return PrometheusProvider(engine())


def test_it_is_found_by_its_name() -> None:
    assert load("providers", "prometheus") is provider


class Site(ThreadingHTTPServer):
    """Answers each path with a status, and counts who came."""

    daemon_threads = True

    def __init__(self, pages: Mapping[str, int]) -> None:
        self.pages = pages
        self.visits: list[str] = []
        super().__init__(("127.0.0.1", 0), _Site)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Site(BaseHTTPRequestHandler):
    server: Site
    ANSWER: ClassVar[bytes] = b'{"status":"success","data":{"resultType":"scalar","result":[1,"42"]}}'

    def do_GET(self) -> None:
        self.server.visits.append(self.path)
        status = self.server.pages.get(self.path, 404)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.ANSWER)))
        self.end_headers()
        self.wfile.write(self.ANSWER)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


PROMETHEUS = {"/-/ready": 200, "/api/v1/query": 200}


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(getattr(request, "param", PROMETHEUS))
    yield site
    if site.thread.is_alive():
        site.close()


def test_a_prometheus_that_answers_is_asked(site: Site) -> None:
    answer = PrometheusProvider(engine()).measure(ask("1", address=site.address), now=NOW)
    assert answer.result == 42.0
    assert answer.metadata["source"] == site.address


def test_the_address_is_looked_at_once(site: Site) -> None:
    provider = PrometheusProvider(engine())
    with ThreadPoolExecutor(8) as pool:
        sources = set(pool.map(lambda _: provider.choose(site.address).why, range(32)))
    assert sources == {site.address}
    assert site.visits == ["/-/ready"]


def test_a_prometheus_that_goes_away_is_an_error_and_nothing_else_is_asked(site: Site) -> None:
    provider = PrometheusProvider(engine())
    question = ask("1", address=site.address)
    assert provider.measure(question, now=NOW).result == 42.0
    site.close()
    for _ in range(2):
        with pytest.raises(ProviderError, match="cannot be reached"):
            provider.measure(question, now=NOW)
    assert provider.choose(site.address).why == site.address


def test_one_that_comes_later_is_not_switched_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    provider = PrometheusProvider(engine())
    address = f"http://127.0.0.1:{port}"
    first = provider.choose(address)
    with socket.create_server(("127.0.0.1", port)):
        assert provider.choose(address) is first


@pytest.mark.parametrize(
    ("site", "asked"),
    [
        pytest.param({"/-/ready": 503}, True, id="not ready yet"),
        pytest.param({"/-/ready": 401}, True, id="wants a password"),
        pytest.param({"/-/ready": 302}, True, id="redirects"),
        pytest.param({"/api/v1/status/buildinfo": 200}, True, id="speaks only the API"),
        pytest.param({}, False, id="some other server"),
    ],
    indirect=["site"],
)
def test_what_counts_as_answering(site: Site, asked: bool) -> None:
    provider = PrometheusProvider(engine())
    question = ask("1", address=site.address)
    if asked:
        with pytest.raises(ProviderError):
            provider.measure(question, now=NOW)
    else:
        answer = provider.measure(question, now=NOW)
        assert answer.result == 1.0
        assert answer.metadata["source"] == f"in process: {site.address} is no Prometheus"


def test_where_nobody_answers_our_own_samples_do_and_the_measurement_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = f"http://user:hunter2@127.0.0.1:{port}"
    answer = PrometheusProvider(engine()).measure(ask(RATIO, address=address), now=NOW)
    assert answer.result == pytest.approx((0.1,))
    assert answer.metadata["ResolvedPrometheusQuery"] == RATIO
    source = answer.metadata["source"]
    assert source.startswith(f"in process: http://127.0.0.1:{port}/-/ready cannot be reached")
    assert "hunter2" not in source


def test_one_that_accepts_and_says_nothing_is_given_up_after_a_second() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        source = PrometheusProvider(engine()).choose(address)
    assert source.why == f"in process: {address}/-/ready had not answered in full after 1 s"


def test_without_an_address_it_is_our_own_samples() -> None:
    answer = PrometheusProvider(engine()).measure(ask("1"), now=NOW)
    assert answer.metadata["source"] == "in process"


def test_a_clock_that_runs_faster_than_prometheus_never_asks_it(site: Site) -> None:
    answer = PrometheusProvider(engine(), speed=20.0).measure(ask("1", address=site.address), now=NOW)
    assert answer.result == 1.0
    assert answer.metadata["source"] == f"in process: the clock runs at speed 20, and {site.address} at 1"
    assert not site.visits
