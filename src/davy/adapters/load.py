"""Paced users: requests at a rate over kept-alive connections, each answer written down.

Used where it has to be shown what users get while versions change: the demo, the bench, the tests. Requests
are sent when they are due, not when an answer came back: a slow server gets no fewer of them.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from davy.traffic.envoy import VERSION_HEADER

_RECONNECT_S = 0.02
_VERSION = VERSION_HEADER.encode()


class Exchange(NamedTuple):
    """One request and what came of it.

    `status` is 0 where no whole answer came: refused, reset or too late. `version` is the hash of the revision
    that answered, as the data plane names it; `told` what its answer says in the header that is watched. Times
    are of `time.monotonic`.
    """

    sent_s: float
    received_s: float
    status: int
    version: str
    told: str = ""


class Load:
    """Users of one port on the loopback interface.

    Args:
        port: where they call.
        rate_hz: how many requests a second; may be changed while it runs.
        connections: how many of them wait for an answer at the same time at most.
        path: what they ask for.
        timeout_s: after how long they give up.
        keep: how many exchanges are remembered; of more, the oldest are dropped.
        watch: a header of the answers that is remembered, too, in small letters.
    """

    def __init__(
        self,
        port: int,
        *,
        rate_hz: float,
        connections: int = 32,
        path: str = "/",
        timeout_s: float = 20.0,
        keep: int = 200_000,
        watch: str = "",
    ) -> None:
        self.rate_hz = rate_hz
        self.unsent = 0
        """Requests that were due while every connection was waiting."""
        self._port = port
        self._connections = connections
        self._timeout_s = timeout_s
        self._watch = watch.encode()
        self._request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
        self._exchanges: deque[Exchange] = deque(maxlen=keep)
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def start(self) -> "Load":
        """Begin to call."""
        self._thread.start()
        return self

    def stop(self) -> list[Exchange]:
        """Send nothing more, wait for the answers that are due, and return every exchange."""
        self._stopping = True
        self._thread.join()
        return self.exchanges()

    def exchanges(self) -> list[Exchange]:
        """Return what has come back so far, oldest first."""
        return list(self._exchanges)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        openers = [self._loop.create_task(self._open()) for _ in range(self._connections)]
        await asyncio.wait(openers, timeout=1.0)
        await self._pace()
        deadline = time.monotonic() + self._timeout_s
        while self._busy and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        for connection in [*self._idle, *self._busy]:
            connection.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _pace(self) -> None:
        due = time.monotonic()
        while not self._stopping:
            now = time.monotonic()
            while due <= now:
                due += 1 / self.rate_hz
                if self._idle:
                    self._idle.pop().send(self._request)
                else:
                    self.unsent += 1
            self._give_up(now)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _give_up(self, now: float) -> None:
        for connection in [each for each in self._busy if now - each.sent_s > self._timeout_s]:
            connection.close()

    async def _open(self) -> None:
        """Connect, however often it takes; each failure counts as a request that failed."""
        while not self._stopping:
            began = time.monotonic()
            try:
                await self._loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            except OSError:
                self._note(began, 0, "")
                await asyncio.sleep(_RECONNECT_S)
            else:
                return

    def _note(self, sent_s: float, status: int, version: str, told: str = "") -> None:
        self._exchanges.append(Exchange(sent_s, time.monotonic(), status, version, told))

    # What a connection tells:

    def ready(self, connection: "_Connection") -> None:
        """A connection has nothing to wait for."""
        self._busy.discard(connection)
        self._idle.append(connection)

    def waiting(self, connection: "_Connection") -> None:
        """A connection has sent a request."""
        self._busy.add(connection)

    def answered(self, connection: "_Connection", status: int, headers: Mapping[bytes, bytes]) -> None:
        """A connection has received a whole answer."""
        version, told = (headers.get(name, b"").decode("latin-1") for name in (_VERSION, self._watch))
        self._note(connection.sent_s, status, version, told)

    def lost(self, connection: "_Connection") -> None:
        """A connection was closed; if it waited for an answer, there will be none."""
        if connection in self._busy:
            self._busy.discard(connection)
            self._note(connection.sent_s, 0, "")
        elif connection in self._idle:
            self._idle.remove(connection)
        if not self._stopping:
            self._openers = self._loop.create_task(self._open())


class _Connection(asyncio.Protocol):
    """One kept-alive connection; reads just enough of HTTP/1.1 to know where an answer ends."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self.sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._load.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self)

    def send(self, request: bytes) -> None:
        self.sent_s = time.monotonic()
        self._load.waiting(self)
        self._transport.write(request)

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.split(b"\r\n")
        headers = _headers(lines[1:])
        if not _whole(headers, body):
            return
        self._buffer = b""
        self._load.answered(self, int(lines[0].split(b" ", 2)[1]), headers)
        self._load.ready(self)
        if headers.get(b"connection", b"").lower() == b"close":
            self.close()


def _headers(lines: list[bytes]) -> Mapping[bytes, bytes]:
    pairs = (line.partition(b":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _whole(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(headers.get(b"content-length", b"0"))
