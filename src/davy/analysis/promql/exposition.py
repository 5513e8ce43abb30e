"""The text that a target exposes: Prometheus' format, and what OpenMetrics shares with it.

A target says nearly the same at every scrape: only the values change. So what a line says before its value is
parsed once and remembered, together with whatever the caller makes of it (the handle of a series, say).
"""

import math
import re
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from davy.analysis.promql.series import NAME, Labels
from davy.errors import UsageError

Key = TypeVar("Key")

TEXT_LIMIT: Final = 64 * 1024 * 1024
"""Characters of one exposition."""

LINE_LIMIT: Final = 65_536
"""Characters of one line."""

SAMPLE_LIMIT: Final = 500_000
"""Samples of one exposition."""

CACHE_LIMIT: Final = 200_000
"""Series that are remembered; a target that exposes ever new ones makes the memory start anew."""


class ExpositionError(UsageError):
    """A text that is no exposition; `line` counts from 1."""

    code = "exposition"

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


class ExposedSample(NamedTuple):
    """One sample: `labels` lack the name, and `timestamp_ms` is None where the text gives none."""

    name: str
    labels: Labels
    value: float
    timestamp_ms: int | None


Reading: TypeAlias = tuple[Key, float, int | None]
"""What the caller made of a series, with a value and perhaps a timestamp in milliseconds."""


class Exposition(Generic[Key]):
    """Reads scrape after scrape of one target, and remembers its series.

    Args:
        make: called with a name and labels (which lack the name) the first time a series is seen; what it
            gives comes
            back with every sample of the series.
        openmetrics: timestamps are seconds, and the text must end with `# EOF`, or it was cut short.
    """

    def __init__(self, make: Callable[[str, Labels], Key], *, openmetrics: bool = False) -> None:
        self._make = make
        self._openmetrics = openmetrics
        self._known: dict[str, Key] = {}

    def read(self, text: str) -> list[Reading[Key]]:
        """Read one scrape, in the order of its lines; comments and exemplars are passed over.

        Raises:
            ExpositionError: a line that is no sample, a text that is too large or was cut short. Nothing is
                given
                of a text of which one line is wrong.
        """
        lines = _lines(text)
        if self._openmetrics:
            lines = _until_end(lines)
        known = self._known
        readings: list[Reading[Key]] = []
        for number, line in enumerate(lines, 1):
            head, _, digits = line.rpartition(" ")
            key = known.get(head)
            # what float() takes and the format does not is left to the long way, which names the reason
            if key is not None and digits.isascii() and "_" not in digits and digits.strip() == digits:
                try:
                    readings.append((key, float(digits), None))
                    continue
                except ValueError:
                    pass
            if line and not line.lstrip(" \t").startswith("#"):
                readings.append(self.parse_line(line, number))
        if len(readings) > SAMPLE_LIMIT:
            raise ExpositionError(f"more than {SAMPLE_LIMIT} samples", line=len(lines))
        return readings

    def parse_line(self, line: str, number: int) -> Reading[Key]:
        """Read one line that is neither empty nor a comment, and remember its series.

        Raises:
            ExpositionError: it is no sample.
        """
        parsed = _Line(line, number).parse(openmetrics=self._openmetrics)
        head = line.rpartition(" ")[0]
        key = self._known.get(parsed.series)
        if key is None:
            if len(self._known) >= CACHE_LIMIT:
                self._known.clear()
            key = self._known[parsed.series] = self._make(parsed.sample.name, parsed.sample.labels)
        if head.rstrip(" \t") == parsed.series:
            self._known[head] = key
        return key, parsed.sample.value, parsed.sample.timestamp_ms


def parse_exposition(text: str, *, openmetrics: bool = False) -> list[ExposedSample]:
    """Read one exposition that will not come again.

    Raises:
        ExpositionError: as for `Exposition.read`.
    """
    exposition = Exposition(lambda name, labels: (name, labels), openmetrics=openmetrics)
    return [ExposedSample(*series, value, at) for series, value, at in exposition.read(text)]


def _lines(text: str) -> list[str]:
    if len(text) > TEXT_LIMIT:
        raise ExpositionError(f"more than {TEXT_LIMIT} characters", line=1)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise ExpositionError("half of a surrogate pair", line=line) from error
    return text.split("\n")


def _until_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines.pop()
    if not lines or lines.pop() != "# EOF":
        raise ExpositionError("the text was cut short: it does not end with # EOF", line=len(lines) + 1)
    return lines


class _Parsed(NamedTuple):
    """A line: the text that names its series, and what it says."""

    series: str
    sample: ExposedSample


_BLANK: Final = re.compile(r"[ \t]*+")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*+")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]++|\\.)*)"')
_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?|[+-]?(?i:inf(?:inity)?|nan)"
)
_TIMESTAMP: Final = re.compile(r"[+-]?[0-9]++(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]++)?")
_COMPOSITE: Final = "values of several parts, as native histograms have, are not supported"
_ESCAPE: Final = re.compile(r'\\([\\"n])')


class _Line:
    """A line being read from left to right."""

    def __init__(self, text: str, number: int) -> None:
        self._text = text
        self._number = number
        self._position = 0

    def parse(self, *, openmetrics: bool) -> _Parsed:
        if len(self._text) > LINE_LIMIT:
            raise self._error(f"more than {LINE_LIMIT} characters")
        self._skip()
        start = self._position
        name = self._take(_METRIC) or ""
        end = self._position
        self._skip()
        labels: dict[str, str] = {}
        if self._text.startswith("{", self._position):
            name = self._labels(labels, name)
            end = self._position
        if not name:
            raise self._error("expected the name of a metric")
        value = self._value(after=end)
        timestamp_ms = self._timestamp(openmetrics=openmetrics)
        if self._position < len(self._text) and not self._text.startswith("# ", self._position):
            raise self._error("expected nothing more")
        sample = ExposedSample(name, Labels(labels), value, timestamp_ms)
        return _Parsed(self._text[start:end], sample)

    def _labels(self, labels: dict[str, str], name: str) -> str:
        """Read labels in braces; a quoted text without a value is the metric's name, as in Prometheus 3."""
        self._position += 1
        self._skip()
        while not self._text.startswith("}", self._position):
            quoted = self._take(_QUOTED)
            label = self._take(_LABEL) if quoted is None else _unescaped(quoted)
            self._skip()
            if self._text.startswith("=", self._position) and label:
                self._position += 1
                self._skip()
                value = self._take(_QUOTED)
                if value is None:
                    raise self._error("expected the value of a label in quotes")
                if label in labels or label == NAME:
                    raise self._error(f"the label {label} stands twice")
                labels[label] = _unescaped(value)
            elif quoted is not None and not name:
                name = _unescaped(quoted)
            elif self._text.startswith(":", self._position):
                raise self._error(_COMPOSITE)
            else:
                raise self._error("expected a label and its value")
            self._skip()
            if not self._text.startswith(",", self._position):
                break
            self._position += 1
            self._skip()
        if not self._text.startswith("}", self._position):
            raise self._error("expected a comma or the closing brace")
        self._position += 1
        return name

    def _value(self, *, after: int) -> float:
        self._skip()
        separated = self._position > after or self._text[after - 1] == "}"
        digits = self._take(_NUMBER) if separated else None
        if digits is None or not self._ends():
            composite = self._text.startswith("{", self._position)
            raise self._error(_COMPOSITE if composite else "expected a value")
        return float(digits)

    def _timestamp(self, *, openmetrics: bool) -> int | None:
        self._skip()
        digits = self._take(_TIMESTAMP)
        if digits is None:
            return None
        instant = float(digits) * (1000 if openmetrics else 1)
        whole = openmetrics or digits.lstrip("+-").isdigit()
        if not whole or not self._ends() or not math.isfinite(instant):
            raise self._error("expected a timestamp")
        self._skip()
        return round(instant)

    def _ends(self) -> bool:
        """Tell whether what was taken ends here: a blank or the line's end follows."""
        return self._position == len(self._text) or self._text[self._position] in " \t"

    def _skip(self) -> None:
        blank = _BLANK.match(self._text, self._position)
        assert blank is not None
        self._position = blank.end()

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._position)
        if found is None:
            return None
        self._position = found.end()
        return found.group(found.lastindex or 0)

    def _error(self, message: str) -> ExpositionError:
        rest = self._text[self._position : self._position + 20]
        return ExpositionError(f"{message} at {rest!r}", line=self._number)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], text)
