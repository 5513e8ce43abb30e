import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from davy.adapters import pid
from davy.adapters.pid import MARK, Bell, Process
from davy.testing.patience import until

SLEEP = (sys.executable, "-c", "import time; time.sleep(100)")


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


def spawn(tmp_path: Path, *argv: str, **environment: str) -> Process:
    values = {"PATH": os.environ["PATH"], **environment}
    return pid.spawn(argv, directory=tmp_path, environment=values, log=tmp_path / "log")


def end(process: Process, bell: Bell) -> int | None:
    pid.signal_group(process, SIGKILL)
    bell.wait(10, process)
    return pid.reap(process)


def test_a_process_writes_where_it_was_told_and_says_how_it_ended(tmp_path: Path, bell: Bell) -> None:
    process = spawn(
        tmp_path,
        sys.executable,
        "-c",
        "import os; print(os.getcwd(), os.environ['A']); raise SystemExit(3)",
        A="b",
    )
    bell.wait(10, process)
    assert not process.alive
    assert pid.reap(process) == 3
    assert (tmp_path / "log").read_text() == f"{tmp_path} b\n"


def test_a_number_that_was_given_away_again_is_another_process(tmp_path: Path, bell: Bell) -> None:
    process = spawn(tmp_path, *SLEEP)
    assert process.alive
    assert not Process(process.pid, process.started + 1).alive
    assert pid.group(Process(process.pid, process.started + 1)) == []
    pid.signal_group(Process(process.pid, process.started + 1), SIGKILL)
    assert process.alive
    assert end(process, bell) == -SIGKILL


def test_a_process_is_found_by_its_mark_and_not_mistaken_for_its_child(tmp_path: Path, bell: Bell) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(100)'])"
    mark = f"test {tmp_path}"
    process = spawn(tmp_path, sys.executable, "-c", code, **{MARK: mark})
    until(lambda: len(pid.group(process)) == 2)
    assert pid.find(mark) == process
    assert pid.find("no such mark") is None
    end(process, bell)
    assert pid.find(mark) is None


def test_what_is_left_of_a_process_is_not_the_process(tmp_path: Path, bell: Bell) -> None:
    mark = f"test {tmp_path}"
    process = spawn(tmp_path, "/bin/sh", "-c", "sleep 100 & exit 0", **{MARK: mark})
    bell.wait(10, process)
    pid.reap(process)
    assert len(pid.group(process)) == 1
    assert pid.find(mark) is None
    pid.signal_group(process, SIGKILL)


def test_a_signal_reaches_what_the_leader_left_behind(tmp_path: Path, bell: Bell) -> None:
    process = spawn(tmp_path, "/bin/sh", "-c", "sleep 100 & exit 0")
    bell.wait(10, process)
    pid.reap(process)
    assert len(pid.group(process)) == 1
    pid.signal_group(process, SIGTERM)
    until(lambda: not pid.group(process))
    pid.signal_group(process, SIGTERM)


def test_who_is_not_our_child_is_not_waited_for() -> None:
    assert pid.reap(Process(1, 0)) is None
    assert pid.reap(Process(os.getpid(), 0)) is None


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn(tmp_path, "./no-such-program")


def test_a_bell_wakes_up_who_waits_and_who_will(bell: Bell) -> None:
    bell.ring()
    bell.wait(None)
    waiter = threading.Thread(target=lambda: bell.wait(None))
    waiter.start()
    bell.ring()
    waiter.join(10)
    assert not waiter.is_alive()


def test_a_bell_may_be_rung_as_often_as_one_likes(bell: Bell) -> None:
    for _ in range(100_000):
        bell.ring()
    bell.wait(None)


def test_a_bell_that_was_taken_down_does_not_ring_elsewhere() -> None:
    bell = Bell()
    bell.close()
    read, write = os.pipe()  # most likely with the numbers that the bell had
    os.set_blocking(read, False)
    bell.ring()
    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    os.close(read)
    os.close(write)


def test_waiting_ends_with_the_time(bell: Bell, tmp_path: Path) -> None:
    process = spawn(tmp_path, *SLEEP)
    bell.wait(0.01, process)
    assert process.alive
    end(process, bell)


def test_waiting_works_where_the_system_does_not_tell(
    bell: Bell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = spawn(tmp_path, *SLEEP)
    bell.wait(0.05, process)
    os.kill(process.pid, SIGKILL)
    bell.wait(None, process)
    assert pid.reap(process) == -SIGKILL


def test_it_outlives_who_started_it(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys
sys.path[:0] = {sys.path!r}
from davy.adapters import pid
here = pathlib.Path({str(tmp_path)!r})
process = pid.spawn({SLEEP!r}, directory=here, environment={{}}, log=here / "log")
print(process.pid, process.started)
"""
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not parent.stderr
    number, started = parent.stdout.split()
    process = Process(int(number), int(started))
    assert process.alive
    pid.signal_group(process, SIGKILL)
    until(lambda: not process.alive)
