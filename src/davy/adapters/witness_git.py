"""A witness that is a Git repository: checkpoints are commits on a branch that only goes forward.

Whoever may read the repository sees every checkpoint that was given, in their order; whoever wants to take one
back has to rewrite a branch that others have fetched. Before anything is pushed, what is there is read and held
against the ledger, so that a copy that was put back and a second history are found out by whoever pushes.

Nothing is kept between two pushes: the repository that is pushed from is made anew and thrown away.
"""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from davy.adapters.git_objects import complaint
from davy.adapters.witness_file import GitWitness
from davy.errors import IntegrityError, Undecided, UsageError
from davy.ledger import note as notes
from davy.ledger.checkpoint import read
from davy.ledger.lines import Malformed
from davy.ledger.note import Note
from davy.ledger.witness import Given

TIMEOUT_S = 60.0
TRIES = 5
"""How often it is pushed while others push to the same branch."""

_LARGEST_BYTES = 64 * 1024
_CREDENTIALS = re.compile(r"//[^/\s@]+@")


class Rejected(NamedTuple):
    """A push that was rejected: what the branch was, None where there was none, and what was said."""

    tip: str | None
    why: str


class GitWitnessing:
    """Pushes checkpoints to a repository.

    Args:
        name: what the witness is called here.
        witness: where it is.
        room: a directory to work in; it is there.
        environment: what Git is started with: how to sign in is a matter of its own configuration.
    """

    def __init__(self, name: str, witness: GitWitness, room: Path, environment: Mapping[str, str]) -> None:
        self._name, self._witness, self._room = f"the witness {name}", witness, room
        self._environment = environment

    def give(self, given: Given) -> Note:
        """Push a checkpoint, unless it is there."""
        try:
            with tempfile.TemporaryDirectory(prefix="witness-", dir=self._room) as directory:
                git = _Git(Path(directory), self._environment, self._name)
                git.run("init", "--bare", "--quiet", ".")
                before = Rejected("", "")
                for _ in range(TRIES):
                    rejected = self._pushed(git, given)
                    if rejected is None:
                        return given.note
                    if rejected.tip == before.tip:  # nobody was faster: it does not want it
                        raise Undecided(f"{self._name} does not take it: {rejected.why}")
                    before = rejected
        except OSError as error:
            raise Undecided(f"{self._room} cannot be worked in: {error.strerror or error}") from error
        raise Undecided(f"{self._name} was pushed to by others {TRIES} times", hint="try again in a moment")

    def _pushed(self, git: "_Git", given: Given) -> "Rejected | None":
        """Push once, unless it is there; None when it is there now."""
        branch, file = f"refs/heads/{self._witness.branch}", file_name(given.now.origin)
        tip = git.fetch(self._witness.url, branch)
        old = None if tip is None else git.content(f"{tip}:{file}")
        if old is None:
            given.has(0, self._name)
        elif self._read(old, given).text == given.note.text:
            return None
        made = git.commit(tip, file, str(given.note).encode(), f"{given.now.origin}: {given.now.size} entries")
        why = git.push(self._witness.url, made, branch)
        return Rejected(tip, why) if why else None

    def _read(self, old: bytes, given: Given) -> Note:
        """Read what the witness has, and make sure that this ledger continues it."""
        try:
            note = notes.parse(old)
            read(note.text)
        except Malformed as error:
            what = f"what {self._name} has of {given.now.origin} is no checkpoint: {error.message}"
            raise IntegrityError(what, hint=f"look at {self._witness.branch} of {self._witness.url}") from error
        given.since(note, self._name)
        return note


def file_name(origin: str) -> str:
    """Return the name of a ledger's file: its origin, escaped as in URLs so that no directory is left."""
    name = quote(origin, safe="").replace("~", "%7E")
    return f"%2E{name[1:]}" if name.startswith(".") else name


class _Git:
    """Git in a bare repository of its own; it asks nobody anything, and runs no hooks."""

    def __init__(self, directory: Path, environment: Mapping[str, str], name: str) -> None:
        self._directory, self._name = directory, name
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "davy"), ("EMAIL", "davy@davy.invalid"))
        }
        kept = {key: value for key, value in environment.items() if not key.startswith("GIT_") or "SSH" in key}
        self._environment = (
            kept
            | who
            | {
                "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
                "GIT_CEILING_DIRECTORIES": str(directory.parent),
                "GIT_DIR": str(directory),
                "GIT_NO_REPLACE_OBJECTS": "1",
                "GIT_TERMINAL_PROMPT": "0",
                "LC_ALL": "C",
            }
        )

    def fetch(self, url: str, branch: str) -> str | None:
        """Fetch the last commit of a branch; None where there is no such branch."""
        listed = self.run("ls-remote", "--refs", "--", url, branch)
        if not any(line.split("\t")[1:] == [branch] for line in listed.decode("utf-8", "replace").splitlines()):
            return None
        self.run(
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--",
            url,
            f"+{branch}:refs/tip",
        )
        return self.run("rev-parse", "--verify", "refs/tip^{commit}").decode("ascii", "replace").strip()

    def content(self, name: str) -> bytes | None:
        """Return a file of a commit, None where it has none."""
        commit, _, file = name.partition(":")
        entries = dict(self._tree(commit))
        if file not in entries:
            return None
        mode, kind, blob = entries[file].split()
        if kind != "blob" or mode != "100644" or int(self.run("cat-file", "-s", blob)) > _LARGEST_BYTES:
            raise IntegrityError(f"{file} of {self._name} is no file of a checkpoint")
        return self.run("cat-file", "blob", blob)

    def commit(self, parent: str | None, file: str, content: bytes, message: str) -> str:
        """Return a commit that adds or changes one file."""
        blob = self.run("hash-object", "-w", "--stdin", asked=content).decode("ascii").strip()
        entries = {} if parent is None else dict(self._tree(parent))
        entries[file] = f"100644 blob {blob}"
        listed = "".join(f"{about}\t{name}\0" for name, about in entries.items())
        made = self.run("mktree", "-z", "--missing", asked=listed.encode("utf-8", "surrogateescape"))
        parents = [] if parent is None else ["-p", parent]
        commit = ["commit-tree", *parents, "-m", message, made.decode("ascii").strip()]
        return self.run(*commit).decode("ascii").strip()

    def push(self, url: str, commit: str, branch: str) -> str:
        """Let a branch go forward; say why not, where it did not."""
        ran = self._ran(("push", "--porcelain", "--no-verify", "--", url, f"{commit}:{branch}"), b"")
        if not ran.returncode:
            return ""
        for line in ran.stdout.decode("utf-8", "replace").splitlines():
            if line.startswith("!\t"):
                return _CREDENTIALS.sub("//", line.rpartition("\t")[2])[:300]
        raise self._failure("push", ran)

    def run(self, *arguments: str, asked: bytes = b"") -> bytes:
        """Run Git, and return what it says."""
        ran = self._ran(arguments, asked)
        if ran.returncode:
            raise self._failure(arguments[0], ran)
        return ran.stdout

    def _tree(self, commit: str) -> list[tuple[str, str]]:
        listed = self.run("ls-tree", "-z", commit).decode("utf-8", "surrogateescape")
        pairs = (line.partition("\t") for line in listed.split("\0") if line)
        return [(name, about) for about, _, name in pairs]

    def _ran(self, arguments: tuple[str, ...], asked: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [
            "git",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "gc.auto=0",
            "--literal-pathspecs",
            *arguments,
        ]
        try:
            # In a session of its own there is no terminal that ssh could ask on.
            running = subprocess.Popen(
                command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise UsageError("there is no git on this machine", hint=f"{self._name} needs one") from error
        try:
            out, err = running.communicate(asked, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            raise Undecided(f"{self._name} gave no answer within {TIMEOUT_S:g} s") from error
        return subprocess.CompletedProcess(command, running.returncode, out, err)

    def _failure(self, doing: str, ran: subprocess.CompletedProcess[bytes]) -> Undecided:
        said = complaint(ran.stderr)
        return Undecided(f"{self._name} cannot be reached: git {doing}: {_CREDENTIALS.sub('//', said)[:300]}")
