"""Counters of versions, asked of a Prometheus: the `VersionCounters` of a Judge with `spec.prometheus`.

Where a query only adds up series, the series themselves are asked for, so that a pod that begins anew or goes
away is seen as that. How old the samples are is asked, too: between two scrapes a query gives the same numbers
with a new instant, and a number that is not new is no evidence.
"""

import math
import time
from collections.abc import Iterator, Mapping

from davy.adapters.prometheus_api import Line, ask_lines
from davy.analysis.counted.look import Counters, History, Look, Past
from davy.analysis.counted.queries import Queries, each_series, queries_of, selectors
from davy.analysis.provider import ProviderError
from davy.model.judge import Judge
from davy.model.providers import Header, PrometheusMetric

LOOK_S = 5.0
"""Real seconds for all the queries of one look at one version."""

HISTORY_S = 10.0
"""Real seconds for the history of a version."""

STEP_S = (5.0, 120.0)
"""A history is read in steps of at least and at most so many seconds."""


class PrometheusCounters:
    """Asks the Prometheus of a Judge; any number of threads may.

    Args:
        judge: with `spec.prometheus`.
    """

    def __init__(self, judge: Judge) -> None:
        asked = judge.spec.prometheus
        assert asked is not None, "the Judge names no Prometheus"
        headers = tuple(Header(name, value) for name, value in asked.headers.items())
        self._at = PrometheusMetric(address=asked.address, headers=headers, insecure=asked.insecure)
        self._queries = queries_of(judge)
        self._words = {"service": judge.spec.service, "namespace": judge.key.namespace}

    def look(self, version: str, words: Mapping[str, str], *, now: float) -> Look:
        """Return the counters of a version as they stand.

        Raises:
            ProviderError: Prometheus cannot be asked, a placeholder has no meaning, or an answer is no counter.
        """
        deadline = time.monotonic() + LOOK_S
        filled = self._filled(version, words)
        asked = _Asked.of(filled)

        def counters(query: str) -> Counters:
            return _counters(self._ask(query, now, deadline))

        newest = self._ask(asked.newest, now, deadline) if asked.newest else ()
        requests = counters(asked.requests)
        return Look(
            at=_newest(newest, now if requests and not asked.newest else None),
            requests=requests,
            errors=counters(asked.errors),
            latency=_by_bound(self._ask(f"sum by (le) ({filled.latency})", now, deadline))
            if filled.latency
            else {},
            events={name: (counters(one), counters(other)) for name, (one, other) in asked.events.items()},
            exact=asked.exact,
        )

    def history(self, version: str, words: Mapping[str, str], *, now: float, span_s: float) -> History:
        """Return what a version counted in the last `span_s` seconds.

        Raises:
            ProviderError: Prometheus cannot be asked, a placeholder has no meaning, or an answer is no counter.
        """
        deadline = time.monotonic() + HISTORY_S
        filled = self._filled(version, words)
        spacing = self._spacing(filled, now, span_s, deadline)
        step = min(max(spacing or 0.0, STEP_S[0]), STEP_S[1])

        def lines(query: str) -> tuple[Line, ...]:
            form = {
                "query": query,
                "start": f"{now - span_s:.3f}",
                "end": f"{now:.3f}",
                "step": f"{step:.3f}",
            }
            return ask_lines(self._at, "query_range", form, timeout_s=_left(deadline))

        requests = _by_time(lines(f"sum({filled.requests})"))
        errors = _by_time(lines(f"sum({filled.errors})"))
        buckets = {
            line.labels.get("le", ""): _by_time((line,))
            for line in (lines(f"sum by (le) ({filled.latency})") if filled.latency else ())
        }
        points = tuple(
            Past(
                at,
                count,
                errors.get(at, 0),
                {bound: found[at] for bound, found in buckets.items() if at in found},
            )
            for at, count in sorted(requests.items())
        )
        return History(points, spacing)

    def _filled(self, version: str, words: Mapping[str, str]) -> Queries:
        return self._queries.filled({**words, **self._words, "version": version})

    def _spacing(self, filled: Queries, now: float, span_s: float, deadline: float) -> float | None:
        """Say how many seconds there are between samples, by how many the fullest series has."""
        found = selectors(filled.requests)
        if not found:
            return None
        lines = self._ask(f"max(count_over_time({found[0]}[{span_s:.0f}s]))", now, deadline)
        most = max((value for line in lines for _, value in line.samples), default=0.0)
        return span_s / most if most >= 2.0 else None

    def _ask(self, query: str, now: float, deadline: float) -> tuple[Line, ...]:
        form = {"query": query, "time": f"{now:.3f}"}
        return ask_lines(self._at, "query", form, timeout_s=_left(deadline))


class _Asked:
    """What is sent for one look; `exact` where every counter can be asked for series by series."""

    def __init__(self, filled: Queries, singly: Mapping[str, str] | None) -> None:
        self.exact = singly is not None

        def sent(query: str) -> str:
            return query if singly is None else singly[query]

        self.requests, self.errors = sent(filled.requests), sent(filled.errors)
        self.events = {name: (sent(one), sent(other)) for name, (one, other) in filled.events.items()}
        ages = " or ".join(f"timestamp({selector})" for selector in selectors(filled.requests))
        self.newest = f"max({ages})" if ages else ""

    @classmethod
    def of(cls, filled: Queries) -> "_Asked":
        counters = [
            filled.requests,
            filled.errors,
            *(query for both in filled.events.values() for query in both),
        ]
        singly = {query: selector for query in counters if (selector := each_series(query)) is not None}
        return cls(filled, singly if len(singly) == len(set(counters)) else None)


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _newest(lines: tuple[Line, ...], otherwise: float | None) -> float | None:
    return max((value for line in lines for _, value in line.samples), default=otherwise)


def _counters(lines: tuple[Line, ...]) -> Counters:
    """Return what each series has counted, by its labels.

    Raises:
        ProviderError: one of them is no counter.
    """
    return {
        ",".join(f"{name}={value}" for name, value in sorted(line.labels.items())): _count(line.samples[-1][1])
        for line in lines
        if line.samples
    }


def _by_bound(lines: tuple[Line, ...]) -> Counters:
    return {line.labels.get("le", ""): _count(line.samples[-1][1]) for line in lines if line.samples}


def _by_time(lines: tuple[Line, ...]) -> dict[float, int]:
    return dict(_counts(lines[0])) if lines else {}


def _counts(line: Line) -> Iterator[tuple[float, int]]:
    for at, value in line.samples:
        yield at, _count(value)


def _count(value: float) -> int:
    if not math.isfinite(value) or value < 0.0:
        raise ProviderError(
            f"a query of the Judge gives {value:g}, which is no counter", hint="name counters in it"
        )
    return round(value)
