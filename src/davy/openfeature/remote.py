"""Definitions from a server of flags: asked for once, then whenever its stream says that there are others.

One daemon thread does it all. While the stream stands, nothing is asked without need; while it does not, the
document is polled, at growing distances with chance in them, so that a server that comes back is not met by
everybody at once. Each version that was taken up is acknowledged: that is how the server knows that a kill has
arrived.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec

from davy.errors import DavyError
from davy.flags.remote import Acknowledgement, Changed, Instance
from davy.openfeature.http import OPENED, Event, Refusal, Server, Unreachable
from davy.openfeature.source import Document, Listener

DOCUMENT = "/flags/v1/document"
STREAM = "/flags/v1/stream"
ACKNOWLEDGEMENTS = "/flags/v1/acknowledgements"
EXPOSURES = "/flags/v1/exposures"
VERSION = "davy-flags-version"
"""The header with the version of a document."""


class Pace(msgspec.Struct, frozen=True):
    """How patient a source is, in seconds.

    Args:
        silence_s: a stream that says nothing for so long, no heartbeat either, is broken.
        poll_s: how often the document is asked for where there is no stream.
        first_s: how long to wait after the first failure; twice as long after each further one,
        longest_s: and never longer than this. Of each wait between half and all is waited.
    """

    silence_s: float = 35.0
    poll_s: float = 5.0
    first_s: float = 0.25
    longest_s: float = 15.0

    def after(self, failures: int, chance: float) -> float:
        """Return how long to wait after so many failures in a row; `chance` is from 0 to 1."""
        whole = min(self.longest_s, self.first_s * 2 ** min(failures - 1, 16)) if failures else self.poll_s
        return whole * (0.5 + 0.5 * chance)


class RemoteSource:
    """The definitions for instances of one artifact, as a server has them.

    Args:
        server: makes what is asked; called at each start, since what was hung up stays so.
        instance: who asks.
        pace: how patiently.
        chance: numbers from 0 to 1, so that waits differ between instances.
    """

    def __init__(
        self,
        server: Callable[[], Server],
        instance: Instance,
        pace: Pace,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._make = server
        self._instance = instance
        self._pace = pace
        self._chance = chance
        self._going: _Going | None = None

    def start(self, listener: Listener) -> None:
        """Begin to ask, in a daemon thread."""
        going = _Going(self._make(), self._instance, self._pace, self._chance, listener)
        self._going = going
        going.thread = threading.Thread(target=going.run, name="davy-flags-remote", daemon=True)
        going.thread.start()

    def stop(self) -> None:
        """Hang up."""
        going, self._going = self._going, None
        if going is not None:
            going.stop()


class _Going:
    """One run of a source, from its start to its stop."""

    def __init__(
        self,
        server: Server,
        instance: Instance,
        pace: Pace,
        chance: Callable[[], float],
        listener: Listener,
    ) -> None:
        self._server = server
        self._instance = instance
        self._query = {name: value for name, value in _query(instance) if value}
        self._pace = pace
        self._chance = chance
        self._listener = listener
        self._stopped = threading.Event()
        self._failures = 0
        self._etag = ""
        self._version = 0
        self._acknowledged: tuple[int, str] | None = None
        self._refused = False
        self.thread: threading.Thread | None = None

    def stop(self) -> None:
        self._stopped.set()
        self._server.hang_up()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join(2.0)

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._fetch()
                self._failures = 0
                self._follow()
            except DavyError as error:
                self._told(error)
            self._wait()

    def _told(self, error: DavyError) -> None:
        if self._stopped.is_set():
            return
        final = isinstance(error, Refusal) and error.final
        self._failures += 1
        self._listener.trouble(f"{error.message}{f' ({error.hint})' if error.hint else ''}", final=final)

    def _wait(self) -> None:
        """Wait before the next question, and let time be noticed meanwhile."""
        until = time.monotonic() + self._pace.after(self._failures, self._chance())
        while not self._stopped.is_set() and (left := until - time.monotonic()) > 0:
            self._stopped.wait(min(left, 1.0))
            self._listener.passing()

    def _fetch(self) -> None:
        """Ask for the document, and acknowledge it once it is in force."""
        headers = {"If-None-Match": f'"{self._etag}"'} if self._etag else {}
        answer = self._server.ask("GET", DOCUMENT, query=self._query, headers=headers)
        if answer.status == HTTPStatus.NOT_MODIFIED and self._etag:
            self._version = _version(answer.headers, self._version)
            self._refused = False
            self._listener.confirmed()
        elif answer.status == HTTPStatus.OK:
            etag = answer.headers.get("etag", "").removeprefix("W/").strip('"')
            version = _version(answer.headers, 0)
            self._refused = not self._listener.document(Document(answer.body, version, etag))
            if self._refused:
                return
            self._etag, self._version = etag, version
        else:
            raise Refusal(f"{self._server.place}{DOCUMENT}", answer.status)
        self._acknowledge()

    def _follow(self) -> None:
        """Listen to the stream for as long as it stands; without one, return so that it is polled.

        When it has been opened the document is asked for once more, for what changed in between.
        """
        headers = {"Last-Event-ID": str(self._version)} if self._version else {}
        events = self._server.listen(STREAM, query=self._query, headers=headers, silence_s=self._pace.silence_s)
        try:
            for event in events:
                self._hear(event)
        except Refusal as error:
            if error.final:
                raise
        except Unreachable:
            self._failures = max(self._failures, 1)

    def _hear(self, event: Event) -> None:
        if event.name == OPENED:
            self._failures = 1  # a stream that stood and has ended is opened again soon
            self._fetch()
        elif event.data and self._is_news(event.data):
            self._fetch()
        elif self._refused:
            self._listener.passing()  # there is a document that holds, and it is not the one that is in force
        else:
            self._listener.confirmed()
            self._acknowledge()

    def _is_news(self, data: str) -> bool:
        """Say whether an event tells of a version that is not in force; what can't be read does."""
        try:
            return msgspec.json.decode(data, type=Changed).version != self._version
        except msgspec.DecodeError:
            return True

    def _acknowledge(self) -> None:
        """Tell which version is in force, unless that was told; what fails is tried at the next occasion."""
        current = self._version, self._etag
        if current == self._acknowledged or not self._etag:
            return
        told = Acknowledgement(self._instance, *current)
        try:
            answer = self._server.ask("POST", ACKNOWLEDGEMENTS, body=msgspec.json.encode(told))
        except Unreachable:
            return
        if answer.status < HTTPStatus.BAD_REQUEST:
            self._acknowledged = current


def _query(instance: Instance) -> list[tuple[str, str]]:
    return [("instance", instance.id), ("service", instance.service), ("artifact", instance.artifact)]


def _version(headers: Mapping[str, str], known: int) -> int:
    told = headers.get(VERSION, "")
    return int(told) if told.isdecimal() else known
