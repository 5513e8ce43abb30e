"""Where an abort is noted while the store cannot be written: a small file that has its room already.

A full disk is what keeps a store from writing most often. The file is made in its full size beforehand, and
writing into it needs no new block.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from davy.ledger.entry import Draft
from davy.ledger.store import Record

SIZE = 256 * 1024


class Noted(msgspec.Struct, frozen=True):
    """What is noted of one subject: bodies as text, since they are JSON."""

    changes: tuple[tuple[str, str, str | None], ...] = ()
    drafts: tuple[Draft, ...] = ()


class FileSpool:
    """Notes aborts in a file of fixed size: one JSON object, by subject, padded with blanks.

    `earlier` are the files of engines that were before this one; what they noted is taken and cleared, too.
    """

    def __init__(self, path: Path, earlier: Iterable[Path] = ()) -> None:
        self._path, self._earlier = path, tuple(earlier)
        if not path.exists():
            path.write_bytes(b" " * SIZE)

    def put(self, subject: str, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> None:
        """Note it, as well as can be: what does not fit loses its records before its entries."""
        texts = tuple((bucket, key, _text(body)) for (bucket, key), body in changes.items())
        others = self._read(self._path)
        for kept in (texts, ()):
            if self._write({**others, subject: Noted(kept, tuple(drafts))}):
                return

    def take(self) -> list[tuple[dict[Record, bytes | None], list[Draft]]]:
        """Return what was noted; a note that was torn by a crash counts as none."""
        return [
            ({(bucket, key): _body(text) for bucket, key, text in noted.changes}, list(noted.drafts))
            for path in (*self._earlier, self._path)
            for noted in self._read(path).values()
            if noted.drafts
        ]

    def clear(self, subject: str) -> None:
        """Forget what was noted of a subject, of all with an empty one."""
        self._write(
            {other: noted for other, noted in self._read(self._path).items() if subject not in ("", other)}
        )
        if not subject:
            for path in self._earlier:
                path.unlink(missing_ok=True)

    @staticmethod
    def _read(path: Path) -> dict[str, Noted]:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            data = path.read_bytes().strip()
            if data:
                return msgspec.json.decode(data, type=dict[str, Noted])
        return {}

    def _write(self, notes: dict[str, Noted]) -> bool:
        """Write all there is to note, and say whether it fits."""
        data = msgspec.json.encode(notes) if notes else b""
        if len(data) <= SIZE:
            with contextlib.suppress(OSError), self._path.open("r+b") as file:
                file.write(data.ljust(SIZE))
                file.flush()
                os.fsync(file.fileno())
        return len(data) <= SIZE


def _text(body: bytes | None) -> str | None:
    return None if body is None else body.decode()


def _body(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
