"""A secret text, and every spelling in which it may come back."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import NoReturn

HIDDEN = "***"
"""What stands where a secret stood."""

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Secret:
    """A secret text; whoever prints, formats or encodes it gets asterisks, and only `reveal` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text; for the request that it is meant for, and for nothing else."""
        return self._text

    def encode(self) -> bytes:
        """Encode what may be shown."""
        return HIDDEN.encode()

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not stored")


def spellings(text: str) -> Iterator[str]:
    """Give a text as a server may send it back: as it is, in a URL, in JSON and in Base64."""
    yield text
    raw = text.encode("utf-8", "replace")
    quoted = "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in raw)
    yield quoted
    yield quoted.replace("%2F", "/")
    yield quoted.replace("%20", "+")
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield b64encode(raw).decode().rstrip("=")
