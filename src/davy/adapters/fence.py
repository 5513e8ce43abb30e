"""The right to change the files of a state directory, which whoever takes over takes away.

A holder writes every file in a directory of its own first, and renames it from there to its place. Whoever
takes over renames that directory away, and from then on each rename of the old holder fails, since it begins at
a path that is no more. Asking whether one may and doing it are one system call, so it does not matter where an
old holder was stopped: it can be asleep between any two lines for as long as it likes.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from davy.adapters import files
from davy.ledger.lease import Fenced


class Fence:
    """What the holder of one epoch changes files through.

    Args:
        root: where the directories of all holders are, in the file system of what they change.
        epoch: under which the right was given; `take` makes what it needs.
    """

    def __init__(self, root: Path, epoch: int) -> None:
        self.directory = root / str(epoch)
        """For whatever else has to end with this holder; gone once another took over."""
        self._root, self._epoch = root, epoch

    @classmethod
    def take(cls, root: Path, epoch: int | None = None) -> "Fence":
        """Take over: from here on nobody of an earlier epoch changes anything.

        Args:
            root: where the directories of all holders are.
            epoch: the next one that is free where nobody gives them out.

        Raises:
            Fenced: somebody of a later epoch did so already.
        """
        root.mkdir(parents=True, exist_ok=True)
        if epoch is None:
            epoch = max(_epochs(root), default=0) + 1
        fence = cls(root, epoch)
        fence.directory.mkdir(exist_ok=True)
        # Whoever takes over makes its own directory before it looks for others. So of two who do it at once,
        # the later epoch takes away what the earlier one made, or the earlier one sees the later one here.
        for other in _epochs(root):
            if other > epoch:
                shutil.rmtree(fence.directory, ignore_errors=True)
                raise Fenced(f"epoch {other}")
            if other < epoch:
                with suppress(FileNotFoundError):  # somebody else took it away
                    (root / str(other)).rename(root / f".{other}-{epoch}")
        return fence

    def earlier(self) -> list[Path]:
        """List what is left of the directories of those before us; `sweep` takes it away."""
        return sorted(path for path in self._root.iterdir() if path.name.startswith("."))

    def sweep(self) -> None:
        """Take away what those before us left."""
        for path in self.earlier():
            shutil.rmtree(path, ignore_errors=True)

    def check(self) -> None:
        """Make sure that nobody has taken over; for what no file tells, a moment before it is done.

        Raises:
            Fenced: somebody has.
        """
        if not self.directory.exists():
            raise self._fenced()

    def replace(self, path: Path, content: bytes, *, durable: bool = True) -> None:
        """Put a whole new file in the place of an old one, as `davy.adapters.files.replace` does.

        Raises:
            Fenced: somebody has taken over; nothing was changed.
            OSError: it cannot be written.
        """
        try:
            files.replace(path, content, durable=durable, beside=self._beside(path))
        except FileNotFoundError:
            self.check()
            raise

    def remove(self, path: Path) -> None:
        """Take a file away; one that is not there is no fault.

        Raises:
            Fenced: somebody has taken over; nothing was changed.
        """
        try:
            path.rename(self._beside(path))
            self._beside(path).unlink(missing_ok=True)
        except FileNotFoundError:
            self.check()

    def _beside(self, path: Path) -> Path:
        """Name where a file is written first; two files of one name are in directories of different names."""
        return self.directory / f"{path.parent.name}-{path.name}"

    def _fenced(self) -> Fenced:
        latest = max(_epochs(self._root), default=0) if self._root.exists() else 0
        return Fenced(f"epoch {latest}" if latest > self._epoch else "its directory is gone")


def _epochs(root: Path) -> list[int]:
    return [int(path.name) for path in root.iterdir() if path.name.isdigit()]
