"""What live tests share: a real Envoy, or the reason why there is none; replicas that end with the test."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from davy.adapters import pid, ports
from davy.adapters.envoy import Envoy
from davy.adapters.envoy_process import find_envoy
from davy.adapters.fence import Fence
from davy.adapters.http import Unreachable, request
from davy.errors import Undecided
from davy.ledger.lease import Fenced
from davy.testing.patience import until

UPSTREAM = Path(__file__).parent.parent / "apps" / "upstream.py"


@pytest.fixture(autouse=True)
def _envoy_is_there(request: pytest.FixtureRequest) -> None:
    """Skip where there is no Envoy, but not where somebody counts on these tests having run."""
    if any(name in request.path.name for name in ("prometheus", "postgres", "flag_sdks")):
        return  # those bring their own program, and their own reason to be skipped
    try:
        find_envoy(os.environ.get("PATH", ""))
    except Undecided as error:
        (pytest.fail if "CI" in os.environ else pytest.skip)(error.message)


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[Envoy]:
    """Run an Envoy for one test."""
    engine = Envoy(tmp_path / "gateway", Fence.take(tmp_path / "terms"))
    engine.start()
    yield engine
    try:
        engine.stop()
    except Fenced:  # a test let another one take over, which may have let go of it
        engine.close()
        if engine.process is not None:
            pid.signal_group(engine.process, signal.SIGKILL)
            pid.reap(engine.process)


def answers(port: int) -> bool:
    """Say whether an application answers that it is well."""
    try:
        return request("GET", f"http://127.0.0.1:{port}/healthz").status == 200
    except Unreachable:
        return False


@pytest.fixture
def upstream() -> Iterator[Callable[..., tuple[int, subprocess.Popen[bytes]]]]:
    """Start applications, told by keyword what to be; they are up when they are returned."""
    children: list[subprocess.Popen[bytes]] = []

    def start(**settings: str) -> tuple[int, subprocess.Popen[bytes]]:
        port = ports.free_port()
        environment = {**os.environ, **settings, "PORT": str(port)}
        child = subprocess.Popen([sys.executable, str(UPSTREAM)], env=environment, stderr=subprocess.DEVNULL)
        children.append(child)
        until(lambda: answers(port))
        return port, child

    yield start
    for child in children:
        child.kill()
        child.wait()
