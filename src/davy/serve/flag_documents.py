"""Documents of flags made ready for evaluation: compiled once, in a worker, by whoever asks first."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from davy.flags import load
from davy.flags.details import Details, Json, Metadata
from davy.flags.failing import declared, mended
from davy.flags.flagset import FlagSet
from davy.flags.serving import Document, Flags

_KEPT = 8
"""Documents that are kept compiled: of a few artifacts, and the ones before a change."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ready:
    """A document that can be evaluated.

    Args:
        document: as it is handed out.
        flags: it, compiled.
        shown: of each flag its metadata over that of the set, by key.
    """

    document: Document
    flags: FlagSet
    shown: Mapping[str, Metadata]

    def answer(self, key: str, context: Mapping[str, Json]) -> Details:
        """Evaluate a flag as what its variants are; where that cannot be done, it is what it declares safe."""
        details = self.flags.evaluate(key, None, None, context)
        return details if details.error_code is None else mended(declared(self.flags.definitions, key), details)


class Documents:
    """Has the document of each artifact as it is now.

    Args:
        flags: has the documents; asked for each request, so it must have them in memory.
        workers: compile and evaluate.
    """

    def __init__(self, flags: Flags, workers: ThreadPoolExecutor) -> None:
        self._flags, self._workers = flags, workers
        self._ready: OrderedDict[str, asyncio.Future[Ready]] = OrderedDict()

    def current(self) -> Document:
        """Return the document of no artifact in particular, as it is now."""
        return self._flags.document()

    async def ready(self, artifact: str) -> Ready:
        """Return the document of an artifact, compiled.

        Raises:
            Exception: it cannot be, which is a fault of whoever published it.
        """
        document = self._flags.document(artifact)
        found = self._ready.get(document.digest)
        if found is None or (found.done() and found.exception() is not None):
            found = asyncio.ensure_future(self.aside(lambda: compiled(document)))
            self._ready[document.digest] = found
        self._ready.move_to_end(document.digest)
        while len(self._ready) > _KEPT:
            self._ready.popitem(last=False)
        ready = await asyncio.shield(found)
        same = ready.document.version == document.version
        return ready if same else replace(ready, document=document)

    async def aside(self, work: Callable[[], Result]) -> Result:
        """Do something in a worker."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)


def compiled(document: Document) -> Ready:
    """Compile a document."""
    flags = load(document.text)
    flags.prepare()
    shown = {
        key: {**flags.metadata, **(flag.metadata if (flag := declared(flags.definitions, key)) else {})}
        for key in sorted(flags.keys())
    }
    return Ready(document, flags, shown)
