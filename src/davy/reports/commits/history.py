"""The history of a repository, as whoever follows it asks for it."""

from collections.abc import Sequence
from typing import Protocol

from davy.reports.commits.commit import Commit


class History(Protocol):
    """Commits by their whole names. What it says of commits that it does not have means nothing: ask first."""

    def tip(self, branch: str) -> str:
        """Return the commit that a branch is at.

        Raises:
            UsageError: there is no such branch.
        """
        ...

    def has(self, commit: str) -> bool:
        """Say whether a commit is there."""
        ...

    def commits(self, ids: Sequence[str]) -> list[Commit]:
        """Read commits."""
        ...

    def reachable(self, ends: Sequence[str], without: Sequence[str], *, first_parent: bool) -> list[str]:
        """Return the commits from which `ends` come, and `without` do not, the oldest first.

        With `first_parent` only those on the line of each of the ends: of what was merged only the merge.
        """
        ...

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Say whether a commit is part of another, or the other itself."""
        ...

    def cut(self) -> frozenset[str]:
        """Return the commits whose parents are missing, as in a shallow clone."""
        ...
