"""The HTTP client against a server that does what no server should."""

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from davy.adapters.http import Response, TooSlow, Unreachable, Unreadable, redacted, request

Behaviour = Callable[[socket.socket, threading.Event], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"


def says(*parts: bytes) -> Behaviour:
    def behave(client: socket.socket, _: threading.Event) -> None:
        for part in parts:
            client.sendall(part)

    return behave


def drips(head: bytes, drop: bytes) -> Behaviour:
    """Send the head, then a drop every ten milliseconds for as long as anyone listens."""

    def behave(client: socket.socket, stop: threading.Event) -> None:
        client.sendall(head)
        while not stop.wait(0.01):
            client.sendall(drop)

    return behave


def keeps_silent(_: socket.socket, stop: threading.Event) -> None:
    stop.wait()


def read_request(client: socket.socket) -> bytes:
    received = client.recv(65536)
    length = re.search(rb"Content-Length: (\d+)", received)
    while length and len(received.partition(b"\r\n\r\n")[2]) < int(length[1]):
        received += client.recv(65536)
    return received


class Server:
    """Answers every connection in one way, and remembers what it was sent."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = says(OK)
        self.received: list[bytes] = []
        self.context: ssl.SSLContext | None = None
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(5)
            if self.context is not None:
                client = self.context.wrap_socket(client, server_side=True)
            self.received.append(read_request(client))
            self.behaviour(client, self._stop)
        except OSError:
            pass
        finally:
            client.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_a_whole_answer(server: Server) -> None:
    response = request("GET", f"{server.url}/a?b=c", headers={"X-Scope": "t1"})
    assert (response.status, response.body, response.media_type) == (200, b"hello", "text/plain")
    head = server.received[0]
    assert head.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"\r\nX-Scope: t1\r\n" in head
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in head


def test_a_body_is_sent(server: Server) -> None:
    request("POST", server.url, body=b"query=1")
    assert server.received[0].startswith(b"POST / HTTP/1.1\r\n")
    assert server.received[0].endswith(b"\r\n\r\nquery=1")


FRAMINGS = {
    "until the connection closes": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhel", b"lo"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",),
    "HTTP 1.0": (b"HTTP/1.0 200 OK\r\n\r\nhello",),
    "a length, then closed": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",),
}


@pytest.mark.parametrize("answer", FRAMINGS.values(), ids=FRAMINGS)
def test_every_framing_of_a_body(server: Server, answer: tuple[bytes, ...]) -> None:
    server.behaviour = says(*answer)
    assert request("GET", server.url).body == b"hello"


@pytest.mark.parametrize("status", [301, 401, 404, 429, 503])
def test_any_status_is_an_answer_and_none_is_followed(server: Server, status: int) -> None:
    server.behaviour = says(
        f"HTTP/1.1 {status} X\r\nLocation: {server.url}/\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert request("GET", server.url) == Response(
        status, {"location": f"{server.url}/", "content-length": "0"}, b""
    )
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(keeps_silent, id="silence"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nX: ", b"y"), id="a header without end"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), id="headers, one by one"),
        pytest.param(
            drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"), id="a body, byte by byte"
        ),
        pytest.param(
            drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="chunks"
        ),
    ],
)
def test_a_slow_server_ends_at_the_deadline(server: Server, behaviour: Behaviour) -> None:
    server.behaviour = behaviour
    started = time.monotonic()
    with pytest.raises(TooSlow, match=r"127.0.0.1:\d+ had not answered in full after 0.3 s"):
        request("GET", server.url, timeout_s=0.3)
    # Generous on purpose: without an overall deadline these servers would hold the caller for ever.
    assert time.monotonic() - started < 5


def test_a_name_that_resolves_too_slowly_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released, genuine = threading.Event(), socket.getaddrinfo

    def resolve(host: str, *arguments: object, flags: int = 0, **options: object) -> object:
        if not flags:
            released.wait(10)
        return genuine("nobody.invalid" if flags else "127.0.0.1", 1, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(TooSlow):
        request("GET", "http://prometheus.monitoring/", timeout_s=0.2)
    released.set()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "not HTTP or was cut off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP or was cut off"),
        (b"\x00\xff\xfe", "not HTTP or was cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", "was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "was cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nhello", "compressed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "larger than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, "larger than 1000 bytes"),
    ],
)
def test_what_cannot_be_read(server: Server, answer: bytes, message: str) -> None:
    server.behaviour = says(answer)
    with pytest.raises(Unreadable, match=message):
        request("GET", server.url, max_bytes=1000)


def test_a_body_that_never_ends_is_cut_at_the_limit(server: Server) -> None:
    server.behaviour = drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
    with pytest.raises(Unreadable, match="larger than 200000 bytes"):
        request("GET", server.url, max_bytes=200_000)


def test_nobody_listens(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port}/ cannot be reached: Connection refused"):
        request("GET", f"http://127.0.0.1:{port}/")


def test_there_is_no_such_host() -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        request("GET", f"http://{'a' * 70}.invalid/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "prometheus:9090",
        "ftp://h/",
        "http://",
        "http://h:0/",
        "http://h:99999/",
        "http://[::1",
        "http://h:x/",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(Unreachable, match="is not a URL"):
        request("GET", url)


@pytest.mark.parametrize("value", ["hunter2\r\nX: y", "hunter2\x00\n", "hunter2\u20ac"])
def test_a_header_that_http_forbids_is_not_repeated(server: Server, value: str) -> None:
    with pytest.raises(Unreachable) as caught:
        request("GET", server.url, headers={"Authorization": value})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("path", ["/a b", "/a\x7f", "/\u20ac"])
def test_a_path_that_http_forbids(server: Server, path: str) -> None:
    with pytest.raises(Unreachable, match="path"):
        request("GET", f"{server.url}{path}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:hunter2@h:9090/p?token=hunter2#hunter2", "http://h:9090/p"),
        ("http://h?token=hunter2", "http://h"),
        ("u:hunter2@h/p", "h/p"),
        ("https://h/", "https://h/"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redacted(url) == shown


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path / "both.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:pinned.example"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *files],
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def test_a_certificate_that_nobody_vouches_for(server: Server, certificate: Path) -> None:
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(certificate)
    url = server.url.replace("http:", "https:")
    with pytest.raises(Unreachable, match=r"CERTIFICATE_VERIFY_FAILED|self-signed"):
        request("GET", url)
    assert request("GET", url, verify=False).body == b"hello"
    server.behaviour = drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
    with pytest.raises(TooSlow):
        request("GET", url, verify=False, timeout_s=0.3)


def test_the_certificate_is_held_against_the_name_and_not_against_the_address(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    loopback = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: loopback)
    shown: list[tuple[str, Sequence[str]]] = []

    def ask(name: str) -> int:
        url = f"https://{name}:{server.port}/"
        return request("GET", url, admit=lambda host, _, found: shown.append((host, found))).status

    assert ask("pinned.example") == 200
    with pytest.raises(Unreachable, match=r"CERTIFICATE_VERIFY_FAILED|doesn't match|mismatch"):
        ask("other.example")
    assert shown == [("pinned.example", ["127.0.0.1"]), ("other.example", ["127.0.0.1"])]
