"""Changes of a text, in bytes: where, and what comes instead."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_WORD = re.compile(rb"[\w$]")
_BLANK = re.compile(rb"[ \t]*")


class Edit(NamedTuple):
    """The bytes from `start` up to `end` become `text`."""

    start: int
    end: int
    text: bytes = b""


def apply(source: bytes, edits: Iterable[Edit]) -> bytes:
    """Make changes that do not overlap; words that would grow together are kept apart by a blank."""
    parts: list[bytes] = []
    at = 0
    for edit in sorted(edits):
        assert edit.start >= at, "changes overlap"
        parts += [source[at : edit.start], _apart(source, edit)]
        at = edit.end
    return b"".join([*parts, source[at:]])


def _apart(source: bytes, edit: Edit) -> bytes:
    """Return what is put in, with a blank where it would become one word with what is before or behind it."""
    if not edit.text:
        return b""
    before = b" " if _both_words(source[edit.start - 1 : edit.start], edit.text[:1]) else b""
    behind = b" " if _both_words(edit.text[-1:], source[edit.end : edit.end + 1]) else b""
    return before + edit.text + behind


def _both_words(left: bytes, right: bytes) -> bool:
    return bool(_WORD.fullmatch(left) and _WORD.fullmatch(right))


def line_start(source: bytes, at: int) -> int:
    """Return where the line begins that holds a place."""
    return source.rfind(b"\n", 0, at) + 1


def line_end(source: bytes, at: int) -> int:
    """Return where the next line begins, or the text ends."""
    found = source.find(b"\n", at)
    return len(source) if found < 0 else found + 1


def indent_of(source: bytes, at: int) -> bytes:
    """Return the blanks that the line begins with that holds a place."""
    found = _BLANK.match(source, line_start(source, at))
    assert found
    return found[0]


def stands_first(source: bytes, at: int) -> bool:
    """Say whether there are only blanks before a place in its line."""
    return not source[line_start(source, at) : at].strip(b" \t")


def stands_alone(source: bytes, start: int, end: int, comment: bytes) -> bool:
    """Say whether there is nothing but blanks and a comment in the lines of a piece beside it."""
    rest = source[end : line_end(source, end)].strip()
    return stands_first(source, start) and (not rest or rest.startswith(comment))


def without_lines(source: bytes, start: int, end: int) -> Edit:
    """Take whole lines away, and blank lines that would come to stand together, or first of all."""
    first, last = line_start(source, start), line_end(source, max(start, end - 1))
    before = source[line_start(source, first - 1) : first].strip() if first else b""
    behind = source[last : line_end(source, last)]
    if behind and not behind.strip() and (not before or before.endswith((b":", b"{"))):
        last += len(behind)
    while not first and last < len(source) and not source[last : line_end(source, last)].strip():
        last = line_end(source, last)
    return Edit(first, last)
