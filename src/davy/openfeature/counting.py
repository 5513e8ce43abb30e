"""Count evaluations, and how the requests ended that met them.

What is counted together is one series: a flag, a variant, a reason, and the version of the document. An
evaluation adds one by `next` of an `itertools.count`, which no thread can get in between of, so that nothing is
lost and nothing is locked. There are at most so many series; what would need another one is counted as dropped.
"""

import re
import threading
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple, TypeAlias

SERIES = 10_000
"""How many series an instance keeps unless said; each takes about half a kilobyte."""

_KEY = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
UNREADABLE = "(unreadable)"
"""How a key is counted that no flag can have: it may have been made from what a user typed."""

SeriesKey: TypeAlias = "tuple[str, str | None, str] | tuple[str, str | None, str, str]"
"""A flag, its variant, the reason and, where it is an error, its code."""


class Count:
    """A number that any thread may add one to, by calling `add`, and that one thread takes away."""

    __slots__ = ("_taken", "add")

    def __init__(self) -> None:
        self.add: Callable[[], int] = count().__next__
        self._taken = -1

    def take(self) -> int:
        """Return how often something was added since it was last taken; taking is a call, too."""
        before, self._taken = self._taken, self.add()
        return self._taken - before - 1


class Series:
    """What is counted together."""

    __slots__ = ("count", "failed", "hit", "key", "requests", "version")

    def __init__(self, key: SeriesKey, version: int) -> None:
        self.key = key
        self.version = version
        self.count = Count()
        self.requests = Count()
        self.failed = Count()
        self.hit = self.count.add


class Counted(NamedTuple):
    """What a series counted in an interval."""

    flag: str
    variant: str
    reason: str
    error: str
    version: int
    evaluations: int
    requests: int
    failed: int


class Counts:
    """All series of one version of a document; asked for by the key at each evaluation."""

    __slots__ = ("known", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.known: dict[SeriesKey, Series] = {}


class Counting:
    """Every series of an instance, over the versions that it evaluated by.

    Args:
        limit: how many series there may be.
    """

    def __init__(self, limit: int = SERIES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._all: list[Counts] = []
        self._dropped = Count()
        self._over = Series(("", None, ""), 0)
        self._over.hit = self._dropped.add

    def version(self, version: int) -> Counts:
        """Return where to count evaluations by this version from now on."""
        counts = Counts(version)
        with self._lock:
            self._all.append(counts)
        return counts

    def open(self, counts: Counts, key: SeriesKey) -> Series:
        """Return the series of a key; where there are too many, one that counts what is dropped."""
        shown: SeriesKey = (shown_key(key[0]), *key[1:])
        with self._lock:
            if (series := counts.known.get(shown)) is not None:
                return series
            if sum(len(each.known) for each in self._all) >= self._limit:
                return self._over
            series = counts.known[shown] = Series(shown, counts.version)
            return series

    def take(self) -> tuple[list[Counted], int]:
        """Return what was counted since the last time, and how many evaluations were dropped.

        Versions that nothing was counted by any more are forgotten, apart from the last one.
        """
        with self._lock:
            taken = [(counts, [_taken(each) for each in counts.known.values()]) for counts in self._all]
            idle = [counts for counts, found in taken if not any(found)]
            self._all = [each for each in self._all if each is self._all[-1] or each not in idle]
            return [each for _, found in taken for each in found if each is not None], self._dropped.take()


def shown_key(key: str) -> str:
    """Return a key as it may be told outside of the process."""
    return key if _KEY.fullmatch(key) else UNREADABLE


def _taken(series: Series) -> Counted | None:
    flag, variant, reason, *error = series.key
    failed = series.failed.take()  # first: a request that ends meanwhile is counted as ended before it failed
    counts = series.count.take(), series.requests.take(), failed
    if not any(counts):
        return None
    return Counted(flag, variant or "", reason, "".join(error), series.version, *counts)


def ended(met: Iterable[Series], *, failed: bool) -> None:
    """Count a request that met these series and has ended."""
    for series in met:
        series.requests.add()
        if failed:
            series.failed.add()
