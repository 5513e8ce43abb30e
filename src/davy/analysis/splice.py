"""Where the characters of a scalar stand in the text that it was written in.

A scalar's value is not its text: quotes double, lines fold, block scalars are indented. To point at a
character of a condition, or to cut something out of a query and leave every other byte alone, one has to know
which is which.
"""

import re
from dataclasses import dataclass

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "n": "\n", "t": "\t", " ": " "}


@dataclass(frozen=True, slots=True)
class Alignment:
    """For every character of a value, where it begins and ends in the raw text.

    Blanks have no length: they begin and end where the character before them ends.
    """

    value: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def start_of(self, offset: int) -> int:
        """Say where a character of the value begins in the raw text; the one after the last is its end."""
        return self.starts[offset] if offset < len(self.starts) else self.ends[-1]

    def cut_end(self, start: int, end: int) -> tuple[int, int]:
        """Say which raw piece goes when a piece of the value goes together with the blanks before it."""
        return (self.ends[start - 1] if start else self.starts[start]), self.ends[end - 1]

    def cut_start(self, start: int, end: int) -> tuple[int, int]:
        """Say which raw piece goes when a piece of the value goes together with the blanks after it."""
        rest = self.value[end:]
        return self.starts[start], self.starts[end + len(rest) - len(rest.lstrip())]


def align(raw: str, value: str) -> Alignment | None:
    """Find every character of a scalar's value in its raw text.

    Gives None where that is not certain: escapes in double quotes beyond the usual ones.
    """
    position = len(raw) - len(without_properties(raw))
    quote = raw[position : position + 1]
    if quote in ("|", ">"):
        position = raw.find("\n", position) + 1
    elif quote in ("'", '"'):
        position += 1
    else:
        quote = ""
    starts, ends = [], []
    for character in value:
        if character.isspace():
            starts.append(position)
            ends.append(position)
            continue
        position = _skip_blanks(raw, position, quote)
        length = _length(raw, position, quote, character)
        if not length:
            return None
        starts.append(position)
        ends.append(position + length)
        position += length
    return Alignment(value, tuple(starts), tuple(ends))


def without_properties(raw: str) -> str:
    """Take the anchor and the tag off the text of a value."""
    return _PROPERTIES.sub("", raw, count=1)


def _skip_blanks(raw: str, position: int, quote: str) -> int:
    while True:
        if raw[position : position + 1].isspace():
            position += 1
        elif quote == '"' and raw[position : position + 2] in ("\\n", "\\t", "\\ "):
            position += 2
        else:
            return position


def _length(raw: str, position: int, quote: str, character: str) -> int:
    """Say how long a character is where it stands in the raw text; 0 if it does not stand there."""
    if quote == "'" and character == "'":
        return 2 if raw[position : position + 2] == "''" else 0
    if quote == '"' and raw[position : position + 1] == "\\":
        return 2 if _ESCAPES.get(raw[position + 1 : position + 2]) == character else 0
    return int(raw[position : position + 1] == character)
