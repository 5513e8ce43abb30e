"""A server of flags on the loopback interface that can be told to misbehave."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "secret-token"


class StandIn:
    """What the server says, and what it was told; `silent` streams send no heartbeats."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        self.version = 1
        self.token = TOKEN
        self.refuse: dict[str, int] = {}
        self.silent = False
        self.told = True
        self.requests: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.acknowledged: list[Any] = []
        self.reports: list[Any] = []
        self.bodies: list[bytes] = []
        self.changed = threading.Condition()
        self.streams = 0
        self.cut = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def digest(self) -> str:
        return f"sha256:{sha256(self.text).hexdigest()}"

    def put(self, text: str, version: int | None = None) -> None:
        with self.changed:
            self.text = text.encode()
            self.version = self.version + 1 if version is None else version
            self.changed.notify_all()

    def cut_streams(self) -> None:
        with self.changed:
            self.cut += 1
            self.changed.notify_all()

    def count(self, path: str) -> int:
        return sum(each[1] == path for each in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = self._entered()
        if path is None:
            return
        it = self.server.stand_in
        if path == "/flags/v1/stream":
            self._stream(it)
            return
        headers = {"ETag": f'"{it.digest}"', "Davy-Flags-Version": str(it.version)}
        if self.headers.get("If-None-Match") == headers["ETag"]:
            self._answer(304, headers, b"")
        else:
            self._answer(200, headers, it.text)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self._entered()
        if path is None:
            return
        it = self.server.stand_in
        it.bodies.append(body)
        (it.acknowledged if path.endswith("acknowledgements") else it.reports).append(json.loads(body))
        self._answer(204, {}, b"")

    def _entered(self) -> str | None:
        it = self.server.stand_in
        split = urlsplit(self.path)
        it.requests.append((self.command, split.path, dict(parse_qsl(split.query)), dict(self.headers.items())))
        status = it.refuse.get(split.path, 0)
        if self.headers.get("Authorization") != f"Bearer {it.token}":
            status = 401
        if status:
            self._answer(status, {}, b"{}")
            return None
        return split.path

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, it: StandIn) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        seen, cut = int(self.headers.get("Last-Event-ID", 0)), it.cut
        it.streams += 1
        with suppress(OSError):
            while not self.server.ending and it.cut == cut:
                with it.changed:
                    if it.version == seen or not it.told:
                        it.changed.wait(0.02)
                    news, seen = (it.version if it.version != seen and it.told else 0), it.version
                if news:
                    told = json.dumps({"version": news, "digest": it.digest, "flags": []})
                    self.wfile.write(f"id: {news}\nevent: changed\ndata: {told}\n\n".encode())
                elif not it.silent:
                    self.wfile.write(b": \n\n")
        it.streams -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stand_in: StandIn
    ending = False

    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up is no error of the server."""


@contextmanager
def serving(it: StandIn, port: int = 0) -> Iterator[StandIn]:
    """Serve until the end of the block."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.stand_in = it
    it.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield it
    finally:
        server.ending = True
        server.shutdown()
        server.server_close()
        thread.join()
