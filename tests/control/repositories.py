"""Real Git repositories, made commit by commit; every commit is a minute after the one before."""

import os
import subprocess
from pathlib import Path

NAME = "github.com/acme/shop"
BEGIN = 1_700_000_000


class Repository:
    """A repository in a directory of its own, which nobody's configuration reaches."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now = directory, BEGIN
        directory.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        when = f"{self.now} +0000"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_DATE": when,
            "GIT_MERGE_AUTOEDIT": "no",
        }
        ran = subprocess.run(
            ["git", *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def commit(self, message: str, file: str = "") -> str:
        """Commit a change of a file; where none is named, of one of its own."""
        self.now += 60
        path = self.directory / (file or f"file{self.now}")
        path.write_text(f"{message}\n{self.now}\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        return self.head

    def branch(self, name: str, at: str = "HEAD") -> None:
        self.git("checkout", "--quiet", "-b", name, at)

    def checkout(self, name: str) -> None:
        self.git("checkout", "--quiet", name)

    def merge(self, *branches: str, message: str = "Merge pull request #7 from acme/topic") -> str:
        self.now += 60
        self.git("merge", "--quiet", "--no-ff", "-m", message, *branches)
        return self.head

    def topic(self, name: str, *messages: str) -> tuple[str, list[str]]:
        """Merge a branch with some commits to main; return the merge and the commits."""
        self.branch(name, "main")
        commits = [self.commit(message) for message in messages]
        self.checkout("main")
        return self.merge(name), commits

    def revert(self, commit: str, *options: str) -> str:
        self.now += 60
        self.git("revert", "--no-edit", *options, commit)
        return self.head
