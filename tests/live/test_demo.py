"""The demo is a test: its story comes true, twice at once, and nothing is left however it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from davy.testing.patience import until

pytestmark = pytest.mark.live

ENDED = 150.0
"""Real seconds within which a story is over."""


def demo(directory: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "davy", "demo", "-o", "json", "--speed", "30", *options]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left_behind(directory: Path) -> list[str]:
    """List the processes that run in a directory or were started with its name."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where, what = str((process / "cwd").readlink()), (process / "cmdline").read_text()
        except OSError:
            continue
        if str(directory) in where or str(directory) in what:
            found.append(f"{process.name} {what}")
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    until(lambda: not left_behind(tmp_path), why=lambda: left_behind(tmp_path))


def test_two_demos_at_once_tell_the_same_true_story(directory: Path) -> None:
    places = [directory / "one", directory / "two"]
    for place in places:
        place.mkdir()
    demos = [demo(place, "--seed", str(seed)) for seed, place in enumerate(places, start=3)]
    for running, place in zip(demos, places, strict=True):
        out, talk = running.communicate(timeout=ENDED)
        assert running.returncode == 0, talk
        report = json.loads(out)
        assert (report["kind"], report["ok"]) == ("DemoReport", True)
        assert len(report["steps"]) == 9
        assert all(step["ok"] for step in report["steps"])
        bad, good, switched = report["rollouts"]
        assert (bad["version"], bad["outcome"], bad["weightAtAbort"]) == ("1.4.2", "aborted", 5)
        assert 3 <= bad["badRequests"] < bad["requests"] / 10
        assert 0 < bad["secondsFirstErrorToZero"] < ENDED
        compared = report["comparison"]
        judge, threshold = compared["judge"], compared["threshold"]
        assert (compared["version"], judge["stopped"], judge["weight"]) == ("1.4.2", True, 5)
        assert judge["badRequests"] == bad["badRequests"]
        assert threshold["badRequests"] > 2 * judge["badRequests"]
        assert threshold["weight"] > judge["weight"]
        assert threshold["seconds"] > judge["seconds"] > 0
        assert (good["version"], good["outcome"], good["badRequests"]) == ("1.4.3", "promoted", 0)
        assert (switched["name"], switched["outcome"], switched["badRequests"]) == ("catalog", "promoted", 0)
        assert switched["requests"] > 100
        assert (report["ledger"]["verified"], report["ledger"]["size"] > 50) == (True, True)
        figures, proof, _ = (step["detail"] for step in report["steps"][-3:])
        assert (figures["cfr_seed"]["numerator"], figures["cfr_escaped"]["numerator"]) == (1, 0)
        assert figures["lead_time"]["p50"] > 0
        assert proof["cheat"]["exitCode"] == 7
        flag = report["flags"]
        assert (flag["key"], flag["callersDefault"]) == ("checkout.discount-enabled", True)
        assert flag["requestsDuringBadCanary"] >= bad["badRequests"]
        assert flag["requestsWithDiscountDuringBadCanary"] == 0
        assert flag["requestsWithDiscountBeforeOpened"] == 0
        assert (flag["openedAfter"], flag["openedAtWeight"]) == ("1.4.3", 50)
        assert flag["evidence"].startswith("sha256:")
        assert flag["requestsWithDiscountAfterOpened"] > 0
        assert (flag["killedBy"], flag["confirmedByInstances"] >= 6) == ("1.4.4", True)
        assert 0 <= flag["confirmedAfterSeconds"] < ENDED
        assert "judge" in flag["killedBecause"]
        assert flag["requestsWithDiscountAfterConfirmed"] == 0
        assert f"$ davy flag history {flag['key']}" in talk
        assert "error[PD050]" in talk
        assert list(place.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_demo_that_is_ended_leaves_nothing_behind(directory: Path, end: signal.Signals) -> None:
    running = demo(directory)
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("3  "):
            break
    assert left_behind(directory)
    running.send_signal(end)
    running.communicate(timeout=ENDED)
    assert running.returncode == (130 if end is signal.SIGINT else -end)
    until(lambda: not list(directory.iterdir()))


def test_a_directory_that_cannot_be_written_is_one_clear_message(tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    program = (
        "import os, sys; os.rmdir(os.getcwd()); sys.argv = ['davy', 'demo']; from davy.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=place, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
