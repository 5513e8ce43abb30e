"""Ask a server of flags over HTTP, and listen to its stream of events.

One wait of `http.client` is bounded by the socket's time-out, which is what a stream needs: a server that says
nothing for longer than it promised is not there. An answer is bounded as a whole, in time and in bytes.
Redirects are not followed and no proxy is looked up in the environment, since the token goes where it was
meant to go.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from davy.errors import Undecided, UsageError

#: The longest line of a stream, and how much of an answer is read at a time.
CHUNK_BYTES = 65536
#: The largest document: 10,000 flags with rules of a kilobyte each, three times over.
ANSWER_BYTES = 32 << 20


class Unreachable(Undecided):
    """A server of flags gave no answer, or none that can be used."""


class Refusal(Unreachable):
    """It answered, and did not give what was asked for."""

    def __init__(self, place: str, status: int) -> None:
        super().__init__(f"{place} answered with {status}", hint=_HINTS.get(status, ""))
        self.status = status

    @property
    def final(self) -> bool:
        """Whether asking again does not help: somebody has to change something first."""
        return self.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


_HINTS = {
    int(HTTPStatus.UNAUTHORIZED): "give a token that the server knows",
    int(HTTPStatus.FORBIDDEN): "give a token that may read flags",
    int(HTTPStatus.NOT_FOUND): "the URL is that of the server, without /flags/v1",
}


OPENED = "davy-opened"
"""The name of the event that is made up here when a stream was let in."""


class Answer(NamedTuple):
    """A whole answer; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Event(NamedTuple):
    """A server-sent event; a sign of life without content has an empty `name`."""

    id: str
    name: str
    data: str


class Server:
    """A server of flags: where it is and what opens its door.

    Args:
        url: of the form `https://host:port`, without the paths of the API.
        token: a bearer token, or what returns the one that is valid now.
        timeout_s: how long one question may take.
        tls: whom to believe over TLS, where that is not whom this machine believes.

    Raises:
        UsageError: the URL is none.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str] = "",
        *,
        timeout_s: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._target = _split(url)
        self.place = (
            f"{self._target.scheme}://{self._target.netloc.rpartition('@')[2]}{self._target.path.rstrip('/')}"
        )
        self._token = token
        self._timeout_s = timeout_s
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._hung_up = False

    def token(self) -> str:
        """Return the token as it is now."""
        return self._token if isinstance(self._token, str) else self._token()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and return the whole answer, whatever its status.

        Raises:
            Unreachable: nobody listens, the deadline came first, or the answer is not HTTP or too large.
        """
        deadline = time.monotonic() + self._timeout_s
        with self._connected(path) as (connection, wire):
            self._send(connection, method, path, query, headers, body)
            answer = connection.getresponse()
            received = bytearray()
            while chunk := answer.read1(CHUNK_BYTES):
                received += chunk
                if len(received) > ANSWER_BYTES:
                    raise Unreachable(f"the answer of {self.place}{path} is larger than {ANSWER_BYTES} bytes")
                wire.settimeout(_remaining(deadline))
            if answer.length:
                raise Unreachable(f"the answer of {self.place}{path} was cut off")
            return Answer(answer.status, _lower(answer), bytes(received))

    def listen(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float,
    ) -> Iterator[Event]:
        """Yield the events of a stream as they come, and signs of life between them, until its end.

        Raises:
            Refusal: the answer has another status than 200, or is no stream of events.
            Unreachable: nobody listens, nothing was said for `silence_s`, or what was said is no such stream.
        """
        accept = {"Accept": "text/event-stream", "Cache-Control": "no-store", **(headers or {})}
        with self._connected(path) as (connection, wire):
            self._send(connection, "GET", path, query, accept, None)
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise Refusal(f"{self.place}{path}", answer.status)
            if not (answer.getheader("Content-Type") or "").startswith("text/event-stream"):
                raise Unreachable(f"{self.place}{path} answered with no stream of events")
            wire.settimeout(silence_s)
            yield Event("", OPENED, "")
            yield from _events(_lines(answer, f"{self.place}{path}"))

    def hang_up(self) -> None:
        """End every wait, from any thread; whoever waited gets an `Unreachable`, and so does who asks later."""
        with self._lock:
            self._hung_up = True
            for wire in self._open:
                with suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _connected(self, path: str) -> Iterator[tuple[http.client.HTTPConnection, socket.socket]]:
        connection = self._connection()
        wire = None
        try:
            with _foreign_errors(f"{self.place}{path}"):
                connection.connect()
                wire = connection.sock
                assert wire is not None
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    if self._hung_up:
                        raise Unreachable(f"{self.place} is not asked any more")
                    self._open.add(wire)
                yield connection, wire
        finally:
            if wire is not None:
                with self._lock:
                    self._open.discard(wire)
                wire.close()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._target.hostname or "", self._target.port
        if self._target.scheme == "https":
            tls = self._tls or ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=tls)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> None:
        target = self._target.path.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        sent = {"Accept-Encoding": "identity", "User-Agent": "davy", **(headers or {})}
        if token := self.token():
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        connection.request(method, target, body=body, headers=sent)


def _split(url: str) -> SplitResult:
    try:
        target = urlsplit(url)
        known = target.scheme in ("http", "https") and target.hostname and target.port != 0
    except ValueError:
        known = False
    if not known or target.query or target.fragment or target.username:
        raise UsageError(
            "the URL of the server of flags makes no sense", hint="write it as in https://davy.example.com:8443"
        )
    return target


@contextmanager
def _foreign_errors(place: str) -> Iterator[None]:
    """Turn what the standard library raises into errors of ours; none of them quotes a header."""
    try:
        yield
    except TimeoutError as error:
        raise Unreachable(f"{place} did not answer in time") from error
    except http.client.HTTPException as error:
        raise Unreachable(
            f"what {place} answered is not HTTP or was cut off ({type(error).__name__})"
        ) from error
    except OSError as error:
        raise Unreachable(f"{place} cannot be reached: {error.strerror or error}") from error
    except ValueError:
        raise Unreachable(f"the token or a header for {place} holds a character that HTTP forbids") from None


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _lower(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}


def _lines(answer: http.client.HTTPResponse, place: str) -> Iterator[str]:
    while line := answer.readline(CHUNK_BYTES + 1):
        if len(line) > CHUNK_BYTES:
            raise Unreachable(f"a line of {place} is longer than {CHUNK_BYTES} bytes")
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def _events(lines: Iterator[str]) -> Iterator[Event]:
    """Read the stream as WHATWG's HTML, section 9.2.6, has it; comments are what heartbeats are made of."""
    last, name, data = "", "", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(last, name or "message", "\n".join(data))
            name, data = "", []
        elif not field:
            yield Event(last, "", "")
        elif field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id":
            last = value
