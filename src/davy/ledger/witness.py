"""Witnesses: those who remember what a ledger was, out of reach of whoever keeps it.

A ledger that was put back from an older copy, or that shows one history here and another one there, is sound in
itself. Only somebody else can tell, who saw more of it, or something else.
"""

from dataclasses import dataclass
from typing import Protocol

from davy.errors import IntegrityError
from davy.ledger import note as notes
from davy.ledger import tree
from davy.ledger.checkpoint import Checkpoint, read
from davy.ledger.continuation import continues
from davy.ledger.note import Note, PublicKey
from davy.ledger.tree import Hashes


class SplitView(IntegrityError):
    """A witness has seen another ledger, or more of this one than there is."""

    code = "split-view"


@dataclass(frozen=True, slots=True)
class Given:
    """What a witness is given, and what it takes to convince it.

    Args:
        note: the checkpoint, signed.
        hashes: of the tree.
        key: what the ledger signs with.
        last: what the witness had last, as far as is known here.
    """

    note: Note
    hashes: Hashes
    key: PublicKey
    last: Note | None = None

    @property
    def now(self) -> Checkpoint:
        """What the note says."""
        return read(self.note.text)

    @property
    def last_size(self) -> int:
        """How many entries the witness has seen at least."""
        return 0 if self.last is None else read(self.last.text).size

    def since(self, old: Note, witness: str) -> None:
        """Make sure that what a witness has is of this ledger, and that this one continues it.

        Raises:
            SplitView: it does not.
        """
        before = read(old.text)
        try:
            notes.verify(old, [self.key])
        except IntegrityError as error:
            raise SplitView(
                f"what {witness} has of {before.origin} was not signed with this key: {error.message}",
                hint="two ledgers have one name, or somebody else wrote there",
            ) from error
        self.has(before.size, witness)
        try:
            continues(self.hashes, before, self.now.size, self.now.root)
        except IntegrityError as error:
            raise self.split(before.size, witness) from error

    def proof(self, size: int, witness: str) -> list[bytes]:
        """Prove that this ledger continues one of a size, which a witness says it has.

        Raises:
            SplitView: the witness has seen more, or less than it had.
        """
        self.has(size, witness)
        return tree.consistency(size, self.now.size, self.hashes) if size else []

    def has(self, size: int, witness: str) -> None:
        """Make sure that how much a witness has seen can be.

        Raises:
            SplitView: it cannot.
        """
        if size > self.now.size:
            raise SplitView(
                f"{witness} has seen {size} entries of {self.now.origin}, and here are {self.now.size}: "
                "this ledger was put back from an older copy, or cut",
                hint="the entries that are missing here were acknowledged: find them before anything is added",
            )
        if size < self.last_size:
            raise SplitView(
                f"{witness} had {self.last_size} entries of {self.now.origin}, and has {size} now: "
                "what it was given has been taken back there",
                hint="a witness that forgets is none: find out who changed it, or name another",
            )

    def split(self, size: int, witness: str) -> SplitView:
        """Return the error that says that a witness has seen other entries."""
        return SplitView(
            f"{witness} has seen other entries among the first {size} of {self.now.origin} than there are here",
            hint="keep the files here and what the witness has: one of the two histories was never shown to it",
        )


class Witness(Protocol):
    """Somebody who is given checkpoints, and never takes one that does not continue the one before."""

    def give(self, given: Given) -> Note:
        """Have a checkpoint witnessed, and return it with what the witness has signed to it, if it signs.

        Giving the same one again changes nothing.

        Raises:
            SplitView: the witness has seen another ledger, or more of this one.
            NotPermitted: it does not want to.
            Undecided: it cannot be asked.
        """
        ...
