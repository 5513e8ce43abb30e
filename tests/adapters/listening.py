"""A server on the loopback interface that answers as it is told, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    fields: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What is answered; `wait` holds the answer back until the server ends."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    wait: bool = False


def json_reply(value: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class Listening(ThreadingHTTPServer):
    """Hands each request to `answer`."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that have had enough."""


class _Handler(BaseHTTPRequestHandler):
    server: Listening

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        asked = Asked(self.command, url.path, parse_qs(url.query), dict(self.headers), body)
        self.server.asked.append(asked)
        reply = self.server.answer(asked)
        if reply.wait:
            self.server.released.wait()
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **(reply.headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = _serve

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening(answer: Callable[[Asked], Reply]) -> Iterator[Listening]:
    server = Listening(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
