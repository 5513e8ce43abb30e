"""Two engines on one state directory: one decides, the other waits, and a late one is refused."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.site import Site, failed

from davy.adapters.holder import writer
from davy.cli.lease import LEASE_S
from davy.testing.patience import until

pytestmark = pytest.mark.live


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home")
    site.up()
    yield site
    site.down()


def told(site: Site) -> dict[str, bytes]:
    """What Envoy was told, and what is written down of the replicas."""
    files = [path for path in (site.home / "platform").rglob("*.json") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def pid(site: Site) -> int:
    """Say which engine answers, 0 while none does."""
    return site.health().pid if site.answers() else 0


def stop(site: Site, process: "subprocess.Popen[bytes]") -> None:
    """Stop an engine, but not in the middle of a write: one that sleeps there is killed, see test_lease."""
    process.send_signal(signal.SIGSTOP)
    while writer(site.home / "davy.db") == process.pid:
        process.send_signal(signal.SIGCONT)
        until(lambda: writer(site.home / "davy.db") != process.pid)
        process.send_signal(signal.SIGSTOP)


def test_one_that_was_stopped_in_a_canary_is_taken_over_from_and_does_no_harm_afterwards(site: Site) -> None:
    site.apply()
    users = site.users()
    first, second = site.process, site.start("--standby")
    assert first is not None
    until(lambda: "standing by" in site.log.read_text())
    site.release("two")
    until(lambda: (site.get().step or 0) >= 1)
    stop(site, first)
    until(lambda: f"pid {second.pid}" in site.log.read_text(), seconds=LEASE_S + 20, why=site.log.read_text)
    until(lambda: pid(site) == second.pid)
    until(lambda: site.get().status == "Healthy", seconds=60, why=site.get)
    assert site.get().revisions[0].images == ("app:two",)
    before, files = site.entries(), told(site)
    first.send_signal(signal.SIGCONT)
    assert first.wait(20) == 6
    assert "error[fenced]: another engine has taken over" in site.log.read_text()
    assert (site.entries(), told(site)) == (before, files)
    assert site.health().pid == second.pid
    assert not failed(users.stop())
    kinds = [entry.kind for entry in before]
    assert [entry.seq for entry in before] == list(range(1, len(kinds) + 1))
    assert kinds.count("step_completed") == 4
    assert [entry.detail["epoch"] for entry in before if entry.kind == "engine_started"] == [1, 2]


def test_one_that_was_killed_is_taken_over_from_at_once(site: Site) -> None:
    second = site.start("--standby")
    until(lambda: "standing by" in site.log.read_text())
    site.kill()
    until(lambda: pid(site) == second.pid, seconds=LEASE_S, why=site.log.read_text)


def test_a_second_engine_that_does_not_stand_by_is_refused(site: Site) -> None:
    assert site.start().wait(20) == 6
    assert "error[held]: another engine holds this state directory" in site.log.read_text()


def test_down_ends_one_that_stands_by_too(tmp_path: Path) -> None:
    site = Site(tmp_path / "home")
    site.up()
    second = site.start("--standby")
    until(lambda: "standing by" in site.log.read_text())
    site.down()
    assert second.wait(20) == 0
    assert site.process is not None
    assert site.process.wait(20) == 0
    assert "no longer standing by: davy down was called" in site.log.read_text() or "stopping the engine" in (
        site.log.read_text()
    )
