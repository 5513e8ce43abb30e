"""Prometheus over HTTP: against a server that answers as its documentation says, and against worse ones."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from davy.adapters.prometheus import HttpPrometheus
from davy.analysis.provider import Asking, Provider, ProviderError
from davy.model.providers import (
    Authentication,
    BasicAuthConfig,
    Header,
    MetricProvider,
    OAuth2Config,
    PrometheusMetric,
    PrometheusRangeQueryArgs,
    Sigv4Config,
    WebMetric,
)
from davy.testing.provider import Expected, ProviderContract

NAN = float("nan")
JSON = {"Content-Type": "application/json"}


def success(kind: str, result: object, **more: object) -> tuple[int, Mapping[str, str], bytes]:
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return 200, JSON, json.dumps(body).encode()


def failure(status: int, kind: str, error: str) -> tuple[int, Mapping[str, str], bytes]:
    return status, JSON, json.dumps({"status": "error", "errorType": kind, "error": error}).encode()


def vector(*values: str) -> tuple[int, Mapping[str, str], bytes]:
    return success("vector", [{"metric": {"n": str(n)}, "value": [1.5, v]} for n, v in enumerate(values)])


RUNS: list[dict[str, Any]] = [
    {"metric": {}, "values": [[1, "1"], [2, "2"]]},
    {"metric": {"a": "b"}, "values": [[1, "3"]]},
]

#: What the server says to a query: its documented answers.
ANSWERS: dict[str, tuple[tuple[int, Mapping[str, str], bytes], object, str]] = {
    "scalar": (success("scalar", [1.5, "0.5"]), 0.5, "0.5"),
    "scalar NaN": (success("scalar", [1.5, "NaN"]), NAN, "NaN"),
    "vector": (vector("0.99"), (0.99,), "[0.99]"),
    "two": (vector("1", "2.5e-7"), (1.0, 2.5e-7), "[1,0.00000025]"),
    "infinite": (vector("+Inf", "-Inf"), (float("inf"), float("-inf")), "[+Inf,-Inf]"),
    "NaN": (vector("NaN"), (NAN,), "[NaN]"),
    "empty": (vector(), (), "[]"),
    "matrix": (success("matrix", RUNS), (1.0, 2.0, 3.0), "[1,2,3]"),
}

UNREADABLE = "is not what Prometheus answers"
NATIVE = "gives native histograms, and a measurement needs numbers"

#: What it must not say: each of these is an error, with this in its message.
WRONG: dict[str, tuple[tuple[int, Mapping[str, str], bytes], str]] = {
    "bad query": (failure(400, "bad_data", "parse error: unexpected end"), "bad_data: parse error: unex"),
    "cannot execute": (failure(422, "execution", "many-to-many"), "execution: many-to-many"),
    "too long": (failure(503, "timeout", "query timed out"), "timeout: query timed out"),
    "long-winded": (failure(400, "bad_data", "x\n\x00" * 5000), "bad_data: x x"),
    "echo": (failure(400, "bad_data", "x" * 290 + "s3cret-and-more-of-it"), "bad_data: x"),
    "string": (success("string", [1.5, "text"]), "gives a text"),
    "unknown type": (success("tensor", []), UNREADABLE),
    "success with a status of errors": ((422, JSON, vector()[2]), "neither a result nor an error"),
    "no data": ((200, JSON, b'{"status":"success"}'), "neither a result nor an error"),
    "native histogram": (success("vector", [{"metric": {}, "histogram": [1.5, {}]}]), NATIVE),
    "native histograms": (success("matrix", [{"metric": {}, "histograms": [[1.5, {}]]}]), NATIVE),
    "numbers, then native histograms": (success("matrix", [{**RUNS[0], "histograms": [[9.5, {}]]}]), NATIVE),
    "no value": (success("vector", [{"metric": {}}]), UNREADABLE),
    "no values": (success("matrix", [{"metric": {}}]), UNREADABLE),
    "number for text": (success("vector", [{"metric": {}, "value": [1.5, 0.5]}]), UNREADABLE),
    "no number": (vector("0x10"), UNREADABLE),
    "python's number": (vector("1_0"), UNREADABLE),
    "empty body": ((200, JSON, b""), UNREADABLE),
    "garbage": ((200, JSON, b"\xff\xfe{"), UNREADABLE),
    "truncated": ((200, JSON, vector("0.99")[2][:-9]), UNREADABLE),
    "nested": ((200, JSON, b"[" * 100_000), UNREADABLE),
    "array": ((200, JSON, b"[]"), UNREADABLE),
    "html": ((200, {"Content-Type": "text/html"}, b"<html>sign in</html>"), "text/html and not with JSON"),
    "no content type": ((200, {}, b"{}"), "nothing in particular and not with JSON"),
    "unauthorised": ((401, {"Content-Type": "text/plain"}, b"Unauthorized"), "does not let us in .status 401"),
    "forbidden": ((403, JSON, b"{}"), "does not let us in .status 403"),
    "not found": ((404, {"Content-Type": "text/plain"}, b"404"), "answers with status 404"),
    "too many": ((429, JSON, b"{}"), "asked too often"),
    "broken": ((500, {"Content-Type": "text/html"}, b"oops"), "answers with status 500"),
    "bad gateway": ((503, {"Content-Type": "text/html"}, b"oops"), "answers with status 503"),
    "moved": ((302, {"Location": "http://127.0.0.1:1/hunter2"}, b""), "sends us elsewhere .status 302"),
    "huge": ((200, {**JSON, "Content-Length": str(17 << 20)}, b" " * (17 << 20)), "larger than"),
    "cut off": ((200, {**JSON, "Content-Length": "100"}, b"{"), "cut off"),
}  # fmt: skip


class Stub(ThreadingHTTPServer):
    """Answers a query by its text, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.released = threading.Event()
        self.refuse_post = 0
        super().__init__(("127.0.0.1", 0), _Stub)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that have had enough."""


class _Stub(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.server.refuse_post:
            self._reply(self.server.refuse_post, {}, b"")
        else:
            self._answer(form)

    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def _answer(self, form: str) -> None:
        fields = {name: values[0] for name, values in parse_qs(form).items()}
        self.server.asked.append((self.command, urlsplit(self.path).path, fields, dict(self.headers)))
        query = fields.get("query", "")
        if query == "slow":
            self.server.released.wait()
        elif query == "drip":
            self._reply(200, {**JSON, "Content-Length": "1000000"}, b"")
            while not self.server.released.wait(0.01):
                self.wfile.write(b" ")
        elif query in WRONG:
            self._reply(*WRONG[query][0])
        else:
            self._reply(*ANSWERS.get(query, ANSWERS["vector"])[0])

    def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


Ask = Callable[..., MetricProvider]


@pytest.fixture
def ask(stub: Stub) -> Ask:
    def make(query: str, **fields: Any) -> MetricProvider:
        return MetricProvider(
            prometheus=PrometheusMetric(**{"address": stub.address, "query": query, **fields})
        )

    return make


class TestHttpPrometheus(ProviderContract):
    secrets = ("hunter2",)

    @pytest.fixture(autouse=True)
    def _take(self, stub: Stub, ask: Ask) -> None:
        self.ask = ask

    def provider(self) -> Provider:
        return HttpPrometheus()

    def answers(self) -> Sequence[Expected]:
        return [Expected(name, self.ask(name), result, text) for name, (_, result, text) in ANSWERS.items()]

    def troubles(self) -> Mapping[str, MetricProvider]:
        password = Authentication(basic_auth=BasicAuthConfig("user", "hunter2"))
        bearer = (Header("Authorization", "Bearer hunter2"),)
        return {
            **{name: self.ask(name, authentication=password, headers=bearer) for name in WRONG},
            "slow": self.ask("slow", timeout=0),
            "nobody": self.ask("vector", address="http://user:hunter2@127.0.0.1:1", authentication=password),
            "no url": self.ask("vector", address="hunter2@127.0.0.1:1"),
            "broken header": self.ask("vector", headers=(Header("X-Token", "hunter2\r\nX: y"),)),
            "no query": self.ask(" "),
            "negative time-out": self.ask("vector", timeout=-1),
            "not for us": MetricProvider(web=WebMetric(url="http://127.0.0.1:1")),
        }


@pytest.mark.parametrize("name", WRONG)
def test_what_goes_wrong_is_said(ask: Ask, name: str) -> None:
    with pytest.raises(ProviderError, match=WRONG[name][1]) as caught:
        HttpPrometheus().measure(ask(name), now=1.0)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("query", ["slow", "drip"])
def test_the_time_out_is_for_all_of_it(ask: Ask, query: str) -> None:
    with pytest.raises(ProviderError, match="had not answered in full after 1 s"):
        HttpPrometheus().measure(ask(query, timeout=1), now=1.0)


def test_an_instant_is_asked_by_post_with_the_clocks_time(stub: Stub, ask: Ask) -> None:
    HttpPrometheus().measure(ask('x{a="é"}'), now=1_800_000_000.1234)
    ((method, path, form, _),) = stub.asked
    assert (method, path) == ("POST", "/api/v1/query")
    assert form == {"query": 'x{a="é"}', "time": "1800000000.123"}


def test_a_range_is_asked_for_as_written(stub: Stub, ask: Ask) -> None:
    window = PrometheusRangeQueryArgs('now() - duration("1h")', "now()", "1m30s")
    answer = HttpPrometheus().measure(ask("matrix", range_query=window), now=7200.0)
    ((_, path, form, _),) = stub.asked
    assert path == "/api/v1/query_range"
    assert form == {"query": "matrix", "start": "3600.000", "end": "7200.000", "step": "90.000"}
    assert answer.result == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "window",
    [
        PrometheusRangeQueryArgs(),
        PrometheusRangeQueryArgs("now()", "now()", "1d"),
        PrometheusRangeQueryArgs("now()", "now()", "0s"),
        PrometheusRangeQueryArgs("now()", 'now() - duration("1s")', "1s"),
        PrometheusRangeQueryArgs("yesterday", "now()", "1m"),
        PrometheusRangeQueryArgs("now() -", "now()", "1m"),
        PrometheusRangeQueryArgs("now()", 'duration("1h")', "1m"),
    ],
)
def test_a_range_that_makes_no_sense(stub: Stub, ask: Ask, window: PrometheusRangeQueryArgs) -> None:
    with pytest.raises(ProviderError, match="rangeQuery"):
        HttpPrometheus().measure(ask("matrix", range_query=window), now=7200.0)
    assert not stub.asked


@pytest.mark.parametrize("status", [405, 501])
def test_where_post_is_refused_it_gets(stub: Stub, ask: Ask, status: int) -> None:
    stub.refuse_post = status
    assert HttpPrometheus().measure(ask("vector"), now=1.0).result == (0.99,)
    assert [(method, form["query"]) for method, _, form, _ in stub.asked] == [("GET", "vector")]


def test_headers_and_password_are_sent(stub: Stub, ask: Ask) -> None:
    password = Authentication(basic_auth=BasicAuthConfig("user", "hunter2"))
    HttpPrometheus().measure(
        ask("vector", headers=(Header("X-Scope-OrgID", "t1"),), authentication=password), now=1.0
    )
    headers = stub.asked[0][3]
    assert headers["X-Scope-OrgID"] == "t1"
    assert headers["Authorization"] == "Basic dXNlcjpodW50ZXIy"


def test_a_header_that_says_who_asks_wins_over_the_password(stub: Stub, ask: Ask) -> None:
    password = Authentication(basic_auth=BasicAuthConfig("user", "hunter2"))
    headers = (Header("authorization", "Bearer t"),)
    HttpPrometheus().measure(ask("vector", headers=headers, authentication=password), now=1.0)
    assert [value for name, value in stub.asked[0][3].items() if name.lower() == "authorization"] == [
        "Bearer t"
    ]


def test_an_address_may_have_a_path_and_a_slash_at_its_end(stub: Stub, ask: Ask) -> None:
    HttpPrometheus().measure(ask("vector", address=f"{stub.address}/select/0/prometheus/"), now=1.0)
    assert stub.asked[0][1] == "/select/0/prometheus/api/v1/query"


@pytest.mark.parametrize(
    ("address", "authentication"),
    [
        ("http://127.0.0.1:1", Authentication(oauth2=OAuth2Config(token_url="http://127.0.0.1:1"))),
        ("http://127.0.0.1:1/aps-workspaces", Authentication(sigv4=Sigv4Config(region="eu-west-1"))),
    ],
)
def test_ways_of_signing_in_that_are_not_supported(
    ask: Ask, address: str, authentication: Authentication
) -> None:
    with pytest.raises(ProviderError, match="not supported"):
        HttpPrometheus().measure(ask("vector", address=address, authentication=authentication), now=1.0)


def test_warnings_are_kept(ask: Ask) -> None:
    ANSWERS["warned"] = (success("vector", [], warnings=["one\n", "two"]), (), "[]")
    try:
        answer = HttpPrometheus().measure(ask("warned"), now=1.0)
    finally:
        del ANSWERS["warned"]
    assert answer.metadata["warnings"] == '"one", "two"'
    assert answer.metadata["ResolvedPrometheusQuery"] == "warned"


def test_a_secret_is_hidden_before_what_holds_it_is_shortened(stub: Stub, ask: Ask) -> None:
    asking = Asking()
    asking.learn("s3cret-and-more-of-it")
    with pytest.raises(ProviderError) as caught:
        HttpPrometheus().measure(ask("echo"), now=1.0, asking=asking)
    assert "s3cret" not in caught.value.message
    assert "***" in caught.value.message
