"""Giving checkpoints to witnesses, and keeping what they have signed."""

from davy.control.checkpoints import BUCKET, parsed
from davy.ledger.checkpoint import read
from davy.ledger.note import Note
from davy.ledger.store import Store
from davy.ledger.witness import Given, Witness

_WITNESS = "witness:"
"""What the key of a record begins with that is what a witness has signed."""


def give(name: str, witness: Witness, given: Given, store: Store | None) -> Note:
    """Have a checkpoint witnessed, and keep what comes back.

    Args:
        name: what the witness is called here.
        witness: who it is.
        given: what it is given; what it had last is looked up.
        store: where it is kept; None is nowhere.

    Raises:
        DavyError: as `Witness.give` says, or it cannot be kept.
    """
    signed = witness.give(given)
    if store is not None:
        keep(name, signed, store)
    return signed


def keep(name: str, signed: Note, store: Store) -> None:
    """Keep what a witness has signed.

    Raises:
        StoreUnavailable: it cannot be kept.
    """
    store.commit({(BUCKET, _WITNESS + name): str(signed).encode()}, [])


def last_given(name: str, origin: str, kept: dict[str, bytes]) -> Note | None:
    """Return what a witness had last of a ledger, as far as is known here.

    Args:
        name: what the witness is called here.
        origin: which ledger; one that has another key by now has another origin.
        kept: the records of the bucket of checkpoints.

    Raises:
        IntegrityError: what is kept cannot be read.
    """
    body = kept.get(_WITNESS + name)
    if body is None:
        return None
    note = parsed(body, f"what is kept of the witness {name}")
    return note if read(note.text).origin == origin else None


def cosigned(note: Note, kept: dict[str, bytes]) -> Note:
    """Return a checkpoint with the cosignatures of all witnesses that have signed this very one.

    Args:
        note: as it was signed here.
        kept: the records of the bucket of checkpoints.

    Raises:
        IntegrityError: what is kept cannot be read.
    """
    signatures = list(note.signatures)
    for place, body in sorted(kept.items()):
        if place.startswith(_WITNESS):
            theirs = parsed(body, f"what is kept of the {place.replace(':', ' ')}")
            if theirs.text == note.text:
                signatures += [each for each in theirs.signatures if each not in signatures]
    return Note(note.text, tuple(signatures))
