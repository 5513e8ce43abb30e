"""Manifests beside what they were in a commit: which files a change is about, and what was there before it."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from davy.adapters.git_objects import files_in
from davy.cli.manifests import LARGEST, STDIN, SUFFIXES


class Base(NamedTuple):
    """The files of a commit, by the names that the manifests of today have, and which of both differ."""

    texts: list[tuple[str, bytes]]
    changed: frozenset[str]


def base_of(ref: str, sources: Sequence[str], texts: Sequence[tuple[str, bytes]]) -> Base:
    """Read what the sources were in a commit.

    Raises:
        DavyError: there is no such commit, or Git cannot be asked.
    """
    named = {os.path.abspath(name): name for name, _ in texts if name != STDIN}  # noqa: PTH100 - no link is followed
    before = [
        (named.get(os.path.abspath(name), name), content)  # noqa: PTH100
        for name, content in files_in(ref, [each for each in sources if each != "-"], SUFFIXES, largest=LARGEST)
    ]
    then, now = dict(before), dict(texts)
    changed = frozenset(name for name in {*then, *now} if then.get(name) != now.get(name))
    return Base(before, changed)
