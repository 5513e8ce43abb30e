"""Proofs that can be handed to somebody: that an entry is in a log, as one text file (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1
    extra <base64>
    index 11
    <a hash of the path, base64>
    …

    <a checkpoint, signed>

We put the bytes of the entry into `extra`, so that whoever has the file and knows the key of the log needs
nothing else. What is there proves nothing by itself: it is hashed, and the hash is what the path leads from.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from davy.errors import IntegrityError
from davy.ledger import checkpoint as checkpoints
from davy.ledger import note as notes
from davy.ledger import tree
from davy.ledger.checkpoint import Checkpoint
from davy.ledger.lines import Malformed, base64, binary, number
from davy.ledger.note import Note, Verifier

HEADER = "c2sp.org/tlog-proof@v1"
"""The first line."""

LONGEST = 63
"""How many hashes the longest path has."""


class NotProven(IntegrityError):
    """A proof does not show that an entry is in a log."""

    code = "proof"


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry's place in a log, and the hashes that lead from it to the root.

    Args:
        index: the place, counted from 0.
        path: the hashes, from the leaf upwards.
        checkpoint: the checkpoint, a signed note.
        entry: the bytes of the entry, if they are in the file.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: Note
    entry: bytes | None = None

    def __str__(self) -> str:
        lines = [HEADER]
        if self.entry is not None:
            lines.append(f"extra {base64(self.entry)}")
        lines += [f"index {self.index}", *map(base64, self.path), ""]
        return "\n".join(lines) + f"\n{self.checkpoint}"


def read(data: bytes) -> Proof:
    """Read a proof; what it proves is another matter.

    Raises:
        Malformed: it is none.
    """
    head, separator, rest = data.partition(b"\n\n")
    try:
        header, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("this is no proof: there is other than ASCII above its checkpoint") from error
    if header != HEADER or not separator:
        raise Malformed(f"this is no proof: it does not begin with {HEADER}")
    entry = None
    if lines and lines[0].startswith("extra "):
        entry = binary(lines.pop(0).removeprefix("extra "), "what is extra in the proof")
    if not lines or not lines[0].startswith("index "):
        raise Malformed("the proof does not say which entry it is about: index <number>")
    index = number(lines.pop(0).removeprefix("index ") or "-", "the index of the proof")
    path = tuple(binary(line, "a hash of the proof") for line in lines)
    if len(path) > LONGEST or any(len(hash_) != 32 for hash_ in path):
        raise Malformed(f"the path of the proof is not up to {LONGEST} hashes of 32 bytes")
    return Proof(index, path, notes.parse(rest), entry)


def verify(proof: Proof, entry: bytes, trusted: Iterable[Verifier]) -> Checkpoint:
    """Return the checkpoint of a log that this entry is in, where the proof says it is.

    Args:
        proof: the proof.
        entry: the bytes of the entry.
        trusted: the keys of the log and of witnesses that are believed.

    Raises:
        BadSignature: nobody who is trusted has signed the checkpoint.
        Malformed: what they signed is no checkpoint.
        NotProven: the path does not lead from this entry to the root of the checkpoint.
    """
    notes.verify(proof.checkpoint, trusted)
    found = checkpoints.read(proof.checkpoint.text)
    leaf = tree.leaf_hash(entry)
    if not tree.is_included(leaf, proof.index, found.size, list(proof.path), found.root):
        raise NotProven(
            f"the entry is not entry {proof.index + 1} of the {found.size} of {found.origin}: "
            "the path does not lead to the root that is signed"
        )
    return found
