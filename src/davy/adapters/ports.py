"""Free ports on the loopback interface."""

import errno
import itertools
import random
import socket
import threading
from pathlib import Path

from davy.errors import Undecided

_FIRST, _LAST = 20000, 31999
"""Below the range from which systems take the local ports of outgoing connections."""

_ESTABLISHED = "01"

_given: set[int] = set()
_lock = threading.Lock()


def free_port() -> int:
    """Find a port that nobody listens on and that was not given out by this process before.

    Nobody is kept from taking it before it is used, so whoever starts a server on it has to be ready to try
    again. Beginning at a random place makes that rare among several Davys on one machine.
    """
    start: int = random.randint(_FIRST, _LAST)  # noqa: S311 - nothing secret about it
    with _lock:
        for port in itertools.chain(range(start, _LAST + 1), range(_FIRST, start)):
            if port not in _given and is_free(port):
                _given.add(port)
                return port
    raise Undecided(f"every port from {_FIRST} to {_LAST} is in use")


def keep(port: int) -> None:
    """Say that a port is in use, or will be again, so that it is not given out."""
    with _lock:
        _given.add(port)


def give_back(port: int) -> None:
    """Say that a port may be given out again."""
    with _lock:
        _given.discard(port)


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port right now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def ensure_free(port: int, *, taken_by: str) -> None:
    """Make sure that a server can listen on a port; `taken_by` is whose it is if it is not.

    Raises:
        Undecided: it cannot.
    """
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: f"is taken by {taken_by}",
                errno.EACCES: "may not be used by this user",
            }
            raise Undecided(
                f"port {port} {reasons.get(error.errno or 0, f'cannot be used: {error}')}",
                hint="end that program, or choose another port with the annotation davy.dev/port",
            ) from error


def connections(port: int) -> int:
    """Count the connections that are open to the server on a port."""
    wanted = f":{port:04X}"
    count = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue  # no IPv6, or no such file system: nothing is known to be open
        fields = (row.split(maxsplit=4) for row in rows)
        count += sum(local.endswith(wanted) and state == _ESTABLISHED for _, local, _, state, *_ in fields)
    return count
