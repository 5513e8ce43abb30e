"""Where documents come from: a file, a text, a server. And what a source has to say, to whom."""

from typing import NamedTuple, Protocol


class Document(NamedTuple):
    """A document as it was received.

    Args:
        text: of flagd's definitions, as JSON or YAML.
        version: grows with every change where a server counts; 0 where nobody does.
        etag: what tells it from another, as a server says it or as a digest.
        name: what errors call it.
    """

    text: bytes
    version: int = 0
    etag: str = ""
    name: str = "flags.json"


class Listener(Protocol):
    """Who is told by a source, from the source's own thread or from within `start`."""

    def document(self, document: Document) -> bool:
        """Take in a document; say whether it can be used. One that can't leaves the last good one in force."""
        ...

    def confirmed(self) -> None:
        """Take in that what is known is still what holds."""
        ...

    def trouble(self, why: str, *, final: bool = False) -> None:
        """Take in that nothing can be learnt now, and whether asking again helps."""
        ...

    def passing(self) -> None:
        """Take in that time has passed without any word; a source that is silent says at least this."""
        ...


class Source(Protocol):
    """Where documents come from. Stopped, it may be started again."""

    def start(self, listener: Listener) -> None:
        """Begin to tell; return at once, or when the first document has been told."""
        ...

    def stop(self) -> None:
        """End, within a moment, and tell nothing any more."""
        ...
