"""Files that only their owner may read: read once that is certain, and written so from their first byte."""

import os
import secrets
import stat
from pathlib import Path


class NotPrivate(Exception):
    """What is there is no secret; `why` is what follows its name in a sentence, `mend` a command or nothing."""

    def __init__(self, why: str, mend: str = "") -> None:
        super().__init__(why)
        self.why, self.mend = why, mend


def read_private(path: Path, place: str, *, largest: int, follow: bool = False) -> bytes:
    """Read a file once it is certain, of the open file, that nobody else may.

    Args:
        path: where it is.
        place: what to call it in a command that mends it.
        largest: how many bytes it may have.
        follow: whether it may be a link, as where a cluster mounts its secrets.

    Raises:
        NotPrivate: it is no file, somebody else's, too large, or may be read by others.
        OSError: it cannot be opened.
    """
    link = 0 if follow else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | link)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotPrivate("is not a file")
        if status.st_mode & 0o077:
            mode = status.st_mode & 0o777
            mend = f"chmod 600 {place}"
            raise NotPrivate(f"may be read by others (mode {mode:04o}), so it is no secret: {mend}", mend)
        if status.st_uid not in (os.geteuid(), 0):
            raise NotPrivate("belongs to somebody else")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise NotPrivate(f"is larger than {largest} bytes")
    return content


def create_once(path: Path, content: bytes, *, mode: int = 0o600) -> bool:
    """Make a file that only its owner may read, unless another mode is given, and never replace one.

    Says whether it was made, and not there already.

    It is there with all that is in it or not at all, and on the disk on return. Of several who call this at
    once one makes it.

    Raises:
        OSError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(beside, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            return False
    finally:
        beside.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def sync_directory(directory: Path) -> None:
    """Have the names in a directory on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
