"""Whether two simple patterns have a string in common, for `regex.globs_match`."""

from dataclasses import dataclass

from davy.policy.rego.budget import BudgetExceeded
from davy.policy.rego.builtin import BuiltinError

_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class _Token:
    """What one place of a string may be (None is anything), and how often: once, `+` or `*`."""

    letters: frozenset[str] | None
    flag: str = ""


def overlap(left: str, right: str) -> bool:
    """Whether some string matches both patterns.

    As OPA has it, what one has left when the other is at its end is never nothing, be it `a*`.

    Raises:
        BuiltinError: one is no such pattern.
    """
    ours, theirs = _tokens(left), _tokens(right)
    for end in (0, -1):
        while ours and theirs and not ours[end].flag and not theirs[end].flag:
            if not _share(ours.pop(end), theirs.pop(end)):
                return False
    if not ours or not theirs:
        return ours == theirs
    if len(ours) * len(theirs) > _LONGEST * _LONGEST:
        raise BudgetExceeded("patterns are too long to look for what they share")
    seen, pending = set(), [(0, 0)]
    while pending:
        here = pending.pop()
        if here in seen:
            continue
        seen.add(here)
        at, other = here
        if at == len(ours) and other == len(theirs):
            return True
        pending += _steps(ours, at, theirs, other)
    return False


def _steps(ours: list[_Token], at: int, theirs: list[_Token], other: int) -> list[tuple[int, int]]:
    """List where one can get: by leaving out what may be left out, or by one letter that both take."""
    mine = ours[at] if at < len(ours) else None
    yours = theirs[other] if other < len(theirs) else None
    found = []
    if mine is not None and mine.flag == "*":
        found.append((at + 1, other))
    if yours is not None and yours.flag == "*":
        found.append((at, other + 1))
    if mine is not None and yours is not None and _share(mine, yours):
        mine_next = (at, at + 1) if mine.flag else (at + 1,)
        yours_next = (other, other + 1) if yours.flag else (other + 1,)
        found += [(one, two) for one in mine_next for two in yours_next]
    return found


def _share(left: _Token, right: _Token) -> bool:
    if left.letters is None or right.letters is None:
        return left.letters != frozenset() and right.letters != frozenset()
    return not left.letters.isdisjoint(right.letters)


def _tokens(pattern: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        place += 1
        if letter == "[":
            stop, letters = _class(pattern, place)
            tokens.append(_Token(letters))
            place = stop
        elif letter in "*+":
            if not tokens or tokens[-1].flag:
                raise BuiltinError(f"{pattern!r}: {letter!r} has nothing to repeat")
            tokens[-1] = _Token(tokens[-1].letters, letter)
        elif letter == "]":
            raise BuiltinError(f"{pattern!r}: ']' without '['")
        elif letter == "\\":
            if place == len(pattern):
                raise BuiltinError(f"{pattern!r} ends with a backslash")
            tokens.append(_Token(frozenset(pattern[place])))
            place += 1
        else:
            tokens.append(_Token(None if letter == "." else frozenset(letter)))
    return tokens


def _class(pattern: str, place: int) -> tuple[int, frozenset[str]]:
    """Read what stands between brackets: letters and ranges of letters."""
    letters: list[str] = []
    pending = False
    while place < len(pattern):
        letter = pattern[place]
        place += 1
        if letter == "]":
            if pending:
                raise BuiltinError(f"{pattern!r}: a range without an end")
            return place, frozenset(letters)
        if letter == "-":
            if pending or not letters:
                raise BuiltinError(f"{pattern!r}: a range without a beginning")
            pending = True
            continue
        if letter == "\\" and place < len(pattern):
            letter = pattern[place]
            place += 1
        if pending:
            first = letters.pop()
            if first > letter:
                raise BuiltinError(f"{pattern!r}: a range that goes backwards")
            letters += map(chr, range(ord(first), ord(letter) + 1))
            pending = False
        else:
            letters.append(letter)
    raise BuiltinError(f"{pattern!r}: '[' without ']'")
