"""A text under inspection: from offsets to lines and columns, and to findings that show the line."""

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from davy.model.finding import CODES, Finding, Place, Severity

_NEWLINE = re.compile("\n")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


class Span(NamedTuple):
    """A piece of a text, as offsets in characters; `text[start:end]` is the piece."""

    start: int
    end: int


class Position(NamedTuple):
    """Where a value is, and where its key is if it has one.

    The span of a block scalar begins at its `|` or `>` and ends with its last line that is not blank; quotes,
    anchors and tags belong to the span of their value.
    """

    key: Span | None
    value: Span


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name of the file that it came from."""

    file: str
    text: str
    _lines: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lines", [0, *(found.end() for found in _NEWLINE.finditer(self.text))])

    @property
    def lines(self) -> int:
        """How many lines the text has."""
        return len(self._lines)

    def place(self, offset: int) -> Place:
        """Say which line and column an offset is in."""
        line = bisect_right(self._lines, offset)
        return Place(self.file, line, offset - self._lines[line - 1] + 1)

    def line(self, number: int) -> str:
        """Return one line, counted from 1, without its end."""
        end = self._lines[number] if number < len(self._lines) else len(self.text)
        return self.text[self._lines[number - 1] : end].rstrip("\r\n")

    def finding(
        self,
        code: str,
        span: Span,
        title: str,
        *,
        severity: Severity = "error",
        label: str = "",
        why: str = "",
        fix: str = "",
        waive: str = "",
        path: str = "",
    ) -> Finding:
        """Make a finding about a piece of the text; only its first line is shown and underlined.

        Without a `why` it is that of the code.
        """
        place = self.place(span.start)
        shown = self.line(place.line)
        length = min(span.end - span.start, len(shown) - place.column + 1)
        return Finding(
            code=code,
            severity=severity,
            title=title,
            place=place,
            label=label,
            why=why or CODES.get(code, ""),
            fix=fix,
            waive=waive,
            source_line=shown,
            length=max(1, length),
            path=path,
        )


def join(path: str, step: str | int) -> str:
    """Write a path one step further: `spec.steps[0]`, `metadata.labels["app.kubernetes.io/name"]`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if not _WORD.fullmatch(step):
        return f"{path}[{json.dumps(step, ensure_ascii=False)}]"
    return f"{path}.{step}" if path else step


def parents(path: str) -> list[str]:
    """List the paths above a path, the nearest first, the whole document last."""
    return [path[: found.start()] for found in reversed(list(_STEP.finditer(path)))]


def steps(path: str) -> list[str | int]:
    """Take a path apart into keys and indexes; what is no path in any notation ends where it stops being one.

    Brackets may have either sort of quotes, since policies write paths, too.
    """
    found: list[str | int] = []
    for step in _ANY_STEP.finditer(path):
        word, index, quoted = step.groups()
        if word is not None:
            found.append(word)
        elif index is not None:
            found.append(int(index))
        else:
            found.append(_unquoted(quoted))
    return found


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(f'"{text[1:-1]}"'))
    except ValueError:
        return text[1:-1]


_ANY_STEP = re.compile(
    r"""\.?([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,9})\]|\[("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\]"""
)
_STEP = re.compile(r'\.?[A-Za-z_][A-Za-z0-9_-]*|\[[0-9]+\]|\["(?:[^"\\]|\\.)*"\]')
