"""Secrets as files, as Kubernetes mounts them: `secrets/NAMESPACE/NAME/KEY` in the state directory."""

import os
import re
import stat
from pathlib import Path

from davy.analysis.provider import ProviderError
from davy.analysis.secret import Secret

DIRECTORY = "secrets"
_LARGEST_BYTES = 1 << 20
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,253}", re.ASCII)


class SecretFiles:
    """Reads a file for each key, each time anew, so that a key that was changed is used at once.

    One line break at the end is not part of the secret, since editors and `echo` leave one there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, namespace: str, name: str, key: str) -> Secret | None:
        """Read a key.

        Raises:
            ProviderError: the file may be read by others, or cannot be read by us.
        """
        for part in (namespace, name, key):
            if not _NAME.fullmatch(part):
                raise ProviderError(f"{part!r} cannot be the name of a secret, a namespace or a key")
        place = f"{DIRECTORY}/{namespace}/{name}/{key}"
        try:
            content = self._read(self._directory / namespace / name / key, place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ProviderError(
                f"{place} in the state directory cannot be read: {error.strerror}", hint=f"chmod 600 {place}"
            ) from error
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise ProviderError(f"{place} in the state directory is not a text") from None
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            raise ProviderError(f"{place} in the state directory is empty")
        return Secret(text)

    def place(self, namespace: str, name: str, key: str) -> str:
        """Name the file to make."""
        return f"make the file {DIRECTORY}/{namespace}/{name}/{key} in the state directory, with mode 0600"

    def _read(self, path: Path, place: str) -> bytes:
        """Read a file once it is certain, of the open file, that nobody else may."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ProviderError(f"{place} in the state directory is not a file")
            if status.st_mode & 0o077:
                raise ProviderError(
                    f"{place} in the state directory may be read by others "
                    f"(mode {status.st_mode & 0o777:04o}), so it is no secret: chmod 600 {place}",
                    hint=f"chmod 600 {place}",
                )
            if status.st_uid not in (os.geteuid(), 0):
                raise ProviderError(f"{place} in the state directory belongs to somebody else")
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise ProviderError(f"{place} in the state directory is larger than {_LARGEST_BYTES} bytes")
        return content
