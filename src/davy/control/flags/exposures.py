"""How often which variant was answered, summed over instances: rows by flag, variant, version and service."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from davy.flags.remote import Exposure, ExposureReport

BUCKET = "exposure"
MOST = 20_000
"""How many rows are kept; what would make more is counted together as dropped."""

EVERY_S, LONGEST_S = 10.0, 3600.0
"""What was counted lately is kept apart: in stretches of so many seconds, for an hour."""

KEEP_S = 60.0
"""Seconds between two times that the rows are stored."""


class Row(msgspec.Struct, frozen=True, order=True):
    """What a sum is of."""

    flag: str
    variant: str
    version: int
    service: str


class Sum(msgspec.Struct, frozen=True):
    """Evaluations, requests that ended after them, and those that failed."""

    count: int = 0
    requests: int = 0
    failed: int = 0


class Kept(msgspec.Struct, frozen=True):
    """A row as it is stored."""

    row: Row
    sum: Sum


class Exposures:
    """Sums what instances count; usable from any thread.

    `rejected` counts reports that are none of ours: of instances that are not connected, and of a time that was
    told already by their own clock. `dropped` counts evaluations of no row.
    """

    def __init__(self, now: Callable[[], float], kept: Mapping[str, bytes]) -> None:
        self._now, self._guard = now, threading.Lock()
        found = (msgspec.json.decode(body, type=Kept) for body in kept.values())
        self._sums = {each.row: each.sum for each in found}
        self._until: dict[str, float] = {}
        self._fresh: set[Row] = set()
        self._stored_at = now()
        self.rejected = 0
        self.dropped = 0
        self.counted_at = now()
        self.told: Callable[[], None] = lambda: None
        self._recent: deque[tuple[float, dict[Row, Sum]]] = deque()

    def count(self, report: ExposureReport, *, known: bool, latest: int) -> bool:
        """Add a report, and say whether it was taken.

        Args:
            report: what an instance counted.
            known: whether that instance is connected.
            latest: the version of the document by now.
        """
        id_ = report.instance.id
        with self._guard:
            since = self._until.get(id_, float("-inf"))
            ours = known and since <= report.since <= report.until
            if not ours or any(min(each.count, each.requests, each.failed) < 0 for each in report.exposures):
                self.rejected += 1
                return False
            self._until[id_] = report.until
            self.dropped += max(0, report.dropped)
            for each in report.exposures:
                row = Row(each.flag, each.variant, each.version, report.instance.service)
                full = row not in self._sums and len(self._sums) >= MOST
                if full or not 0 <= each.version <= latest:
                    self.dropped += each.count
                    continue
                told = Sum(each.count, each.requests, each.failed)
                self._sums[row] = _plus(self._sums.get(row, Sum()), told)
                self._fresh.add(row)
                self._remember(row, each)
            self.counted_at = self._now()
        self.told()
        return True

    def lately(self, since: float) -> list[tuple[float, Row, Sum]]:
        """Return what was counted since an instant, an hour at most, by the stretch of time of each."""
        with self._guard:
            return [
                (began, row, each)
                for began, sums in self._recent
                if began + EVERY_S > since
                for row, each in sums.items()
            ]

    def of(self, flag: str) -> dict[Row, Sum]:
        """Return the rows of one flag."""
        with self._guard:
            return {row: each for row, each in self._sums.items() if row.flag == flag}

    def beside(self, flags: Collection[str]) -> dict[tuple[str, str], bytes | None]:
        """Return the rows of some flags that are not stored as they are: what was judged by them."""
        with self._guard:
            return self._stored(row for row in self._fresh if row.flag in flags)

    def _remember(self, row: Row, each: Exposure) -> None:
        now = self._now()
        if not self._recent or now >= self._recent[-1][0] + EVERY_S:
            self._recent.append((now, {}))
            while self._recent[0][0] < now - LONGEST_S:
                self._recent.popleft()
        sums = self._recent[-1][1]
        sums[row] = _plus(sums.get(row, Sum()), Sum(each.count, each.requests, each.failed))

    def _stored(self, rows: Iterable[Row]) -> dict[tuple[str, str], bytes | None]:
        return {
            (BUCKET, f"{row.flag}/{row.variant}/{row.version}/{row.service}"): msgspec.json.encode(
                Kept(row, self._sums[row])
            )
            for row in rows
        }

    def left(self, instance: str) -> None:
        """Forget until when an instance has told."""
        with self._guard:
            self._until.pop(instance, None)

    @property
    def sums(self) -> dict[Row, Sum]:
        """All rows."""
        with self._guard:
            return dict(self._sums)

    def due(self) -> dict[tuple[str, str], bytes | None]:
        """Return what is to be stored by now."""
        with self._guard:
            now = self._now()
            if not self._fresh or now < self._stored_at + KEEP_S:
                return {}
            return self._stored(self._fresh)

    def stored(self) -> None:
        """Take what was due as stored."""
        with self._guard:
            self._fresh, self._stored_at = set(), self._now()


def _plus(one: Sum, other: Sum) -> Sum:
    return Sum(one.count + other.count, one.requests + other.requests, one.failed + other.failed)
