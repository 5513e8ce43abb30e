"""What certificates and keys come written as: PEM, or Base64 of PEM or of DER."""

import base64
import binascii
import re
from typing import NamedTuple

from davy.policy.rego.budget import check_text
from davy.policy.rego.builtin import BuiltinError

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]*?)-----END \1-----")
MOST_BLOCKS = 200


class Block(NamedTuple):
    """One thing that was written: its kind, `CERTIFICATE` for one, and its DER."""

    kind: str
    der: bytes


def blocks(written: str) -> list[Block]:
    """Read PEM, or Base64 of it; nothing where it is neither. What is no Base64 is no block, as with Go.

    Raises:
        BuiltinError: there are too many.
    """
    check_text(len(written))
    text = plain(written)
    found = [
        Block(match[1].decode(), der) for match in _BLOCK.finditer(text) if (der := _der(match[2])) is not None
    ]
    if len(found) > MOST_BLOCKS:
        raise BuiltinError(f"more than {MOST_BLOCKS} PEM blocks")
    return found


def plain(written: str) -> bytes:
    """Take Base64 off, unless it is PEM as it stands."""
    text = written.encode("utf-8", "replace")
    if b"-----BEGIN" in text:
        return text
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        return text


def _der(written: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(written.split()), validate=True)
    except binascii.Error:
        return None


def in_a_row(found: bytes) -> list[bytes]:
    """Take DER apart that stands one behind the other.

    Raises:
        BuiltinError: it is no DER.
    """
    pieces: list[bytes] = []
    while found:
        head = found[1] if len(found) > 1 else 0
        size = int.from_bytes(found[2 : 2 + (head & 0x7F)], "big") if head >= 0x80 else head
        end = 2 + (head & 0x7F if head >= 0x80 else 0) + size
        if found[0] != 0x30 or end > len(found) or len(pieces) >= MOST_BLOCKS:
            raise BuiltinError("x509: malformed certificate")
        pieces.append(found[:end])
        found = found[end:]
    return pieces
