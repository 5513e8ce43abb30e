"""What leaves the process of all that was counted: reports to the server, and OpenTelemetry's metrics."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from http import HTTPStatus

import msgspec

from davy.flags.remote import Exposure, ExposureReport, Instance
from davy.openfeature.counting import Counted, Counting
from davy.openfeature.http import Server, Unreachable
from davy.openfeature.remote import EXPOSURES
from davy.openfeature.telemetry import Telemetry

MOST = 2000
"""Exposures in one report: half a megabyte with long names."""
WAITING = 12
"""How many reports wait for a server that can't be reached; the evaluations of older ones count as dropped."""


class Reporting:
    """Takes what was counted once in an interval, in a daemon thread, and once more at the end.

    Args:
        counting: what is taken from.
        instance: who counted.
        server: whom to report to; None where there is none.
        telemetry: OpenTelemetry's side.
        interval_s: how often.
        wall: the time in seconds since the epoch.
    """

    def __init__(
        self,
        counting: Counting,
        instance: Instance,
        server: Server | None,
        telemetry: Telemetry,
        interval_s: float,
        wall: Callable[[], float],
    ) -> None:
        self._counting = counting
        self._instance = instance
        self._server = server
        self._telemetry = telemetry
        self._interval_s = interval_s
        self._wall = wall
        self._since = wall()
        self._waiting: deque[ExposureReport] = deque()
        self._dropped = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="davy-flags-reports", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Report what is left, and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(2.0)
        self.flush()
        if self._server is not None:
            self._server.hang_up()

    def flush(self) -> None:
        """Report what was counted until now; what the server does not take waits for the next time."""
        with self._lock:
            counted, dropped = self._counting.take()
            self._telemetry.counted(counted, dropped)
            until = self._wall()
            if self._server is not None:
                for report in _reports(self._instance, self._since, until, counted, dropped + self._dropped):
                    self._enqueue(report)
                self._send(self._server)
            self._since = until

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            self.flush()

    def _enqueue(self, report: ExposureReport) -> None:
        self._dropped = 0
        self._waiting.append(report)
        while len(self._waiting) > WAITING:
            lost = self._waiting.popleft()
            self._dropped += lost.dropped + sum(each.count for each in lost.exposures)

    def _send(self, server: Server) -> None:
        while self._waiting:
            try:
                answer = server.ask("POST", EXPOSURES, body=msgspec.json.encode(self._waiting[0]))
            except Unreachable:
                return
            if (
                answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
                or answer.status == HTTPStatus.TOO_MANY_REQUESTS
            ):
                return
            sent = self._waiting.popleft()
            if answer.status >= HTTPStatus.BAD_REQUEST:
                self._dropped += sent.dropped + sum(each.count for each in sent.exposures)


def _reports(
    instance: Instance, since: float, until: float, counted: list[Counted], dropped: int
) -> Iterator[ExposureReport]:
    """Sum up over the codes of errors, which reports do not tell apart; none where there is nothing to say."""
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    for each in counted:
        found = sums.setdefault((each.flag, each.variant, each.reason, each.version), [0, 0, 0])
        for index, number in enumerate((each.evaluations, each.requests, each.failed)):
            found[index] += number
    exposures = [Exposure(*key, *numbers) for key, numbers in sums.items()]
    for start in range(0, max(len(exposures), bool(dropped)), MOST):
        yield ExposureReport(
            instance, since, until, tuple(exposures[start : start + MOST]), dropped if not start else 0
        )
