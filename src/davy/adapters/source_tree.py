"""Which files of code there are: those that Git would take, or all of a directory; links are not followed."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from davy.adapters.git_objects import Git
from davy.errors import UsageError
from davy.flags.lint.prefilter import language_of

VENDORED = frozenset(
    {
        *(".git", ".hg", ".svn", "__pycache__", ".mypy_cache", ".pytest_cache", ".tox", ".nox"),
        *(".venv", "venv", "site-packages", "node_modules", "bower_components", "vendor", "third_party"),
        *("dist", "build", "out", "target", "obj", "coverage", ".next", ".nuxt", ".svelte-kit", ".gradle"),
        *(".idea", ".terraform"),
    }
)
"""Directories whose code is somebody else's, or made from code that is read anyway."""

LARGEST = 1_500_000
"""Bytes of a file; what is larger was written by a program, and is told of."""


class Stat(NamedTuple):
    """What is known of a file without reading it; the same again is taken to be the same file.

    `changed_ns` is when its contents or anything else about it changed, which nobody can set back.
    """

    size: int
    changed_ns: int
    inode: int


class Unread(NamedTuple):
    """A file that was not read."""

    file: str
    why: str


class SourceTree:
    """The code below some paths.

    Args:
        paths: files and directories; a file that is named is read wherever it is.
        skip: names of directories that are left out.
        largest: bytes that a file may have.
    """

    def __init__(
        self, paths: Iterable[str], *, skip: frozenset[str] = VENDORED, largest: int = LARGEST
    ) -> None:
        self.paths = list(dict.fromkeys(paths))
        self.largest = largest
        self.unread: list[Unread] = []
        self._skip = skip
        self.names = list(dict.fromkeys(name for path in self.paths for name in self._below(path)))

    def stats(self, names: Iterable[str]) -> Iterator[tuple[str, Stat]]:
        """Yield what is known of files; what cannot be looked at, or is too large, is `unread`."""
        for name in names:
            try:
                found = os.lstat(name)
            except OSError as error:
                if not isinstance(error, FileNotFoundError):  # deleted, and Git was not told yet
                    self.unread.append(Unread(name, error.strerror or str(error)))
                continue
            if not stat.S_ISREG(found.st_mode):
                continue
            if found.st_size > self.largest:
                self.unread.append(Unread(name, f"larger than {self.largest} bytes"))
                continue
            yield name, Stat(found.st_size, found.st_ctime_ns, found.st_ino)

    def read(self, name: str) -> bytes:
        """Read a file; what cannot be read is `unread`, and what is no text is empty."""
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.unread.append(Unread(name, error.strerror or str(error)))
            return b""
        try:
            pieces = []
            room = self.largest
            while room > 0 and (piece := os.read(descriptor, min(room, 1 << 20))):
                pieces.append(piece)
                room -= len(piece)
        except OSError as error:
            self.unread.append(Unread(name, error.strerror or str(error)))
            return b""
        finally:
            os.close(descriptor)
        text = b"".join(pieces)
        return b"" if b"\0" in text[:8192] else text

    def changed(self, base: str) -> list[str]:
        """Return the files that are not what they were in a commit, new ones included.

        Raises:
            UsageError: there is no such commit, or no repository.
        """
        found: set[str] = set()
        for top in {_directory(path) for path in self.paths}:
            git = Git(Path(top or "."))
            commit = git.commit(base)
            for asked in (
                ("diff", "--name-only", "--relative", "--no-renames", "-z", "--diff-filter=d", commit, "--"),
                ("ls-files", "-z", "--others", "--exclude-standard"),
            ):
                listed = git.run_or_fail(*asked)
                found.update(_joined(top, name) for name in _names(listed))
        return [name for name in self.names if name in found]

    def _below(self, path: str) -> Iterator[str]:
        """Yield the code at or below a path."""
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - a name is kept as it was given
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", hint="name a file or a directory") from error
        if not stat.S_ISDIR(mode):
            yield path
            return
        top = "" if os.path.normpath(path) == "." else os.path.normpath(path)
        names = self._of_git(top)
        for name in sorted(self._walk(top)) if names is None else names:
            if language_of(name) is not None and not name.endswith((".min.js", ".d.ts")):
                yield name

    def _of_git(self, top: str) -> list[str] | None:
        """Return what Git knows of or would; None where there is no repository, or no Git."""
        try:
            ran = Git(Path(top or ".")).run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        except UsageError:
            return None
        if ran.returncode:
            return None
        names = _names(ran.stdout)
        skip = self._skip
        return sorted(
            {_joined(top, name) for name in names if "/" not in name or skip.isdisjoint(name.split("/")[:-1])}
        )

    def _walk(self, top: str) -> Iterator[str]:
        """Yield files below a directory, without following links."""
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            try:
                with os.scandir(directory or ".") as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self.unread.append(Unread(directory, error.strerror or str(error)))
                continue
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in self._skip:
                        waiting.append(_joined(directory, entry.name))
                elif entry.is_file(follow_symlinks=False):
                    yield _joined(directory, entry.name)


def _names(listed: bytes) -> list[str]:
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _joined(top: str, name: str) -> str:
    return f"{top.rstrip('/')}/{name}" if top else name


def _directory(path: str) -> str:
    normal = os.path.normpath(path)
    if not os.path.isdir(normal):  # noqa: PTH112
        normal = os.path.dirname(normal)  # noqa: PTH120
    return "" if normal == "." else normal
