"""Exceptions in comments: `davy: allow F009 until 2027-01-01 because …`. There is no other way round a rule."""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from davy.flags.lint.rules.table import RULES
from davy.flags.lint.rules.view import Found, View
from davy.model.check import nearest
from davy.model.finding import Place
from davy.model.instant import BadInstant, lasting, parse_end

NEEDLE = b"davy: allow"
"""What a text has that has an exception, so that others need not be looked at."""

_ALLOW = re.compile(
    r"(?P<before>.*?)(?P<mark>#|//|/\*|\{/\*|<!--|\*)\s*(?P<all>davy:\s*allow\b(?P<rest>[^\n]*))"
)
_FULL = re.compile(
    r"\s+(?P<codes>F\d{3}(?:[\s,]+F\d{3})*)\s+until\s+(?P<until>\S+)\s+because\s+(?P<why>\S.*?)\s*(?:\*/\}?|-->)?\s*"
)
_COMMENT = re.compile(r"\s*(?:#|//|/\*|\{/\*|\*|<!--)|\s*\Z")
_UNEXCUSED = ("F019", "F021")


class Excuse(msgspec.Struct, frozen=True):
    """An exception: which rules, on which line, until when; `problem` says why it is none."""

    codes: tuple[str, ...]
    place: Place
    line: int
    length: int
    until: float = 0.0
    problem: str = ""


def excuses(file: str, text: str) -> Iterator[Excuse]:
    """Find exceptions; one that stands alone is about the next line that is no comment."""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if (found := _ALLOW.match(line)) is not None:
            about = number if found["before"].strip() else _next(lines, number)
            yield _read(found, Place(file, number, found.start("all") + 1), about)


def _next(lines: Sequence[str], number: int) -> int:
    """Return the line that a comment on its own is about."""
    while number < len(lines) and _COMMENT.match(lines[number]):
        number += 1
    return number + 1


def _read(found: re.Match[str], place: Place, line: int) -> Excuse:
    length = len(found["all"].rstrip())
    full = _FULL.fullmatch(found["rest"])
    if full is None:
        return Excuse((), place, line, length, problem="it does not say which rules, until when and why")
    codes = tuple(re.findall(r"F\d{3}", full["codes"]))
    unknown = [code for code in codes if code not in RULES or code in _UNEXCUSED]
    if unknown:
        meant = nearest(unknown[0], [code for code in RULES if code not in _UNEXCUSED])
        hint = f": did you mean {meant}?" if meant else ""
        return Excuse((), place, line, length, problem=f"no rule {unknown[0]} can be excused{hint}")
    try:
        return Excuse(codes, place, line, length, parse_end(full["until"]))
    except BadInstant as error:
        return Excuse((), place, line, length, problem=f"{full['until']!r} is no end: {error}")


def excused(view: View, found: Iterable[Found], given: Iterable[Excuse], codes: Iterable[str]) -> list[Found]:
    """Take away what is excused, and tell of exceptions that are none.

    `codes` are the rules that were asked: an exception from another may well be needed.
    """
    asked, given = set(codes), tuple(given)
    in_force = {
        (each.place.file, each.line, code): each
        for each in given
        if not each.problem and view.now < each.until
        for code in each.codes
    }
    used: set[tuple[str, int, str]] = set()
    left = []
    for each in found:
        file = each.finding.place.file
        lines = {each.line, each.finding.place.line}
        keys = [
            (file, line, each.finding.code) for line in lines if (file, line, each.finding.code) in in_force
        ]
        used.update(keys)
        if not keys:
            left.append(each)
    for excuse in given:
        left += _told(view, excuse, [code for code in excuse.codes if code in asked], used)
    return left


def _told(view: View, excuse: Excuse, codes: Sequence[str], used: set[tuple[str, int, str]]) -> Iterator[Found]:
    """Say what is wrong with an exception, if anything is."""
    if excuse.problem:
        label, fix = excuse.problem, "write: davy: allow F009 until 2027-01-01 because …"
    elif view.now >= excuse.until:
        label, fix = (
            f"it ended {lasting(view.now - excuse.until)} ago",
            "mend what it excused, and take it away",
        )
    elif idle := [code for code in codes if (excuse.place.file, excuse.line, code) not in used]:
        label, fix = f"there is no {' and no '.join(idle)} here to excuse", "take it away"
    else:
        return
    yield from view.at("F019", excuse.place, label, fix, length=excuse.length)
