"""Ask something over HTTP and be done with it by a deadline, whatever the other side does.

The standard library's time-outs start anew with every packet, so a server that drips a byte a second holds
its caller for hours. Here one deadline covers name resolution, connecting, TLS, sending and reading, and one
limit covers the size of the answer. Redirects are not followed, and no proxy is looked up in the environment.
"""

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import SplitResult, urlsplit

import msgspec

from davy.errors import Undecided

#: How much of an answer is read at a time.
CHUNK_BYTES = 65536


class Unreachable(Undecided):
    """Something that was asked over HTTP gave no answer, or none that could be used."""

    code = "unreachable"


class TooSlow(Unreachable):
    """It had not answered in full when the deadline came."""


class Unreadable(Unreachable):
    """It answered, but not in HTTP or with more than was asked for."""


class Refusal(Unreachable):
    """It answered, and did not give what was asked for."""

    def __init__(self, place: str, status: int) -> None:
        super().__init__(f"{place} answered with {status}")
        self.status = status


class Trust(NamedTuple):
    """Whom to believe over TLS, and by what name where that is not the host's."""

    context: ssl.SSLContext
    name: str = ""


Admit: TypeAlias = Callable[[str, int, Sequence[str]], None]
"""Is told the host and the port of a URL and all addresses of the host; raises where one must not be asked."""


class Response(msgspec.Struct, frozen=True):
    """A whole answer. The names of `headers` are in lower case; of a header sent twice the last is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = 10.0,
    max_bytes: int = 1 << 20,
    verify: bool = True,
    admit: Admit | None = None,
    trust: "Trust | None" = None,
) -> Response:
    """Send one request and return the whole answer, whatever its status.

    With `trust` an https server has to be known to it, instead of to this machine.

    With `admit` the addresses are looked up once, shown to it, and these and no others are connected to. What
    it raises is not caught.

    No message of an error holds a header, a query or credentials of the URL.

    Raises:
        TooSlow: the deadline came first.
        Unreadable: the answer is not HTTP, was cut off, or is larger than `max_bytes`.
        Unreachable: there is no such host, nobody listens, or the URL or a header makes no sense.
    """
    place = redacted(url)
    target = _split(url, place)
    deadline = time.monotonic() + timeout_s
    trust = (trust or Trust(_context(verify))) if target.scheme == "https" else None
    connection = _Connection(target, deadline, trust, admit)
    try:
        with _foreign_errors(place, timeout_s):
            _send(connection, method, target, {**(headers or {}), "Accept-Encoding": "identity"}, body)
            return _receive(connection, place, max_bytes)
    finally:
        connection.hang_up()


def stream(
    url: str,
    *,
    trust: "Trust",
    headers: Mapping[str, str],
    timeout_s: float,
    max_bytes: int,
) -> Iterator[bytes]:
    """Ask, and yield the lines of the answer as they come, until its end or the deadline.

    Raises:
        Refusal: the answer has another status than 200.
        Unreadable: the answer is not HTTP, was cut off, or a line is longer than `max_bytes`.
        Unreachable: as of `request`.
    """
    place = redacted(url)
    target = _split(url, place)
    connection = _Connection(target, time.monotonic() + timeout_s, trust, None)
    try:
        with _foreign_errors(place, timeout_s):
            _send(connection, "GET", target, {**headers, "Accept-Encoding": "identity"}, None)
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise Refusal(place, answer.status)
            while line := answer.readline(max_bytes + 1):
                if not line.endswith(b"\n"):
                    raise Unreadable(f"a line of {place} is longer than {max_bytes} bytes or was cut off")
                yield line
    finally:
        connection.hang_up()


@contextmanager
def _foreign_errors(place: str, timeout_s: float) -> Iterator[None]:
    """Turn what the standard library raises into errors of ours."""
    try:
        yield
    except TimeoutError as error:
        raise TooSlow(f"{place} had not answered in full after {timeout_s:g} s") from error
    except (http.client.InvalidURL, UnicodeError):
        raise Unreachable(f"the path of {place} holds a character that HTTP forbids") from None
    except http.client.HTTPException as error:
        raise Unreadable(
            f"what {place} answered is not HTTP or was cut off ({type(error).__name__})"
        ) from error
    except OSError as error:
        raise Unreachable(f"{place} cannot be reached: {error.strerror or error}") from error
    except ValueError:
        # No cause: the standard library quotes the value, and a header may hold a secret.
        raise Unreachable(f"a header for {place} holds a character that HTTP forbids") from None


def redacted(url: str) -> str:
    """Name a URL for a person: without credentials, query and fragment."""
    head, separator, rest = url.partition("://")
    if not separator:
        head, rest = "", url
    authority, slash, path = rest.partition("/")
    path = path.partition("?")[0].partition("#")[0]
    authority = authority.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return f"{head}{separator}{authority}{slash}{path}"


def _split(url: str, place: str) -> SplitResult:
    try:
        target = urlsplit(url)
        known = target.scheme in ("http", "https") and target.hostname and target.port != 0
    except ValueError:
        known = False
    if not known:
        raise Unreachable(f"{place!r} is not a URL of the form http://host:port/path")
    return target


def _context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _send(
    connection: "_Connection",
    method: str,
    target: SplitResult,
    headers: Mapping[str, str],
    body: bytes | None,
) -> None:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    connection.request(method, path, body=body, headers=dict(headers))


def _receive(connection: "_Connection", place: str, max_bytes: int) -> Response:
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Unreadable(f"{place} sent its answer compressed although it was asked not to")
    body = bytearray()
    while chunk := answer.read(CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise Unreadable(f"the answer of {place} is larger than {max_bytes} bytes")
    if answer.length:
        raise Unreadable(f"the answer of {place} was cut off, {answer.length} bytes before its end")
    return Response(answer.status, headers, bytes(body))


class _Connection(http.client.HTTPConnection):
    """A connection on which every wait ends at one deadline."""

    def __init__(self, target: SplitResult, deadline: float, trust: Trust | None, admit: Admit | None) -> None:
        host = target.hostname or ""
        super().__init__(host, target.port or (443 if trust else 80))
        self._deadline = deadline
        self._trust = trust
        self._admit = admit
        self._open: socket.socket | None = None

    def hang_up(self) -> None:
        """Close what `close` only lets go of, since an answer may still be read after `close`."""
        self.close()
        if self._open is not None:
            self._open.close()

    def connect(self) -> None:
        """Resolve the name, then try its addresses in turn until one accepts."""
        problem = OSError("the name has no address")
        found = _addresses(self.host, self.port, self._deadline)
        if self._admit is not None:
            self._admit(self.host, self.port, [str(address[0]) for *_, address in found])
        for family, kind, protocol, _, address in found:
            self._open = socket.socket(family, kind, protocol)
            try:
                self._open.settimeout(_remaining(self._deadline))
                self._open.connect(address)
            except OSError as error:
                self._open.close()
                problem = error
            else:
                break
        else:
            raise problem
        self._open.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._trust is not None:
            self._open.settimeout(_remaining(self._deadline))
            name = self._trust.name or self.host
            self._open = self._trust.context.wrap_socket(self._open, server_hostname=name)
        self.sock = _Socket(self._open, self._deadline)


class _Socket:
    """As much of a socket as `http.client` uses, with its time-out renewed from the deadline at each call."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, payload: bytes) -> None:
        self._sock.settimeout(_remaining(self._deadline))
        self._sock.sendall(payload)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def close(self) -> None:
        """Do nothing: the connection lets go of its socket before the answer has been read."""


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_remaining(self._deadline))
        return self._sock.recv_into(buffer)


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _addresses(host: str, port: int, deadline: float) -> list[Any]:
    """Resolve a name in a thread of its own: the resolver knows no time-out, and is left behind when late."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        pass
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()
    threading.Thread(target=_resolve, args=(host, port, answers), name="davy-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=_remaining(deadline))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _resolve(host: str, port: int, answers: "queue.SimpleQueue[list[Any] | OSError]") -> None:
    try:
        answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        answers.put(error if isinstance(error, OSError) else OSError("the name is not a host name"))
