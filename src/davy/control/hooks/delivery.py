"""One delivery of a webhook, and what was made of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks.source import Source
from davy.ledger.entry import Draft

LONGEST = 1 << 20
"""Bytes of the longest body that is read."""

LONGEST_TEXT = 300
"""Characters that are kept of a title or another text of people."""

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that are in no name: controls, line ends, marks that turn the direction of a text."""

Payload = TypeVar("Payload", bound=msgspec.Struct)


class BadPayload(Exception):
    """The sender is who it says, and sent nothing that its scheme sends. The text is for the sender."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came in; names of headers in small letters, `now` in seconds since the epoch."""

    headers: Mapping[str, str]
    body: bytes
    now: float

    def header(self, name: str) -> str:
        """Return a header, empty where it is not there."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a delivery says in our words, and why parts of it say nothing.

    Args:
        drafts: events, without how they came; the receiver adds that.
        notes: for the sender: what was not looked at, and why.
        lost: what the sender says that it left out. It goes on record.
    """

    drafts: tuple[Draft, ...] = ()
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


Authentic = Callable[[Delivery, Secret], str]
"""Says how it is known that who has a secret sent a delivery, or nothing."""

Means = Callable[[Delivery, Source], Meaning]
"""Says what a delivery means; raises BadPayload."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One kind of sender.

    Args:
        authentic: tells whether a delivery comes from who has a secret.
        means: tells what it says.
        says: the kinds of entries that it can say.
        delivery: the header that names a delivery, for people who look for one; it is not believed.
        about: which lists of a source it needs: `repos`, `services`.
    """

    authentic: Authentic
    means: Means
    says: frozenset[str]
    delivery: str = ""
    about: frozenset[str] = field(default_factory=frozenset)


def read(body: bytes, payload: type[Payload]) -> Payload:
    """Read a body as what a scheme sends; fields that are not named there are not looked at.

    Raises:
        BadPayload: it is not that.
    """
    try:
        return msgspec.json.decode(body, type=payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPayload(f"the body cannot be read: {error}"[:LONGEST_TEXT]) from None


def at_path(value: Any, path: str) -> str:
    """Return the text at a path such as `labels.app.kubernetes.io/name`, empty where there is none.

    A key may have dots in it: the longest rest of a path that is a key is taken as one.
    """
    while path:
        if not isinstance(value, dict):
            return ""
        if path in value:
            value, path = value[path], ""
        else:
            head, _, path = path.partition(".")
            value = value.get(head)
            if not path:
                return ""
    return value if isinstance(value, str) else ""


def short(text: str | None) -> str:
    """Cut a text of people, and take out what moves the cursor of whoever reads it or turns its direction."""
    return UNSAFE.sub(" ", text or "")[:LONGEST_TEXT]
