"""The replicas whose own metrics are scraped, and what is known of each between two scrapes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

from davy.adapters.http import TooSlow, Unreachable, request
from davy.analysis.alias import Witness
from davy.analysis.exposed import metric_label, target_labels, under_target
from davy.analysis.intake import Intake
from davy.analysis.promql.exposition import ExpositionError
from davy.analysis.promql.series import NAME, STALE, Labels, SeriesStore
from davy.analysis.vantage import Destination, Mapped, is_reserved
from davy.model.key import Key

ACCEPT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
"""The format that is asked for; whatever comes is read as that one, but for what is known to be another."""

PROTOBUF = "application/vnd.google.protobuf"
"""The one format of Prometheus that native histograms are exposed in."""


@dataclass(frozen=True, slots=True)
class Target:
    """One replica and where it shows its metrics.

    Args:
        key: its rollout.
        hash: its revision.
        pod: its name.
        port: the loopback port that it listens on.
        labels: the labels of the pod, as in the manifest and for the part it plays.
        service: what its users call it by, the rollout's name where that is empty.
        side_service: what it is called by when it is meant alone, `service` where that is empty.
        path: where its metrics are, empty for a replica that is not asked.
        started_at: when its process started, in seconds of the clock, None where nobody knows.
    """

    key: Key
    hash: str
    pod: str
    port: int
    labels: Mapping[str, str] = field(default_factory=dict)
    service: str = ""
    side_service: str = ""
    path: str = "/metrics"
    started_at: float | None = None

    @property
    def name(self) -> tuple[Key, str]:
        """What tells it from every other target."""
        return self.key, self.pod

    def destination(self, *, side: bool = False) -> Destination:
        """Say what the proxy's cluster of its revision stands for, or the one beside it."""
        labels = {metric_label(name): self.labels[name] for name in sorted(self.labels)}
        service = (side and self.side_service) or self.service or self.key.name
        return Destination(self.key.namespace, self.key.name, self.hash, service, labels, side)

    def is_read_like(self, other: "Target | None") -> bool:
        """Say whether what is read from both is the same series: what they are called by does not matter."""
        if other is None or self == other:
            return other is not None
        return self == replace(other, service=self.service, side_service=self.side_service)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one attempt to read a target.

    `text` is the page, None where there was none, and then `problem` says why. `heard` is whether the workload
    answered at all, be it that it has no such page; `late` whether it was given up for taking too long.
    """

    target: Target
    asked_at: float
    took_s: float
    text: str | None
    problem: str = ""
    heard: bool = True
    late: bool = False


def fetch(target: Target, asked_at: float, *, timeout_s: float, max_bytes: int) -> Fetched:
    """Read the page of a target; never raises, and never takes longer than the time-out."""
    started = perf_counter()

    def fetched(text: str | None, problem: str = "", *, heard: bool = True, late: bool = False) -> Fetched:
        return Fetched(target, asked_at, perf_counter() - started, text, problem, heard, late)

    url = f"http://127.0.0.1:{target.port}{target.path}"
    try:
        response = request("GET", url, headers={"Accept": ACCEPT}, timeout_s=timeout_s, max_bytes=max_bytes)
    except Unreachable as error:
        return fetched(None, error.message, heard=False, late=isinstance(error, TooSlow))
    if response.status != 200:
        return fetched(None, f"{url} answered with status {response.status}", heard=response.status < 500)
    if response.media_type == PROTOBUF:
        return fetched(
            None, f"{url} answered in protobuf, where native histograms are: Davy reads the text format"
        )
    try:
        return fetched(response.body.decode())
    except UnicodeDecodeError:
        return fetched(None, f"{url} answered with bytes that are no text")


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How the scraping of one target goes: `up` is None before the first attempt."""

    up: bool | None = None
    last_success_at: float | None = None
    errors: int = 0
    last_error: str = ""

    def after(self, at_s: float, problem: str) -> "TargetHealth":
        """Count one more attempt; no problem is the empty string."""
        if problem:
            return replace(self, up=False, errors=self.errors + 1, last_error=problem)
        return replace(self, up=True, last_success_at=at_s)


class Observed:
    """A target, its series and its health; belongs to the thread that writes to the store."""

    def __init__(self, target: Target, store: SeriesStore) -> None:
        self.target = target
        self.health = TargetHealth()
        silent = not target.path
        self.witness = Witness(target.hash, asked_at=math.inf if silent else None, answered=silent)
        self.busy = False
        self.late = False
        self._labels = target_labels(
            target.labels,
            namespace=target.key.namespace,
            pod=target.pod,
            version=target.hash,
            instance=f"127.0.0.1:{target.port}",
            job=target.key.name,
        )
        born_ms = None if target.started_at is None else round(target.started_at * 1000)
        self._intake = Intake(store, self._translate, born_ms=born_ms)
        self._gauges = Gauges(store, self._labels)

    def note(self, fetched: Fetched) -> None:
        """Take in what came of an attempt."""
        at_ms, problem = round(fetched.asked_at * 1000), fetched.problem
        if fetched.text is not None:
            try:
                self._intake.take(fetched.text, at_ms)
            except ExpositionError as error:
                problem = f"{fetched.target.path} is not in Prometheus' text format: {error.message}"
        if problem:
            self._intake.fail(at_ms)
        self._gauges.write(at_ms, up=not problem, took_s=fetched.took_s)
        self.late = fetched.late
        self.witness = Witness(
            self.target.hash,
            fetched.asked_at,
            self.witness.answered or fetched.heard,
            self.witness.exports | self._intake.families,
        )
        self.health = self.health.after(fetched.asked_at, problem)

    def end(self, at_s: float) -> None:
        """End every series: there is no such target any more."""
        self._intake.fail(round(at_s * 1000))
        self._gauges.end(round(at_s * 1000))

    def _translate(self, line: Labels) -> tuple[Mapped, ...]:
        return () if is_reserved(line.name) else (Mapped(under_target(line, self._labels)),)


class Gauges:
    """What the scraper itself says of a target: without `up` no errors cannot be told from no data."""

    def __init__(self, store: SeriesStore, labels: Mapping[str, str]) -> None:
        self._up, self._took = (
            store.series(Labels({**labels, NAME: name})) for name in ("up", "scrape_duration_seconds")
        )

    def write(self, at_ms: int, *, up: bool, took_s: float) -> None:
        """Say whether the target could be read, and how long that took in seconds on the wall."""
        self._up.append(at_ms, float(up))
        self._took.append(at_ms, took_s)

    def end(self, at_ms: int) -> None:
        """Say nothing more of it."""
        for series in (self._up, self._took):
            series.append(at_ms, STALE)
