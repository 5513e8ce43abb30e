"""Checkpoints: the size of a log and the root of its tree, as three lines of text (C2SP tlog-checkpoint).

    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

Signed as a note it is what a log says of itself. Two that are signed and cannot both be true convict it.
"""

from dataclasses import dataclass

from davy.ledger.lines import Malformed, base64, binary, number


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log is at some point.

    Args:
        origin: which log: a name that nobody else uses, as in `payments.example/ledger`.
        size: how many entries it has.
        root: the root of the tree over them, 32 bytes.
        extensions: further lines, which others may write. Nothing is made of them.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = (self.origin, str(self.size), base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def read(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint.

    Raises:
        Malformed: it is none.
    """
    if not text.endswith("\n"):
        raise Malformed("the last line of the checkpoint has no end")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise Malformed("a checkpoint is three lines or more, none of them empty: origin, size, root")
    root = binary(lines[2], "the root of the checkpoint")
    if len(root) != 32:
        raise Malformed(f"the root of the checkpoint has {len(root)} bytes, and 32 are needed")
    return Checkpoint(lines[0], number(lines[1], "the size of the checkpoint"), root, tuple(lines[3:]))
