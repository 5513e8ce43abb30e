"""One target: how its page is fetched, and what is made of it."""

import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from davy.adapters.targets import Fetched, Observed, Target, TargetHealth, fetch
from davy.analysis.promql.series import SeriesStore, is_stale
from davy.model.key import Key

PAGES: dict[str, tuple[int, bytes]] = {
    "/metrics": (200, b"requests_total 5\n"),
    "/broken": (500, b"oops"),
    "/bytes": (200, b"\xff\xfe"),
    "/huge": (200, b"x 1\n" * 1000),
    "/protobuf": (200, b"\x0a\x05"),
}


class _Workload(BaseHTTPRequestHandler):
    released = threading.Event()
    accepted: list[str]

    def do_GET(self) -> None:
        self.accepted.append(self.headers["Accept"])
        if self.path == "/hangs":
            self.released.wait()
        status, body = PAGES.get(self.path, (404, b"no such page"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/protobuf":
            kind = (
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            )
            self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that have had enough."""


@pytest.fixture
def port() -> Iterator[int]:
    _Workload.accepted = []
    _Workload.released.clear()
    server = _Server(("127.0.0.1", 0), _Workload)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    _Workload.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def target(port: int = 1, path: str = "/metrics", **fields: object) -> Target:
    return Target(Key("shop", "payments"), "aaa", "pay-0", port, path=path, **fields)  # type: ignore[arg-type]


def test_a_page_is_fetched_as_prometheus_text(port: int) -> None:
    fetched = fetch(target(port), 7.0, timeout_s=5.0, max_bytes=100)
    assert (fetched.text, fetched.problem, fetched.heard, fetched.late) == (
        "requests_total 5\n",
        "",
        True,
        False,
    )
    assert fetched.asked_at == 7.0
    assert fetched.took_s > 0
    assert _Workload.accepted == ["text/plain;version=0.0.4;q=1,*/*;q=0.1"]


@pytest.mark.parametrize(
    ("path", "problem", "heard", "late"),
    [
        ("/none", "answered with status 404", True, False),
        ("/broken", "answered with status 500", False, False),
        ("/bytes", "bytes that are no text", True, False),
        ("/protobuf", "in protobuf, where native histograms are", True, False),
        ("/huge", "larger than 100 bytes", False, False),
        ("/hangs", "had not answered in full after 0.2 s", False, True),
    ],
)
def test_what_cannot_be_fetched_is_said(port: int, path: str, problem: str, heard: bool, late: bool) -> None:
    fetched = fetch(target(port, path), 7.0, timeout_s=0.2, max_bytes=100)
    assert fetched.text is None
    assert problem in fetched.problem
    assert (fetched.heard, fetched.late) == (heard, late)


def test_a_dead_target_was_not_heard() -> None:
    fetched = fetch(target(port=1), 7.0, timeout_s=1.0, max_bytes=100)
    assert "cannot be reached" in fetched.problem
    assert not fetched.heard


def came(of: Target, at: float, text: str | None, problem: str = "", *, heard: bool = True) -> Fetched:
    return Fetched(of, at, 0.25, text, problem, heard)


def samples(store: SeriesStore) -> Mapping[str, list[tuple[int, float | str]]]:
    return {
        series.labels.name: [(at, "stale" if is_stale(v) else v) for at, v in zip(*series.columns, strict=True)]
        for series in store.select([])
    }


def test_what_a_target_shows_has_the_labels_of_its_pod() -> None:
    store, one = SeriesStore(), target(18700, labels={"app": "pay", "pod": "liar"})
    Observed(one, store).note(
        came(one, 1.0, 'requests_total{app="other",rollouts_pod_template_hash="stable"} 5\n')
    )
    assert {
        "app": "pay",
        "exported_app": "other",
        "namespace": "shop",
        "pod": "pay-0",
        "rollouts_pod_template_hash": "aaa",
        "exported_rollouts_pod_template_hash": "stable",
        "instance": "127.0.0.1:18700",
        "job": "payments",
        "__name__": "requests_total",
    } in [dict(series.labels) for series in store.select([])]


def test_a_workload_cannot_say_what_only_the_scraper_and_the_proxy_say() -> None:
    store, one = SeriesStore(), target()
    page = 'up 1\nistio_requests_total{destination_version="aaa",response_code="200"} 1e9\nmine 1\n'
    Observed(one, store).note(came(one, 1.0, page))
    assert set(samples(store)) == {"mine", "up", "scrape_duration_seconds"}
    assert [series.labels.get("exported_pod") for series in store.select([])] == [None] * 3


def test_up_says_whether_there_is_data() -> None:
    store, one = SeriesStore(), target(started_at=0.5)
    observed = Observed(one, store)
    assert observed.health == TargetHealth()
    observed.note(came(one, 1.0, "requests_total 5\n"))
    observed.note(came(one, 2.0, None, "connection refused", heard=False))
    observed.note(came(one, 3.0, "<html>\n"))
    observed.end(4.0)
    assert samples(store) == {
        "requests_total": [(501, 0.0), (1000, 5.0), (2000, "stale")],
        "up": [(1000, 1.0), (2000, 0.0), (3000, 0.0), (4000, "stale")],
        "scrape_duration_seconds": [(1000, 0.25), (2000, 0.25), (3000, 0.25), (4000, "stale")],
    }
    assert (observed.health.up, observed.health.errors, observed.health.last_success_at) == (False, 2, 1.0)
    assert "/metrics is not in Prometheus' text format: line 1" in observed.health.last_error


def test_what_was_heard_once_is_remembered() -> None:
    one = target()
    observed = Observed(one, SeriesStore())
    assert (observed.witness.asked_at, observed.witness.answered) == (None, False)
    observed.note(came(one, 1.0, None, heard=False))
    assert (observed.witness.asked_at, observed.witness.answered) == (1.0, False)
    observed.note(came(one, 2.0, "# TYPE http_requests_total counter\n"))
    observed.note(came(one, 3.0, None, heard=False))
    assert (observed.witness.asked_at, observed.witness.answered) == (3.0, True)
    assert "http_requests_total" in observed.witness.exports


def test_a_target_that_has_no_page_is_known_to_be_silent() -> None:
    witness = Observed(target(path=""), SeriesStore()).witness
    assert (witness.asked_at, witness.answered, witness.exports) == (float("inf"), True, frozenset())
