"""Patterns of paths, and CODEOWNERS: who owns a file, as forges read it."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import re2

_TOKEN = re.compile(r"/\*\*/|\*\*/|/\*\*|\*\*|\*|\?|[^*?]", re.DOTALL)
_MEANS = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Ownership(NamedTuple):
    """A line of CODEOWNERS; without owners nobody owns the files."""

    pattern: str
    owners: tuple[str, ...]


def among(file: str, patterns: Iterable[str]) -> bool:
    """Say whether a path is one of those that are meant, or below one of them."""
    return any(_compiled(pattern).fullmatch(file.removeprefix("./")) for pattern in patterns)


def key_among(key: str, patterns: Iterable[str]) -> bool:
    """Say whether a key is one of those that are meant; `*` stands for anything."""
    return any(
        re2.fullmatch(".*".join(re2.escape(part) for part in pattern.split("*")), key) for pattern in patterns
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> "re2._Regexp[str]":
    """Compile a pattern as `.gitignore` has them: with a slash inside it begins at the top, else anywhere."""
    bare = pattern.strip("/")
    anywhere = "/" not in pattern.rstrip("/")
    words = "".join(_MEANS.get(token, re2.escape(token)) for token in _TOKEN.findall(bare))
    below = "/.*" if pattern.endswith("/") else "" if bare.endswith("*") and not anywhere else "(?:/.*)?"
    return re2.compile(f"(?s)(?:.*/)?{words}{below}" if anywhere else f"(?s){words}{below}")


def codeowners(text: str) -> tuple[Ownership, ...]:
    """Read a file of CODEOWNERS; comments, and sections as GitLab has them, say nothing of who owns what."""
    found = []
    for line in text.splitlines():
        words = re.sub(r"(^|\s)#.*", "", line).replace("\\ ", "\0").split()
        if words and not words[0].startswith(("[", "^[")):
            found.append(Ownership(words[0].replace("\0", " "), tuple(words[1:])))
    return tuple(found)


def owners(file: str, lines: Sequence[Ownership]) -> tuple[str, ...]:
    """Return who owns a file: the last line that is about it says so."""
    return next((line.owners for line in reversed(lines) if among(file, [line.pattern])), ())
