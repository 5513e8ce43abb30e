"""An in-memory store of time series: one writer appends and trims, any number of readers select.

The rule that makes reads safe under the GIL without a lock:

- `Series.append` writes the value first and the timestamp after it, so that a reader who took
  `len(timestamps)`
  finds a value at every smaller index;
- a reader takes `Series.columns` once and uses only that pair: `SeriesStore.trim` never shortens an array in
  place,
  it puts a new pair in its place with one assignment;
- nobody exports a buffer of a column (`memoryview` would make `append` fail).

Two writers are not safe together: appending and trimming belong to one thread. A reader sees every series
whole, but not all of them at one moment: ask about an instant for which everything has been appended.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias, final

from davy.analysis.promql.matching import Matcher, MatchOperator
from davy.errors import UsageError

NAME: Final = "__name__"
STALE: Final[float] = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""Prometheus' staleness marker: a NaN of its own bits that ends a series until its next sample."""

_STALE_BYTES: Final = struct.pack("<d", STALE)

SELECTIONS_KEPT: Final = 256

Columns: TypeAlias = "tuple[array[int], array[float]]"
Pairs: TypeAlias = tuple[tuple[str, str], ...]


def is_stale(value: float) -> bool:
    """Tell the staleness marker from every other number, other NaNs included."""
    return value != value and struct.pack("<d", value) == _STALE_BYTES


@final
class Labels(Mapping[str, str]):
    """An immutable set of label names and values; two with the same pairs are equal and hash alike.

    A label with an empty value is the same as no label, in PromQL and here. `pairs` are sorted by name and
    serve as the key of dictionaries, `as_dict` is for reading only.
    """

    __slots__ = ("_hash", "_nameless", "as_dict", "pairs")

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.as_dict: dict[str, str] = {name: value for name, value in labels.items() if value}
        self.pairs: Pairs = tuple(sorted(self.as_dict.items()))
        self._hash: int | None = None
        self._nameless: Labels | None = None

    def __getitem__(self, name: str) -> str:
        return self.as_dict[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.pairs)
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self.pairs == other.pairs if isinstance(other, Labels) else NotImplemented

    def __repr__(self) -> str:
        others = [str(Matcher(name, MatchOperator.EQUAL, value)) for name, value in self.pairs if name != NAME]
        return f"{self.name}{{{', '.join(others)}}}"

    @property
    def name(self) -> str:
        """The metric's name, or an empty string."""
        return self.as_dict.get(NAME, "")

    def without_name(self) -> "Labels":
        """Give the labels that are left when the value is no longer that metric's."""
        if self._nameless is None:
            self._nameless = self.without((NAME,)) if NAME in self.as_dict else self
        return self._nameless

    def without(self, names: Iterable[str]) -> "Labels":
        """Give a copy that lacks these names."""
        gone = frozenset(names)
        return Labels({name: value for name, value in self.as_dict.items() if name not in gone})

    def with_label(self, name: str, value: str) -> "Labels":
        """Give a copy in which one label has this value; an empty value takes the label off."""
        return Labels({**self.as_dict, name: value})


EMPTY_LABELS: Final = Labels({})


@final
class Series:
    """One time series, and the fast way to append to it.

    A handle stays good for as long as its owner likes: when retention has taken the series out of its store,
    the next append puts it back.
    """

    __slots__ = ("_store", "columns", "labels", "retired")

    def __init__(self, labels: Labels, store: "SeriesStore") -> None:
        self.labels = labels
        self.columns: Columns = (array("q"), array("d"))
        self.retired = False
        self._store = store

    def append(self, timestamp_ms: int, value: float) -> bool:
        """Add a sample and say whether it was taken: one that is not newer than the last is ignored."""
        if self.retired:
            return self._store.series(self.labels).append(timestamp_ms, value)
        timestamps, values = self.columns
        if timestamps and timestamp_ms <= timestamps[-1]:
            return False
        values.append(value)
        timestamps.append(timestamp_ms)
        return True


class SeriesStore:
    """All series, found by their labels or by matchers."""

    def __init__(self) -> None:
        self._series: dict[Pairs, Series] = {}
        self._by_name: dict[str, list[Series]] = {}
        self._generation = 0
        self._selections: dict[tuple[Matcher, ...], tuple[int, tuple[Series, ...]]] = {}

    @property
    def series_count(self) -> int:
        """How many series there are."""
        return len(self._series)

    @property
    def sample_count(self) -> int:
        """How many samples there are: 16 bytes each."""
        return sum(len(series.columns[0]) for series in list(self._series.values()))

    def series(self, labels: Labels | Mapping[str, str]) -> Series:
        """Give the series of these labels, made where there was none: the handle for repeated appends.

        Raises:
            UsageError: a name or a value that is not text (half of a surrogate pair).
        """
        known = labels if isinstance(labels, Labels) else Labels(labels)
        series = self._series.get(known.pairs)
        if series is None:
            _refuse_surrogates(known)
            series = Series(known, self)
            self._series[known.pairs] = series
            self._by_name.setdefault(known.name, []).append(series)
            self._generation += 1
        return series

    def append(self, labels: Labels | Mapping[str, str], timestamp_ms: int, value: float) -> bool:
        """Add a sample to the series of these labels and say whether it was taken."""
        return self.series(labels).append(timestamp_ms, value)

    def select(self, matchers: Iterable[Matcher]) -> tuple[Series, ...]:
        """Give the series that satisfy every matcher, in the order in which they came.

        Asked again before a series came or went, it answers from memory: patterns are slow, and queries come
        back.
        """
        wanted = tuple(matchers)
        generation = self._generation
        known = self._selections.get(wanted)
        if known is not None and known[0] == generation:
            return known[1]
        if len(self._selections) >= SELECTIONS_KEPT:
            self._selections.clear()
        found = self._find(wanted)
        self._selections[wanted] = generation, found
        return found

    def _find(self, matchers: tuple[Matcher, ...]) -> tuple[Series, ...]:
        name = next((m.value for m in matchers if m.name == NAME and m.operator is MatchOperator.EQUAL), "")
        candidates = list(self._by_name.get(name, ()) if name else self._series.values())
        tests = [(matcher.name, matcher.predicate()) for matcher in matchers]
        return tuple(
            series
            for series in candidates
            if all(test(series.labels.as_dict.get(label, "")) for label, test in tests)
        )

    def trim(self, before_ms: int) -> None:
        """Forget the samples older than this, and the series that have none left.

        Readers that are at work keep what they have taken; handles of forgotten series stay usable.
        """
        for series in list(self._series.values()):
            timestamps, values = series.columns
            kept = bisect_left(timestamps, before_ms)
            if kept == len(timestamps):
                self._retire(series)
            elif kept:
                series.columns = (timestamps[kept:], values[kept:])

    def _retire(self, series: Series) -> None:
        series.retired = True
        del self._series[series.labels.pairs]
        name = series.labels.name
        left = [other for other in self._by_name[name] if other is not series]
        if left:
            self._by_name[name] = left
        else:
            del self._by_name[name]
        self._generation += 1


def _refuse_surrogates(labels: Labels) -> None:
    try:
        "".join(map("".join, labels.pairs)).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"a label of {labels!r} is not text") from error
