"""`up` and `down`: what is said, when it ends, that nothing is left half stopped; the engine is a stand-in."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from davy.cli import down, up
from davy.control import requests, views
from davy.serve.socket import SocketServer, claim
from davy.testing.scripted import Scripted


class Running:
    """An engine whose loop turns until it is closed."""

    def __init__(self, engine: Scripted) -> None:
        self.engine = engine
        self.stopped = threading.Event()
        self.loop = threading.Thread(target=self.stopped.wait)
        self.loop.start()
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self.stopped.set()
        self.loop.join()


@pytest.fixture
def started(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Running, dict[str, Any]]]:
    """What `up` started, and how."""
    found: list[tuple[Running, dict[str, Any]]] = []

    def start(home: Path, **options: Any) -> Running:
        assert home.is_absolute()
        running = Running(Scripted(shelf.answer))
        found.append((running, options))
        return running

    monkeypatch.setattr(up, "start", start)
    monkeypatch.setattr(up, "LOOK_S", 0.01)
    return found


def stop_at(shelf: Any, kind: type[Any], what: Any) -> None:
    """Do something when a request of a kind arrives, as if it happened then."""
    answer = shelf.answer

    def answered(request: requests.AnyRequest, actor: str) -> views.AnyView:
        if isinstance(request, kind):
            what()
        found: views.AnyView = answer(request, actor)
        return found

    shelf.answer = answered


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_greets_and_serves_until_it_is_told_to_stop(
    run: Any, home: Path, shelf: Any, started: Any, number: signal.Signals
) -> None:
    stop_at(shelf, requests.List, lambda: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    ran = run("up", "--speed", "20")
    [(running, options)] = started
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr.splitlines()[1:] == [
        f"  state     {home}",
        f"  socket    {home}/davy.sock",
        f"  record    davy record -f --home {home}",
        "  rollouts  default/payments  Paused  http://127.0.0.1:8080/",
        "Ctrl-C stops the engine; workloads and Envoy go on. davy down stops them too.",
        "stopping the engine; workloads and Envoy go on (davy down stops them too)",
    ]
    assert running.closed
    assert options == {"speed": 20.0, "in_process": False}
    assert not (home / "davy.sock").exists()
    assert signal.getsignal(number) == before


def test_an_engine_without_rollouts_says_what_comes_next(run: Any, shelf: Any, started: Any) -> None:
    stop_at(shelf, requests.List, lambda: os.kill(os.getpid(), signal.SIGTERM))
    answer = shelf.answer
    shelf.answer = lambda request, actor: (
        views.HealthView(version="9", pid=7, speed=1.0, now=0.0, rollouts=0, troubles=())
        if isinstance(request, requests.Health)
        else answer(request, actor)
    )
    shelf.rollouts.clear()
    ran = run("up", "--prometheus", "in-process")
    assert "  rollouts  none yet: davy apply -f FILE" in ran.stderr
    assert started[0][1]["in_process"]


def test_manifests_that_are_refused_end_it(run: Any, shelf: Any, started: Any, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Rollout\n")
    finding = views.FindingView(
        code="PD050", severity="error", title="t", file="a.yaml", line=1, column=1, text="error[PD050]: no"
    )
    shelf.applied = views.ApplyView(accepted=False, applied=(), findings=(finding,))
    ran = run("up", "-f", str(tmp_path))
    assert ran.exit_code == 1
    assert "error[PD050]: no" in ran.stderr
    assert started[0][0].closed


def test_manifests_that_cannot_be_read_start_nothing(run: Any, started: Any) -> None:
    assert run("up", "-f", "/no/such/file").exit_code == 2
    assert started == []


def test_a_loop_that_ends_by_itself_is_our_fault(run: Any, shelf: Any, started: Any) -> None:
    stop_at(shelf, requests.List, lambda: started[0][0].stopped.set())
    ran = run("up")
    assert ran.exit_code == 70
    assert "the engine's loop ended by itself" in ran.stderr
    assert started[0][0].closed


def test_a_second_engine_is_a_conflict(run: Any, engine: Scripted, started: Any) -> None:
    ran = run("up")
    assert ran.exit_code == 6
    assert ran.stderr.startswith("error[conflict]: another engine listens at ")
    assert started[0][0].closed


@pytest.fixture
def ended(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The state directories of which everything was stopped."""
    found: list[Path] = []
    monkeypatch.setattr(down, "end_all", found.append)
    return found


def test_down_stops_what_was_left(run: Any, home: Path, ended: list[Path]) -> None:
    ran = run("down")
    assert (ran.exit_code, ran.stdout, ended) == (0, "", [home])
    assert ran.stderr == "workloads and Envoy are stopped; davy up starts them again\n"
    os.close(claim(home / "davy.sock"))


def test_down_where_nothing_ever_was_is_no_fault(run: Any, home: Path, ended: list[Path]) -> None:
    ran = run("down", "--home", str(home / "no"))
    assert (ran.exit_code, ended) == (0, [])
    assert not (home / "no").exists()


def test_down_stops_a_running_engine_first(
    run: Any, home: Path, shelf: Any, waiting: Any, ended: list[Path]
) -> None:
    engine = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    answer = shelf.answer
    shelf.answer = lambda request, actor: (
        views.HealthView(version="9", pid=engine.pid, speed=1.0, now=0.0, rollouts=0, troubles=())
        if isinstance(request, requests.Health)
        else answer(request, actor)
    )
    server = SocketServer(home / "davy.sock", Scripted(shelf.answer), reports=home / "reports")
    server.start()
    waiting.then = lambda waits: server.stop() if waits == 3 else None
    ran = run("down")
    assert engine.wait(60) == -signal.SIGTERM
    assert engine.stdin is not None
    engine.stdin.close()
    assert (ran.exit_code, ended, waiting.waits) == (0, [home], 3)
    assert f"stopping the engine (pid {engine.pid})\n" in ran.stderr


def test_down_does_not_wait_for_ever(run: Any, home: Path, waiting: Any, ended: list[Path]) -> None:
    held = claim(home / "davy.sock")
    ran = run("down")
    os.close(held)
    assert (ran.exit_code, ended) == (9, [])
    assert waiting.seconds > down.PATIENCE_S
    assert "does not stop" in ran.stderr
