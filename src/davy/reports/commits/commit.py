"""A commit as Git keeps it, and what its message says of the change that it is.

Format: `git help cat-file`, gitformat-signature(5); reverts in the words of git-revert(1); trailers as in
git-interpret-trailers(1), of which only those of Davy are read. Whatever stands in a message is text.
"""

import re
from collections.abc import Sequence

import msgspec

from davy.model.instant import LAST
from davy.model.origin import COMMIT, KINDS

_WHEN = re.compile(rb"> (-?[0-9]{1,18}) [-+][0-9]{4}$")
_REVERTS = re.compile(r"^This reverts commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b", re.MULTILINE | re.ASCII)
_TRAILER = re.compile(r"^(Davy-[A-Za-z]+): *(.{1,512}?)\s*$", re.MULTILINE)
_NUMBER = re.compile(r"\(#([0-9]{1,9})\)$|^Merge pull request #([0-9]{1,9}) ", re.ASCII)
_LONGEST_TITLE = 200


class Commit(msgspec.Struct, frozen=True):
    """One commit; instants are in seconds since 1970, 0 where the commit has none that a calendar knows."""

    id: str
    parents: tuple[str, ...]
    authored_at: float
    committed_at: float
    message: str

    @property
    def title(self) -> str:
        """The first line of its message, as it can be shown to people."""
        line = self.message.strip().partition("\n")[0][:_LONGEST_TITLE]
        return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)

    @property
    def pull_request(self) -> int | None:
        """The number of the pull request that its title names, as GitHub writes it."""
        found = _NUMBER.search(self.title)
        return int(found[1] or found[2]) if found else None


class Meant(msgspec.Struct, frozen=True):
    """What the messages of a change say of it: what they revert and what they mend, and its other trailers."""

    reverts: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    kind: str = ""
    service: str = ""


def parse(id_: str, raw: bytes) -> Commit:
    """Read a commit object."""
    head, _, message = raw.partition(b"\n\n")
    lines = head.split(b"\n")
    parents = tuple(line[7:].decode("ascii", "replace") for line in lines if line.startswith(b"parent "))
    authored, committed = (_when(lines, name) for name in (b"author ", b"committer "))
    return Commit(id_, parents, authored, committed, message.decode("utf-8", "replace"))


def meaning(commits: Sequence[Commit]) -> Meant:
    """Return what the messages of a change say, the merge's first; it does not revert what is part of it."""
    own = {commit.id for commit in commits}
    said: dict[str, str] = {}
    reverts: dict[str, None] = {}
    mends: dict[str, None] = {}
    for commit in commits:
        reverts |= dict.fromkeys(_REVERTS.findall(commit.message))
        last = commit.message.strip().rpartition("\n\n")[2]
        for name, value in _TRAILER.findall(last):
            if name.lower() == "davy-remediates" and COMMIT.fullmatch(value):
                mends[value] = None
            elif value.isprintable():
                said.setdefault(name.lower(), value)
    kind = said.get("davy-kind", "")
    reverted, mended = (tuple(each for each in named if each not in own) for named in (reverts, mends))
    return Meant(reverted, mended, kind if kind in KINDS else "", said.get("davy-service", ""))


def _when(lines: Sequence[bytes], name: bytes) -> float:
    found = next((_WHEN.search(line) for line in lines if line.startswith(name)), None)
    seconds = float(found[1]) if found else 0.0
    return seconds if 0 <= seconds <= LAST else 0.0
