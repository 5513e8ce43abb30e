"""A manifest of any kind as the JSON that it means to the cluster: policies judge kinds that Davy does not run.

Places are looked up by path when somebody asks for one: most manifests have nothing wrong with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from davy.model.check import WRONG, Checker
from davy.model.finding import Finding, Place, Severity
from davy.model.report import Report
from davy.model.source import Position, Source, Span, steps
from davy.model.yaml import Mapping, Node, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One mapping of a text: `value` is what JSON makes of it, in lists and dictionaries of its own.

    One that is not `sound` holds something that readers disagree on or that JSON has no word for: `value` is
    not what it says, so that it can be named and not judged.
    """

    value: dict[str, Any]
    source: Source
    node: Mapping
    sound: bool = True

    @property
    def place(self) -> Place:
        """Where the document begins."""
        return self.source.place(self.node.span.start)

    def has(self, path: str) -> bool:
        """Say whether something was written at a path."""
        return self._walk(path)[1]

    def position(self, path: str) -> Position:
        """Return where a path was written, or, where it was not, the nearest path above it."""
        return self._walk(path)[0]

    def at(self, path: str) -> Node:
        """Return what was written at a path, or, where nothing was, at the nearest above it."""
        return self._walk(path)[2]

    def place_of(self, path: str) -> Place:
        """Say where a path was written: at its key, or at its value where it has no key."""
        key, value = self.position(path)
        return self.source.place((key or value).start)

    def finding(
        self,
        code: str,
        path: str,
        title: str,
        *,
        severity: Severity = "error",
        label: str = "",
        why: str = "",
        fix: str = "",
        waive: str = "",
    ) -> Finding:
        """Make a finding about a path, which underlines a key and what stands behind it in its line."""
        (key, value), written, _ = self._walk(path)
        span = value if key is None else Span(key.start, value.end) if written else key
        return self.source.finding(
            code, span, title, severity=severity, label=label, why=why, fix=fix, waive=waive, path=path
        )

    def _walk(self, path: str) -> tuple[Position, bool, Node]:
        node: Node = self.node
        position = Position(None, node.span)
        for step in steps(path):
            below = _below(node, step)
            if below is None:
                return position, False, node
            key, node = below
            position = Position(None if key is None else key.span, node.span)
        return position, True, node


def read_raw(node: Mapping, report: Report, *, quiet: bool = False) -> RawDocument:
    """Read a document without a type.

    Problems are told of unless `quiet`, for documents that are told of by the checker of their type.
    """
    reader = _Reader(report, quiet=quiet)
    value = reader.mapping(node)
    return RawDocument(value, report.source, node, not reader.wrong)


class _Reader:
    """Reads nodes, and remembers whether one of them was wrong."""

    def __init__(self, report: Report, *, quiet: bool) -> None:
        self.checker = Checker(report)
        self.quiet = quiet
        self.wrong = False
        if quiet:
            self.checker.tell = _say_nothing

    def value(self, node: Node) -> Any:
        if isinstance(node, Scalar):
            return self.scalar(node)
        if isinstance(node, Sequence):
            return [self.value(item) for item in node.items]
        return self.mapping(node)

    def scalar(self, node: Scalar) -> Any:
        value = self.checker.read(node)
        if value is WRONG:
            self.wrong = True
            return None
        if node.plain and not node.tag and not self.quiet:
            self.checker.warn_ambiguous(node, value)
        return value

    def mapping(self, node: Mapping) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, _, below in self.checker.keyed(node):
            values[key] = self.value(below)
        self.wrong = self.wrong or len(values) < len(node.entries)
        return values


def _say_nothing(*_: Any, **__: Any) -> None:
    """Tell nobody."""


def _below(node: Node, step: str | int) -> tuple[Scalar | None, Node] | None:
    match node, step:
        case Sequence(items=items), int():
            return (None, items[step]) if step < len(items) else None
        case Mapping(), str():
            return next(_entries(node, step), None)
        case _:
            return None


def _entries(node: Mapping, name: str) -> Iterator[tuple[Scalar, Node]]:
    for key, value in node.entries:
        if isinstance(key, Scalar) and key.text == name:
            yield key, value
