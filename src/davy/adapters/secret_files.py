"""Secrets as files, as Kubernetes mounts them: `secrets/NAMESPACE/NAME/KEY` in the state directory."""

import re
from pathlib import Path

from davy.adapters.private_file import NotPrivate, read_private
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
            path = self._directory / namespace / name / key
            content = read_private(path, place, largest=_LARGEST_BYTES, follow=True)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NotPrivate as error:
            raise ProviderError(f"{place} in the state directory {error.why}", hint=error.mend) from None
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
