"""The demo's history in Git: each release is a merge, and the record is told which rollout brings it."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from davy.adapters.git_history import GitHistory
from davy.cli.stage import Stage, hold
from davy.control import requests, views
from davy.control.following.follower import Follower
from davy.control.following.found import findings_of
from davy.errors import DavyError, Undecided
from davy.ledger.entry import Draft, Entry

REPOSITORY = "github.com/acme/payments"
BRANCH = "main"
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Repository:
    """A Git repository in the demo's workspace, whose commits are made at the time of the engine's clock."""

    directory: Path

    def begin(self, at: float) -> str:
        """Commit what is there as the first version; return the commit."""
        self._git("init", "--quiet", "--initial-branch", BRANCH, at=at)
        (self.directory / ".git" / "info" / "exclude").write_text("state/\n*.tlog-proof\n*.db\n")
        self._git("add", "--all", at=at)
        self._git("commit", "--quiet", "--message", "payments 1.4.1", at=at)
        return self.head

    def merge(self, tag: str, at: float) -> str:
        """Propose the next version on a branch and merge it; return the merge commit."""
        name, rollout = f"release-{tag}", self.directory / "rollout.yaml"
        self._git("checkout", "--quiet", "-b", name, at=at)
        lines = rollout.read_text().splitlines(keepends=True)
        image = next(line for line in lines if "image: ghcr.io/acme/payments:" in line)
        rollout.write_text(rollout.read_text().replace(image, f"{image.rpartition(':')[0]}:{tag}\n"))
        self._git("commit", "--quiet", "--all", "--message", f"payments {tag}", at=at)
        self._git("checkout", "--quiet", BRANCH, at=at)
        self._git("merge", "--quiet", "--no-ff", "--message", f"Merge {name}", name, at=at)
        return self.head

    @property
    def head(self) -> str:
        """The newest commit."""
        return self._git("rev-parse", "HEAD", at=0.0)

    def _git(self, *arguments: str, at: float) -> str:
        """Run Git as nobody in particular, whatever is configured on this machine."""
        who = {"NAME": "Ada", "EMAIL": "ada@example.com", "DATE": f"@{int(at)} +0000"}
        environment = {
            f"GIT_{role}_{what}": told for role in ("AUTHOR", "COMMITTER") for what, told in who.items()
        }
        environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
        try:
            ran = subprocess.run(
                ["git", *arguments],
                cwd=self.directory,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
        except FileNotFoundError as error:
            raise Undecided("there is no git on this machine", hint="the demo merges its releases") from error
        except subprocess.CalledProcessError as error:
            raise Undecided(f"git {arguments[0]} failed: {error.stderr.strip()}") from error
        return ran.stdout.strip()


def deploy(stage: Stage, commit: str) -> views.ApplyView:
    """Apply the workspace's manifests as they are in a commit, and say in the pod template which it is."""
    told = f"      annotations:\n        davy.dev/repository: {REPOSITORY}\n        davy.dev/commit: {commit}\n"
    mark = "  template:\n    metadata:\n"
    texts = tuple(
        (file.name, file.read_text().replace(mark, mark + told))
        for file in sorted(stage.workspace.glob("*.yaml"))
    )
    view = stage.ask(requests.Apply(texts, str(stage.workspace), reason=f"merge of {commit[:7]}"))
    assert isinstance(view, views.ApplyView)
    return view


def follow(stage: Stage) -> int:
    """Write down what was merged and which rollout brought it to users, as `davy git follow` does.

    Returns how many entries that makes.
    """
    follower = Follower(GitHistory(stage.workspace), REPOSITORY, BRANCH, "")
    after = 0
    while entries := _page(stage, after):
        follower.read(entries)
        after = entries[-1].seq
    written = sum(_write(stage, follower, drafts) for drafts in follower.find())
    for placed in follower.place():
        hold(not isinstance(placed, DavyError), f"git does not tell what a rollout contains: {placed}")
        assert not isinstance(placed, DavyError)
        written += _write(stage, follower, placed)
    return written


def _page(stage: Stage, after: int) -> tuple[Entry, ...]:
    view = stage.ask(requests.Record(after=after, limit=PAGE))
    assert isinstance(view, views.RecordView)
    return view.entries


def _write(stage: Stage, follower: Follower, drafts: Sequence[Draft]) -> int:
    stage.ask(requests.Found(findings_of(drafts)))
    follower.told(drafts)
    return len(drafts)
