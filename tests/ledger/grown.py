"""A log in memory, whose hashes are worked out from its entries by the definition of RFC 6962 §2.1."""

from functools import cached_property
from hashlib import sha256


def mth(entries: list[bytes]) -> bytes:
    """The Merkle Tree Hash, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return sha256(b"\x01" + mth(entries[:split]) + mth(entries[split:])).digest()


class Grown:
    """A log of so many entries."""

    def __init__(self, size: int) -> None:
        self.entries = [f'{{"entry":{number}}}'.encode() for number in range(size)]

    @cached_property
    def root(self) -> bytes:
        return mth(self.entries)

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        return [mth(self.entries[at << level : (at + 1) << level]) for at in range(start, end)]

    def bodies(self, start: int, end: int) -> list[bytes]:
        return self.entries[start:end]
