"""The history of a Git repository, asked by plumbing: no work tree, no hook, no pager, nobody's configuration.

Commits are named by all of their digits and everything else is read from objects, so that nothing that somebody
wrote into a message, a name or a branch is ever taken for an option or a format.
"""

from collections.abc import Sequence
from pathlib import Path

from davy.adapters.git_objects import Git, complaint
from davy.errors import Undecided, UsageError
from davy.model.origin import COMMIT, repository_name
from davy.reports.commits.commit import Commit, parse

FETCH_S = 300.0
"""How long a fetch may take."""

_BATCH = 5000


class GitHistory:
    """The history of the repository in a directory, which may be bare; what is asked twice is asked once."""

    def __init__(self, directory: Path) -> None:
        self._git = Git(directory)
        if not directory.is_dir():
            raise UsageError(f"{directory} is no directory", hint="name the clone of a repository")
        self._git.run_or_fail("rev-parse", "--git-dir")
        self._cut: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """The name of the repository by where it was cloned from, otherwise by its directory."""
        ran = self._git.run("config", "--get", "remote.origin.url")
        url = ran.stdout.decode("utf-8", "replace").strip()
        return repository_name(url or str(self._git.directory.resolve()))

    def tip(self, branch: str) -> str:
        """Return the commit that a branch is at: on its origin where it has one, otherwise here."""
        for ref in (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"):
            found = self._commit(ref)
            if found:
                return found
        raise UsageError(f"there is no branch {branch!r} in {self._git.directory}", hint="--branch NAME")

    def resolve(self, revision: str) -> str:
        """Return the commit that somebody names.

        Raises:
            UsageError: there is none.
        """
        return self._git.commit(revision)

    def has(self, commit: str) -> bool:
        """Say whether a commit is there."""
        return bool(COMMIT.fullmatch(commit)) and bool(self._commit(commit))

    def commits(self, ids: Sequence[str]) -> list[Commit]:
        """Read commits."""
        found: list[Commit] = []
        for start in range(0, len(ids), _BATCH):
            some = list(ids[start : start + _BATCH])
            found += map(parse, some, self._git.contents(some))
        return found

    def reachable(self, ends: Sequence[str], without: Sequence[str], *, first_parent: bool) -> list[str]:
        """Return the commits from which some come and others do not, the oldest first."""
        asked = "".join(f"{each}\n" for each in (*ends, *(f"^{each}" for each in without)))
        options = ["--first-parent"] if first_parent else []
        listed = self._git.run_or_fail(
            "rev-list", "--topo-order", "--reverse", *options, "--stdin", asked=asked.encode("ascii")
        )
        return listed.decode("ascii").split()

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Say whether a commit is part of another."""
        return self._git.run("merge-base", "--is-ancestor", commit, of).returncode == 0

    def cut(self) -> frozenset[str]:
        """Return the commits whose parents are missing."""
        if self._cut is None:
            shallow = self._git.run_or_fail("rev-parse", "--git-path", "shallow").decode(
                "utf-8", "surrogateescape"
            )
            try:
                text = (self._git.directory / shallow.removesuffix("\n")).read_text("ascii")
            except FileNotFoundError:
                text = ""
            self._cut = frozenset(text.split())
        return self._cut

    def fetch(self) -> None:
        """Bring what the origin has by now.

        Raises:
            Undecided: it cannot be reached.
        """
        ran = self._git.run(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-auto-gc",
            "--no-recurse-submodules",
            "--upload-pack=git-upload-pack",
            "origin",
            timeout_s=FETCH_S,
        )
        self._cut = None
        if ran.returncode:
            raise Undecided(f"git fetch failed: {complaint(ran.stderr)}")

    def _commit(self, name: str) -> str:
        """Return the commit of a name, nothing where it is none."""
        ran = self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return "" if ran.returncode else ran.stdout.decode("ascii", "replace").strip()
