"""Requests and errors of each version since the beginning, whatever happens to the proxy in between.

A proxy that restarts counts from zero again. What it had counted before is carried over, so that the totals
only grow: the guard subtracts them, and the record of who met a version first must not change afterwards.
What it counted between the last look and its end nobody knows, so a tally says how often that happened.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

What = TypeVar("What")
"""What is counted of a cluster, such as a status."""


class Tally(msgspec.Struct, frozen=True):
    """Answers of one version to its users, and how many of them were server errors.

    Args:
        requests: answers, those that the proxy gave in its place included.
        errors: those of them that were server errors.
        met: how often users met it otherwise than by an answer that was counted, as an evaluation of a flag.
        latency: answers by how long they took, in the buckets of `vantage.LATENCY_BOUNDS_MS`, each in one of
            them. Empty where nothing was measured; else counted from the look at which that began.
        restarts: grows whenever its counts began anew, as they do with the proxy. Between two looks of which it
            is not the same some of its answers are missing, and perhaps none of another version's: such a
            window compares nothing.
    """

    requests: int = 0
    errors: int = 0
    met: int = 0
    latency: tuple[int, ...] = ()
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Odometer(Generic[What]):
    """What the proxy said last, and what it had counted before it last started from zero.

    A cluster of the proxy starts from zero as a whole, and so does the proxy. A counter that has fallen gives
    away its cluster. One that has counted more than before since then gives away nothing: the others of its
    cluster may, and if it was the proxy that restarted, `born` does.
    """

    last: Mapping[tuple[str, What], int] = field(default_factory=dict)
    carried: Mapping[tuple[str, What], int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    """How often each cluster had counted something and began anew."""
    born: float | None = None

    def read(self, now: Mapping[tuple[str, What], int], born: float | None = None) -> "Odometer[What]":
        """Take a reading of a proxy, `born` being any number that no other process of it has."""
        another = born is not None and self.born is not None and born != self.born
        anew = {key[0] for key, value in self.last.items() if another or now.get(key, 0) < value}
        carried, restarts = dict(self.carried), dict(self.restarts)
        for key, value in self.last.items():
            if key[0] in anew:
                carried[key] = carried.get(key, 0) + value
        for cluster in anew:
            restarts[cluster] = restarts.get(cluster, 0) + 1
        return Odometer(now, carried, restarts, self.born if born is None else born)

    def since_now(self, clusters: Collection[str]) -> "Odometer[What]":
        """Count these clusters from the last reading on: what they had counted by then is of another time."""
        before = {key: -value for key, value in self.last.items() if key[0] in clusters}
        return Odometer(self.last, {**self.carried, **before}, self.restarts, self.born)

    def without(self, clusters: Collection[str]) -> "Odometer[What]":
        """Forget clusters for good."""
        return Odometer(
            {key: value for key, value in self.last.items() if key[0] not in clusters},
            {key: value for key, value in self.carried.items() if key[0] not in clusters},
            {cluster: times for cluster, times in self.restarts.items() if cluster not in clusters},
            self.born,
        )

    @property
    def clusters(self) -> frozenset[str]:
        """Name those of which something was counted."""
        return frozenset(cluster for part in (self.last, self.carried) for cluster, _ in part)

    def totals(self) -> dict[str, dict[What, int]]:
        """Add up by cluster."""
        counts: dict[str, dict[What, int]] = {}
        for part in (self.last, self.carried):
            for (cluster, what), value in part.items():
                sums = counts.setdefault(cluster, {})
                sums[what] = sums.get(what, 0) + value
        return counts


def tallies(answers: Odometer[str], latencies: Odometer[int], buckets: int) -> dict[str, Tally]:
    """Say by cluster what was answered, by status, and how long that took, by bucket of so many."""
    times = {
        cluster: tuple(by_bucket.get(bucket, 0) for bucket in range(buckets))
        for cluster, by_bucket in latencies.totals().items()
    }
    return {
        cluster: Tally(
            sum(by_status.values()),
            sum(value for status, value in by_status.items() if status.startswith("5")),
            latency=times.get(cluster, ()),
            restarts=answers.restarts.get(cluster, 0) + latencies.restarts.get(cluster, 0),
        )
        for cluster, by_status in answers.totals().items()
    }
