"""Styled text: laid out as plain text first and coloured afterwards, so that colour never moves a column."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

_LOOKS: dict[str, dict[str, object]] = {
    "": {},
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "busy": {"fg": "cyan"},
    "wait": {"fg": "yellow"},
    "faint": {"dim": True},
    "strong": {"bold": True},
}


class Span(NamedTuple):
    """A piece of text in one look; colour is never the only thing that says something."""

    text: str
    look: str = ""


Line = tuple[Span, ...]


def span(text: str, look: str = "") -> Span:
    """Make a piece of text; a character that could move a terminal's cursor is shown as �."""
    return Span(visible(text), look)


def visible(text: str) -> str:
    """Make characters that could move a terminal's cursor harmless."""
    return "".join(character if character.isprintable() else "�" for character in text)


def plain(line: Iterable[Span]) -> str:
    """Return a line without its looks and without blanks at its end."""
    return "".join(piece.text for piece in line).rstrip()


def paint(line: Line) -> str:
    """Return a line with its looks as terminal codes."""
    kept = len(plain(line))
    painted = ""
    for piece in line:
        text, kept = piece.text[:kept], kept - len(piece.text[:kept])
        painted += click.style(text, **_LOOKS[piece.look]) if piece.look and text else text  # type: ignore[arg-type]
    return painted


def width(line: Iterable[Span]) -> int:
    """Return how many columns a line takes."""
    return sum(len(piece.text) for piece in line)


def columns(rows: Sequence[Sequence[Line]], *, gap: int = 2) -> list[Line]:
    """Lay out cells in columns, each as wide as its widest cell."""
    count = max((len(row) for row in rows), default=0)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    return [
        tuple(
            piece
            for cell, wide in zip(row, widths, strict=False)
            for piece in (*cell, Span(" " * (wide - width(cell) + gap)))
        )
        for row in rows
    ]


def cell(text: object, look: str = "") -> Line:
    """Make a line of one piece."""
    return (span(str(text), look),)
