"""All that is answered over HTTP: one app, made of groups of routes that know nothing of each other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from starlette.applications import Starlette
from starlette.requests import Request as Call
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


class Group(Protocol):
    """Some routes of the app, and what belongs to them."""

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, paths from the root."""
        ...

    def doubt(self) -> str:
        """Say why requests cannot be answered as they should be, or nothing."""
        ...

    def metrics(self) -> str:
        """Write what it counts as Prometheus reads it, whole lines; no other group has the same names."""
        ...

    def close(self) -> None:
        """Let go of what answering needs; nothing is under way any more."""
        ...


@runtime_checkable
class Lasting(Protocol):
    """A group that has answers which last until somebody ends them, such as streams."""

    def end(self) -> None:
        """End them; called from any thread, perhaps more than once."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers may take of the server: real seconds for a head, connections, real seconds at its end."""

    head_s: float = 5.0
    connections: int = 512
    grace_s: float = 10.0


@dataclass(slots=True)
class Http:
    """The app over its groups, with `/healthz`, `/readyz` and `/metrics` over all of them."""

    groups: Sequence[Group]
    limits: Limits = field(default_factory=Limits)
    ending: bool = False

    def app(self) -> Starlette:
        """Return the ASGI app."""
        own = [Route("/healthz", self.alive), Route("/readyz", self.ready), Route("/metrics", self.metrics)]
        return Starlette(routes=[*(route for group in self.groups for route in group.routes()), *own])

    def end(self) -> None:
        """Be ready no more, and end what lasts."""
        self.ending = True
        for group in self.groups:
            if isinstance(group, Lasting):
                group.end()

    def close(self) -> None:
        """Let go of everything."""
        for group in self.groups:
            group.close()

    async def alive(self, call: Call) -> Response:
        """Say that the process answers."""
        return PlainTextResponse("ok\n")

    async def ready(self, call: Call) -> Response:
        """Say whether requests are answered as they should be, and why not."""
        told = ["the server is ending"] if self.ending else []
        told += [doubt for group in self.groups if (doubt := group.doubt())]
        return PlainTextResponse("\n".join(told or ["ok"]) + "\n", 503 if told else 200)

    async def metrics(self, call: Call) -> Response:
        """Write all that is counted, for a Prometheus."""
        text = "".join(group.metrics() for group in self.groups)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
