"""What the texts of a log are made of: numbers and base64, each with one spelling only.

C2SP writes checkpoints, proofs and keys as lines of text. Whoever reads them here takes the spelling that is
written here and no other, so that no character of a text can be changed without it being noticed.
"""

from base64 import b64decode, b64encode

from davy.errors import UsageError


class Malformed(UsageError):
    """A text or a file is not in the format that it should be in."""

    code = "malformed"


def number(text: str, what: str) -> int:
    """Read a decimal number: no sign, no leading zeros, less than 2^63.

    Raises:
        Malformed: it is none.
    """
    if not (text.isascii() and text.isdecimal()) or (text[0] == "0" and text != "0") or len(text) > 19:
        raise Malformed(f"{what} is {text[:40]!r}, which is no decimal number")
    if (found := int(text)) >= 2**63:
        raise Malformed(f"{what} is {text}, which is too large")
    return found


def binary(text: str, what: str) -> bytes:
    """Read base64 (RFC 4648 §4, padded).

    Raises:
        Malformed: it is none, or another spelling of the same bytes.
    """
    try:
        found = b64decode(text, validate=True)
    except ValueError as error:
        raise Malformed(f"{what} is no base64: {text[:40]!r}") from error
    if base64(found) != text:
        raise Malformed(f"{what} is not the one base64 spelling of its bytes: {text[:40]!r}")
    return found


def base64(data: bytes) -> str:
    """Spell bytes."""
    return b64encode(data).decode()
