"""Which flags a request met, and how it ended: what tells a bad variant from a bad day.

A request is whatever an application answers as a whole: a call over HTTP, a message, a job. It is followed by a
context variable, so tasks and what `asyncio.to_thread` runs belong to it; a thread pool of one's own does when
it is handed `contextvars.copy_context()`.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any

from davy.openfeature.counting import Series, ended

SERVER_ERROR = 500
"""From this status on a request failed by the server's fault."""


class Request:
    """One request: what it met, and whether it failed."""

    __slots__ = ("has_failed", "met")

    def __init__(self) -> None:
        self.met: set[Series] = set()
        self.has_failed = False

    def failed(self) -> None:
        """Say that this request failed, where no exception tells."""
        self.has_failed = True


_current: ContextVar[Request | None] = ContextVar("davy-request", default=None)

current_request = _current.get
"""Return the request that is being answered; None outside of one."""


@contextmanager
def request() -> Iterator[Request]:
    """Follow a request until the end of the block; an exception that leaves it is a failure.

    Within another one it is that one, so that a request is counted once. What only ends it early (a client that
    hung up, a cancelled task) is no failure.
    """
    around = _current.get()
    if around is not None:
        yield around
        return
    followed = Request()
    token = _current.set(followed)
    try:
        yield followed
    except Exception:
        followed.failed()
        raise
    finally:
        _current.reset(token)
        ended(followed.met, failed=followed.has_failed)


class AsgiRequests:
    """ASGI middleware: every HTTP request is followed; an exception or a status from 500 on is a failure.

    Args:
        app: the application around which it is put.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with request() as followed:

            async def watched(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start" and message["status"] >= SERVER_ERROR:
                    followed.failed()
                await send(message)

            await self._app(scope, receive, watched)


class WsgiRequests:
    """WSGI middleware: every request is followed until its answer was sent.

    An exception or a status from 500 on is a failure.

    Args:
        app: the application around which it is put.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> "_Answer":
        """Answer one request; the body is made while the server iterates, and belongs to the request."""
        followed = Request()

        def watched(status: str, *rest: Any) -> Any:
            if status[:3].isdigit() and int(status[:3]) >= SERVER_ERROR:
                followed.failed()
            return start_response(status, *rest)

        return _Answer(followed, self._app, environ, watched)


class _Answer:
    """The body of an answer: made, iterated and closed in the context of its request, which ends with it."""

    def __init__(self, followed: Request, app: Callable[..., Iterable[bytes]], *arguments: Any) -> None:
        self._followed = followed
        self._context = copy_context()
        self._context.run(_current.set, followed)
        self._ended = False
        self._body: Iterable[bytes] = self._watched(app, *arguments)
        self._chunks = self._watched(iter, self._body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._watched(next, self._chunks)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the request, once."""
        try:
            if (close := getattr(self._body, "close", None)) is not None:
                self._watched(close)
        finally:
            self._end()

    def _watched(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self._context.run(call, *arguments)
        except StopIteration:
            raise
        except BaseException as error:
            if isinstance(error, Exception):
                self._followed.failed()
            self._end()
            raise

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            ended(self._followed.met, failed=self._followed.has_failed)
