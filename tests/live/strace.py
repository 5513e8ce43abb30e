"""Faults of a disk, made by tracing a process: calls on some files that fail, or take their time."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from davy.testing.patience import until


def need_strace() -> str:
    """Find strace, or say why the test cannot run here."""
    found = shutil.which("strace")
    if found is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("there is no strace (apt-get install strace)")
    with subprocess.Popen(["sleep", "60"]) as child:
        tried = subprocess.Popen([found, "-p", str(child.pid)], stderr=subprocess.PIPE, text=True)
        assert tried.stderr is not None
        said = tried.stderr.readline()
        tried.send_signal(signal.SIGINT)
        tried.communicate()
        child.kill()
    if "attached" not in said:
        pytest.skip(f"processes may not be traced here: {said.strip()}")
    return found


@contextmanager
def injected(process: int, paths: list[Path], calls: str, fault: str) -> Iterator[Path]:
    """Let some calls on some files fail, as long as this lasts; yields the list of those calls.

    `fault` is what strace takes after `inject=CALLS:`, as in `error=EIO:when=3` or `delay_exit=500000`.
    """
    log = paths[0].with_name("strace.log")
    command = [need_strace(), "-f", "-p", str(process), "-o", str(log), "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:{fault}", *(part for path in paths for part in ("-P", str(path)))]
    said = log.with_suffix(".err")
    with said.open("wb") as stderr:
        tracer = subprocess.Popen(command, stderr=stderr)
    try:
        until(lambda: "attached" in said.read_text(), why=said.read_text)
        yield log
    finally:
        tracer.send_signal(signal.SIGINT)
        try:
            tracer.wait(10)
        except subprocess.TimeoutExpired:  # it waits for a child that waits for it; the kernel lets go of both
            tracer.kill()
            tracer.wait()
