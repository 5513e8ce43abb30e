"""Signing for what a ledger is: a checkpoint now and then, and never two that cannot both be true.

Before it signs, it proves by the hashes that are kept that the tree begins with all that the last checkpoint
had. A tree that does not was cut, edited or put back from an older copy: that is never signed for.
"""

from collections.abc import Callable
from typing import Protocol

from davy.errors import IntegrityError
from davy.ledger import note as notes
from davy.ledger.checkpoint import Checkpoint, read
from davy.ledger.continuation import HINT, continues
from davy.ledger.lines import Malformed
from davy.ledger.log import Head
from davy.ledger.note import Note, PrivateKey
from davy.ledger.store import Record, Store

BUCKET = "checkpoint"
"""The bucket of what was signed: `latest`, and `witness:NAME` as each witness has signed it."""

LATEST: Record = (BUCKET, "latest")


class Tree(Protocol):
    """As much of a `davy.ledger.log.Log` as it takes to sign for it."""

    def head(self) -> Head:
        """Return the tree as it is now."""
        ...

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees, as `davy.ledger.tree.Hashes` says."""
        ...


class Kept(Protocol):
    """Where checkpoints are kept: a store, or what has its records."""

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        ...


class Signing:
    """Signs checkpoints of one ledger.

    Args:
        log: the tree.
        store: where the last one is kept; it may be another view of what `log` is of.
        key: what they are signed with; its name is the origin.
        told: is told what a person has to know, in a sentence.
    """

    def __init__(
        self, log: Tree, store: Store, key: PrivateKey, told: Callable[[str], None] = lambda _: None
    ) -> None:
        self._log, self._store, self._key, self._told = log, store, key, told
        self._public = key.public

    def sign(self) -> Note:
        """Return the checkpoint of the tree as it is now; it is signed and kept if the tree has grown.

        Raises:
            IntegrityError: the tree does not continue what was signed last.
            StoreUnavailable: it cannot be kept, and so nobody is shown it.
        """
        last, head = latest(self._store), self._log.head()
        if last is not None:
            old, ours = read(last.text), self._is_ours(last)
            continues(self._log.hashes, old, head.size, head.root)
            if ours and old.size == head.size:
                return last
            if not ours:
                self._told(
                    f"the key of the ledger is another one: checkpoints of {old.origin} are continued as "
                    f"{self._key.name}, and whoever verifies or witnesses has to be given {self._public}"
                )
        signed = notes.sign(str(Checkpoint(self._key.name, head.size, head.root)), self._key)
        self._store.commit({LATEST: str(signed).encode()}, [])
        return signed

    def _is_ours(self, note: Note) -> bool:
        """Say whether this key has signed a note.

        Raises:
            BadSignature: it is said to, and has not.
        """
        signed = any((each.name, each.id) == (self._public.name, self._public.id) for each in note.signatures)
        if signed:
            notes.verify(note, [self._public])
        return signed


def latest(store: Kept) -> Note | None:
    """Return the checkpoint that was signed last, None where there is none.

    Raises:
        IntegrityError: what is kept is none.
    """
    kept = store.load(BUCKET).get(LATEST[1])
    return None if kept is None else parsed(kept, "the checkpoint that is kept in the store")


def parsed(kept: bytes, what: str) -> Note:
    """Read a checkpoint that was kept.

    Raises:
        IntegrityError: it is none.
    """
    try:
        found = notes.parse(kept)
        read(found.text)
    except Malformed as error:
        raise IntegrityError(f"{what} cannot be read: {error.message}", hint=HINT) from error
    return found
