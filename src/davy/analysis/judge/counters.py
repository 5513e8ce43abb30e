"""What a judge is told: counters of both versions, as the data plane shows them.

Attribute a request by the version that answered it, never by the weight that was intended.
"""

import msgspec

from davy.analysis.judge.histogram import Counts

Ratio = tuple[int, int]
"""How often something was tried, and how often it happened."""


class Side(msgspec.Struct, frozen=True, omit_defaults=True):
    """Counters of one version; the histogram is requests by latency bucket, events are (tried, happened)."""

    requests: int = 0
    errors: int = 0
    histogram: Counts = ()
    events: dict[str, Ratio] = {}

    def since(self, earlier: "Side") -> "Side | None":
        """Return what happened since an earlier look, or None when a counter fell: it counts anew."""
        histogram = _since(self.histogram, earlier.histogram or (0,) * len(self.histogram))
        events = {name: _since(count, earlier.events.get(name, (0, 0))) for name, count in self.events.items()}
        plain = _since((self.requests, self.errors), (earlier.requests, earlier.errors))
        if histogram is None or plain is None or None in events.values():
            return None
        return Side(
            plain[0],
            plain[1],
            histogram,
            {name: (count[0], count[1]) for name, count in events.items() if count},
        )

    def __add__(self, more: "Side") -> "Side":
        size = max(len(self.histogram), len(more.histogram))
        names = [*self.events, *(name for name in more.events if name not in self.events)]
        return Side(
            self.requests + more.requests,
            self.errors + more.errors,
            tuple(map(sum, zip(_wide(self.histogram, size), _wide(more.histogram, size), strict=True))),
            {name: _both(self.events.get(name, (0, 0)), more.events.get(name, (0, 0))) for name in names},
        )


class Scrape(msgspec.Struct, frozen=True):
    """One look.

    Args:
        at: when, in seconds of any clock that does not go back.
        weight: the canary's part of the traffic since the look before, between 0 and 1.
        canary: what it counted since ever.
        stable: the same of stable.
        changed: whether the split changed since the look before, so that two splits are mixed in the counts.
        measured: whether nobody knows what weight was set, and `weight` was taken from the counts.
    """

    at: float
    weight: float
    canary: Side
    stable: Side
    changed: bool = False
    measured: bool = False


def between(earlier: Scrape, later: Scrape) -> tuple[Side, Side] | None:
    """Return what canary and stable did between two looks, None when nobody can tell.

    When the counters of both fell, the data plane came up again, and they count what happened since. When only
    one side fell, what happened in between is unknown.
    """
    canary, stable = later.canary.since(earlier.canary), later.stable.since(earlier.stable)
    if canary is None and stable is None:
        return later.canary, later.stable
    return None if canary is None or stable is None else (canary, stable)


def _since(later: Counts, earlier: Counts) -> Counts | None:
    if len(later) != len(earlier):
        return None
    gone = tuple(new - old for new, old in zip(later, earlier, strict=True))
    return None if any(count < 0 for count in gone) else gone


def _wide(counts: Counts, size: int) -> Counts:
    return counts + (0,) * (size - len(counts))


def _both(one: Ratio, other: Ratio) -> Ratio:
    return one[0] + other[0], one[1] + other[1]
