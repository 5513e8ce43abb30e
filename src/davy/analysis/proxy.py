"""What the proxy shows of every version: series for queries, and counts for the guard."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from davy.analysis.alias import Witness, aliased
from davy.analysis.intake import Intake
from davy.analysis.promql.series import Labels, SeriesStore
from davy.analysis.tally import Odometer, Tally, tallies
from davy.analysis.vantage import (
    ALIASED,
    BORN,
    CLUSTER_LABEL,
    CODE_LABEL,
    LATENCY_BOUNDS_MS,
    LATENCY_BUCKETS,
    REQUESTS,
    Destination,
    Mapped,
    alias_series,
    family,
    proxy_series,
)
from davy.model.key import Key

Version: TypeAlias = tuple[Key, str, bool]
"""A rollout, the hash of one of its revisions, and whether it is about requests that are none of users."""

_BOUNDS: Final = (*LATENCY_BOUNDS_MS, math.inf)

FORGET_AFTER_S: Final = 86_400.0
"""How long the counts of a version are kept after the proxy has last shown it."""


class ProxyIntake:
    """Takes the proxy's pages; all of it but `counters` belongs to the thread that writes to the store.

    Args:
        store: where the series go.
        read_cluster: takes the name of a cluster apart, None where it is none of ours.
    """

    def __init__(self, store: SeriesStore, read_cluster: Callable[[str], Version | None]) -> None:
        self._intake = Intake(store, self._translate)
        self._read_cluster = lru_cache(maxsize=4096)(read_cluster)
        self._destinations: dict[Version, Destination] = {}
        self._aliased: dict[Key, frozenset[str]] = {}
        self._answering_since: dict[str, float] = {}
        self._answers: Odometer[str] = Odometer()
        self._latencies: Odometer[int] = Odometer()
        self._judged: frozenset[Key] = frozenset()
        self._seen_at: dict[str, float] = {}
        self._counters: tuple[float, Mapping[Key, Mapping[str, Tally]]] = (0.0, {})

    def describe(
        self, destinations: Mapping[Version, Destination], witnesses: Mapping[Key, Collection[Witness]]
    ) -> None:
        """Say what the clusters stand for and what is known of the workloads' own metrics.

        A version that is not described any more keeps its last description for as long as the proxy shows it.
        """
        shown = {self._read_cluster(cluster) for cluster in self._seen_at}
        kept = {version: known for version, known in self._destinations.items() if version in shown}
        described = {**kept, **destinations}
        stand_ins = {key: self._stand_in(key, heard) for key, heard in witnesses.items()}
        if described != self._destinations or stand_ins != self._aliased:
            self._intake.translate_again()
        self._destinations, self._aliased = described, stand_ins

    def take(self, text: str, at_s: float, read_s: float, judged: frozenset[Key] = frozenset()) -> None:
        """Write a page that was asked for at `at_s` and had arrived at `read_s`.

        It has the fine histograms of the `judged` rollouts.

        Raises:
            BadPage: it cannot be read, and nothing of it was written.
        """
        lines = self._intake.take(text, round(at_s * 1000))
        counted: dict[tuple[str, str], int] = {}
        timed: list[tuple[Labels, float]] = []
        born = None
        for labels, value in lines:
            name = labels.name
            if name == REQUESTS:
                counted[labels[CLUSTER_LABEL], labels[CODE_LABEL]] = int(value)
            elif name in LATENCY_BUCKETS:
                timed.append((labels, value))
            elif name == BORN:
                born = value
        self._answers = self._answers.read(counted, born)
        self._measure(_by_bucket(timed), born, judged)
        self._count({cluster for cluster, _ in counted}, at_s, read_s)

    def fail(self, at_s: float) -> None:
        """End every series: the proxy cannot be read. The counts stay as they are."""
        self._intake.fail(round(at_s * 1000))

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Say when the proxy was last read, and what users had got of each version by then; from any thread.

        The counts only grow, whatever the proxy does. Before the first reading the time is 0. Copies, and what
        came through a service of a version's own, expose nobody and are not in it.
        """
        at_s, counts = self._counters
        return at_s, counts.get(key, {})

    def _measure(
        self, timed: Mapping[tuple[str, int], int], born: float | None, judged: frozenset[Key]
    ) -> None:
        """Take in how long answers took, from the first look at which a rollout is judged.

        What was timed before that is of another time for stable than for the canary, so it is left out.
        """
        begun, self._judged = self._judged, judged
        unseen = {cluster for cluster, _ in timed if self._key(cluster) not in begun}
        ended = {cluster for cluster in self._latencies.clusters if self._key(cluster) not in judged}
        self._latencies = self._latencies.without(ended).read(timed, born).since_now(unseen)

    def _count(self, shown: Collection[str], at_s: float, read_s: float) -> None:
        self._seen_at |= dict.fromkeys(shown, at_s)
        gone = {cluster for cluster, seen in self._seen_at.items() if at_s - seen > FORGET_AFTER_S}
        for cluster in gone:
            del self._seen_at[cluster]
            self._answering_since.pop(cluster, None)
        if gone:
            self._answers, self._latencies = self._answers.without(gone), self._latencies.without(gone)
        counts: dict[Key, dict[str, Tally]] = {}
        for cluster, tally in tallies(self._answers, self._latencies, len(_BOUNDS)).items():
            version = self._read_cluster(cluster)
            if version is not None and not version[2]:
                counts.setdefault(version[0], {})[version[1]] = tally
            if tally.requests:
                self._answering_since.setdefault(cluster, read_s)
        self._counters = (at_s, counts)

    def _key(self, cluster: str) -> Key | None:
        version = self._read_cluster(cluster)
        return None if version is None else version[0]

    def _stand_in(self, key: Key, heard: Collection[Witness]) -> frozenset[str]:
        """Decide about a workload by all that its versions answered, be it to users or not."""
        since: dict[str, float] = {}
        for cluster, at in self._answering_since.items():
            version = self._read_cluster(cluster)
            if version is not None and version[0] == key:
                since[version[1]] = min(at, since.get(version[1], at))
        return aliased(ALIASED, self._aliased.get(key, frozenset()), heard, since)

    def _translate(self, line: Labels) -> Iterator[Mapped]:
        """Say which series a line of the proxy feeds: none where the cluster is not a version of a rollout."""
        version = self._read_cluster(line.get(CLUSTER_LABEL, ""))
        if version is None:
            return
        key, hash_, side = version
        unknown = Destination(key.namespace, key.name, hash_, key.name, side=side)
        destination = self._destinations.get(version, unknown)
        yield from proxy_series(line, destination)
        alias = alias_series(line, destination)
        if alias is not None and family(alias.labels.name) in self._aliased.get(key, frozenset()):
            yield alias


def _by_bucket(timed: Iterable[tuple[Labels, float]]) -> dict[tuple[str, int], int]:
    """Give the answers of each cluster by bucket, added up over the histograms of who asked, without zeros.

    A histogram that has other bounds, as one of an Envoy that an earlier Davy started, is passed over.
    """
    up_to: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for labels, value in timed:
        up_to.setdefault((labels[CLUSTER_LABEL], labels.name), []).append((float(labels["le"]), value))
    counts: dict[tuple[str, int], int] = {}
    for (cluster, _), cumulated in up_to.items():
        bounds, values = zip(*sorted(cumulated), strict=True)
        if bounds == _BOUNDS:
            for bucket, (value, below) in enumerate(zip(values, (0.0, *values[:-1]), strict=True)):
                if value != below:
                    counts[cluster, bucket] = counts.get((cluster, bucket), 0) + int(value - below)
    return counts
