"""Flags over HTTP, put together: a group of routes of `davy.serve.http`."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from starlette.routing import BaseRoute

from davy.flags.serving import Flags
from davy.flags.token import Tokens
from davy.serve.flag_counts import Counts
from davy.serve.flag_documents import Documents
from davy.serve.flag_door import Door, Limits
from davy.serve.flag_instances import Instances
from davy.serve.flag_streams import Streams
from davy.serve.ofrep import Ofrep


class KnownTokens(Protocol):
    """The tokens that are known, as they are now."""

    @property
    def tokens(self) -> Tokens:
        """Those of now."""
        ...

    @property
    def doubt(self) -> str:
        """Why they may not be, or nothing."""
        ...


class FlagsGroup:
    """Serves flags: OFREP for every SDK, documents and news for instances of ours."""

    def __init__(self, flags: Flags, tokens: KnownTokens, door: Door) -> None:
        self._flags, self._tokens, self._door = flags, tokens, door
        limits = door.limits
        self._workers = ThreadPoolExecutor(limits.evaluating, thread_name_prefix="davy-flags")
        self._streams = Streams(limits.streams, limits.heartbeat_s, limits.stream_s, self._left)
        self._counts = Counts(flags.count, door.wall)
        self._instances = Instances(door, flags, self._streams)
        self._ofrep = Ofrep(door, Documents(flags, self._workers), self._streams, self._counts)
        self._unsubscribe = flags.subscribe(self._streams.changed)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of both protocols."""
        return [*self._ofrep.routes(), *self._instances.routes()]

    def doubt(self) -> str:
        """Say why who asks may not be known as they should be, or nothing."""
        return self._tokens.doubt

    def metrics(self) -> str:
        """Write what was counted."""
        streams = self._streams
        lines = [
            "# HELP davy_flags_version The version of the document that is served.",
            "# TYPE davy_flags_version gauge",
            f"davy_flags_version {self._flags.document().version}",
            *self._counts.lines(),
            *self._instances.lines(),
            "# HELP davy_flags_streams_open Streams that are open.",
            "# TYPE davy_flags_streams_open gauge",
            *(f'davy_flags_streams_open{{kind="{kind}"}} {streams.count(kind)}' for kind in _KINDS),
            "# HELP davy_flags_streams_total Streams that were opened.",
            "# TYPE davy_flags_streams_total counter",
            *(f'davy_flags_streams_total{{kind="{kind}"}} {streams.opened[kind]}' for kind in _KINDS),
            "# HELP davy_flags_stream_events_total Events that were sent.",
            "# TYPE davy_flags_stream_events_total counter",
            *(f'davy_flags_stream_events_total{{kind="{kind}"}} {streams.events[kind]}' for kind in _KINDS),
            "# HELP davy_flags_requests_total Requests that were answered, by status of HTTP.",
            "# TYPE davy_flags_requests_total counter",
            *(
                f'davy_flags_requests_total{{endpoint="{name}",status="{status}"}} {count}'
                for (name, status), count in sorted(self._door.answers.items())
            ),
        ]
        return "\n".join(lines) + "\n"

    def end(self) -> None:
        """End the streams: who listens is to listen elsewhere."""
        self._streams.end()

    def close(self) -> None:
        """Tell what was counted, and let go of the workers."""
        self._unsubscribe()
        self._counts.flush()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _left(self, instance: str) -> None:
        self._instances.left(instance)


_KINDS = ("instance", "ofrep")


def flags_group(
    flags: Flags,
    tokens: KnownTokens,
    *,
    wall: Callable[[], float],
    report: Callable[[str, str], None],
    ticks: Callable[[], float] = time.monotonic,
    limits: Limits | None = None,
) -> FlagsGroup:
    """Return the group of routes that serves the flags of an environment.

    Args:
        flags: what is served.
        tokens: who may ask for what.
        wall: seconds since the epoch.
        report: is told of a fault of ours: its id and the traceback.
        ticks: seconds of a clock that never goes back.
        limits: what callers may take.
    """
    door = Door(lambda: tokens.tokens, wall, ticks, report, limits or Limits())
    return FlagsGroup(flags, tokens, door)
