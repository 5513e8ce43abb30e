"""The flags of an engine as ways in see them: documents, news, and what instances tell."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from davy.control.flags.exposures import Exposures
from davy.control.flags.instances import Instances
from davy.control.flags.interlock import Interlock
from davy.control.flags.table import Table, changed
from davy.flags.remote import Acknowledgement, Changed, ExposureReport
from davy.flags.serving import Document

OUR_OWN = "ofrep/"
"""How those are named that evaluate for others, in this process: they have no stream that tells of them."""

MOST_ARTIFACTS = 64
"""How many documents are kept at once; one for every artifact that instances say they are."""


class ServedFlags:
    """Serves what the table says, without waiting for whoever changes it."""

    def __init__(self, interlock: Interlock, instances: Instances, exposures: Exposures) -> None:
        self._interlock, self._instances, self._exposures = interlock, instances, exposures
        self._guard = threading.Lock()
        self._made: OrderedDict[str, tuple[int, Document]] = OrderedDict()
        self._told: list[Callable[[Changed], None]] = []
        interlock.told.append(self._tell)

    def document(self, artifact: str = "") -> Document:
        """Return the document for instances of one artifact; where it is not said, for any."""
        table = self._interlock.table
        with self._guard:
            made = self._made.get(artifact)
            if made is not None and made[0] == table.generation:
                self._made.move_to_end(artifact)
                return made[1]
        text = table.text(artifact)
        document = Document(text, table.generation, f"sha256:{sha256(text).hexdigest()}")
        with self._guard:
            known = self._made.get(artifact)
            if known is None or known[0] < table.generation:
                self._made[artifact] = table.generation, document
                if len(self._made) > MOST_ARTIFACTS:
                    self._made.popitem(last=False)
        return document

    def subscribe(self, told: Callable[[Changed], None]) -> Callable[[], None]:
        """Call back after each change, in order; return what ends that."""
        self._told.append(told)

        def end() -> None:
            with suppress(ValueError):
                self._told.remove(told)

        return end

    def acknowledge(self, told: Acknowledgement) -> None:
        """Take in which version an instance evaluates by; one that there never was is nobody's."""
        if 0 < told.version <= self._interlock.table.generation:
            self._instances.acknowledge(told)

    def left(self, instance: str) -> None:
        """Take in that an instance is not connected any more."""
        self._instances.left(instance)
        self._exposures.left(instance)

    def count(self, report: ExposureReport) -> None:
        """Take in what an instance has counted."""
        id_ = report.instance.id
        known = id_.startswith(OUR_OWN) or self._instances.find(id_) is not None
        self._exposures.count(report, known=known, latest=self._interlock.table.generation)

    def _tell(self, before: Table, after: Table) -> None:
        """Tell of a document that is another one; whoever cannot be told must not keep it from the others."""
        if before.generation == after.generation or not self._told:
            return
        document = self.document()
        news = Changed(after.generation, document.digest, changed(before, after))
        for tell in tuple(self._told):
            with suppress(Exception):
                tell(news)
