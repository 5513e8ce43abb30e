"""Requests and errors of each version since the beginning, whatever happens to the proxy in between.

A proxy that restarts counts from zero again. What it had counted before is carried over, so that the totals
only grow: the guard subtracts them, and the record of who met a version first must not change afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

Counted: TypeAlias = tuple[str, str]
"""A cluster of the proxy, and a status."""


class Tally(msgspec.Struct, frozen=True):
    """Answers of one version to its users, and how many of them were server errors.

    `met` is how often users met it otherwise than by an answer that was counted, as an evaluation of a flag.
    `latency` is answers by how long they took, empty where that was not measured.
    """

    requests: int = 0
    errors: int = 0
    met: int = 0
    latency: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Odometer:
    """What the proxy said last, and what it had counted before it last started from zero.

    A proxy that restarts and has counted more than before by the next reading cannot be told from one that did
    not restart; that is why it is read often.
    """

    last: Mapping[Counted, int] = field(default_factory=dict)
    carried: Mapping[Counted, int] = field(default_factory=dict)

    def read(self, now: Mapping[Counted, int]) -> "Odometer":
        """Take a reading. A counter that fell, or that is not there any more, started again."""
        fallen = {key: value for key, value in self.last.items() if now.get(key, 0) < value}
        if not fallen:
            return Odometer(now, self.carried)
        carried = {key: self.carried.get(key, 0) + value for key, value in fallen.items()}
        return Odometer(now, {**self.carried, **carried})

    def without(self, cluster: str) -> "Odometer":
        """Forget a cluster for good."""
        return Odometer(
            {key: value for key, value in self.last.items() if key[0] != cluster},
            {key: value for key, value in self.carried.items() if key[0] != cluster},
        )

    def totals(self) -> dict[str, Tally]:
        """Add up by cluster."""
        counts: dict[str, list[int]] = {}
        for part in (self.last, self.carried):
            for (cluster, status), value in part.items():
                sums = counts.setdefault(cluster, [0, 0])
                sums[0] += value
                sums[1] += value if status.startswith("5") else 0
        return {cluster: Tally(requests, errors) for cluster, (requests, errors) in counts.items()}
