"""Files as they are in a commit, read from Git's objects and never from a work tree.

Nothing is checked out, no hook and no filter runs, links are not followed and submodules not entered.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from davy.errors import Undecided, UsageError

TIMEOUT_S = 60.0
_NO_PROGRAMS = tuple(word for name in ("ext", "fd") for word in ("-c", f"protocol.{name}.allow=never"))
"""A repository's own configuration may allow addresses that are commands; this counts more than it."""

_FILE_MODES = ("100644", "100755")


def files_in(
    ref: str, paths: Iterable[str], suffixes: tuple[str, ...], *, largest: int, directory: Path | None = None
) -> list[tuple[str, bytes]]:
    """Return (file name, content) of every file of a commit that paths name, those below directories included.

    Args:
        ref: a branch, a tag or a commit.
        paths: files and directories, as seen from `directory`; what the commit does not have is left out.
        suffixes: what names of files below a directory end with; what begins with a dot is left out there.
        largest: bytes of all files together.
        directory: where Git is asked, the working directory where it is not given.

    Raises:
        UsageError: there is no such commit, no repository, no Git, or the files are too much.
        Undecided: Git gives no answer.
    """
    here = directory or Path.cwd()
    git = Git(here)
    commit = git.commit(ref)
    wanted: dict[str, tuple[str, int]] = {}
    for path in dict.fromkeys(paths):
        wanted |= git.blobs(commit, os.path.relpath(Path(here, path), here), suffixes)
    if sum(size for _, size in wanted.values()) > largest:
        raise UsageError(
            f"{ref}: this is too much: all the manifests of one command may have {largest} bytes",
            hint="check fewer files at once",
        )
    names = sorted(wanted)
    contents = git.contents([wanted[name][0] for name in names])
    return list(zip(names, contents, strict=True))


def changed_since(ref: str, texts: Mapping[str, bytes], *, directory: Path | None = None) -> frozenset[str]:
    """Return which files, named as seen from `directory`, a commit does not have, or has with another content.

    Raises:
        UsageError: there is no such commit, no repository, or no Git.
        Undecided: Git gives no answer.
    """
    here = directory or Path.cwd()
    git = Git(here)
    there = git.blobs(git.commit(ref), ".", ("",))
    return frozenset(name for name, text in texts.items() if there.get(name, ("",))[0] != _blob(text, there))


def _blob(text: bytes, there: Mapping[str, tuple[str, int]]) -> str:
    """Return the id that a content has, by the hash that the repository is made with."""
    long = any(len(blob) == 64 for blob, _ in there.values())
    kind = hashlib.sha256 if long else hashlib.sha1
    return kind(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()


class Git:
    """Git in a directory, asked by its plumbing."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def commit(self, ref: str) -> str:
        """Return the id of a commit."""
        if not ref or ref.startswith("-") or "\0" in ref:
            raise UsageError(f"{ref!r} is no name of a commit", hint="--base origin/main")
        ran = self.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        found = ran.stdout.decode("ascii", "replace").strip()
        if ran.returncode or not found:
            self.run_or_fail("rev-parse", "--git-dir")
            raise UsageError(
                f"there is no commit {ref!r} here",
                hint="fetch it first; a shallow clone has only its own commit (fetch-depth: 0)",
            )
        return found

    def blobs(self, commit: str, path: str, suffixes: tuple[str, ...]) -> dict[str, tuple[str, int]]:
        """Return the files at and below a path: their names with object and size."""
        listed = self.run_or_fail("ls-tree", "-r", "-l", "-z", commit, "--", _listed(path))
        found = {}
        for line in filter(None, listed.split(b"\0")):
            about, _, name = line.partition(b"\t")
            mode, _, blob, size = about.decode("ascii").split()
            named = name.decode("utf-8", "surrogateescape")
            if mode in _FILE_MODES and (named == path or _wanted(named, path, suffixes)):
                found[named] = (blob, int(size))
        return found

    def contents(self, blobs: list[str]) -> list[bytes]:
        """Return the contents of objects."""
        if not blobs:
            return []
        asked = "".join(f"{blob}\n" for blob in blobs).encode("ascii")
        answer, contents = self.run_or_fail("cat-file", "--batch", asked=asked), []
        position = 0
        for _ in blobs:
            end = answer.index(b"\n", position)
            size = int(answer[position:end].split()[2])
            contents.append(answer[end + 1 : end + 1 + size])
            position = end + 2 + size
        return contents

    def run(
        self, *arguments: str, asked: bytes = b"", timeout_s: float = TIMEOUT_S
    ) -> subprocess.CompletedProcess[bytes]:
        """Run Git; without hooks, monitors and prompts."""
        command = [
            "git",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            *_NO_PROGRAMS,
            "--no-replace-objects",
            "--literal-pathspecs",
            *arguments,
        ]
        try:
            return subprocess.run(
                command, cwd=self.directory, input=asked, capture_output=True, timeout=timeout_s, check=False
            )
        except FileNotFoundError as error:
            raise UsageError(
                "there is no git on this machine", hint="install it; Debian: apt install git"
            ) from error
        except (OSError, ValueError) as error:
            raise UsageError(f"git cannot be run: {error}") from error
        except subprocess.TimeoutExpired as error:
            raise Undecided(f"git gave no answer within {timeout_s:g} s") from error

    def run_or_fail(self, *arguments: str, asked: bytes = b"") -> bytes:
        """Run Git, and return what it says."""
        ran = self.run(*arguments, asked=asked)
        if ran.returncode:
            raise UsageError(f"git {arguments[0]} failed: {complaint(ran.stderr)}")
        return ran.stdout


def _listed(path: str) -> str:
    """Write a directory so that Git lists what is in it, and a file as it is."""
    return path if path != "." else "./"


def _wanted(name: str, path: str, suffixes: tuple[str, ...]) -> bool:
    """Say whether a directory that is named stands for a file in it."""
    base = "" if path == "." else f"{path}/"
    below = name.removeprefix(base)
    hidden = any(part.startswith(".") and part != ".." for part in below.split("/"))
    return name.endswith(suffixes) and not hidden


def complaint(stderr: bytes) -> str:
    """Return what Git complains of: its first line that says what is wrong, since advice may follow."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["it does not say why"]
    return next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[-1])
