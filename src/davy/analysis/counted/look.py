"""Who knows the counters of a version, and what they say: the seam between a judge and a store of metrics."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

Counters = dict[str, int]
"""What was counted since ever, by series."""


class Look(msgspec.Struct, frozen=True):
    """One version's counters as they stand.

    Args:
        at: when the newest of its samples was taken, in seconds since the epoch; None where it has none.
        requests: answers to users, by series.
        errors: those that failed, by series.
        latency: how many took at most so long, by the bucket's bound as it is written (`le`).
        events: of each business metric how often it was tried and how often it happened, by series.
        exact: whether each series is one counter of one process, so that one that fell began anew. A sum that
            fell says only that something in it went away.
    """

    at: float | None = None
    requests: Counters = {}
    errors: Counters = {}
    latency: Counters = {}
    events: dict[str, tuple[Counters, Counters]] = {}
    exact: bool = False


class Past(msgspec.Struct, frozen=True):
    """What the stable version counted up to an instant; a histogram is by the buckets of the store."""

    at: float
    requests: int = 0
    errors: int = 0
    latency: Counters = {}


class History(msgspec.Struct, frozen=True):
    """The counters of a version over a time, oldest first, and how many seconds there are between samples."""

    points: tuple[Past, ...] = ()
    spacing_s: float | None = None


class VersionCounters(Protocol):
    """Knows the counters of versions; `version` is a pod-template-hash, `words` fill the other placeholders.

    Raises `davy.analysis.provider.ProviderError` where nothing can be said.
    """

    def look(self, version: str, words: Mapping[str, str], *, now: float) -> Look:
        """Return the counters of a version as they stand."""
        ...

    def history(self, version: str, words: Mapping[str, str], *, now: float, span_s: float) -> History:
        """Return what a version counted in the last `span_s` seconds."""
        ...
