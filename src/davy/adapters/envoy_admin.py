"""The admin interface of Envoy, through its Unix socket: what it took, what it refused, what it counted."""

import http.client
import os
import re
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote

SOCKET = "admin.sock"
"""The name of the socket. Envoy runs in the directory and binds it by this name alone, see `_Connection`."""

_ANSWER_WITHIN_S = 2.0


class Admin:
    """One conversation with Envoy; use it as a context, or ask once.

    Every method raises OSError or HTTPException when Envoy does not answer.
    """

    def __init__(self, directory: Path) -> None:
        self._connection = _Connection(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """End the conversation; whoever asks again begins a new one."""
        self._connection.close()

    def get(self, path: str) -> str:
        """Ask for a page."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"{path}: {answer.status} {text.strip()[:200]}")
        return text

    def values(self, pattern: str) -> Mapping[str, str]:
        """Read the statistics whose names match a regular expression (RE2), as text."""
        page = self.get(f"/stats?filter={quote(pattern, safe='')}")
        pairs = (line.split(": ", 1) for line in page.splitlines() if ": " in line)
        return {name: value.strip('"') for name, value in pairs}

    def pid(self) -> int:
        """Say which process listens on the socket."""
        if self._connection.sock is None:
            self._connection.connect()
        credentials = self._connection.sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
        )
        pid, _, _ = struct.unpack("3i", credentials)
        assert isinstance(pid, int)
        return pid


def exactly(name: str, *endings: str) -> str:
    """Write the expression that finds these statistics of one scope and no other."""
    return rf"^{re.escape(name)}\.({'|'.join(endings)})$"


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket in a directory whose path may be of any length.

    The address of a Unix socket has room for 107 bytes. So the directory is opened, and the socket reached
    through the short path that the kernel has for an open directory.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__("envoy")
        self._directory = directory

    def connect(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(_ANSWER_WITHIN_S)
                sock.connect(f"/proc/self/fd/{directory}/{SOCKET}")
            except BaseException:
                sock.close()
                raise
        finally:
            os.close(directory)
        self.sock = sock
