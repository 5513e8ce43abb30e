"""Whether a tree continues a checkpoint: what nobody can make true afterwards who has touched an entry."""

from davy.errors import IntegrityError
from davy.ledger import tree
from davy.ledger.checkpoint import Checkpoint
from davy.ledger.tree import Hashes

HINT = "keep the files and find out who touched them: davy ledger verify"


def continues(hashes: Hashes, old: Checkpoint, size: int, root: bytes) -> list[bytes]:
    """Prove that a tree of a size begins with all that an older checkpoint had, and return the proof.

    Raises:
        IntegrityError: it does not.
    """
    if old.size > size:
        raise IntegrityError(
            f"the ledger has {size} entries, and {old.size} were signed for: it was cut, or put back from an "
            "older copy",
            hint=HINT,
        )
    proof = tree.consistency(old.size, size, hashes) if old.size else []
    if not (tree.is_consistent(old.size, size, proof, old.root, root) if old.size else old.root == tree.EMPTY):
        raise IntegrityError(
            f"the first {old.size} of the {size} entries of the ledger are not those that were signed for",
            hint=HINT,
        )
    return proof
