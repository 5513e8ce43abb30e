"""Builtins over regular expressions, with Go's rules for empty matches, replacement and splitting."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from davy.policy.rego.budget import BudgetExceeded, check_text
from davy.policy.rego.builtin import Builtin, BuiltinError, place, text
from davy.policy.rego.builtins.intersection import overlap
from davy.policy.rego.builtins.patterns import SHORT, compiled, escape, matched
from davy.policy.rego.values import Value

if TYPE_CHECKING:
    from re2 import _Match, _Regexp


_MOST_LOOKED_THROUGH = 1_000_000_000


def match(pattern: Value, searched: Value) -> bool:
    """Whether a string has a match anywhere."""
    wanted, asked = text(pattern, 1), text(searched, 2)
    return matched(wanted, asked)


def is_valid(pattern: Value) -> bool:
    """Whether something is a pattern."""
    try:
        compiled(text(pattern, 1))
    except BuiltinError:
        return False
    return True


def matches(pattern: "_Regexp[str]", searched: str, count: int = -1) -> "Iterator[_Match[str]]":
    """Find matches as Go's `FindAll` does: no empty one right after another match."""
    start, last, looked = 0, -1, 0
    while start <= len(searched) and count:
        looked = _looked(looked, searched)
        found = pattern.search(searched, start)
        if found is None:
            return
        accepted = True
        if found.end() == start:
            accepted = found.start() != last
            start += 1
        else:
            start = found.end()
        last = found.end()
        if accepted:
            yield found
            count -= 1


def _looked(looked: int, searched: str) -> int:
    """Count what is looked through: every further match costs as much as the whole text is long."""
    if looked > _MOST_LOOKED_THROUGH:
        raise BudgetExceeded("there are too many matches in too long a text")
    return looked + len(searched)


def find_n(pattern: Value, searched: Value, count: Value) -> list[str]:
    """Find matches, all of them where the count is negative."""
    found = matches(compiled(text(pattern, 1)), text(searched, 2), place(count, 3))
    return [one.group() for one in found]


def find_all_string_submatch_n(pattern: Value, searched: Value, count: Value) -> list[list[str]]:
    """Find matches with their groups; a group that took no part is empty."""
    wanted, asked, most = text(pattern, 1), text(searched, 2), place(count, 3)
    found = (_groups if len(wanted) + len(asked) < SHORT else _groups.__wrapped__)(wanted, asked, most)
    return [list(groups) for groups in found]


@lru_cache(256)
def _groups(pattern: str, searched: str, count: int) -> list[list[str]]:
    found = matches(compiled(pattern), searched, count)
    return [[one.group(), *(group or "" for group in one.groups())] for one in found]


def split(pattern: Value, searched: Value) -> list[str]:
    """Take a string apart where a pattern matches."""
    compiled_pattern, found = compiled(text(pattern, 1)), text(searched, 2)
    if pattern and not found:
        return [""]
    pieces, begin, end = [], 0, 0
    for one in matches(compiled_pattern, found):
        end = one.start()
        if one.end():
            pieces.append(found[begin:end])
        begin = one.end()
    if end != len(found):
        pieces.append(found[begin:])
    return pieces


def replace(searched: Value, pattern: Value, replacement: Value) -> str:
    """Put a text in place of every match; `$1` and `${name}` in it stand for groups, `$$` for a dollar."""
    found, compiled_pattern = text(searched, 1), compiled(text(pattern, 2))
    template = _template(text(replacement, 3), compiled_pattern)
    made: list[str] = []
    place, last, size, looked = 0, 0, 0, 0
    while place <= len(found):
        looked = _looked(looked, found)
        one = compiled_pattern.search(found, place)
        if one is None:
            break
        made.append(found[last : one.start()])
        if one.end() > last or one.start() == 0:
            made += [part if type(part) is str else one.group(part) or "" for part in template]
        last = one.end()
        place = max(place + 1, last)
        size += sum(map(len, made[-len(template) - 1 :]))
        check_text(size)
    made.append(found[last:])
    return "".join(made)


_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


def _template(replacement: str, pattern: "_Regexp[str]") -> list[str | int]:
    """Take a replacement apart into texts and numbers of groups, as `expand` of Go's regexp does."""
    parts: list[str | int] = []
    place = 0
    for found in _REFERENCE.finditer(replacement):
        parts.append(replacement[place : found.start()])
        place = found.end()
        name = found[1] or found[2]
        if name is None:
            parts.append("$")
            continue
        group = int(name) if name.isdecimal() and len(name) <= 8 else pattern.groupindex.get(name)
        if group is not None and group <= pattern.groups and (len(name) == 1 or name[0] != "0"):
            parts.append(group)
    return [*parts, replacement[place:]]


def template_match(template: Value, searched: Value, start: Value, end: Value) -> bool:
    """Whether a string matches a template that has patterns between delimiters: `urn:foo:{[0-9]+}`."""
    pattern, found, opening, closing = text(template, 1), text(searched, 2), text(start, 3), text(end, 4)
    if not all(len(delimiter) == 1 and delimiter.isascii() for delimiter in (opening, closing)):
        raise BuiltinError("delimiters must be one character each")
    level, place, made = 0, 0, ["^"]
    for at, letter in enumerate(pattern):
        if letter == opening:
            level += 1
            if level == 1:
                made.append(escape(pattern[place:at]))
                place = at + 1
        elif letter == closing:
            level -= 1
            if level == 0:
                compiled(f"^{pattern[place:at]}$")
                made.append(f"({pattern[place:at]})")
                place = at + 1
            elif level < 0:
                break
    if level:
        raise BuiltinError(f"unbalanced braces in {pattern!r}")
    return compiled(f"{''.join(made)}{escape(pattern[place:])}$").search(found) is not None


def globs_match(left: Value, right: Value) -> bool:
    """Whether there is a string that two simple patterns (`.`, `[a-z]`, `*`, `+`) both match."""
    return overlap(text(left, 1), text(right, 2))


FAMILY = (
    Builtin("regex.match", 2, match),
    Builtin("re_match", 2, match),
    Builtin("regex.is_valid", 1, is_valid),
    Builtin("regex.find_n", 3, find_n),
    Builtin("regex.find_all_string_submatch_n", 3, find_all_string_submatch_n),
    Builtin("regex.replace", 3, replace),
    Builtin("regex.split", 2, split),
    Builtin("regex.template_match", 4, template_match),
    Builtin("regex.globs_match", 2, globs_match),
)
