"""The delivery metrics of a ledger while it grows, for whoever looks at them often.

The ledger is read in a thread of its own, so that neither the loop nor a scrape waits for it. When something
late changes the figures of a week that was final, that is put on record.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from davy.errors import DavyError
from davy.ledger.entry import Draft
from davy.ledger.log import Receipt
from davy.reports.gauges import Sample
from davy.reports.live import CHUNK, Live, Reader, Restatement
from davy.reports.projection import Projection, corrections
from davy.reports.samples import samples

LOOK_S = 2.0
"""Real seconds between two looks at whether the ledger has grown."""

SOURCE = "davy/metrics"
"""Who says that figures are restated."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class GrowingLog(Reader, Protocol):
    """A ledger that is read, and appended to."""

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Append events, each once."""
        ...


class Delivery:
    """Keeps the delivery metrics of a ledger, from `start` to `stop`.

    Args:
        log: the ledger.
        now: the time of the ledger.
    """

    def __init__(self, log: GrowingLog, now: Callable[[], float]) -> None:
        self._log, self._now = log, now
        self._live: Live | None = None
        self._projection = Projection()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="davy-delivery", daemon=True)
        self.samples: tuple[Sample, ...] = ()
        """The metrics as they were at the last look."""
        self.trouble = "the delivery metrics are not computed yet"
        """Why they are not those of the ledger as it is, or nothing."""

    def start(self) -> None:
        """Begin to follow the ledger."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following it."""
        self._over.set()
        self._thread.join()
        if self._live is not None:
            self._live.close()

    def look(self) -> None:
        """Take in what the ledger has grown by.

        Raises:
            DavyError: it cannot be read, or is another one than before.
        """
        live = self._live or self._begin()
        before = live.size
        restated = live.follow()
        if self._projection.stale:  # an entry says how earlier ones are to be read
            live = self._begin()
            live.follow()
        if live.size != before or not self.samples:
            self.samples = tuple(samples(live.headlines()))
        if restated:
            self._log.append([self._draft(each, live.size) for each in restated])

    def _begin(self) -> Live:
        """Begin with the first entry."""
        if self._live is not None:
            self._live.close()
        size = self._log.head().size
        bodies = (body for at in range(0, size, CHUNK) for body in self._log.bodies(at, min(size, at + CHUNK)))
        self._projection = Projection(corrections(bodies)) if self._projection.stale else Projection()
        self._live = Live(self._log, self._projection.read)
        return self._live

    def _draft(self, restatement: Restatement, size: int) -> Draft:
        """Return what is put on record; the same restatement is the same event."""
        week = (_EPOCH + timedelta(microseconds=restatement.week)).date().isoformat()
        subject = f"Service {restatement.service}"
        figures = {name: list(pair) for name, pair in restatement.changed.items()}
        detail = {"service": restatement.service, "window": week, "figures": figures, "size": size}
        id_ = f"{restatement.service}/{week}/{size}"
        return Draft(self._now(), "metrics_restated", subject, detail, source=SOURCE, id=id_)

    def _run(self) -> None:
        while True:
            try:
                self.look()
                self.trouble = ""
            except DavyError as error:
                self.trouble = f"the delivery metrics are not those of the ledger: {error.message}"
            if self._over.wait(LOOK_S):
                return
