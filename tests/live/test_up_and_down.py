"""`davy up`, an apply, a stop, another start and `davy down`, as a person would, with a real Envoy."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from davy.control import requests, views
from davy.serve.client import Client, NoEngine
from davy.testing.patience import until

pytestmark = pytest.mark.live

EXAMPLES = Path(__file__).parents[2] / "examples"


class Shell:
    """Runs `davy` with a state directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "DAVY_HOME": str(home)}

    def davy(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "davy", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env=self.environment
        )

    def up(self) -> "subprocess.Popen[bytes]":
        """Start an engine and wait until it answers."""
        with (self.home / "said").open("ab") as said:
            command = [sys.executable, "-m", "davy", "up", "--speed", "10"]
            engine = subprocess.Popen(command, stderr=said, env=self.environment)
        until(self.answers, seconds=60, why=self.said)
        return engine

    def answers(self) -> bool:
        """Say whether an engine answers."""
        try:
            Client(self.home / "davy.sock").ask(requests.Health())
        except NoEngine:
            return False
        return True

    def said(self) -> str:
        return (self.home / "said").read_text()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.davy("down")


def url(shell: Shell) -> str:
    view = Client(shell.home / "davy.sock").ask(requests.Get("default", "payments"))
    assert isinstance(view, views.RolloutView)
    return view.url


def status(address: str) -> int:
    """Ask as a user; 0 when nobody answers."""
    try:
        with urlopen(address, timeout=5) as answer:
            return int(answer.status)
    except OSError:
        return 0


def test_users_are_served_while_no_engine_runs_and_until_down(shell: Shell) -> None:
    engine = shell.up()
    applied = shell.davy("apply", "-f", str(EXAMPLES), "--reason", "first")
    assert applied.returncode == 0, applied.stderr
    waited = shell.davy("status", "payments", "--watch", "--timeout", "60s")
    assert waited.returncode == 0, waited.stderr
    address = url(shell)
    assert status(address) == 200

    engine.send_signal(signal.SIGINT)
    assert engine.wait(60) == 0, shell.said()
    assert status(address) == 200
    assert shell.davy("get", "rollouts").returncode == 3

    engine = shell.up()
    assert url(shell) == address
    assert shell.davy("status", "payments", "-w", "--timeout", "60s").returncode == 0
    assert "created" not in shell.davy("apply", "-f", str(EXAMPLES)).stdout

    down = shell.davy("down")
    assert down.returncode == 0, down.stderr
    assert engine.wait(60) == 0, shell.said()
    assert status(address) == 0
    assert shell.davy("down").returncode == 0
