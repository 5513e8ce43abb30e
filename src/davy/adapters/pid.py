"""One process of the operating system: started so that it outlives us, found again, watched and ended.

A number is not enough to know a process by: it is given away again when the process has gone. The time of its
start makes it unique. A process that was started but not yet written down when Davy died is found by a mark
in its environment.
"""

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

MARK = "DAVY_PROCESS"
"""The variable that carries the mark."""

_SLICE_S = 0.02
"""How long a wait sleeps at most where the system has no notice of a process that ends."""


class Process(msgspec.Struct, frozen=True):
    """A process, told apart from any later one with the same number by `started`, in ticks since boot."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that has ended and was not waited for does not."""
        stat = _stat(self.pid)
        return stat is not None and stat.started == self.started and stat.state != "Z"


def spawn(argv: Sequence[str], *, directory: Path, environment: Mapping[str, str], log: Path) -> Process:
    """Start a process that goes on when we end: a session of its own, no pipe to us, output to a file.

    Raises:
        OSError: the program or the directory is not there, or may not be used.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    stat = _stat(child.pid)
    assert stat is not None, "a child stays until it is waited for"
    # From here on it is known by its number and waited for by `reap`; Popen must neither wait nor complain.
    child.returncode = 0
    return Process(child.pid, stat.started)


def find(mark: str) -> Process | None:
    """Find the process that was started with this mark, if it runs; its own children carry the mark too."""
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None and stat.session == pid and stat.state != "Z" and _mark_of(pid) == mark:
            return Process(pid, stat.started)
    return None


def reap(process: Process) -> int | None:
    """Take leave of a process that has ended; return its exit code, None where only its parent may know."""
    try:
        pid, status = os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if pid else None


def group(process: Process) -> list[int]:
    """List what still runs of the group that a process leads or led.

    A number is not given to a new process while a group goes by it, so a leader that is another one means that
    the group has gone.
    """
    leader = _stat(process.pid)
    if leader is not None and leader.started != process.started:
        return []
    stats = ((pid, _stat(pid)) for pid in _pids())
    return [pid for pid, stat in stats if stat is not None and stat.group == process.pid and stat.state != "Z"]


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to a process and all that it started, as far as it is still there."""
    if not process.alive and not group(process):
        return
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def identify(pid: int) -> Process | None:
    """Know the process that has this number now."""
    stat = _stat(pid)
    return None if stat is None else Process(pid, stat.started)


class Bell:
    """Lets one thread wait for a process to end, for time to pass, or to be rung for; whichever is first."""

    def __init__(self) -> None:
        self._listen, self._ring = os.pipe()
        os.set_blocking(self._listen, False)
        os.set_blocking(self._ring, False)
        self._closed = False
        self._closing = threading.Lock()  # a closed descriptor may be somebody else's already

    def ring(self) -> None:
        """Wake up whoever waits, or will wait next; nobody does after `close`."""
        with self._closing, suppress(BlockingIOError):  # a full pipe rings as well
            if not self._closed:
                os.write(self._ring, b"!")

    def wait(self, seconds: float | None, *processes: Process) -> None:
        """Wait until a process has ended, the bell was rung or the time is over."""
        until = None if seconds is None else time.monotonic() + seconds
        descriptors = [_pidfd(process) for process in processes]
        poll = select.poll()
        poll.register(self._listen, select.POLLIN)
        for descriptor in descriptors:
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        try:
            while all(process.alive for process in processes):
                left = None if until is None else max(0.0, until - time.monotonic())
                step = left
                if None in descriptors:
                    step = _SLICE_S if left is None else min(left, _SLICE_S)
                # poll counts whole milliseconds: rounding down would end in a busy loop
                if poll.poll(None if step is None else step * 1000 + 0.999) or left == 0:
                    break
        finally:
            for descriptor in descriptors:
                if descriptor is not None:
                    os.close(descriptor)
            self._drain()

    def close(self) -> None:
        """Give the descriptors back."""
        with self._closing:
            self._closed = True
            os.close(self._listen)
            os.close(self._ring)

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._listen, 4096)


class _Stat(msgspec.Struct, frozen=True):
    state: str
    group: int
    session: int
    started: int


def _stat(pid: int) -> _Stat | None:
    """Read `/proc/PID/stat`; the name in it may hold anything, also spaces and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(state=fields[0], group=int(fields[2]), session=int(fields[3]), started=int(fields[19]))


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())  # noqa: PTH208 - ten times faster


def _mark_of(pid: int) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    marks = [each for each in environment.split(b"\0") if each.startswith(prefix)]
    return marks[0].removeprefix(prefix).decode("utf-8", "replace") if marks else None


def _pidfd(process: Process) -> int | None:
    """Open a descriptor that becomes readable when the process ends, where the system knows such things."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(process.pid)
    except OSError:
        return None  # it has ended, or the kernel is too old: `alive` tells
