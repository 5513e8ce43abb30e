"""The flags of an environment out of files: read again when they change, kept while they are wrong."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from davy.adapters.memory_flags import MemoryFlags
from davy.errors import DavyError


class FlagFiles(MemoryFlags):
    """Serves what files say. `doubt` says what is wrong with them, while it is what they said before.

    Versions are milliseconds since the epoch, so that they grow over restarts without anything being kept.

    Args:
        sources: files and directories.
        render: makes a document of them.
        wall: seconds since the epoch.

    Raises:
        DavyError: they cannot be read at first.
    """

    def __init__(self, sources: Sequence[Path], render: Callable[[], bytes], wall: Callable[[], float]) -> None:
        self._sources, self._render = sources, render
        self._seen = self._state()
        self.doubt = ""
        super().__init__(render(), lambda: int(wall() * 1000))

    def look(self) -> None:
        """Read the files again if one of them is another than it was."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self.publish(self._render())
        except DavyError as error:
            self.doubt = error.message
            return
        self.doubt = ""

    def _state(self) -> tuple[object, ...]:
        """Return what is another when a file is."""
        return tuple(_states(self._sources))


def _states(sources: Iterable[Path]) -> Iterable[object]:
    for source in sources:
        for path in (source, *sorted(source.rglob("*"))) if source.is_dir() else (source,):
            try:
                found = path.stat()
            except OSError:
                yield str(path)
            else:
                yield str(path), found.st_ino, found.st_mtime_ns, found.st_size
