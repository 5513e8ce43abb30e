"""Lines over a stream socket: both ends of the Unix socket speak one line of JSON at a time."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from davy.errors import UsageError

LONGEST = 8 * 1024 * 1024
"""Bytes of the longest line that an engine reads."""

_CHUNK = 64 * 1024
_LONGEST_ADDRESS = 107  # bytes of sockaddr_un's path, less the final zero


class BadLine(UsageError):
    """What came over a socket is not a line, or no line that can be read."""

    code = "bad-line"


class Incoming(Protocol):
    """The end of a socket that is read from."""

    def settimeout(self, value: float | None, /) -> None:
        """Say how long `recv` may wait."""
        ...

    def recv(self, bufsize: int, /) -> bytes:
        """Wait for bytes; none means that no more will come."""
        ...


class Lines:
    """Cuts what a peer sends into lines, each of them within a size and a time.

    The time is for a whole line: a peer that sends a byte now and then gets no more of it than a silent one.
    """

    def __init__(
        self,
        connection: Incoming,
        *,
        longest: int | None,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection, self._longest, self._seconds, self._now = connection, longest, seconds, now
        self._pending = bytearray()

    @property
    def half(self) -> bool:
        """Whether a part of a line has come."""
        return bool(self._pending)

    def read(self) -> bytes | None:
        """Return the next line without its end, or None when the peer has said all it will say.

        Raises:
            BadLine: the line is too long, or the stream ends in the middle of it.
            TimeoutError: the time is over.
        """
        deadline = self._now() + self._seconds
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            searched = len(self._pending)
            self._check_length(searched)
            left = deadline - self._now()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            chunk = self._connection.recv(_CHUNK)
            if not chunk and self._pending:
                raise BadLine("the line has no end: the connection was closed in the middle of it")
            if not chunk:
                return None
            self._pending += chunk
        self._check_length(end)
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return line

    def _check_length(self, length: int) -> None:
        if self._longest is not None and length > self._longest:
            raise BadLine(f"the line is longer than {self._longest} bytes", hint="send fewer manifests at once")


def send_line(connection: socket.socket, line: bytes, *, seconds: float) -> None:
    """Send one line, within a time."""
    connection.settimeout(seconds)
    connection.sendall(line + b"\n")


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield what a socket at `path` is bound or connected to by.

    The kernel takes no more than 107 bytes; a longer path is gone to by way of its open directory.
    """
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
