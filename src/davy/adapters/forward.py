"""Entries sent on to what stores events already, each at least once and in their order.

How far it has come is kept in a small file, which is written after the other side has said yes. Names of events
stay the same when they are sent again, so whoever stores them can tell.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import msgspec

from davy import __version__
from davy.adapters import files, http
from davy.errors import Undecided, UsageError
from davy.ledger.cdevents import cd_event
from davy.ledger.cloudevent import cloud_event
from davy.ledger.entry import Entry, decode
from davy.ledger.otlp import export_request
from davy.reports.datadog_dora import DatadogDora, Json
from davy.reports.event import ChangeEvent

Form = Literal["otlp", "cloudevents", "cdevents", "datadog"]

TIMEOUT_S = 10.0
BATCH = 500
"""Entries of one request."""


class NotForwarded(Undecided):
    """The other side did not take entries; they are sent again."""

    code = "not-forwarded"


class Message(NamedTuple):
    """One request: the path below the address (empty is the address itself), the media type and the body."""

    path: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Where entries go: an address, and headers that sign in there, which nobody is shown."""

    form: Form
    url: str
    headers: Mapping[str, str]


Project = Callable[[bytes, int], Sequence[ChangeEvent]]
"""Reads the bytes of an entry in its place as change events; it is shown all entries, in their order."""


class Forwarder:
    """Sends what a ledger has, batch by batch.

    Args:
        bodies: the bytes of the entries at the indices from a start up to an end, as far as there are any.
        origin: the name of the ledger.
        target: where they go.
        cursor: the file with how many were sent.
        project: reads entries as change events, for what takes only those.
        after: begin after so many entries, instead of where it had come to.
    """

    def __init__(
        self,
        bodies: Callable[[int, int], list[bytes]],
        origin: str,
        target: Target,
        cursor: Path,
        project: Project,
        after: int | None = None,
    ) -> None:
        self._bodies, self._origin, self._target = bodies, origin, target
        self._cursor, self._project = cursor, project
        self._datadog, self._projected = DatadogDora(), 0
        self._untaken: list[tuple[str, Json]] = []
        self.sent = read_cursor(cursor) if after is None else after
        """How many entries the other side has."""

    def step(self) -> int:
        """Send the next entries, at most `BATCH`, and return how many there were.

        Raises:
            NotForwarded: the other side did not take them.
        """
        bodies = self._bodies(self.sent, self.sent + BATCH)
        entries = [decode(body, self.sent + 1 + offset) for offset, body in enumerate(bodies)]
        if entries:
            for message in self._messages(entries, bodies):
                self._send(message)
            self.sent += len(entries)
            files.replace(self._cursor, msgspec.json.encode({"sent": self.sent}))
        return len(entries)

    def _messages(self, entries: Sequence[Entry], bodies: Sequence[bytes]) -> Iterator[Message]:
        encode = msgspec.json.encode
        match self._target.form:
            case "otlp":
                body = encode(export_request(entries, self._origin, __version__))
                yield Message("/v1/logs", "application/json", body)
            case "cloudevents":
                events = [cloud_event(entry, self._origin) for entry in entries]
                yield Message("", "application/cloudevents-batch+json", encode(events))
            case "cdevents":
                events = [cd_event(entry, self._origin) for entry in entries]
                yield Message("", "application/cloudevents-batch+json", encode(events))
            case "datadog":
                for path, request in self._requests(bodies):
                    yield Message(path, "application/json", encode(request))

    def _requests(self, bodies: Sequence[bytes]) -> list[tuple[str, Json]]:
        """Return what Datadog is told of entries; what came before them says when something began."""
        while self._projected < self.sent:
            self._told(self._bodies(self._projected, min(self.sent, self._projected + BATCH)))
        if self._projected == self.sent:
            self._untaken = []
        self._untaken += self._told(bodies[self._projected - self.sent :])
        return self._untaken

    def _told(self, bodies: Sequence[bytes]) -> list[tuple[str, Json]]:
        events: list[ChangeEvent] = []
        for body in bodies:
            self._projected += 1
            events += self._project(body, self._projected)
        return list(self._datadog.requests(events))

    def _send(self, message: Message) -> None:
        url = address(self._target.url, message.path)
        headers = {**self._target.headers, "Content-Type": message.media_type}
        try:
            answer = http.request("POST", url, headers=headers, body=message.body, timeout_s=TIMEOUT_S)
        except http.Unreachable as error:
            raise NotForwarded(error.message, hint="entries stay in the ledger and are sent later") from error
        if not 200 <= answer.status < 300:
            place = http.redacted(url)
            hint = "are the credentials right?" if answer.status in (401, 403) else "what does its log say?"
            raise NotForwarded(f"{place} answered with {answer.status}", hint=hint)


def address(url: str, path: str) -> str:
    """Put a path behind an address that has none of its own."""
    parts = urlsplit(url)
    own = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=own if own.endswith(path) else own + path))


def read_cursor(path: Path) -> int:
    """Read how many entries were sent; nothing was where there is no file.

    Raises:
        UsageError: the file is not what was written.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])["sent"]
    except FileNotFoundError:
        return 0
    except (OSError, msgspec.MsgspecError, KeyError) as error:
        hint = "take it away to send everything again, or say --after N"
        raise UsageError(f"{path} does not say how far entries were sent", hint=hint) from error
