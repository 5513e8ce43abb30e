"""Read manifest files: those that are named, and all of those in directories."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from davy.errors import NotFound, UsageError

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "stdin"
"""What findings call standard input."""

_NPM = frozenset(("package.json", "package-lock.json", "tsconfig.json", "node_modules"))
"""What lies beside manifests where an application is written in JavaScript, and is none."""

LARGEST = 8 * 1024 * 1024
"""Bytes of all the files of one command; a rollout needs a few thousand."""


def read_manifests(sources: Iterable[str]) -> list[tuple[str, bytes]]:
    """Return (file name, content) of every file that the sources name; `-` is standard input.

    Directories are read with all that is below them, in the order of names, except what begins with a dot, or
    is npm's: `-f .` does not mean the workflows of a forge. File names are as seen from the working directory.

    Raises:
        UsageError: a source cannot be read, is no file, holds no manifest, or all of it is too much.
    """
    texts: list[tuple[str, bytes]] = []
    room = LARGEST
    for name, path in _files(sources):
        content = _read(name, path, room)
        room -= len(content)
        texts.append((name, content))
    return texts


def as_text(texts: Iterable[tuple[str, bytes]], *, signed: bool = False) -> tuple[tuple[str, str], ...]:
    """Decode contents; the byte order mark that some editors begin a file with stays only when it is `signed`.

    Raises:
        UsageError: one of them is not UTF-8.
    """
    decoded = []
    for name, content in texts:
        try:
            decoded.append((name, content.decode("utf-8" if signed else "utf-8-sig")))
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            hint = "save it as UTF-8"
            raise UsageError(f"{name}:{line}: this is not UTF-8 ({error.reason})", hint=hint) from error
    return tuple(decoded)


def _files(sources: Iterable[str]) -> Iterator[tuple[str, Path | None]]:
    """Yield the name and the path of every file, None for standard input; each of them once."""
    met: set[str] = set()
    for source in sources:
        found = [(STDIN, None)] if source == "-" else [(_shown(path), path) for path in _walk(Path(source))]
        for name, path in found:
            if name not in met:
                met.add(name)
                yield name, path


def _walk(source: Path) -> list[Path]:
    """Return the files that a source stands for."""
    try:
        mode = source.stat().st_mode
    except FileNotFoundError as error:
        raise NotFound(f"there is no {source}", hint="name a file or a directory that is there") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISDIR(mode):
        return [source]
    found = [
        Path(directory, name)
        for directory, below, names in os.walk(source, onerror=_unreadable)
        for name in _visible(below, names)
        if name.endswith(SUFFIXES)
    ]
    if not found:
        raise UsageError(f"there is no manifest in {source}", hint=f"looked for *{', *'.join(SUFFIXES)}")
    return sorted(found)


def _visible(below: list[str], names: list[str]) -> list[str]:
    """Leave out what begins with a dot and what belongs to npm, both here and further down."""
    below[:] = [name for name in below if not (name.startswith(".") or name in _NPM)]
    return [name for name in names if not (name.startswith(".") or name in _NPM)]


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def _shown(path: Path) -> str:
    """Name a file as seen from the working directory, where it lies below it."""
    shown = os.path.relpath(path)
    return str(path) if shown.startswith("..") else shown


def _read(name: str, path: Path | None, room: int) -> bytes:
    """Read one file, but no more than there is room for."""
    try:
        if path is None:
            content = sys.stdin.buffer.read(room + 1) if sys.stdin else b""
        else:
            mode = path.stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
                raise UsageError(f"{name} is neither a file nor a pipe")
            with path.open("rb") as stream:
                content = stream.read(room + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    if len(content) > room:
        raise UsageError(
            f"{name}: this is too much: all the manifests of one command may have {LARGEST} bytes",
            hint="apply fewer files at once",
        )
    return content
