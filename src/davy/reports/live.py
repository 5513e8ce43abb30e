"""The delivery metrics of a ledger as they are now: what dashboards and `/metrics` ask for.

The ledger is read as far as it has grown since the last time. A cache on the disk spares reading all of it
after a restart; deleting it loses nothing.
"""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import msgspec

from davy.errors import IntegrityError
from davy.ledger.log import Head
from davy.ledger.tree import EMPTY, frontier
from davy.reports.cells import WEEK, Cell
from davy.reports.event import ChangeEvent
from davy.reports.incremental import Incremental
from davy.reports.rules import HOUR, Incident
from davy.reports.weekly import DAY

CHUNK = 10_000
"""How many entries are read at a time."""

WINDOWS = (7, 30, 90)
"""The windows of dashboards, in days up to the one of the newest event."""

SETTLED = 72 * HOUR
"""For how long after its end a window is provisional (R24)."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS batch (size INTEGER PRIMARY KEY, root BLOB NOT NULL, events BLOB NOT NULL);
"""

_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(list[ChangeEvent])


class NotAContinuation(IntegrityError):
    """The ledger does not begin with what was read of it before."""

    code = "ledger-not-continued"


class Reader(Protocol):
    """As much of `davy.ledger.log.Log` as is read."""

    def head(self) -> Head:
        """Return the tree as it is now."""
        ...

    def bodies(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of the entries from an index up to another, as far as there are any."""
        ...

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees."""
        ...


class Restatement(msgspec.Struct, frozen=True):
    """Figures of a week that was final changed, since something came late (R24).

    Args:
        service: whose figures.
        week: the Monday, 00:00Z, in microseconds.
        changed: the fields of `Cell` that changed, with what they were and are; spans by their six numbers.
    """

    service: str
    week: int
    changed: dict[str, tuple[object, object]]


class Headline(msgspec.Struct, frozen=True):
    """The figures of a service (empty: of all together) in a window of days.

    Args:
        service: its name.
        days: how long the window is; it ends with the day of the newest event.
        cell: the whole numbers behind the figures.
        opened: the incidents that are open now.
        newest: when the newest event happened, in microseconds.
    """

    service: str
    days: int
    cell: Cell
    opened: tuple[Incident, ...]
    newest: int

    @property
    def values(self) -> dict[str, float]:
        """The figures by name, in ratios, seconds and per day; absent where there is nothing of it (R25)."""
        cell = self.cell
        ratios = {
            "cfr_seed": (cell.failed, cell.attempts),
            "cfr_rollout": (cell.rollouts_failed, cell.rollouts),
            "cfr_change": (cell.changes_failed, cell.changes),
            "cfr_escaped": (cell.escaped, cell.attempts),
            "impact": (cell.impact, cell.attempts * 1_000_000),
            "impact_requests": (cell.bad, cell.asked),
            "rework_rate": (cell.rework, cell.rollouts),
            "rollback_failure_rate": (cell.rollbacks_failed, cell.rollbacks),
        }
        spans = (
            "lead_time",
            "lead_to_success",
            "lead_to_full",
            "dora_lead",
            "mttr",
            "fdrt",
            "fdrt_from_exposure",
        )
        found = {name: part / whole for name, (part, whole) in ratios.items() if whole}
        found |= {name: getattr(cell, name).p50 / 1e6 for name in spans if getattr(cell, name).n}
        found["deploy_freq"] = cell.promoted / self.days
        found["open_incidents"] = len(self.opened)
        return found


class Live:
    """The figures of a ledger that grows; for one thread at a time.

    Args:
        log: the ledger.
        read: returns the events that an entry says, by its bytes and its place (which counts from 1).
        cache: where to keep what was read, or None.
        environment: the one that counts, where it is not production.

    Raises:
        NotAContinuation: the cache is of another ledger, or of a longer one.
    """

    def __init__(
        self,
        log: Reader,
        read: Callable[[bytes, int], Iterable[ChangeEvent]],
        cache: Path | None = None,
        environment: str = "",
    ) -> None:
        self._log, self._read = log, read
        self.facts = Incremental(environment)
        self.size, self.root = 0, EMPTY
        self._db = sqlite3.connect(cache or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.executescript(SCHEMA)
        for size, root, events in self._db.execute("SELECT size, root, events FROM batch ORDER BY size"):
            self.facts.apply(_DECODER.decode(events))
            self.size, self.root = size, root
        self._require_continuation(log.head())

    def follow(self) -> list[Restatement]:
        """Read what was appended since the last time; return the final weeks whose figures that changed.

        What is read first, of a ledger without a cache, restates nothing: whoever read it then has said so.

        Raises:
            NotAContinuation: the ledger is another one than before; nothing was read.
        """
        head, first = self._log.head(), self.size == 0
        self._require_continuation(head)
        found: list[Restatement] = []
        while self.size < head.size:
            end = min(self.size + CHUNK, head.size)
            bodies = self._log.bodies(self.size, end)
            events = [
                event for place, body in enumerate(bodies, self.size + 1) for event in self._read(body, place)
            ]
            root = frontier(end, self._log.hashes).root
            self._db.execute("INSERT INTO batch VALUES (?, ?, ?)", (end, root, _ENCODER.encode(events)))
            found += take(self.facts, events)
            self.size, self.root = end, root
        return [] if first else found

    def headline(self, service: str = "", days: int = WINDOWS[0]) -> Headline:
        """Return the figures of a service, or of all together, in the days up to that of the newest event."""
        newest = self.facts.newest or 0
        until = (newest // DAY + 1) * DAY
        cell = self.facts.count(service, until - days * DAY, until)
        names = [service] if service else self.facts.services
        opened = (one for name in names for one in self.facts.open_incidents(name))
        return Headline(service, days, cell, tuple(opened), newest)

    def headlines(self) -> list[Headline]:
        """Return the figures of each service and of all together, in each window."""
        return [self.headline(name, days) for name in ("", *self.facts.services) for days in WINDOWS]

    def close(self) -> None:
        """Let go of the cache."""
        self._db.close()

    def _require_continuation(self, head: Head) -> None:
        if head.size >= self.size and frontier(self.size, self._log.hashes).root == self.root:
            return
        raise NotAContinuation(
            f"the ledger has {head.size} entries and does not begin with the {self.size} that were read before",
            hint="davy ledger verify says what changed; where another ledger is meant, delete the cache",
        )


def take(facts: Incremental, events: Iterable[ChangeEvent]) -> list[Restatement]:
    """Apply events, and return the weeks that were final before and have other figures now."""
    newest = facts.newest
    return restated(facts.changed(events, 0 if newest is None else newest - SETTLED - WEEK))


def restated(cells: Iterable[tuple[Cell, Cell]]) -> list[Restatement]:
    """Say what is another number, of cells as they were and are."""
    found = []
    for old, new in sorted(cells):
        changed = {name: (a, b) for name, a, b in zip(Cell._fields, old, new, strict=True) if a != b}
        if changed:
            found.append(Restatement(new.service, new.week, changed))
    return found
