"""The last document that was known, kept in a file for a start without a server.

The file is written beside and renamed, so there is a whole one or none; it is its owner's alone. An HMAC over
all that it says tells one that was tampered with, and one of another server, service, artifact or environment
is not taken either. The key comes from the token, unless another is given: whoever can't ask the server can't
make up what it said.
"""

import hmac
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from davy.errors import IntegrityError
from davy.openfeature.source import Document

FORMAT = "davy-flags-kept/1"
MAX_AGE_S = 24 * 3600.0
"""How old what is kept may be unless said: a day."""
SKEW_S = 300.0
"""How far the clocks of two machines may be apart."""
MAX_BYTES = 64 << 20


class Origin(msgspec.Struct, frozen=True, rename="camel"):
    """Whose document it is; one of anybody else is foreign."""

    server: str
    environment: str
    service: str
    artifact: str


class _Kept(msgspec.Struct, frozen=True, rename="camel"):
    format: str
    origin: Origin
    at: float
    version: int
    etag: str
    text: bytes
    mac: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A document that was kept, and when it was last known to hold, in seconds since the epoch."""

    document: Document
    at: float


class Keeping:
    """A place on disk for the last document that was known.

    Args:
        path: the file; its directory has to be there.
        origin: whose documents are kept and taken.
        key: what they are authenticated with; without one only damage is noticed, and no tampering.
        max_age_s: how old a document may be when it is taken.
    """

    def __init__(self, path: Path, origin: Origin, key: bytes, max_age_s: float = MAX_AGE_S) -> None:
        self._path = path
        self._origin = origin
        self._key = hmac.digest(key, FORMAT.encode(), sha256)
        self._max_age_s = max_age_s

    def keep(self, document: Document, at: float) -> None:
        """Put a document in the place of the one that was kept.

        Raises:
            OSError: it can't be written; what was kept before is still there.
        """
        bare = _Kept(FORMAT, self._origin, at, document.version, document.etag, document.text)
        content = msgspec.json.encode(msgspec.structs.replace(bare, mac=self._mac(bare)))
        beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError:
            with suppress(OSError):
                beside.unlink()
            raise

    def kept(self, now: float) -> Kept | None:
        """Return what was kept; None where nothing was.

        Raises:
            IntegrityError: it was tampered with, is damaged, is another one's, or too old.
        """
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IntegrityError(f"{self._path} cannot be read: {error.strerror}") from error
        return self._checked(content, now)

    def _checked(self, content: bytes, now: float) -> Kept:
        try:
            found = msgspec.json.decode(content, type=_Kept)
        except msgspec.DecodeError as error:
            raise IntegrityError(f"{self._path} is damaged, or nothing that was kept here") from error
        bare = msgspec.structs.replace(found, mac="")
        if found.format != FORMAT or not hmac.compare_digest(found.mac.encode(), self._mac(bare).encode()):
            raise IntegrityError(
                f"{self._path} was not written with this token or key, or was changed since",
                hint="remove it: it is written anew as soon as the server answers",
            )
        if found.origin != self._origin:
            raise IntegrityError(f"{self._path} was kept for another server, environment, service or artifact")
        if not -SKEW_S <= now - found.at <= self._max_age_s:
            raise IntegrityError(
                f"{self._path} is {now - found.at:.0f} s old, and {self._max_age_s:.0f} s is the limit"
            )
        return Kept(Document(found.text, found.version, found.etag), found.at)

    def _mac(self, bare: _Kept) -> str:
        return hmac.new(self._key, msgspec.json.encode(bare), sha256).hexdigest()
