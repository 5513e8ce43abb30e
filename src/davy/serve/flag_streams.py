"""Streams of news about flags, as server-sent events (HTML standard, 9.2).

News that a slow reader has not taken yet becomes one event with the newest version, so that nothing piles up;
who takes nothing at all is hung up on by the server. A version may be told twice, and the last one always is.
The end of the server is the end of its streams.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from davy.flags.remote import Changed

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""A proxy that keeps an event until more have come keeps a kill from its users."""

HEARTBEAT = b": \n\n"
RETRY = b"retry: 1000\n\n"
"""Milliseconds after which whoever was cut off comes again."""

Written: TypeAlias = Callable[[Changed], bytes]
"""Writes news as an event; nothing where it does not concern whoever listens."""


@dataclass(slots=True, eq=False)
class Stream:
    """One stream that is open.

    Args:
        kind: what it is called in the metrics.
        token: the name of the token that opened it.
        instance: who listens, where that is an instance of ours.
        write: writes an event.
        allowed: says whether its holder may still listen.
    """

    kind: str
    token: str
    instance: str
    write: Written
    allowed: Callable[[], bool]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    news: Changed | None = None

    def tell(self, changed: Changed) -> None:
        """Have news told; what was not told yet becomes part of it."""
        flags = () if self.news is None else self.news.flags
        merged = tuple(sorted({*flags, *changed.flags}))
        self.news = Changed(changed.version, changed.digest, merged)
        self.woken.set()

    def end(self) -> None:
        """Have it end."""
        self.ended = True
        self.woken.set()

    def taken(self) -> bytes:
        """Return what there is to be sent, and begin to wait anew."""
        self.woken.clear()
        news, self.news = self.news, None
        return b"" if news is None else self.write(news)


@dataclass(slots=True)
class Streams:
    """All streams that are open; all of it belongs to the event loop but `changed` and `end`.

    Args:
        limit: how many may be open.
        heartbeat_s: real seconds of silence.
        stream_s: real seconds that one lasts.
        left: is told which instance does not listen any more.
    """

    limit: int
    heartbeat_s: float
    stream_s: float
    left: Callable[[str], None]
    opened: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    _open: set[Stream] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _ending: bool = False

    def full(self, kind: str, token: str) -> bool:
        """Say whether there is room for no more of a kind, for a token.

        A quarter is kept for instances, which a kill has to reach, and no token whose holders evaluate here
        takes more than half of all: that one is in the hands of users.
        """
        if self._ending or len(self._open) >= self.limit:
            return True
        if kind == "instance":
            return False
        held = sum((stream.kind, stream.token) == (kind, token) for stream in self._open)
        return len(self._open) >= self.limit - self.limit // 4 or held >= max(1, self.limit // 2)

    def count(self, kind: str) -> int:
        """Return how many of a kind are open."""
        return sum(stream.kind == kind for stream in self._open)

    def changed(self, changed: Changed) -> None:
        """Tell everybody; called from any thread."""
        self._soon(lambda stream: stream.tell(changed))

    def end(self) -> None:
        """End them all; called from any thread."""
        self._ending = True
        self._soon(Stream.end)

    def enter(self, stream: Stream) -> None:
        """Let a stream be told from now on."""
        self._loop = asyncio.get_running_loop()
        self._open.add(stream)
        self.opened[stream.kind] += 1

    def leave(self, stream: Stream) -> None:
        """Tell a stream no more."""
        self._open.discard(stream)
        if stream.instance and not self.listens(stream.instance):
            self.left(stream.instance)

    def listens(self, instance: str) -> bool:
        """Say whether an instance listens."""
        return any(stream.instance == instance for stream in self._open)

    def _soon(self, work: Callable[[Stream], None]) -> None:
        def each() -> None:
            for stream in tuple(self._open):
                work(stream)

        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it may be closed at any moment, and all streams with it
                loop.call_soon_threadsafe(each)


class EventStream(Response):
    """The answer that is a stream.

    Args:
        streams: where it is entered.
        stream: the stream.
        begin: is called once it is told of what changes, to tell it how things stand.
        head: whether only the head was asked for.
        headers: more of them.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: Streams,
        stream: Stream,
        begin: Callable[[Stream], None] = lambda _: None,
        *,
        head: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, 200, {**HEADERS, **(headers or {})}, self.media_type)
        del self.headers["content-length"]
        self._streams, self._stream, self._begin, self._head = streams, stream, begin, head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until somebody ends it."""
        stream = self._stream
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._head:
            return await send({"type": "http.response.body", "body": b"", "more_body": False})
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: stream.end())
        timer = asyncio.get_running_loop().call_later(self._streams.stream_s, stream.end)
        self._streams.enter(stream)
        self._begin(stream)
        try:
            await self._send_events(stream, send)
        finally:
            timer.cancel()
            gone.cancel()
            self._streams.leave(stream)

    async def _send_events(self, stream: Stream, send: Send) -> None:
        text = RETRY + stream.taken()
        while True:
            await send({"type": "http.response.body", "body": text, "more_body": True})
            try:
                await asyncio.wait_for(stream.woken.wait(), self._streams.heartbeat_s)
            except TimeoutError:
                text = HEARTBEAT
            else:
                text = stream.taken()
                self._streams.events[stream.kind] += bool(text)
            if stream.ended or not stream.allowed():
                return await send({"type": "http.response.body", "body": text, "more_body": False})


async def _gone(receive: Receive) -> None:
    """Return once the other side is not there any more."""
    while (await receive())["type"] != "http.disconnect":
        pass
