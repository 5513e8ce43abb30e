"""Which process holds a lease, so that others can tell whether it is still there.

The lease runs on the monotonic clock of this machine, which all of its processes share and which ends with it.
"""

import os
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

import msgspec

from davy.adapters import pid
from davy.adapters.pid import Bell, Process

_GONE_WITHIN_S = 5.0


class Mark(msgspec.Struct, frozen=True):
    """A process, as it is known to others: its number means something within one boot and one namespace.

    `role` says what it is there for.
    """

    role: str
    boot: str
    namespace: str
    process: Process

    @classmethod
    def ours(cls, role: str) -> "Mark":
        """Describe this process."""
        me = pid.identify(os.getpid())
        assert me is not None, "we are"
        return cls(role, _boot(), _namespace(), me)

    @classmethod
    def read(cls, text: str) -> "Mark | None":
        """Read what `str` wrote; None for anything else."""
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(text, type=cls)
        return None

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()

    @property
    def known(self) -> bool:
        """Whether its number means the same process here."""
        return (self.boot, self.namespace) == (_boot(), _namespace())

    @property
    def gone(self) -> bool:
        """Whether it has certainly ended."""
        return self.boot != _boot() or (self.known and not self.process.alive)

    def kill(self) -> bool:
        """End it, and say whether it has ended; a process that waits for a disk does so when that answers."""
        if self.known and not self.gone:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, SIGKILL)
            bell = Bell()
            bell.wait(_GONE_WITHIN_S, self.process)
            bell.close()
        return self.gone


def writer(path: Path) -> int | None:
    """Find the process that is in the middle of a write to a SQLite file in WAL mode, by its lock.

    The kernel is asked (`/proc/locks`), since to open the file and close it again would give up our own locks.
    """
    try:
        inode = path.with_name(f"{path.name}-shm").stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if fields[1:4] == ["POSIX", "ADVISORY", "WRITE"] and fields[5].endswith(f":{inode}"):
            first, last = int(fields[6]), fields[7]
            if first <= _WRITE_LOCK and (last == "EOF" or int(last) >= _WRITE_LOCK):
                return int(fields[4])
    return None


_WRITE_LOCK = 120
"""The byte of the file beside the store that whoever writes has locked (SQLite's WAL_WRITE_LOCK)."""


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> str:
    return os.readlink("/proc/self/ns/pid")  # noqa: PTH115  what it names is no path
