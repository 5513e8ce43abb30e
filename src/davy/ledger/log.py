"""The log seam: what a store offers to whoever appends from outside, reads the bytes, or proves something.

A store is both: `Store` is what the engine writes its decisions through, `Log` what everybody else needs. Both
append to the same tree.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from davy.errors import IntegrityError
from davy.ledger.entry import Draft
from davy.ledger.store import StoreUnavailable

LARGEST_ENTRY = 60 * 1024
"""Bytes of an entry: a bundle of tlog-tiles has 16 bits for its length. Larger details are kept apart."""


class LedgerDamaged(IntegrityError):
    """The entries, hashes and roots of a store do not agree; nothing is written to it any more."""

    code = "ledger-damaged"


UNWRITABLE = (StoreUnavailable, LedgerDamaged)
"""What a commit raises when nothing was written: what has to go on without (an abort, say) catches these."""


class Head(msgspec.Struct, frozen=True):
    """How large the tree is, and its root."""

    size: int
    root: bytes


class Receipt(msgspec.Struct, frozen=True):
    """What became of an event: it is in its place now, was there already, or contradicts what was there.

    `seq` is the place of the entry that holds it; of a refused one, of the `event_refused` that says so.
    """

    outcome: Literal["written", "known", "refused"]
    seq: int


class Log(Protocol):
    """A tree of entries that only grows."""

    def append(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Append events, each once however often it comes, and return what became of each.

        Called from many threads at once; what waits is written in one transaction. When this returns, a crash
        of the machine loses none of it. An event whose source and id are known is compared with the one that is
        there (`same_event`): the same one is not written again, another one is refused and put on record.

        Raises:
            StoreUnavailable: nothing was written.
            LedgerDamaged: nothing was written, and nothing will be.
        """
        ...

    def append_each(self, calls: Sequence[Sequence[Draft]]) -> list[tuple[Receipt, ...] | Exception]:
        """Append for many at once what each of them would, and return what each is to be told.

        All of it is durable then, at the cost of one: for whoever serves many and has no thread for each. What
        is an Exception is wrong with those drafts alone; nothing of them is written, and all others are.

        Raises:
            StoreUnavailable: nothing was written of anybody's.
            LedgerDamaged: nothing was written of anybody's, and nothing will be.
        """
        ...

    def head(self) -> Head:
        """Return the tree as it is now."""
        ...

    def bodies(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of the entries at the indices from `start` up to `end`, as far as there are any."""
        ...

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees, as `davy.ledger.tree.Hashes` says."""
        ...
