"""Texts, as `ext.Strings` of cel-go and the regex library of Kubernetes have them. Places count characters."""

from typing import Any

from davy.policy.cel.budget import Budget
from davy.policy.cel.errors import CelError
from davy.policy.cel.library.patterns import pattern
from davy.policy.cel.operators import no_overload
from davy.policy.cel.signature import Library

STRINGS = Library()
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
QUOTED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def _within(place: int, text: str) -> None:
    if not 0 <= place <= len(text):
        raise CelError(f"index out of range: {place}")


@STRINGS.define("charAt", "string.(int) -> string")
def char_at(text: str, place: int) -> str:
    """Return the character at a place, nothing at the end."""
    _within(place, text)
    return text[place : place + 1]


@STRINGS.define("indexOf", "string.(string) -> int", "string.(string, int) -> int")
def index_of(text: str, part: str, start: int = 0) -> int:
    """Return where a text begins in another, -1 if nowhere."""
    if start < 0:
        raise CelError(f"index out of range: {start}")
    return text.find(part, min(start, len(text)))


@STRINGS.define("lastIndexOf", "string.(string) -> int", "string.(string, int) -> int")
def last_index_of(text: str, part: str, last: int | None = None) -> int:
    """Return the last place, up to one that is given, where a text begins in another, -1 if nowhere."""
    if last is None:
        return text.rfind(part)
    if last < 0:
        raise CelError(f"index out of range: {last}")
    return -1 if last > len(text) else text.rfind(part, 0, last + len(part))


@STRINGS.define("lowerAscii", "string.() -> string")
def lower_ascii(text: str) -> str:
    """Make the letters of ASCII small."""
    return text.translate(LOWER)


@STRINGS.define("upperAscii", "string.() -> string")
def upper_ascii(text: str) -> str:
    """Make the letters of ASCII large."""
    return text.translate(UPPER)


@STRINGS.define(
    "replace", "string.(string, string) -> string", "string.(string, string, int) -> string", metered=True
)
def replace(budget: Budget, text: str, old: str, new: str, times: int = -1) -> str:
    """Replace one text by another, everywhere or the first few times."""
    found = text.count(old) if times < 0 else min(text.count(old), times)
    budget.spend((len(text) + found * len(new)) // 10)
    return text.replace(old, new, found)


@STRINGS.define(
    "split", "string.(string) -> list(string)", "string.(string, int) -> list(string)", metered=True
)
def split(budget: Budget, text: str, separator: str, most: int = -1) -> list[str]:
    """Cut a text at each separator, into a number of parts at most."""
    budget.spend(len(text))
    if most == 0:
        return []
    if separator:
        return text.split(separator, most - 1 if most > 0 else -1)
    if most < 0 or most >= len(text):
        return list(text)
    return [*text[: most - 1], text[most - 1 :]]


@STRINGS.define("substring", "string.(int) -> string", "string.(int, int) -> string")
def substring(text: str, start: int, end: int | None = None) -> str:
    """Return the characters from a place on, up to another."""
    end = len(text) if end is None else end
    if start <= len(text) and end < start:
        raise CelError(f"invalid substring range. start: {start}, end: {end}")
    _within(start, text)
    _within(end, text)
    return text[start:end]


@STRINGS.define("trim", "string.() -> string")
def trim(text: str) -> str:
    """Take white space off both ends."""
    return text.strip(SPACES)


@STRINGS.define("join", "list(string).() -> string", "list(string).(string) -> string", metered=True)
def join(budget: Budget, parts: list[Any], separator: str = "") -> str:
    """Put texts together."""
    for part in parts:
        if not isinstance(part, str):
            no_overload()
    budget.spend((sum(map(len, parts)) + len(parts) * (len(separator) + 10)) // 10)
    return separator.join(parts)


@STRINGS.define("strings.quote", "(string) -> string")
def quote(text: str) -> str:
    """Write a text as a literal."""
    return '"' + "".join([QUOTED.get(character, character) for character in text]) + '"'


@STRINGS.define("find", "string.(string) -> string", metered=True)
def find(budget: Budget, text: str, wanted: str) -> str:
    """Return what a pattern finds first, nothing if it finds nothing."""
    budget.spend(len(text) // 10)
    found = pattern(wanted).search(text)
    return "" if found is None else str(found.group())


@STRINGS.define(
    "findAll", "string.(string) -> list(string)", "string.(string, int) -> list(string)", metered=True
)
def find_all(budget: Budget, text: str, wanted: str, most: int = -1) -> list[str]:
    """Return what a pattern finds, the first few or all; as in Go, no empty find right behind another."""
    budget.spend(len(text))
    found: list[str] = []
    end = -1
    for match in pattern(wanted).finditer(text):
        if 0 <= most <= len(found):
            break
        if match.start() == match.end() == end:
            continue
        found.append(match.group())
        end = match.end()
    return found


STRINGS.literals |= {"find": pattern, "findAll": pattern}


REVERSED = Library()
"""`reverse` of texts, which the API server has not."""


@REVERSED.define("reverse", "string.() -> string")
def reverse(text: str) -> str:
    """Turn a text around."""
    return text[::-1]
