"""Getting the lease: of nobody, of the dead, of one that is late; never of one that lives."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from davy.adapters.holder import Mark, writer
from davy.adapters.pid import Process
from davy.adapters.sqlite import Busy, SqliteStore
from davy.cli import lease
from davy.cli.lease import DOWN, NotWanted, stand_by, take
from davy.ledger.entry import Draft
from davy.ledger.lease import Fenced, Held

HOLDER = """
import os, pathlib, signal, sys
from time import monotonic
from davy.adapters.holder import Mark
from davy.adapters.sqlite import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
held = store.take("davy up, the other", monotonic(), float(sys.argv[2]), mark=str(Mark.ours("up")))
if sys.argv[3] == "writing":
    store._db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
input()
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davy.adapters.sqlite.BUSY_S", 0.05)
    monkeypatch.setattr(lease, "POLL_S", 0.01)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "davy.db")
    yield store
    store.close()


class Other:
    """Another process that holds the lease for so many seconds, be it in the middle of a write."""

    def __init__(self, store: SqliteStore, seconds: float, does: str = "nothing") -> None:
        command = [sys.executable, "-c", HOLDER, str(store.path), str(seconds), does]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"

    def __enter__(self) -> "subprocess.Popen[bytes]":
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def test_it_is_taken_of_nobody_and_again_after_it_was_let_go_of(store: SqliteStore) -> None:
    first = take(store)
    assert first.lease.holder == f"davy up, pid {os.getpid()}"
    with pytest.raises(Held):
        take(store)
    first.end()
    assert take(store, DOWN).lease.epoch == 2


def test_it_is_not_taken_of_one_that_lives(store: SqliteStore) -> None:
    with Other(store, 60.0), pytest.raises(Held, match="the other"):
        take(store)


def test_it_is_taken_at_once_of_one_that_was_killed(store: SqliteStore) -> None:
    with Other(store, 60.0) as other:
        other.kill()
        other.wait()
        assert take(store).lease.epoch == 2


def test_it_is_taken_of_one_that_is_stopped_when_it_has_run_out_and_that_one_lives_on(
    store: SqliteStore,
) -> None:
    with Other(store, 0.0) as other:
        other.send_signal(signal.SIGSTOP)
        assert take(store).lease.epoch == 2
        assert other.poll() is None


def test_one_that_is_stopped_in_the_middle_of_a_write_is_killed_when_it_has_run_out(store: SqliteStore) -> None:
    with Other(store, 0.0, "writing") as other:
        assert writer(store.path) == other.pid
        other.send_signal(signal.SIGSTOP)
        assert take(store).lease.epoch == 2
        assert other.wait(10) == -signal.SIGKILL


def test_another_program_that_writes_is_not_killed(store: SqliteStore) -> None:
    with Other(store, 0.0) as holder:
        code = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('BEGIN IMMEDIATE'); "
        code += "print('held', flush=True); input()"
        command = [sys.executable, "-c", code, str(store.path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
            assert shell.stdout is not None
            shell.stdout.readline()
            with pytest.raises(Busy):
                take(store)
            assert (holder.poll(), shell.poll()) == (None, None)
            shell.kill()


def test_a_lease_of_another_boot_has_run_out(store: SqliteStore) -> None:
    ours = Mark.ours("up")
    before = Mark("up", "another boot", ours.namespace, ours.process)
    store.take("before", monotonic(), 1e9, mark=str(before))
    assert take(store).lease.epoch == 2


def test_a_number_of_another_namespace_says_nothing(store: SqliteStore) -> None:
    ours = Mark.ours("up")
    elsewhere = Mark("up", ours.boot, "pid:[1]", Process(2**22, 1))
    assert not elsewhere.known
    assert not elsewhere.kill()
    store.take("elsewhere", monotonic(), 1e9, mark=str(elsewhere))
    with pytest.raises(Held):
        take(store)


def test_a_mark_that_cannot_be_read_is_none(store: SqliteStore) -> None:
    assert Mark.read("") is None
    assert writer(store.path.with_name("nothing")) is None
    store.take("who", monotonic(), 1e9, mark="?")
    with pytest.raises(Held):
        take(store)


def test_whoever_stands_by_says_so_once_and_takes_it_when_it_is_free(store: SqliteStore) -> None:
    first, said, second = take(store), list[str](), SqliteStore(store.path)

    def say(text: str) -> None:
        said.append(text)
        threading.Timer(0.05, first.end).start()

    taken = stand_by(second, threading.Event(), say)
    assert taken.lease.epoch == 2
    assert said == [f"standing by: davy up, pid {os.getpid()} runs the rollouts; Ctrl-C ends the waiting"]
    with pytest.raises(Fenced):
        store.under(first.lease).commit({}, [Draft(0.0, "paused", "Rollout a/b")])
    second.close()


def test_waiting_ends_with_davy_down(store: SqliteStore) -> None:
    first, second = take(store), SqliteStore(store.path)

    def down(_: str) -> None:
        first.end()
        take(store, DOWN)

    with pytest.raises(NotWanted, match="davy down was called"):
        stand_by(second, threading.Event(), down)
    second.close()


def test_waiting_ends_when_davy_down_was_there_and_has_gone(store: SqliteStore) -> None:
    first, second = take(store), SqliteStore(store.path)

    def down(_: str) -> None:
        first.end()
        take(store, DOWN).end()

    with pytest.raises(NotWanted, match="davy down was called"):
        stand_by(second, threading.Event(), down)
    second.close()


def test_a_store_that_cannot_be_written_is_waited_for(store: SqliteStore) -> None:
    said, not_wanted = list[str](), threading.Event()

    def say(text: str) -> None:
        said.append(text)
        not_wanted.set()

    blocking = sqlite3.connect(store.path, isolation_level=None)
    blocking.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotWanted, match="asked to stop"):
        stand_by(store, not_wanted, say)
    blocking.close()
    assert "another process is writing to the store" in said[0]
