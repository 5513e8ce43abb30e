import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import pytest

from davy.adapters import ports
from davy.adapters.load import Load
from davy.testing.patience import until


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        type(self).served[self.path] += 1
        if self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            self.close_connection = True
            return
        if self.path == "/hang":
            hang.wait(20)
        self.send_response(503 if self.path == "/busy" else 200)
        self.send_header("x-davy-version", "5d9")
        if self.path == "/chunked":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n")
            self.wfile.write(b"0\r\n\r\n")
            return
        if self.path == "/close":
            self.send_header("connection", "close")
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"abc")

    def log_message(self, *_: object) -> None:
        pass


hang = threading.Event()


@pytest.fixture
def port() -> Iterator[int]:
    hang.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    hang.set()
    server.shutdown()
    thread.join()
    server.server_close()


def run(load: Load, count: int) -> Counter[tuple[int, str]]:
    load.start()
    until(lambda: len(load.exchanges()) >= count)
    exchanges = load.stop()
    assert all(each.sent_s <= each.received_s for each in exchanges)
    return Counter((each.status, each.version) for each in exchanges)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", (200, "5d9")),
        ("/chunked", (200, "5d9")),
        ("/close", (200, "5d9")),
        ("/busy", (503, "5d9")),
        ("/cut", (0, "")),
    ],
)
def test_every_answer_is_written_down(port: int, path: str, answer: tuple[int, str]) -> None:
    seen = run(Load(port, rate_hz=500, connections=2, path=path), 20)
    assert set(seen) == {answer}


def test_nothing_that_was_answered_is_lost(port: int) -> None:
    Server.served.clear()
    seen = run(Load(port, rate_hz=300, connections=4, path="/"), 100)
    assert seen.total() == Server.served["/"]


def test_nobody_there_is_a_failure_of_its_own() -> None:
    assert set(run(Load(ports.free_port(), rate_hz=100, connections=2), 5)) == {(0, "")}


def test_who_waits_too_long_gives_up(port: int) -> None:
    load = Load(port, rate_hz=200, connections=2, path="/hang", timeout_s=0.1)
    assert set(run(load, 4)) == {(0, "")}
    assert load.unsent > 0


def test_only_the_last_exchanges_are_kept(port: int) -> None:
    load = Load(port, rate_hz=1000, connections=2, keep=5).start()
    until(lambda: len(load.exchanges()) == 5)
    assert len(load.stop()) == 5


def test_the_rate_is_kept_and_may_be_changed(port: int) -> None:
    load = Load(port, rate_hz=1.0, connections=2).start()
    until(load.exchanges)
    load.rate_hz = 400
    until(lambda: len(load.exchanges()) > 50)
    exchanges = load.stop()
    sent = sorted(each.sent_s for each in exchanges)
    assert sent[-1] - sent[-41] >= 39 / 400  # never faster than asked for


def test_a_header_that_is_watched_is_written_down_with_each_answer(port: int) -> None:
    load = Load(port, rate_hz=300, connections=2, watch="content-length").start()
    until(lambda: len(load.exchanges()) >= 10)
    assert {each.told for each in load.stop()} == {"3"}
