"""The ledgers that a witness knows: a file with the key of each, read again when it changes."""

from pathlib import Path

from davy.errors import UsageError
from davy.ledger.lines import Malformed
from davy.ledger.note import PublicKey

_LARGEST_BYTES = 1 << 20


class KnownLedgers:
    """The keys in a file, a line each, by the origin that is their name; `#` begins a remark.

    Raises:
        UsageError: the file cannot be read, or a line of it is no key.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._content = path, b""
        self.problem = ""
        """Why what is in the file now is not in use, or nothing."""
        self.keys: dict[str, PublicKey] = {}
        self._take(self._read())

    def look(self) -> None:
        """Read the file again; what cannot be read leaves in use what was."""
        try:
            content = self._read()
            if content != self._content:
                self._take(content)
            self.problem = ""
        except UsageError as error:
            self.problem = error.message

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                content = file.read(_LARGEST_BYTES + 1)
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}", hint=_HINT) from error
        if len(content) > _LARGEST_BYTES:
            raise UsageError(f"{self._path} is larger than {_LARGEST_BYTES} bytes", hint=_HINT)
        return content

    def _take(self, content: bytes) -> None:
        keys: dict[str, PublicKey] = {}
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            try:
                key = PublicKey.read(text)
            except Malformed as error:
                raise UsageError(f"{self._path}:{number}: {error.message}", hint=_HINT) from error
            if key.name in keys:
                raise UsageError(f"{self._path}:{number}: {key.name} has another key above", hint=_HINT)
            keys[key.name] = key
        self.keys, self._content = keys, content


_HINT = "a line for each ledger: what its ledger.vkey holds"
