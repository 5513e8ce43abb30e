"""Being a witness: what one answers to whoever gives it a checkpoint (C2SP tlog-witness v1).

It signs only what continues all that it has signed of the same ledger, and remembers it before it says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from davy.errors import IntegrityError
from davy.ledger import note as notes
from davy.ledger import tree
from davy.ledger.checkpoint import Checkpoint, read
from davy.ledger.cosignature import cosign
from davy.ledger.lines import Malformed, binary, number
from davy.ledger.note import Note, PrivateKey, PublicKey
from davy.ledger.proof import LONGEST

SIZE = "text/x.tlog.size"
"""The media type of an answer that is how many entries the witness has seen."""


class Seen(Protocol):
    """Remembers what was signed last of every ledger, whatever happens to the machine."""

    def last(self, origin: str) -> tuple[int, bytes] | None:
        """Return size and root of what was signed last of a ledger, None where nothing was."""
        ...

    def advance(self, origin: str, old: int, size: int, root: bytes) -> bool:
        """Remember what is signed now, unless it was no longer `old` that was signed last; say which.

        When this returns true, a crash of the machine loses nothing.

        Raises:
            StoreUnavailable: it cannot be remembered, and so nothing may be signed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: a status of HTTP, a text, and its media type."""

    status: int
    text: str
    media_type: str = "text/plain"
    origin: str = ""


class _Refused(Exception):
    """What is asked for is not done; `answer` says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.answer = Answer(status, f"{why}\n")


class Cosigning:
    """Cosigns checkpoints of the ledgers that it knows.

    Args:
        known: the key of each ledger by its origin; it may be another mapping from one call to the next.
        seen: remembers.
        key: what this witness signs with.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        known: Callable[[], Mapping[str, PublicKey]],
        seen: Seen,
        key: PrivateKey,
        now: Callable[[], float],
    ) -> None:
        self._known, self._seen, self._key, self._now = known, seen, key, now

    def add(self, body: bytes) -> Answer:
        """Answer a request of add-checkpoint; the same one again is answered alike.

        Raises:
            StoreUnavailable: what is signed cannot be remembered; nothing was signed.
        """
        try:
            old, proof, note, checkpoint = self._read(body)
            return self._judged(old, proof, note, checkpoint)
        except _Refused as refused:
            return refused.answer

    def _read(self, body: bytes) -> tuple[int, list[bytes], Note, Checkpoint]:
        """Read a request, and make sure that it comes from a ledger that is known."""
        try:
            head, _, rest = body.partition(b"\n\n")
            first, *lines = head.decode("ascii").split("\n")
            if not first.startswith("old "):
                raise Malformed("it does not begin with: old <size>")
            old = number(first.removeprefix("old ") or "-", "the old size")
            proof = [binary(line, "a hash of the proof") for line in lines]
            if len(proof) > LONGEST or any(len(hash_) != 32 for hash_ in proof):
                raise Malformed(f"a proof is at most {LONGEST} hashes of 32 bytes")
            note = notes.parse(rest)
            checkpoint = read(note.text)
        except UnicodeDecodeError:
            raise _Refused(400, "there is other than ASCII above the checkpoint") from None
        except Malformed as error:
            raise _Refused(400, error.message) from None
        key = self._known().get(checkpoint.origin)
        if key is None:
            raise _Refused(404, "no ledger of this origin is known here")
        try:
            notes.verify(note, [key])
        except IntegrityError as error:
            raise _Refused(403, error.message) from None
        return old, proof, note, checkpoint

    def _judged(self, old: int, proof: list[bytes], note: Note, checkpoint: Checkpoint) -> Answer:
        """Sign, if what is signed continues what was signed."""
        if old > checkpoint.size:
            raise _Refused(400, f"{checkpoint.size} entries are fewer than the {old} of before")
        size, root = self._seen.last(checkpoint.origin) or (0, tree.EMPTY)
        if size != old:
            return _conflict(size)
        if size == checkpoint.size and root != checkpoint.root:
            return _conflict(size)
        if not _continues(size, root, checkpoint, proof):
            raise _Refused(422, f"the proof does not show that this continues the first {old} entries")
        if not self._seen.advance(checkpoint.origin, size, checkpoint.size, checkpoint.root):
            size, _ = self._seen.last(checkpoint.origin) or (0, tree.EMPTY)
            return _conflict(size)
        signature = cosign(note.text, self._key, int(self._now()))
        return Answer(200, str(signature), origin=checkpoint.origin)


def _continues(size: int, root: bytes, checkpoint: Checkpoint, proof: list[bytes]) -> bool:
    if size == 0:
        return not proof and (checkpoint.size > 0 or checkpoint.root == tree.EMPTY)
    return tree.is_consistent(size, checkpoint.size, proof, root, checkpoint.root)


def _conflict(size: int) -> Answer:
    """Say how many entries this witness has seen."""
    return Answer(409, f"{size}\n", SIZE)
