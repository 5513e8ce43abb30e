"""Flags of an engine in a process of its own, and instances with Davy's provider that tell what they have."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.control.flags.conftest import SWITCH, SWITCHED

from davy.openfeature import DavyProvider
from davy.testing.patience import until
from openfeature import api

pytestmark = pytest.mark.live


class Site:
    """An engine that serves flags over HTTP, and the command line that people use."""

    def __init__(self, home: Path) -> None:
        self.home, self.log = home, home.parent / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port, self.token = "0", ""

    def davy(self, *words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "davy", *words, "--home", str(self.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def up(self) -> None:
        command = [sys.executable, "-m", "davy", "up", "--home", str(self.home)]
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--http", f"127.0.0.1:{self.port}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until(lambda: self._listening() is not None, why=self.log.read_text)
        found = self._listening()
        assert found is not None
        self.port = found[1]

    def _listening(self) -> re.Match[str] | None:
        return re.search(r"http://127\.0\.0\.1:([0-9]+)", self.log.read_text())

    def end(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait()

    def down(self) -> None:
        """End the engine, and the proxy that outlives it."""
        code, said = self.davy("down")
        assert code == 0, said
        assert self.process is not None
        self.process.wait()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home")
    code, said = site.davy("flag", "token", "new", "checkout", "--edge", "server", "--service", "checkout")
    assert code == 0, said
    found = re.search(r"davyf_\S+", said)
    assert found is not None, said
    site.token = found[0]
    site.up()
    manifest = tmp_path / "flag.yaml"
    manifest.write_text(SWITCH)
    code, said = site.davy("apply", "-f", str(manifest), "--reason", "declared")
    assert code == 0, said
    yield site
    site.down()


@pytest.fixture
def provider(site: Site) -> Iterator[DavyProvider]:
    provider = DavyProvider.remote(f"http://127.0.0.1:{site.port}", site.token, service="checkout")
    api.set_provider_and_wait(provider)
    assert api.get_client().get_boolean_value(SWITCHED, False) is True
    yield provider
    api.shutdown()


def test_a_kill_is_done_when_the_instance_itself_says_so(site: Site, provider: DavyProvider) -> None:
    client = api.get_client()
    until(lambda: provider.instance.id in site.davy("flag", "status", SWITCHED)[1])
    code, said = site.davy("flag", "kill", SWITCHED, "--reason", "it hurts", "--wait", "10s")
    assert code == 0, said
    assert client.get_boolean_value(SWITCHED, True) is False
    until(lambda: "flag_confirmed" in site.davy("flag", "history", SWITCHED)[1])
    site.end(signal.SIGKILL)
    site.up()
    assert "is killed" in site.davy("flag", "status", SWITCHED)[1]
    assert client.get_boolean_value(SWITCHED, True) is False


def test_a_drill_is_obeyed_and_over(site: Site, provider: DavyProvider) -> None:
    until(lambda: provider.instance.id in site.davy("flag", "status", SWITCHED)[1])
    code, said = site.davy("flag", "drill", SWITCHED, "--reason", "monthly")
    assert code == 0, said
    assert "confirmed by all 1 instances" in said
    until(lambda: api.get_client().get_boolean_value(SWITCHED, False) is True)


def test_where_nobody_is_connected_nobody_has_confirmed(site: Site) -> None:
    code, said = site.davy("flag", "kill", SWITCHED, "--reason", "x", "--wait", "1s")
    assert (code, "no instance is connected" in said) == (8, True)
