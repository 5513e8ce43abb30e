"""The flags of an environment in memory: documents that somebody publishes, and what instances tell."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

import msgspec

from davy.flags import FlagSet, load
from davy.flags.remote import Acknowledgement, Changed, ExposureReport
from davy.flags.serving import Document

EMPTY = b'{"flags":{}}'

_INSTANCES = 10_000
_REPORTS = 1_000
"""How many are kept: there is no engine that does anything with them."""


class MemoryFlags:
    """Serves what was published last, to every artifact; usable from any thread.

    Args:
        text: the first document.
        version: returns the version of the next document; it is raised where it would not grow.

    Raises:
        UsageError: the text is no document of flagd.
    """

    def __init__(self, text: bytes = EMPTY, version: Callable[[], int] = int) -> None:
        self._next = version
        self._lock = threading.Lock()
        self._set = _unnamed(text)
        self._document = Document(text, max(1, version()), _digest(text))
        self.subscribers: list[Callable[[Changed], None]] = []
        self.acknowledged: OrderedDict[str, Acknowledgement] = OrderedDict()
        self.reports: deque[ExposureReport] = deque(maxlen=_REPORTS)

    def publish(self, text: bytes) -> None:
        """Serve another document from now on, and tell whoever wants to know; the same again is no change.

        Raises:
            UsageError: the text is no document of flagd; what was before stays.
        """
        read = _unnamed(text)
        with self._lock:
            before = self._document
            if text == before.text:
                return
            self._document = Document(text, max(before.version + 1, self._next()), _digest(text))
            changed = Changed(self._document.version, self._document.digest, tuple(self._set.changed(read)))
            self._set = read
            for tell in tuple(self.subscribers):
                with suppress(Exception):  # whoever cannot be told must not keep it from the others
                    tell(changed)

    def document(self, artifact: str = "") -> Document:
        """Return what was published last."""
        return self._document

    def subscribe(self, told: Callable[[Changed], None]) -> Callable[[], None]:
        """Call back after each change, in order, before `publish` returns."""
        self.subscribers.append(told)

        def end() -> None:
            with suppress(ValueError):
                self.subscribers.remove(told)

        return end

    def acknowledge(self, told: Acknowledgement) -> None:
        """Keep which version an instance evaluates by."""
        with self._lock:
            self.acknowledged[told.instance.id] = told
            if len(self.acknowledged) > _INSTANCES:
                self.acknowledged.popitem(last=False)

    def left(self, instance: str) -> None:
        """Forget an instance."""
        with self._lock:
            self.acknowledged.pop(instance, None)

    def count(self, report: ExposureReport) -> None:
        """Keep what an instance has counted."""
        self.reports.append(report)


def _digest(text: bytes) -> str:
    return f"sha256:{sha256(text).hexdigest()}"


def _unnamed(text: bytes) -> FlagSet:
    """Read a document without what its version is called: that by itself changes no flag."""
    definitions = load(text).definitions
    metadata = {name: value for name, value in definitions.metadata.items() if name != "version"}
    return FlagSet(msgspec.structs.replace(definitions, metadata=metadata))
