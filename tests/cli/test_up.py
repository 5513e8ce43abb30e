"""`up` and `down`: what is said, when it ends, that nothing is left half stopped; the engine is a stand-in."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davy.adapters.fence import Fence
from davy.adapters.sqlite import SqliteStore
from davy.cli import down, up
from davy.cli.lease import take
from davy.control import requests, views
from davy.control.tenure import Tenure
from davy.errors import Bug, DavyError
from davy.ledger.lease import Fenced, Held, Lease
from davy.serve.client import Client, NoEngine
from davy.serve.socket import SocketServer
from davy.testing.scripted import Scripted


class Running:
    """An engine whose loop turns until it is closed."""

    trouble: DavyError = Bug("the engine's loop ended by itself")

    def __init__(self, engine: Scripted, home: Path) -> None:
        self.engine = engine
        self.stopped = threading.Event()
        self.loop = threading.Thread(target=self.stopped.wait)
        self.loop.start()
        self.closed = False
        self.fence = Fence.take(home / "terms")

    def check(self) -> None:
        if not self.loop.is_alive():
            raise self.trouble

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
        running = Running(Scripted(shelf.answer), home)
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
        "  policies  the starter profile of Davy's pack, and what is applied",
        "  rollouts  default/payments  Paused  http://127.0.0.1:8080/",
        "Ctrl-C stops the engine; workloads and Envoy go on. davy down stops them too.",
        "stopping the engine; workloads and Envoy go on (davy down stops them too)",
    ]
    assert running.closed
    assert options.pop("rules").first == "starter"
    assert options.pop("environment") == "production"
    assert options == {"at": "", "speed": 20.0, "in_process": False, "attain": take, "origin": ""}
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


def test_an_engine_that_was_taken_over_from_says_so(
    run: Any, shelf: Any, started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Running, "trouble", Fenced("davy up, pid 8"))
    stop_at(shelf, requests.List, lambda: started[0][0].stopped.set())
    ran = run("up")
    assert ran.exit_code == 6
    assert "error[fenced]: another engine has taken over (davy up, pid 8)" in ran.stderr
    assert started[0][0].closed


@pytest.fixture
def held(home: Path) -> Iterator[Tenure]:
    """Let somebody else hold the lease of the state directory, until the test ends."""
    store = SqliteStore(home / "davy.db")
    yield take(store)
    store.close()


def test_a_second_engine_is_a_conflict(run: Any, held: Tenure) -> None:
    ran = run("up")
    assert ran.exit_code == 6
    assert ran.stderr.startswith(
        f"error[held]: another engine holds this state directory (davy up, pid {os.getpid()})"
    )
    assert "davy up --standby" in ran.stderr


def test_waiting_for_the_lease_ends_when_somebody_wants_it_to(
    run: Any, held: Tenure, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def stop(text: str) -> None:
        said.append(text)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(up, "talk", stop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "SIG_DFL", signal.SIG_IGN)
        ran = run("up", "--standby")
    assert ran.exit_code == 0
    assert said == [
        f"standing by: davy up, pid {os.getpid()} runs the rollouts; Ctrl-C ends the waiting",
        "no longer standing by: asked to stop",
    ]


class Ended:
    """Stops everything, as soon as nobody holds the lease any more; notes of which state directories."""

    def __init__(self) -> None:
        self.homes: list[Path] = []
        self.held: Lease | None = None

    def __call__(self, home: Path) -> None:
        if self.held is not None:
            raise Held(self.held)
        self.homes.append(home)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Ended:
    ended = Ended()
    monkeypatch.setattr(down, "end_all", ended)
    return ended


def test_down_stops_what_was_left(run: Any, home: Path, ended: Ended) -> None:
    ran = run("down")
    assert (ran.exit_code, ran.stdout, ended.homes) == (0, "", [home])
    assert ran.stderr == "workloads and Envoy are stopped; davy up starts them again\n"


def test_down_where_nothing_ever_was_is_no_fault(run: Any, home: Path, ended: Ended) -> None:
    ran = run("down", "--home", str(home / "no"))
    assert (ran.exit_code, ended.homes) == (0, [])
    assert not (home / "no").exists()


def test_down_stops_a_running_engine_first_and_one_that_stood_by_next(
    run: Any, home: Path, shelf: Any, waiting: Any, ended: Ended
) -> None:
    engines = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2)]
    answer, running = shelf.answer, [engines[0]]
    shelf.answer = lambda request, actor: (
        views.HealthView(version="9", pid=running[0].pid, speed=1.0, now=0.0, rollouts=0, troubles=())
        if isinstance(request, requests.Health)
        else answer(request, actor)
    )
    server = SocketServer(home / "davy.sock", Scripted(shelf.answer), reports=home / "reports")
    server.start()
    ended.held = Lease("davy up, pid 1", 1, 0.0, mark="first")

    def wait(waits: int) -> None:
        if waits == 3:
            ended.held, running[0] = Lease("davy up, pid 2", 2, 0.0, mark="second"), engines[1]
        if waits == 6:
            ended.held = None

    waiting.then = wait
    ran = run("down")
    server.stop()
    for engine in engines:
        assert engine.wait(60) == -signal.SIGTERM
        assert engine.stdin is not None
        engine.stdin.close()
        assert ran.stderr.count(f"stopping the engine (pid {engine.pid})\n") == 1
    assert (ran.exit_code, ended.homes, waiting.waits) == (0, [home], 6)


def test_down_does_not_wait_for_ever(run: Any, waiting: Any, ended: Ended) -> None:
    ended.held = Lease("davy up, pid 1", 1, 0.0)
    ran = run("down")
    assert (ran.exit_code, ended.homes) == (9, [])
    assert waiting.seconds > down.PATIENCE_S
    assert "does not stop" in ran.stderr


def test_down_waits_for_the_lease_of_an_engine_that_does_not_answer(
    run: Any, home: Path, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any, **__: Any) -> None:
        raise NoEngine("the engine did not answer within 30 s")

    monkeypatch.setattr(Client, "ask", silent)
    ran = run("down")
    assert (ran.exit_code, ended.homes) == (0, [home])
    assert "waiting for its lease to run out" in ran.stderr
