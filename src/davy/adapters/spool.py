"""Where an abort is noted while the store cannot be written: a small file that has its room already.

A full disk is what keeps a store from writing most often. The file is made in its full size beforehand, and
writing into it needs no new block.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from davy.ledger.entry import Draft
from davy.ledger.store import Record

SIZE = 256 * 1024


class Noted(msgspec.Struct, frozen=True):
    """What stands in the file: bodies as text, since they are JSON."""

    changes: tuple[tuple[str, str, str | None], ...] = ()
    drafts: tuple[Draft, ...] = ()


class FileSpool:
    """Notes aborts in a file of fixed size, a line of JSON padded with blanks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            path.write_bytes(b" " * SIZE)

    def put(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> None:
        """Note it, as well as can be: what does not fit loses its records before its entries."""
        texts = tuple((bucket, key, _text(body)) for (bucket, key), body in changes.items())
        for kept in (texts, ()):
            data = msgspec.json.encode(Noted(kept, tuple(drafts)))
            if len(data) <= SIZE:
                with contextlib.suppress(OSError):
                    self._write(data)
                return

    def take(self) -> tuple[dict[Record, bytes | None], list[Draft]]:
        """Return what was noted; a note that was torn by a crash counts as none."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            data = self._path.read_bytes().strip()
            if data:
                noted = msgspec.json.decode(data, type=Noted)
                changes = {(bucket, key): _body(text) for bucket, key, text in noted.changes}
                return changes, list(noted.drafts)
        return {}, []

    def clear(self) -> None:
        """Forget what was noted."""
        with contextlib.suppress(OSError):
            self._write(b"")

    def _write(self, data: bytes) -> None:
        with self._path.open("r+b") as file:
            file.write(data.ljust(SIZE))
            file.flush()
            os.fsync(file.fileno())


def _text(body: bytes | None) -> str | None:
    return None if body is None else body.decode()


def _body(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
