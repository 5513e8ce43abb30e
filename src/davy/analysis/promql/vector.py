"""What passes between the parts of the evaluator: elements of a vector, runs of samples, and their errors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import lt
from typing import TYPE_CHECKING, TypeAlias, final

from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.series import Labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from davy.analysis.promql.evaluation import Evaluation
    from davy.analysis.promql.syntax import Expression


Column: TypeAlias = tuple[Sequence[int], Sequence[float]]
"""Timestamps in milliseconds, and as many values."""


@final
class Element:
    """One element of an instant vector.

    `nameless` says that the metric's name is to be taken off the result: Prometheus 3 does that last, so that
    `label_replace` can still read the name. `timestamp_ms` is known only for what comes straight from a
    series.
    """

    __slots__ = ("labels", "nameless", "timestamp_ms", "value")

    def __init__(
        self, labels: Labels, value: float, nameless: bool = False, timestamp_ms: int | None = None
    ) -> None:
        self.labels = labels
        self.value = value
        self.nameless = nameless
        self.timestamp_ms = timestamp_ms


@final
class Run:
    """The samples of one series within a window: at least one, in order of time, without staleness markers.

    They are those of `column` from `first` up to but not including `stop`. The windows of a range query share
    columns, and `falls`: the places at which a column's value is below the one before. Where that is None
    nobody has looked, and the column is the window's own.
    """

    __slots__ = ("column", "falls", "first", "labels", "nameless", "stop")

    def __init__(
        self,
        labels: Labels,
        column: Column,
        first: int,
        stop: int,
        nameless: bool = False,
        falls: list[int] | None = None,
    ) -> None:
        self.labels = labels
        self.column = column
        self.first = first
        self.stop = stop
        self.nameless = nameless
        self.falls = falls

    @property
    def timestamps(self) -> Sequence[int]:
        """When the samples were, in milliseconds."""
        return self.column[0][self.first : self.stop]

    @property
    def values(self) -> Sequence[float]:
        """What the samples were."""
        return self.column[1][self.first : self.stop]


def falls_of(values: Sequence[float]) -> list[int]:
    """Find the places at which a value is below the one before: where a counter was reset."""
    return list(compress(range(1, len(values)), map(lt, values[1:], values)))


@dataclass(frozen=True, slots=True)
class Windows:
    """A range vector, with the window that its runs lie in."""

    runs: list[Run]
    start_ms: int
    end_ms: int


Value: TypeAlias = float | str | list[Element]

Function: TypeAlias = "Callable[[Evaluation, tuple[Expression, ...], int], Value]"
"""One of PromQL's functions: it evaluates its own arguments, at an instant in milliseconds."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an engine was told once; `prometheus_2` picks the semantics of Prometheus 2.x."""

    lookback_ms: int
    subquery_step_ms: int
    max_samples: int
    prometheus_2: bool

    def renamed(self, labels: Labels) -> Labels:
        """Give the labels of a value that is no longer that metric's: 2.x takes the name off at once."""
        return labels.without_name() if self.prometheus_2 else labels


def refuse_duplicates(elements: Iterable[Element]) -> None:
    """Refuse a vector in which two elements have the same labels.

    Raises:
        QueryError: there are such elements.
    """
    seen: set[Labels] = set()
    for element in elements:
        if element.labels in seen:
            raise QueryError(f"vector cannot contain metrics with the same labelset: {element.labels!r}")
        seen.add(element.labels)
