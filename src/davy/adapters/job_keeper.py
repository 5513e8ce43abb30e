"""The process that looks after one job, so that the job needs no engine: it is run by its path, alone.

It starts the command, starts it again when it fails, ends it when its time is over, and writes down how that
ended. An engine that was killed meanwhile finds the outcome in its file; without one there is no telling how a
process ended that was somebody else's child. A lock in the directory keeps a second keeper out.

Arguments: the directory, the seconds that the job may take (0 for no limit), how often it is tried, the seconds
before it is tried again, those between asking it to end and making it, the working directory, the command.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

MARK = "DAVY_PROCESS"
"""The variable by which the keeper is found; its child has none, so that it is not taken for the keeper."""

OUTCOME, CHILD, LOCK, LOG = "outcome.json", "child.json", "lock", "log"
_LONGEST_PAUSE_S = 360.0
_SIGNALS = (signal.SIGTERM, signal.SIGCHLD)


class Ended(Exception):
    """It is over, for another reason than that the command ended."""


class Keeper:
    """One job."""

    def __init__(self, directory: str, limit_s: float, grace_s: float) -> None:
        self._directory, self._grace_s = directory, grace_s
        self._until = time.monotonic() + limit_s if limit_s else None

    def run(self, command: list[str], working: str, tries: int, pause_s: float) -> dict[str, object]:
        """Try the command as often as it may be, and return how that ended."""
        code, attempt = 0, 0
        try:
            for attempt in range(1, tries + 1):
                if attempt > 1:
                    self._wait(min(_LONGEST_PAUSE_S, pause_s * 2 ** min(attempt - 2, 10)))
                code = self._try(command, working)
                if code == 0:
                    return {"how": "succeeded", "attempts": attempt}
        except Ended as ended:
            return {"how": str(ended), "attempts": attempt}
        except OSError as error:
            message = f"{command[0]}: {error.strerror}"
            return {"how": "not started", "attempts": attempt, "message": message}
        return {"how": "failed", "attempts": attempt, "code": code}

    def _try(self, command: list[str], working: str) -> int:
        with open(os.path.join(self._directory, LOG), "ab") as log:  # noqa: PTH118, PTH123  pathlib is slow to import
            child = subprocess.Popen(
                command,
                cwd=working,
                env={name: value for name, value in os.environ.items() if name != MARK},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS),
            )
        write(os.path.join(self._directory, CHILD), {"pid": child.pid, "started": _started(child.pid)})  # noqa: PTH118
        try:
            while child.poll() is None:
                self._wait(None)
        except Ended:
            self._end(child)
            raise
        _signal_group(child.pid, signal.SIGKILL)  # what it left in the background
        return child.returncode

    def _end(self, child: "subprocess.Popen[bytes]") -> None:
        """Ask the whole group to end, then make it."""
        _signal_group(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(self._grace_s)
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()

    def _wait(self, seconds: float | None) -> None:
        """Wait for some seconds, or for a child to end where none are given.

        Raises:
            Ended: we were told to end it, or its time is over.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            ends = [end for end in (until, self._until) if end is not None]
            left = max(0.0, min(ends) - time.monotonic()) if ends else None
            got = signal.sigtimedwait(_SIGNALS, left) if left is not None else signal.sigwaitinfo(_SIGNALS)
            if got is not None and got.si_signo == signal.SIGTERM:
                raise Ended("terminated")
            if self._until is not None and time.monotonic() >= self._until:
                raise Ended("too long")
            if until is None or time.monotonic() >= until:
                return


def write(path: str, value: object) -> None:
    """Write a file that is whole or not there."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)  # noqa: PTH105


def _started(pid: int) -> int:
    """Say when a process began, in ticks since boot: a number alone is given away again."""
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
        return int(stat.read().rpartition(b")")[2].split()[19])


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def main(arguments: list[str]) -> int:
    """Look after a job."""
    directory, limit_s, tries, pause_s, grace_s, working, *command = arguments
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    lock = os.open(os.path.join(directory, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # noqa: PTH118
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 1
    place = os.path.join(directory, OUTCOME)  # noqa: PTH118
    if os.path.exists(place):  # noqa: PTH110
        return 1
    write(
        place,
        Keeper(directory, float(limit_s), float(grace_s)).run(command, working, int(tries), float(pause_s)),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
