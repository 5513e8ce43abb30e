"""The way in for everyone on this machine: a Unix socket, one line of JSON a request, one a reply.

Only the user who started the engine, and root, are answered. Who asked comes from the kernel, not from what
they say of themselves, and is written down with what they did.
"""

import os
import pwd
import socket
import stat
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from davy.control.requests import AnyRequest
from davy.control.views import AnyView, ErrorView
from davy.errors import Conflict, DavyError, NotPermitted, UsageError
from davy.serve.bugs import filed
from davy.serve.lines import LONGEST, BadLine, Lines, address, send_line


class Answers(Protocol):
    """Answers requests; an engine, or a stand-in for one. Called from many threads at once."""

    def handle(self, request: AnyRequest, actor: str) -> AnyView:
        """Answer a request, or raise a DavyError that says why not."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take of an engine: bytes of a line, real seconds for it, connections at once."""

    longest: int = LONGEST
    idle_s: float = 30.0
    connections: int = 32


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as the kernel says."""

    uid: int

    def __str__(self) -> str:
        try:
            return f"{pwd.getpwuid(self.uid).pw_name} (uid {self.uid})"
        except KeyError:
            return f"uid {self.uid}"


class SocketServer:
    """Serves `answers` at `path` from `start` to `stop`; usable as a context manager.

    Whoever comes last has the path. The socket is made in the directory `beside` and renamed to its place, and
    it is taken away by renaming it back; one whose directory was taken away by then leaves the path alone.
    `reports` is the directory for reports of our own faults. `allowed` are the user ids that are answered:
    the engine's own and root when it is None.
    """

    def __init__(
        self,
        path: Path,
        answers: Answers,
        *,
        reports: Path,
        beside: Path | None = None,
        limits: Limits | None = None,
        allowed: frozenset[int] | None = None,
    ) -> None:
        self.path, self._answers, self._reports = path, answers, reports
        self._beside = (beside or path.parent) / f"{path.name}.new"
        self._limits = limits or Limits()
        self._allowed = allowed if allowed is not None else frozenset({0, os.getuid()})
        self._slots = threading.BoundedSemaphore(self._limits.connections)
        self._open: dict[socket.socket, threading.Thread] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._decoder: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)

    def start(self) -> None:
        """Listen; when this returns, requests are answered.

        Raises:
            Conflict: what is there is no socket.
            NotPermitted, UsageError: the directory cannot be written to or the path cannot be bound.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._listener, self._inode = _listen(self.path, self._beside)
        except PermissionError as error:
            raise NotPermitted(f"cannot listen at {self.path}: {error.strerror}") from error
        except OSError as error:
            hint = "choose another state directory with --home or DAVY_HOME"
            raise UsageError(f"cannot listen at {self.path}: {error.strerror or error}", hint=hint) from error
        self._acceptor = threading.Thread(target=self._accept, name="davy-socket", daemon=True)
        self._acceptor.start()

    def stop(self, *, grace_s: float = 5.0) -> None:
        """Take no more requests, let those under way end within `grace_s`, and remove the socket."""
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self._withdraw()
        with self._guard:
            under_way = dict(self._open)
            for connection in under_way:
                with suppress(OSError):  # it may be gone already
                    connection.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + grace_s
        for thread in under_way.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _withdraw(self) -> None:
        """Take the socket away, unless it is another's by now."""
        with suppress(FileNotFoundError):
            if self.path.lstat().st_ino == self._inode:
                self.path.rename(self._beside)
                self._beside.unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self) -> None:
        """Give every connection a thread of its own, as many at once as the limits say."""
        while not self._stopping.is_set():
            if not self._slots.acquire(timeout=0.2):
                continue
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the listener was shut down, or there are no more file descriptors just now
                self._slots.release()
                self._stopping.wait(0.05)
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name="davy-ask", daemon=True)
            with self._guard:
                self._open[connection] = thread
            try:
                thread.start()
            except RuntimeError:  # there are no more threads just now
                self._forget(connection)

    def _serve(self, connection: socket.socket) -> None:
        """Answer one peer until it hangs up."""
        try:
            with suppress(OSError):  # the peer is gone, or does not read its replies: nobody is left to tell
                self._converse(connection)
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._guard:
            del self._open[connection]
        connection.close()
        self._slots.release()

    def _converse(self, connection: socket.socket) -> None:
        """Read requests and answer them; a line that cannot be cut out of the stream ends it."""
        limits, peer = self._limits, _peer(connection)
        lines = Lines(connection, longest=limits.longest, seconds=limits.idle_s)
        if peer.uid not in self._allowed:
            refusal = NotPermitted(f"this engine does not answer {peer}", hint="ask as the user who started it")
            return send_line(connection, _encoded(refusal), seconds=limits.idle_s)
        while True:
            try:
                line = lines.read()
            except BadLine as error:
                return send_line(connection, _encoded(error), seconds=limits.idle_s)
            except TimeoutError:
                if lines.half:
                    late = BadLine(f"the line has no end: it did not come within {limits.idle_s:g} s")
                    send_line(connection, _encoded(late), seconds=limits.idle_s)
                return None
            if line is None:
                return None
            send_line(connection, self._reply(line, str(peer)), seconds=limits.idle_s)

    def _reply(self, line: bytes, actor: str) -> bytes:
        """Answer one line, whatever is in it and whatever goes wrong."""
        try:
            return msgspec.json.encode(self._answers.handle(self._read(line), actor))
        except DavyError as error:
            return _encoded(error)
        except Exception as error:  # noqa: BLE001 - one request that meets a fault of ours must not end the engine
            return _encoded(filed(self._reports, error, f"answering {line[:200]!r}"))

    def _read(self, line: bytes) -> AnyRequest:
        """Read a request."""
        try:
            return self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            hint = "is this davy as new as the engine? davy version names both"
            raise BadLine(f"this is not a request: {error}", hint=hint) from error


def _listen(path: Path, beside: Path) -> tuple[socket.socket, int]:
    """Listen at a path that is ours, and say by what to know it; a socket that is there already makes way."""
    if (path.is_symlink() or path.exists()) and not stat.S_ISSOCK(path.lstat().st_mode):
        raise Conflict(f"{path} is there already and is not a socket", hint="move it away")
    beside.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address(beside) as short:
            listener.bind(short)
        beside.chmod(0o600)  # before anybody can connect: that needs `listen`
        listener.listen(128)
        inode = beside.lstat().st_ino
        beside.rename(path)
    except BaseException:
        listener.close()
        raise
    return listener, inode


def _peer(connection: socket.socket) -> Peer:
    """Ask the kernel who is at the other end."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid)


def _encoded(error: DavyError) -> bytes:
    """Turn an error into the view that goes over the wire."""
    view = ErrorView(code=error.code, exit_code=error.exit_code, message=error.message, hint=error.hint)
    return msgspec.json.encode(view)
