"""A manifest that was read, together with where everything in it was written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from davy.model.finding import Finding, Place, Severity
from davy.model.meta import Manifest
from davy.model.source import Position, Source, Span, parents

#: What a finding points at: a field with its value, or one of them.
Part = Literal["field", "key", "value"]


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a text.

    `positions` knows every field and item that was written, by its path, e.g.
    `spec.metrics[0].provider.prometheus.query`; the document itself is the empty path. Paths of a document
    that came in a `kind: List` begin at the document all the same.
    """

    kind: str
    value: Manifest
    source: Source
    positions: Mapping[str, Position]

    @property
    def place(self) -> Place:
        """Where the document begins."""
        return self.source.place(self.positions[""].value.start)

    def has(self, path: str) -> bool:
        """Say whether something was written at a path."""
        return path in self.positions

    def position(self, path: str) -> Position:
        """Return where a path was written, or, where it was not, the nearest path above it."""
        if path in self.positions:
            return self.positions[path]
        return next(self.positions[above] for above in parents(path) if above in self.positions)

    def place_of(self, path: str) -> Place:
        """Say where a path was written: at its key, or at its value where it has no key."""
        key, value = self.position(path)
        return self.source.place((key or value).start)

    def text_of(self, path: str) -> str:
        """Return the piece of the text that is the value of a path, as it was written."""
        value = self.position(path).value
        return self.source.text[value.start : value.end]

    def finding(
        self,
        code: str,
        path: str,
        title: str,
        *,
        severity: Severity = "error",
        part: Part = "field",
        label: str = "",
        fix: str = "",
        waive: str = "",
    ) -> Finding:
        """Make a finding about a path; about a path that was not written, it points at the nearest above."""
        key, value = self.position(path)
        if key is None or part == "value":
            span = value
        elif part == "key" or path not in self.positions:
            span = key
        else:
            span = Span(key.start, value.end)
        return self.source.finding(
            code, span, title, severity=severity, label=label, fix=fix, waive=waive, path=path
        )
