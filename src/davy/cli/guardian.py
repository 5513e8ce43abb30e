"""Whoever is left when the demo is killed: ends what it started and takes its files away.

Envoy and the workloads outlive Davy on purpose. A demo must not leave them behind, even when it is killed in a
way that no program can hear of; so a second process waits for the end of a pipe that only the demo holds open.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

DONE = b"done"
"""What the demo says when it has cleaned up by itself, or was asked to keep everything."""


class Guardian:
    """The demo's side: as long as this process lives, its guardian waits."""

    def __init__(self, workspace: Path, home: Path) -> None:
        command = [sys.executable, "-m", "davy.cli.guardian", str(workspace), str(home)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Say that there is nothing left to do."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(DONE)
            self._process.stdin.close()
        except OSError:
            pass
        self._process.wait()


def watch(workspace: Path, home: Path) -> None:
    """Wait for the demo to end, and clean up after it unless it did so itself."""
    if sys.stdin.buffer.read() == DONE:
        return
    from davy.cli.running import end_all

    try:
        end_all(home)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


if __name__ == "__main__":
    os.chdir("/")
    watch(Path(sys.argv[1]), Path(sys.argv[2]))
