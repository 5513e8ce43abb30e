"""What a judge is told of both versions: what the data plane counted, and the events that queries count."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from davy.analysis.judge.counters import Side
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.result import Matrix, Result, Scalar, String, Vector
from davy.analysis.tally import Tally
from davy.model.judge import VERSION, Judge, JudgeCounter


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters of both versions at one look; `unread` says what should have been read as well and was not."""

    at: float
    canary: Side
    stable: Side
    unread: str = ""


def count(
    judge: Judge, at: float, tallies: Mapping[str, Tally], canary: str, stable: str, queries: Engine
) -> Reading:
    """Put together what was counted of two versions, by their hashes, until a look at `at`.

    Events of which a version has shown none yet are left out of its side: nothing is no zero.
    """
    sides, unread = [], ""
    for hash_ in (canary, stable):
        tally, events = tallies.get(hash_, Tally()), {}
        for metric in judge.spec.metrics:
            if metric.counter is None or not hash_:
                continue
            try:
                found = _pair(metric.counter, hash_, queries, at)
            except QueryError as error:
                unread = unread or f"{metric.called} cannot be counted: {error.message}"
                continue
            if found is None:
                whose = "stable" if hash_ == stable else "the canary"
                unread = unread or f"nothing is counted of {metric.called} of {whose}"
            else:
                events[metric.called] = found
        sides.append(Side(tally.requests, tally.errors, tally.latency, events))
    return Reading(at, sides[0], sides[1], unread)


def _pair(counter: JudgeCounter, hash_: str, queries: Engine, at: float) -> tuple[int, int] | None:
    """Return how often something was tried and happened, None where nobody tells the first."""
    tried = _number(queries.instant(counter.tried.replace(VERSION, hash_), at))
    happened = _number(queries.instant(counter.happened.replace(VERSION, hash_), at))
    return None if tried is None else (tried, happened or 0)


def _number(result: Result) -> int | None:
    """Add up what a query found, None where that is nothing or no number."""
    match result:
        case Scalar(value):
            values = [value]
        case Vector(samples):
            values = [sample.value for sample in samples]
        case Matrix() | String():
            raise QueryError("a counter is a number or an instant vector")
        case _:
            assert_never(result)
    return int(sum(values)) if values and all(value == value for value in values) else None
