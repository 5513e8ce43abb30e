"""From looks at both versions to scrapes of a judge: counters that only grow, and windows that can be trusted.

Pods come and go, and their counters with them. Where each series is one process's counter, one that fell began
anew and one that is new counts from nothing. Where only sums are known, one that fell makes a gap: what
happened then is unknown, and a gap never speaks for a canary. A store has news only as often as it scrapes, so
a look with the samples of the one before is none, and its age goes on growing.
"""

from typing import Self

import msgspec

from davy.analysis.counted.buckets import bounds_of, counts_of, spread
from davy.analysis.counted.look import Counters, History, Look
from davy.analysis.judge.counters import Scrape, Side

SLOWEST_S = 120.0
"""A store that has news less often than this is not one to judge by; it is stale in between."""

_ADAPT = 0.3


class Meter(msgspec.Struct, frozen=True):
    """One counter over all its series: what each said last, and all that was counted since the first look."""

    last: Counters = {}
    total: int = 0

    def read(self, now: Counters, *, exact: bool, known: bool) -> tuple[Self, bool]:
        """Take in a look, and say whether it follows from the one before; `known` is whether there was one."""
        if not known:
            return msgspec.structs.replace(self, last=now), True
        fell = {series for series, value in now.items() if value < self.last.get(series, 0)}
        gone = () if exact else self.last.keys() - now.keys()
        if not exact and (fell or gone):
            return msgspec.structs.replace(self, last=now), False
        more = sum(value if name in fell else value - self.last.get(name, 0) for name, value in now.items())
        # A series that is gone may come back with what it had: a pod that could not be scraped for a while.
        last = {**self.last, **now} if exact else now
        return msgspec.structs.replace(self, last=last, total=self.total + more), True


class Counted(msgspec.Struct, frozen=True):
    """All the counters of one version, and when it was last sampled; None is never."""

    at: float | None = None
    known: bool = False
    requests: Meter = Meter()
    errors: Meter = Meter()
    events: dict[str, tuple[Meter, Meter]] = {}
    buckets: tuple[int, ...] = ()
    upto: tuple[int, ...] = ()

    def read(self, look: Look, bounds: tuple[float, ...], *, begun: bool) -> tuple[Self, bool]:
        """Take in a look, and say whether all that was counted follows from the one before.

        `begun` is whether a version without any series may be taken for one that has counted nothing yet.
        """
        requests, whole = self.requests.read(look.requests, exact=look.exact, known=self.known)
        errors, also = self.errors.read(look.errors, exact=look.exact, known=self.known)
        whole = whole and also
        events = {}
        for name, (tried, happened) in look.events.items():
            before = self.events.get(name, (Meter(), Meter()))
            one, first = before[0].read(tried, exact=look.exact, known=self.known)
            other, second = before[1].read(happened, exact=look.exact, known=self.known)
            events[name] = one, other
            whole = whole and first and second
        buckets, upto = self._latency(look, bounds, begun=begun)
        known = self.known or begun or look.at is not None
        at = self.at if look.at is None else look.at
        return type(self)(at, known, requests, errors, events, buckets, upto), whole

    def side(self, bounds: tuple[float, ...]) -> Side:
        """Return what the judge is told."""
        empty = (0,) * (len(bounds) + 1)
        return Side(
            self.requests.total,
            self.errors.total,
            spread(self.buckets or empty, bounds) if bounds else (),
            {name: (tried.total, happened.total) for name, (tried, happened) in self.events.items()},
        )

    def _latency(
        self, look: Look, bounds: tuple[float, ...], *, begun: bool
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Add what was counted by bucket; one that fell, or that has other bounds, adds nothing this time."""
        now = counts_of(look.latency, bounds) if bounds else None
        if now is None:
            return self.buckets, self.upto
        nothing = (0,) * len(now)
        before = self.upto or (nothing if self.known and begun else now)
        if any(new < old for new, old in zip(now, before, strict=True)):
            return self.buckets, now
        more = tuple(new - old for new, old in zip(now, before, strict=True))
        return tuple(map(sum, zip(self.buckets or nothing, more, strict=True))), now


class Feed(msgspec.Struct, frozen=True):
    """Both versions, as far as they were looked at; stored as JSON it goes on with the same numbers.

    `at` is when the newest news was, `spacing_s` how far news are apart, `bounds` the buckets of latency.
    """

    canary: Counted = Counted()
    stable: Counted = Counted()
    at: float | None = None
    spacing_s: float | None = None
    bounds: tuple[float, ...] = ()

    def take(
        self, canary: Look, stable: Look, *, weight: float, changed: bool = False
    ) -> tuple[Self, Scrape | None]:
        """Take in a look at both, and return the scrape to be judged, None where there is no news.

        Args:
            canary: the look at the canary.
            stable: the look at stable, at the same instant.
            weight: the canary's part of the traffic, between 0 and 1.
            changed: whether the split changed since the last scrape that was returned.
        """
        at = _together(self.canary, canary, stable)
        if at is None or (self.at is not None and at <= self.at):
            return self, None
        bounds = self.bounds or bounds_of(stable.latency)
        ours, whole = self.canary.read(canary, bounds, begun=True)
        theirs, also = self.stable.read(stable, bounds, begun=False)
        after = msgspec.structs.replace(
            self, canary=ours, stable=theirs, at=at, spacing_s=self._spaced(at), bounds=bounds
        )
        torn = changed or not (whole and also)
        return after, Scrape(at, weight, ours.side(bounds), theirs.side(bounds), torn)

    def _spaced(self, at: float) -> float | None:
        """Learn how far news are apart; one long silence is not the rule."""
        if self.at is None:
            return self.spacing_s
        gap = at - self.at
        if self.spacing_s is None:
            return min(gap, SLOWEST_S)
        return min(self.spacing_s + _ADAPT * (min(gap, 2 * self.spacing_s) - self.spacing_s), SLOWEST_S)


def scrapes(history: History) -> tuple[Scrape, ...]:
    """Return stable's past as scrapes with weight 0; where a counter fell, a window is left out."""
    bounds = next((seen for point in history.points if (seen := bounds_of(point.latency))), ())
    counted = Counted()
    found: list[Scrape] = []
    for point in history.points:
        look = Look(point.at, {"": point.requests}, {"": point.errors}, point.latency)
        counted, whole = counted.read(look, bounds, begun=False)
        found.append(Scrape(point.at, 0.0, Side(), counted.side(bounds), not whole))
    return tuple(_alike(scrape) for scrape in found)


def _alike(scrape: Scrape) -> Scrape:
    """Give the canary of the past, which did not run, as many buckets as stable."""
    empty = Side(histogram=(0,) * len(scrape.stable.histogram))
    return msgspec.structs.replace(scrape, canary=empty)


def _together(known: Counted, canary: Look, stable: Look) -> float | None:
    """Return up to when both are known: a canary that was never there has done nothing yet."""
    if stable.at is None:
        return None
    if canary.at is None:
        return stable.at if known.at is None else None
    return min(canary.at, stable.at)
