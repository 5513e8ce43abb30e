"""Commits as directories that something can be started in: fetched and built once each, and kept.

Every attempt has a directory of its own, and only one that succeeded gets the name by which it is used. So a
build that was cut off, or goes on after Davy was killed, is never mistaken for one that is done.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from davy.adapters import files
from davy.errors import IntegrityError, Refused
from davy.rollout.platform import Launch

_RETRY_S = 10.0
_DONE = "tree"


class Recipe(msgspec.Struct, frozen=True):
    """What a directory is made of."""

    repository: str
    commit: str
    build: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Identify what comes out: the commit, and how it is built."""
        if not self.build:
            return self.commit
        return f"{self.commit}+{hashlib.sha256(msgspec.json.encode(self.build)).hexdigest()[:12]}"


class Builds:
    """The directories made so far.

    Args:
        cache: where they are kept.
        environment: what the builds are run with.
    """

    def __init__(self, cache: Path, *, environment: Mapping[str, str]) -> None:
        self._cache = cache.absolute()
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._builders: dict[str, threading.Thread] = {}
        self._failures: dict[str, tuple[float, str]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._closing = False

    def directory(self, recipe: Recipe) -> str:
        """Name the directory of a recipe, and remember how it is made."""
        place = self._cache / recipe.digest
        if not (place / "recipe.json").exists():
            place.mkdir(parents=True, exist_ok=True)
            files.replace(place / "recipe.json", msgspec.json.encode(recipe))
        return str(place / _DONE)

    def ready(self, launch: Launch) -> bool:
        """Say whether something can be started; if it has to be made first, see to it in the background.

        Raises:
            Refused: it cannot be made; it is tried again some time later.
            IntegrityError: how it was to be made is lost.
        """
        directory = Path(launch.directory)
        if directory.parent.parent != self._cache or directory.exists():
            return True
        digest = directory.parent.name
        with self._lock:
            failed_at, failure = self._failures.get(digest, (0.0, ""))
            if failure and time.monotonic() - failed_at < _RETRY_S:
                raise Refused(failure, hint=f"see {directory.parent / 'build.log'}")
            if digest not in self._builders and not self._closing:
                recipe = _read(directory.parent / "recipe.json")
                builder = threading.Thread(
                    target=self._make, args=(directory.parent, recipe), name=f"build-{digest[:12]}", daemon=True
                )
                self._builders[digest] = builder
                builder.start()
        return False

    def close(self) -> None:
        """Break off what is being made."""
        with self._lock:
            self._closing = True
            for child in self._running.values():
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            builders = list(self._builders.values())
        for builder in builders:
            builder.join()

    def _make(self, place: Path, recipe: Recipe) -> None:
        attempt = place / f"attempt-{uuid.uuid4().hex[:12]}"
        try:
            attempt.mkdir()
            self._fetch(place, recipe, attempt)
            if recipe.build:
                self._run(place, recipe.build, attempt)
            with suppress(FileExistsError):
                (place / _DONE).symlink_to(attempt.name)
            failure = ""
        except (OSError, tarfile.TarError, subprocess.CalledProcessError) as error:
            failure = (
                f"commit {recipe.commit[:12]} of {recipe.repository} cannot be built: {_why(error, place)}"
            )
            shutil.rmtree(attempt, ignore_errors=True)
        with self._lock:
            self._failures[place.name] = (time.monotonic(), failure)
            del self._builders[place.name]

    def _fetch(self, place: Path, recipe: Recipe, attempt: Path) -> None:
        """Unpack a commit, without history and without what Git does not track."""
        archive = attempt / ".archive.tar"
        command = ["git", "-C", recipe.repository, "archive", "--format=tar", "-o", str(archive), recipe.commit]
        self._run(place, command, attempt)
        with tarfile.open(archive) as packed:
            _unpack(packed, attempt)
        archive.unlink()

    def _run(self, place: Path, command: Sequence[str], directory: Path) -> None:
        with (place / "build.log").open("ab") as log, self._lock:
            if self._closing:
                raise InterruptedError("Davy is ending")
            child = subprocess.Popen(
                command,
                cwd=directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._running[place.name] = child
        code = child.wait()
        with self._lock:
            del self._running[place.name]
        if code:
            raise subprocess.CalledProcessError(code, command)


def _why(error: Exception, place: Path) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = files.last_line(place / "build.log")
        return f"{error.cmd[0]} ended with {error.returncode}{f': {said}' if said else ''}"
    return str(error)


def _read(path: Path) -> Recipe:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recipe)
    except (OSError, msgspec.DecodeError) as error:
        raise IntegrityError(
            f"{path} is lost or spoilt, so what it made cannot be made again",
            hint="apply the rollout again",
        ) from error


def _unpack(packed: tarfile.TarFile, directory: Path) -> None:
    """Unpack an archive, and nothing outside of the directory.

    Pythons before 3.11.4 have no filter for that.

    Raises:
        TarError: something in it leads out of the directory.
    """
    if hasattr(tarfile, "data_filter"):
        packed.extractall(directory, filter="data")
        return
    for member in packed.getmembers():
        within = os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))  # noqa: PTH118, PTH120
        if not all(_stays(path) for path in (member.name, within)) or member.isdev() or member.islnk():
            raise tarfile.ExtractError(f"{member.name} leads out of the directory")
    packed.extractall(directory)


def _stays(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")
