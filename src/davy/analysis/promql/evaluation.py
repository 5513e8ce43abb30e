"""One asking of one query: selecting series, cutting windows, walking the tree, and the bounds on all of it."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Final, assert_never, final

from davy.analysis.promql.aggregation import aggregate
from davy.analysis.promql.binary import combine
from davy.analysis.promql.functions import FUNCTIONS
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.series import EMPTY_LABELS, Labels, Series, SeriesStore, is_stale
from davy.analysis.promql.syntax import (
    Aggregation,
    Binary,
    Call,
    Edge,
    Expression,
    Negation,
    Number,
    Selector,
    Subquery,
    Text,
    Window,
)
from davy.analysis.promql.vector import (
    Column,
    Element,
    Run,
    Settings,
    Value,
    Windows,
    falls_of,
    refuse_duplicates,
)

SUBQUERY_POINT_LIMIT: Final = 11_000
"""Steps of a subquery, each time it is asked."""

TAIL: Final = 64
"""Samples at a column's end that are looked at first, since a query about now needs no others."""


class Evaluation:
    """What the parts of one query share: its instants, the series it selects, what it may touch."""

    def __init__(
        self, store: SeriesStore, settings: Settings, start_ms: int, end_ms: int, step_ms: int
    ) -> None:
        self.settings: Settings = settings
        self.start_ms: int = start_ms
        self.end_ms: int = end_ms
        self.step_ms: int = step_ms
        self._store = store
        self._left = settings.max_samples
        self._selected: dict[int, list[Series]] = {}
        self._readings: dict[int, Windows] = {}
        self._ahead_ms = end_ms - start_ms

    def spend(self, samples: int) -> None:
        """Count samples that are touched; a step of a subquery counts as one, so that nothing is free.

        Raises:
            QueryError: more than the engine allows one query.
        """
        self._left -= samples
        if self._left < 0:
            limit = self.settings.max_samples
            raise QueryError(
                f"the query touches more than {limit} samples",
                hint="shorten its windows, select fewer series, or take longer steps",
            )

    def value(self, node: Expression, time_ms: int) -> Value:
        """Evaluate an expression that gives a scalar, a text or an instant vector, at one instant."""
        # the parser lets range vectors stand only where windows() is asked for
        assert not isinstance(node, Window | Subquery)
        match node:
            case Selector():
                return self._latest(node, time_ms)
            case Call():
                return self._checked(FUNCTIONS[node.function](self, node.arguments, time_ms))
            case Aggregation():
                return self._aggregate(node, time_ms)
            case Binary():
                return self._chain(node, time_ms)
            case Number() | Text():
                return node.value
            case Negation():
                return self._negate(node, time_ms)
            case _:
                assert_never(node)

    def scalar(self, node: Expression, time_ms: int) -> float:
        """Evaluate an expression that the parser knows to give a scalar."""
        value = self.value(node, time_ms)
        assert isinstance(value, float)
        return value

    def vector(self, node: Expression, time_ms: int) -> list[Element]:
        """Evaluate an expression that the parser knows to give an instant vector."""
        value = self.value(node, time_ms)
        assert isinstance(value, list)
        return value

    def windows(self, node: Expression, time_ms: int, *, counters: bool = False) -> Windows:
        """Cut the window of a range vector that ends at, or is shifted from, this instant.

        Of `counters` it is looked up once for all windows of a range query where they fall.
        """
        if isinstance(node, Subquery):
            return self._repeat(node, time_ms)
        assert isinstance(node, Window)
        return self._cut(node, time_ms, counters)

    def _checked(self, value: Value) -> Value:
        """Refuse twins at once where names are taken off at once: Prometheus 2.x does so after every step."""
        if self.settings.prometheus_2 and isinstance(value, list):
            refuse_duplicates(value)
        return value

    def _aggregate(self, node: Aggregation, time_ms: int) -> list[Element]:
        parameter = None if node.parameter is None else self.value(node.parameter, time_ms)
        assert not isinstance(parameter, list)
        elements = self.vector(node.operand, time_ms)
        return aggregate(node, elements, parameter, self.settings)

    def _chain(self, node: Binary, time_ms: int) -> Value:
        """Evaluate left-deep chains in a loop: `a or b or …` may be long without being nested."""
        links = [node]
        while isinstance(links[-1].left, Binary):
            links.append(links[-1].left)
        value = self.value(links[-1].left, time_ms)
        for link in reversed(links):
            value = self._checked(combine(link, value, self.value(link.right, time_ms), self.settings))
        return value

    def _negate(self, node: Negation, time_ms: int) -> Value:
        value = self.value(node.operand, time_ms)
        if isinstance(value, float):
            return -value
        assert isinstance(value, list)
        renamed = self.settings.renamed
        return self._checked([Element(renamed(e.labels), -e.value, True) for e in value])

    def _series(self, selector: Selector) -> Sequence[Series]:
        """Select once for all steps: series that come while a query runs are seen by the next query."""
        known = self._selected.get(id(selector))
        if known is None:
            found = {
                series.labels.pairs: series
                for matchers in selector.alternatives
                for series in self._store.select(matchers)
            }
            known = self._selected[id(selector)] = list(found.values())
        return known

    def _pinned(self, node: Selector | Subquery, time_ms: int) -> int:
        match node.at:
            case None:
                pinned = time_ms
            case Edge.START:
                pinned = self.start_ms
            case Edge.END:
                pinned = self.end_ms
            case int(instant_ms):
                pinned = instant_ms
            case _:
                assert_never(node.at)
        return pinned - node.offset_ms

    def _latest(self, selector: Selector, time_ms: int) -> list[Element]:
        """Give the newest sample of each series, unless it is too old or says that the series ended."""
        time_ms = self._pinned(selector, time_ms)
        oldest = time_ms - self.settings.lookback_ms + (0 if self.settings.prometheus_2 else 1)
        found = self._series(selector)
        self.spend(len(found))
        elements = []
        for series in found:
            timestamps, values = series.columns
            index = bisect_right(timestamps, time_ms) - 1
            if index < 0 or timestamps[index] < oldest:
                continue
            value = values[index]
            if value == value or not is_stale(value):
                elements.append(Element(series.labels, value, False, timestamps[index]))
        return elements

    def _cut(self, node: Window, time_ms: int, counters: bool) -> Windows:
        """Cut a window out of the samples; what the instants still to come will want is read along with it."""
        end = self._pinned(node.selector, time_ms)
        start = end - node.range_ms
        first_after = bisect_left if self.settings.prometheus_2 else bisect_right
        if not self._ahead_ms:
            return Windows(self._read(node.selector, start, end, first_after), start, end)
        known = self._readings.get(id(node))
        if known is None or start < known.start_ms or known.end_ms < end:
            until = end + self._ahead_ms
            columns = self._read(node.selector, start, until, bisect_left)
            for whole in columns if counters else ():
                whole.falls = falls_of(whole.column[1])
            known = self._readings[id(node)] = Windows(columns, start, until)
        runs = []
        for whole in known.runs:
            timestamps = whole.column[0]
            first = first_after(timestamps, start)
            stop = bisect_right(timestamps, end, first)
            if first < stop:
                self._left -= stop - first
                runs.append(Run(whole.labels, whole.column, first, stop, False, whole.falls))
        self.spend(len(known.runs))
        return Windows(runs, start, end)

    def _read(
        self, selector: Selector, start_ms: int, end_ms: int, first_after: Callable[..., int]
    ) -> list[Run]:
        """Copy the samples up to an instant, and from or after another, out of the series of a selector."""
        runs = []
        for series in self._series(selector):
            timestamps, values = series.columns
            stop = len(timestamps)
            if stop and timestamps[stop - 1] > end_ms:
                stop = bisect_right(timestamps, end_ms, 0, stop)
            recent = stop > TAIL and timestamps[stop - TAIL] < start_ms
            first = first_after(timestamps, start_ms, stop - TAIL if recent else 0, stop)
            self._left -= stop - first + 1
            if self._left < 0:
                self.spend(0)
            if first == stop:
                continue
            samples = values[first:stop].tolist()
            total = sum(samples)
            column: Column = timestamps[first:stop], samples
            if total != total:
                column = _without_stale(column)
            if column[0]:
                runs.append(Run(series.labels, column, 0, len(column[0])))
        return runs

    def _repeat(self, node: Subquery, time_ms: int) -> Windows:
        end = self._pinned(node, time_ms)
        start = end - node.range_ms
        step = self.settings.subquery_step_ms if node.step_ms is None else node.step_ms
        first = -(-start // step) * step
        if first == start and not self.settings.prometheus_2:
            first += step
        if (end - first) // step + 1 > SUBQUERY_POINT_LIMIT:
            raise QueryError(f"a subquery may have {SUBQUERY_POINT_LIMIT} points, and this one has more")
        series: dict[Labels, _Points] = {}
        for instant_ms in range(first, end + 1, step):
            self.spend(1)
            value = self.value(node.expression, instant_ms)
            assert not isinstance(value, str)
            elements = [Element(EMPTY_LABELS, value)] if isinstance(value, float) else value
            self.spend(len(elements))
            for element in elements:
                _extend(series, element, instant_ms)
        runs = [
            Run(labels, (made.timestamps, made.values), 0, len(made.values), made.nameless)
            for labels, made in series.items()
        ]
        return Windows(runs, start, end)


def _without_stale(column: Column) -> Column:
    """Take the staleness markers out."""
    timestamps, values = column
    kept = [index for index, value in enumerate(values) if value == value or not is_stale(value)]
    return [timestamps[index] for index in kept], [values[index] for index in kept]


@final
class _Points:
    """The samples that a subquery makes of one series."""

    __slots__ = ("nameless", "timestamps", "values")

    def __init__(self, nameless: bool) -> None:
        self.nameless = nameless
        self.timestamps: list[int] = []
        self.values: list[float] = []


def _extend(series: dict[Labels, _Points], element: Element, instant_ms: int) -> None:
    points = series.get(element.labels)
    if points is None:
        points = series[element.labels] = _Points(element.nameless)
    elif points.timestamps[-1] == instant_ms:
        raise QueryError(f"vector cannot contain metrics with the same labelset: {element.labels!r}")
    points.timestamps.append(instant_ms)
    points.values.append(element.value)
