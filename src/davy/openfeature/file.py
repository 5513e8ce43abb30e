"""Definitions from a file that is looked at again and again, or from a text."""

import threading
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from davy.openfeature.source import Document, Listener

#: How often a file is looked at, in seconds, unless said.
INTERVAL_S = 1.0


class _Look(NamedTuple):
    """What tells one state of a file from another, without reading it; links are followed."""

    inode: int
    modified_ns: int
    size: int


class FileSource:
    """A file of definitions. Another one is taken up within `interval_s` after it was put in its place.

    Its inode, size and time of modification are looked at, so that both writing and renaming are seen, and so
    is a ConfigMap that a cluster mounts and swaps by a link. Replace the file by renaming: what is written bit
    by bit may be read half-written, which is reported as an error and mended at the next look.
    """

    def __init__(self, path: Path, interval_s: float = INTERVAL_S) -> None:
        self._path = path
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, listener: Listener) -> None:
        """Read the file, then watch it in a daemon thread."""
        self._stopped = threading.Event()
        last = self._look(listener, None, first=True)
        self._thread = threading.Thread(
            target=self._watch, args=(listener, last, self._stopped), name="davy-flags-file", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(self._interval_s)
        self._thread = None

    def _watch(self, listener: Listener, last: _Look | None, stopped: threading.Event) -> None:
        while not stopped.wait(self._interval_s):
            last = self._look(listener, last)

    def _look(self, listener: Listener, last: _Look | None, *, first: bool = False) -> _Look | None:
        """Tell of the file unless it is as it was; return what it is like now."""
        try:
            found = self._path.stat()
            look = _Look(found.st_ino, found.st_mtime_ns, found.st_size)
            if look == last:
                return last
            text = self._path.read_bytes()
        except OSError as error:
            listener.trouble(f"{self._path} cannot be read: {error.strerror}", final=first)
            return None
        listener.document(Document(text, etag=digest(text), name=str(self._path)))
        return look


class TextSource:
    """A text of definitions, which does not change until another one is put in its place."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._listener: Listener | None = None

    def start(self, listener: Listener) -> None:
        """Tell of the text."""
        self._listener = listener
        listener.document(Document(self._text, etag=digest(self._text)))

    def put(self, text: bytes) -> bool:
        """Take up another text; say whether it can be used."""
        if self._listener is None:
            self._text = text
            return True
        usable = self._listener.document(Document(text, etag=digest(text)))
        if usable:
            self._text = text
        return usable

    def stop(self) -> None:
        """Tell nothing any more."""
        self._listener = None


def digest(text: bytes) -> str:
    """Return what tells one text from another."""
    return f"sha256:{sha256(text).hexdigest()}"
