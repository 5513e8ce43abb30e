"""Cosignatures: a witness says that it saw a checkpoint, and when (C2SP tlog-cosignature v1, Ed25519).

A witness signs only what continues all that it signed before. So whoever sees its signature under a checkpoint
knows that nobody was shown another history by way of this witness. What it signs is

    cosignature/v1
    time 1679315147
    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

and its line below the note holds the time as eight bytes before the signature.
"""

from dataclasses import dataclass

from davy.ledger.lines import Malformed
from davy.ledger.note import (
    ED25519,
    PrivateKey,
    PublicKey,
    Signature,
    Verifier,
    is_signed,
    key_id,
    read_key,
    spell_key,
)

COSIGNATURE = 0x04
"""The algorithm of a signature over a time and a checkpoint."""


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The key of a witness.

    Args:
        name: whose it is, as in `witness.example/ci`.
        key: its 32 bytes (Ed25519).
    """

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """By what its cosignatures are known."""
        return key_id(self.name, COSIGNATURE, self.key)

    def verifies(self, text: str, value: bytes) -> bool:
        """Say whether a cosignature is this witness's, over this checkpoint."""
        return len(value) == 72 and is_signed(self.key, message(text, seen_at(value)), value[8:])

    def __str__(self) -> str:
        return spell_key(self.name, COSIGNATURE, self.key)


def witness_key(key: PrivateKey) -> WitnessKey:
    """Return what everybody may have of the key of a witness."""
    return WitnessKey(key.name, key.public.key)


def cosign(text: str, key: PrivateKey, at: int) -> Signature:
    """Say that a witness saw a checkpoint at a time, in whole seconds since the epoch.

    Only for a checkpoint that is known to continue all that the witness signed before: that is for the caller.
    """
    value = at.to_bytes(8, "big") + key.sign_bytes(message(text, at))
    return Signature(key.name, witness_key(key).id, value)


def seen_at(value: bytes) -> int:
    """Return the time in a cosignature, in whole seconds since the epoch."""
    return int.from_bytes(value[:8], "big")


def message(text: str, at: int) -> bytes:
    """Return what a witness signs."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def read_verifier(text: str) -> Verifier:
    """Read the key of a log or of a witness, `name+id+base64`.

    Raises:
        Malformed: it is neither.
    """
    name, algorithm, key = read_key(text)
    if algorithm == ED25519:
        return PublicKey(name, key)
    if algorithm == COSIGNATURE:
        return WitnessKey(name, key)
    raise Malformed(f"the key of {name} has algorithm {algorithm}: known are 1 (Ed25519) and 4 (a witness's)")
