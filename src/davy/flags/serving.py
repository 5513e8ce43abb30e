"""What serves flags, as ways in see it: documents, news, and what instances tell."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from davy.flags.remote import Acknowledgement, Changed, ExposureReport


class Document(msgspec.Struct, frozen=True):
    """A document of flagd as it is handed out: gates are in it, so every evaluator obeys them.

    Args:
        text: JSON in UTF-8.
        version: grows with every change of it.
        digest: `sha256:…` of the text.
    """

    text: bytes
    version: int
    digest: str


class Flags(Protocol):
    """The flags of one environment, as an engine holds them."""

    def document(self, artifact: str = "") -> Document:
        """Return the document for instances of one artifact; where it is not said, for any."""
        ...

    def subscribe(self, told: Callable[[Changed], None]) -> Callable[[], None]:
        """Call back, from any thread, after each change; return what ends that."""
        ...

    def acknowledge(self, told: Acknowledgement) -> None:
        """Take in which version an instance evaluates by."""
        ...

    def left(self, instance: str) -> None:
        """Take in that an instance is not connected any more."""
        ...

    def count(self, report: ExposureReport) -> None:
        """Take in what an instance has counted."""
        ...
