"""What one target shows, scrape after scrape, written into the store.

The rules are Prometheus': a series that a target no longer shows ends with a staleness marker, and so do all
of them when the target cannot be read. On top of them a counter that was not there a scrape ago and now has a
value started from zero in between, and that zero is written too (`davy.analysis.exposed` says why).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from davy.analysis.exposed import is_counter, missing_errors
from davy.analysis.promql.exposition import Exposition
from davy.analysis.promql.series import NAME, STALE, Labels, Series, SeriesStore
from davy.analysis.vantage import Mapped, family

Translate: TypeAlias = Callable[[Labels], Iterable[Mapped]]
"""Says which series a line of the target feeds."""

_MEMORY: Final = 2000
"""How many lines that are not shown any more are remembered, so that ever new ones do not add up."""


class _Line:
    """A line of a page: its labels as the target wrote them, and the series that it feeds with what factor."""

    __slots__ = ("counter", "labels", "seen", "sinks")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.counter = False
        self.seen = -1
        self.sinks: tuple[tuple[Series, float], ...] = ()


class Intake:
    """Turns the pages of one target into series; belongs to the one thread that writes to the store.

    Timestamps on a page are passed over: when something was so, is what the scraper's clock says.

    Args:
        store: where the series go.
        translate: what a line stands for.
        born_ms: when the target's counters were zero, in milliseconds, None where nobody knows.
    """

    def __init__(self, store: SeriesStore, translate: Translate, *, born_ms: int | None = None) -> None:
        self.families: frozenset[str] = frozenset()
        """The families that the target has shown, those without a sample included."""
        self._store = store
        self._translate = translate
        self._absent_ms = born_ms
        self._exposition = Exposition(self._line)
        self._types: Mapping[str, str] = {}
        self._pages = 0
        self._count = 0
        self._made = 0
        self._lines: Mapping[Labels, _Line] = {}
        self._zeros: tuple[Series, ...] = ()
        self._series: Mapping[Labels, Series] = {}
        self._outdated = False
        self._ended = False

    def translate_again(self) -> None:
        """From the next page on, ask anew what each line stands for. What nothing feeds any more ends there."""
        self._outdated = True

    def take(self, text: str, at_ms: int) -> list[tuple[Labels, float]]:
        """Write a page, and return its lines. Nothing of a page that cannot be read is written.

        Raises:
            ExpositionError: it is not in Prometheus' text format.
        """
        readings = self._exposition.read(text)
        last, self._pages = self._pages, self._pages + 1
        fresh = [(line, value) for line, value, _ in readings if line.seen != last]
        types = _types(text)
        if fresh or self._outdated or len(readings) != self._count or types != self._types:
            self._types = types
            self._arrange([line for line, _, _ in readings], at_ms)
        for line, value in fresh:
            self._begin(line, value, at_ms)
        for line, value, _ in readings:
            line.seen = self._pages
            for series, factor in line.sinks:
                series.append(at_ms, value * factor)
        for series in self._zeros:
            series.append(at_ms, 0.0)
        self._absent_ms, self._count, self._ended = at_ms, len(readings), False
        return [(line.labels, value) for line, value, _ in readings]

    def fail(self, at_ms: int) -> None:
        """End every series: the target cannot be read, or there is no such target any more."""
        if not self._ended:
            for series in self._series.values():
                series.append(at_ms, STALE)
        self._ended = True

    def _line(self, name: str, labels: Labels) -> _Line:
        named = labels.with_label(NAME, name)
        self._made += 1
        return self._lines.get(named) or _Line(named)

    def _arrange(self, lines: list[_Line], at_ms: int) -> None:
        """Say of each line which series it feeds, and end the series that none feeds any more."""
        for line in lines:
            if self._outdated or not line.sinks:
                name = line.labels.name
                line.counter = is_counter(name, self._types.get(name) or self._types.get(family(name), ""))
                line.sinks = tuple(self._sinks(line.labels))
        missing = missing_errors(line.labels for line in lines if line.counter)
        self._zeros = tuple(series for labels in missing for series, _ in self._sinks(labels))
        fed = {series.labels: series for line in lines for series, _ in line.sinks}
        fed |= {series.labels: series for series in self._zeros}
        for labels, series in self._series.items():
            if labels not in fed:
                series.append(at_ms, STALE)
        self._series, self._outdated = fed, False
        self._lines = {line.labels: line for line in lines}
        if self._made > _MEMORY + 4 * len(lines):
            self._exposition, self._made = Exposition(self._line), 0
        self.families = frozenset(self._types).union(family(line.labels.name) for line in lines)

    def _sinks(self, labels: Labels) -> Iterator[tuple[Series, float]]:
        return ((self._store.series(mapped.labels), mapped.factor) for mapped in self._translate(labels))

    def _begin(self, line: _Line, value: float, at_ms: int) -> None:
        """Write the zero that a new counter started from, right after it was last seen to be absent."""
        if line.counter and value > 0 and self._absent_ms is not None and self._absent_ms + 1 < at_ms:
            for series, _ in line.sinks:
                series.append(self._absent_ms + 1, 0.0)


def _types(text: str) -> dict[str, str]:
    """Find the types that a page gives its families."""
    comments = (comment.split(None, 2)[:2] for comment in f"\n{text}".split("\n# TYPE ")[1:])
    return {pair[0]: pair[1] for pair in comments if len(pair) == 2}
