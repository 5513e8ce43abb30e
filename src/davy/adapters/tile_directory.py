"""A ledger as a directory of files that any web server can hand out (C2SP tlog-tiles).

Files are written whole and before what leads to them: the checkpoint comes last, so that whoever reads while it
is written sees the ledger as it was or as it is. Nothing that is there is taken away, and no link is followed
within it.
"""

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from davy.adapters.private_file import sync_directory
from davy.errors import Conflict, IntegrityError, Undecided
from davy.ledger import note as notes
from davy.ledger.checkpoint import read
from davy.ledger.continuation import continues
from davy.ledger.lines import Malformed
from davy.ledger.note import Note, PublicKey
from davy.ledger.tiles import Bodies, contents, tiles
from davy.ledger.tree import Hashes

CHECKPOINT = "checkpoint"

_LARGEST_BYTES = 64 * 1024


@dataclass(slots=True)
class TileDirectory:
    """Writes a ledger into a directory.

    Args:
        root: the directory; made if it is not there.
        key: what the ledger is signed with.
    """

    root: Path
    key: PublicKey
    _made: set[Path] = field(default_factory=set)

    def export(self, note: Note, hashes: Hashes, bodies: Bodies) -> tuple[int, int]:
        """Write what a checkpoint is of, and return how many entries were there before, and are now.

        Raises:
            Conflict: another ledger is there.
            IntegrityError: what is there is not continued by this ledger.
            Undecided: it cannot be written.
        """
        now = read(note.text)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            before = self._before(now.size, now.root, hashes)
            for tile in tiles(now.size, before):
                self._write(tile.path, contents(tile, hashes, bodies))
            for directory in sorted(self._made, reverse=True):
                sync_directory(directory)
            self._write(CHECKPOINT, str(note).encode())
            sync_directory(self.root)
        except OSError as error:
            raise Undecided(f"{self.root} cannot be written: {error.strerror or error}") from error
        return before, now.size

    def _before(self, size: int, root: bytes, hashes: Hashes) -> int:
        """Return how many entries are there, once it is certain that this ledger continues them."""
        try:
            descriptor = os.open(self.root / CHECKPOINT, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return 0
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(_LARGEST_BYTES)
        try:
            note = notes.parse(content)
            old = read(note.text)
        except Malformed as error:
            raise Conflict(f"{self.root / CHECKPOINT} is no checkpoint: {error.message}", hint=_HINT) from error
        if old.origin != self.key.name:
            raise Conflict(f"{self.root} is the ledger {old.origin}, and this is {self.key.name}", hint=_HINT)
        notes.verify(note, [self.key])
        try:
            continues(hashes, old, size, root)
        except IntegrityError as error:
            raise IntegrityError(f"{error.message}: {self.root} was signed", hint=error.hint) from error
        return old.size

    def _write(self, path: str, content: bytes) -> None:
        """Write a file, unless it is there with this content already."""
        target = self.root / path
        self._enter(target.parent)
        if _is(target, content):
            return
        beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(beside, flags, 0o644), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    def _enter(self, directory: Path) -> None:
        """Make a directory below the root, and make sure that no part of its path is a link."""
        if directory == self.root or directory in self._made:
            return
        self._enter(directory.parent)
        directory.mkdir(exist_ok=True)
        if not stat.S_ISDIR(directory.lstat().st_mode):
            raise Conflict(f"{directory} is a link, and nothing is written through one", hint=_HINT)
        self._made.add(directory)


_HINT = "name an empty directory"


def _is(path: Path, content: bytes) -> bool:
    """Say whether a file has this content."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        return file.read(len(content) + 1) == content
