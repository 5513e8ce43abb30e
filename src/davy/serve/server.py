"""Run an ASGI app in a thread of its own, over TLS or without, and hold callers to their time."""

import asyncio
import socket
import ssl
import threading
from types import TracebackType
from typing import Any, Protocol, Self

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from davy.errors import UsageError

_IDLE_S = 75
"""How long a connection may wait for its next request; API servers keep theirs, and reuse them."""

HANDSHAKE_S = 5.0
"""Real seconds for a TLS handshake."""

STALL_S = 15.0
"""Real seconds for which a peer may take nothing of what it is sent, once buffers are full."""


class Limits(Protocol):
    """What a server holds its callers to."""

    @property
    def head_s(self) -> float:
        """Real seconds for the head of a request."""
        ...

    @property
    def connections(self) -> int:
        """How many may be open."""
        ...

    @property
    def grace_s(self) -> float:
        """Real seconds for what is under way when the server ends."""
        ...


class Served(Protocol):
    """What answers."""

    @property
    def limits(self) -> Limits:
        """What callers may take of the server."""
        ...

    def app(self) -> Starlette:
        """Return the ASGI app."""
        ...

    def end(self) -> None:
        """Take in that no more is answered soon; called from any thread, perhaps more than once."""
        ...

    def close(self) -> None:
        """Let go of what answering needs; nothing is under way any more."""
        ...


class Server:
    """Serves `served` at `host:port` from `start` to `stop`; usable as a context manager. Port 0 is any.

    Without a `context` it speaks plain HTTP.
    """

    def __init__(
        self, served: Served, context: ssl.SSLContext | None, host: str, port: int, stall_s: float = STALL_S
    ) -> None:
        self._served, self._context, self._stall_s = served, context, stall_s
        self._at = (host, port)

    @property
    def port(self) -> int:
        """Where it listens."""
        number: int = self._listener.getsockname()[1]
        return number

    def start(self) -> None:
        """Listen; when this returns, callers are answered.

        Raises:
            UsageError: the address cannot be listened at.
        """
        host, port = self._at
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server(
                self._at, family=family, backlog=1024, dualstack_ipv6=family is socket.AF_INET6 and host == "::"
            )
        except OSError as error:
            hint = "choose another address with --listen"
            raise UsageError(f"cannot listen at {host}:{port}: {error.strerror or error}", hint=hint) from error
        # Accepted connections have it from here. asyncio sets it only where a socket names its protocol, and an
        # answer in two parts waits 40 ms for the acknowledgement of the first.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limits, context = self._served.limits, self._context
        config = uvicorn.Config(
            self._served.app(),
            loop="davy.serve.server:PatientLoop",
            http=_protocol(limits.head_s, self._stall_s),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=limits.connections,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=int(limits.grace_s),
            ssl_context_factory=None if context is None else lambda _config, _default: context,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), name="davy-http")
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, finish those under way, and end."""
        self._served.end()
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        self._served.close()

    @property
    def running(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop that gives the other side of a TLS handshake `HANDSHAKE_S`, and not a minute."""

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        """Make a server."""
        if options.get("ssl"):
            options |= {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": HANDSHAKE_S}
        return await super().create_server(*arguments, **options)


def _protocol(head_s: float, stall_s: float) -> type[asyncio.Protocol]:
    """Make a protocol that hangs up on whoever takes too long to send a head, or to read an answer."""

    class Impatient(H11Protocol):
        """HTTP/1.1, whose peers cannot hold a connection by a byte now and then."""

        _timer: asyncio.TimerHandle | None = None
        _stalled: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Begin to wait, and note whether the peer's certificate was verified."""
            secured = transport.get_extra_info("ssl_object")
            verified = bool(secured and secured.getpeercert())
            self.app_state: dict[str, Any] = {**self.app_state, "verified": verified}
            super().connection_made(transport)
            self._timer = self.loop.call_later(head_s, transport.abort)

        def data_received(self, data: bytes) -> None:
            """Read on; the time for a head is over once, not anew with every byte."""
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._forget()
            elif self._timer is None:
                self._timer = self.loop.call_later(head_s, self.transport.abort)

        def pause_writing(self) -> None:
            """Wait for a peer to read what it was sent, but not for ever: it holds what others could use."""
            super().pause_writing()
            self._wait_for_reader()

        def resume_writing(self) -> None:
            """Write on."""
            self._go_on()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            """Stop waiting."""
            self._forget()
            self._go_on()
            super().connection_lost(exc)

        def _wait_for_reader(self) -> None:
            left = self.transport.get_write_buffer_size()

            def look() -> None:
                if self.transport.get_write_buffer_size() < left:
                    self._wait_for_reader()
                else:
                    self.transport.abort()

            self._stalled = self.loop.call_later(stall_s, look)

        def _go_on(self) -> None:
            if self._stalled is not None:
                self._stalled.cancel()
                self._stalled = None

        def _forget(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Impatient
