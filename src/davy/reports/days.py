"""What counts for each day of a service, counted again only where something in it changed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from davy.reports.cells import WEEK, Cell
from davy.reports.event import Change
from davy.reports.rules import Attempt, AttemptKey, Incident, Origin, Rollout
from davy.reports.weekly import (
    DAY,
    Bucket,
    Found,
    Window,
    count_attempts,
    count_changes,
    count_incidents,
    count_leads,
    count_rollouts,
)

T = TypeVar("T")
Said = Callable[[Change], tuple[Origin, Mapping[AttemptKey, int]]]
"""Answers what is known of a change: where it comes from, and when its attempts were mended."""


class Days:
    """The days of one service."""

    def __init__(self) -> None:
        self.stale: set[int] = set()
        self._buckets: dict[int, Bucket] = {}
        self._attempts: dict[Change, list[Attempt]] = {}
        self._changes: dict[int, set[Change]] = defaultdict(set)
        self._rollouts: dict[int, set[Rollout]] = defaultdict(set)
        self._incidents: dict[int, set[Incident]] = defaultdict(set)
        self._open: set[Incident] = set()
        self._blamed: dict[Change, set[Incident]] = defaultdict(set)
        self._newest: int | None = None

    def tried(self, change: Change, attempts: Iterable[Attempt]) -> None:
        """Put the attempts of a change in the place of those that it had."""
        self._index(self._changes, self._days_of(change), change, out=True)
        self._attempts[change] = list(attempts)
        self._index(self._changes, self._days_of(change), change)
        self.stale |= {
            _day(one.opened if one.restored is None else one.restored) for one in self._blamed[change]
        }

    def touch(self, change: Change) -> None:
        """Notice that something else is known of a change."""
        self.stale |= self._days_of(change)

    def rolled(self, old: Rollout | None, new: Rollout | None) -> None:
        """Put a rollout in the place of what it was."""
        for one in (old, new):
            if one is not None:
                days = {_day(at) for at in (one.exposed, one.promoted) if at is not None}
                self._index(self._rollouts, days, one, out=one is old)

    def suffered(self, old: Iterable[Incident], new: Iterable[Incident]) -> None:
        """Put incidents in the place of others."""
        for one in old:
            self._index(self._incidents, self._lasting(one), one, out=True)
            self._open.discard(one)
            for key in one.responsible:
                self._blamed[key.change].discard(one)
                self.touch(key.change)
        for one in new:
            self._index(self._incidents, self._lasting(one), one)
            if one.restored is None:
                self._open.add(one)
            for key in one.responsible:
                self._blamed[key.change].add(one)
                self.touch(key.change)

    def seen(self, newest: int) -> None:
        """Notice until when open incidents last."""
        if newest == self._newest:
            return
        open_ = list(self._open)
        self.suffered(open_, ())
        self._newest = newest
        self.suffered((), open_)

    def count(self, said: Said) -> None:
        """Count the days again in which something changed."""
        for day in self.stale:
            bucket = self._count(day, said)
            if bucket is None:
                self._buckets.pop(day, None)
            else:
                self._buckets[day] = bucket
        self.stale.clear()

    def cell(self, service: str, week: int) -> Cell:
        """Return what was counted for a week."""
        sum_ = Bucket()
        for bucket in self.between(week, week + WEEK):
            sum_.add(bucket)
        return sum_.cell(service, week)

    def between(self, since: int, until: int) -> Iterator[Bucket]:
        """Return what counts for the days of a window."""
        if (until - since) // DAY > len(self._buckets):
            return (bucket for day, bucket in self._buckets.items() if since <= day < until)
        found = (self._buckets.get(day) for day in range(since, until, DAY))
        return (bucket for bucket in found if bucket is not None)

    @property
    def known(self) -> Iterable[int]:
        """The days in which there is anything."""
        return self._buckets.keys()

    def _count(self, day: int, said: Said) -> Bucket | None:
        """Count a day, None where there is nothing in it."""
        time = Window(day, day + DAY)
        into: Found = defaultdict(Bucket)
        changes = self._changes.get(day, ())
        attempts = [one for change in changes for one in self._attempts[change]]
        known = {change: said(change) for change in changes}
        origins = {change: origin for change, (origin, _) in known.items()}
        remediated = {key: at for _, marks in known.values() for key, at in marks.items()}
        guilty = {key for change in changes for one in self._blamed.get(change, ()) for key in one.responsible}
        count_attempts(time, into, attempts, remediated, guilty)
        count_leads(time, into, attempts, remediated, origins)
        count_changes(time, into, attempts, remediated)
        count_rollouts(time, into, self._rollouts.get(day, ()))
        incidents = list(self._incidents.get(day, ()))
        blamed = {key.change for one in incidents for key in one.responsible}
        tried = {one.key: one for change in blamed for one in self._attempts[change]}
        count_incidents(time, into, incidents, tried, self._newest or 0)
        return into.get(day)

    def _days_of(self, change: Change) -> set[int]:
        instants = (one.aborted if one.unexposed else one.exposed for one in self._attempts.get(change, ()))
        return {_day(at) for at in instants if at is not None}

    def _lasting(self, one: Incident) -> range:
        end = max(one.opened, self._newest or 0) if one.restored is None else one.restored
        return range(_day(one.opened), end + 1, DAY)

    def _index(self, index: dict[int, set[T]], days: Iterable[int], one: T, *, out: bool = False) -> None:
        for day in days:
            if out:
                index[day].discard(one)
            else:
                index[day].add(one)
            self.stale.add(day)


def _day(instant: int) -> int:
    return instant // DAY * DAY
