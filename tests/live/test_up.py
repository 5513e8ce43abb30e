"""An engine on the real Envoy, killed in the middle of a release, with users all the while."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from davy.adapters.load import Load
from davy.control import requests, views
from davy.errors import DavyError
from davy.serve.client import Client
from davy.testing.patience import until

pytestmark = pytest.mark.live

EXAMPLES = Path(__file__).parents[2] / "examples" / "payments"


class Site:
    """An engine in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        command = [sys.executable, "-m", "davy", "up", "--home", str(self.home), "--speed", "30"]
        log = (self.home.parent / "up.log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        until(self.answers, why=(self.home.parent / "up.log").read_text)

    def answers(self) -> bool:
        try:
            return isinstance(self.ask(requests.Health()), views.HealthView)
        except DavyError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, request: requests.AnyRequest) -> views.AnyView:
        return Client(self.home / "davy.sock").ask(request)

    def get(self) -> views.RolloutView:
        view = self.ask(requests.Get("default", "payments"))
        assert isinstance(view, views.RolloutView)
        return view


def reached(site: Site, step: int) -> bool:
    return (site.get().step or 0) >= step


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home")
    site.up()
    yield site
    subprocess.run([sys.executable, "-m", "davy", "down", "--home", str(site.home)], check=True, env=os.environ)
    assert site.process is not None
    site.process.wait()


def test_kills_in_the_middle_of_a_release_cost_no_request_and_no_entry(site: Site) -> None:
    texts = [(str(file.relative_to(EXAMPLES)), file.read_text()) for file in sorted(EXAMPLES.rglob("*.yaml"))]
    applied = site.ask(requests.Apply(tuple(texts), str(EXAMPLES), "a test"))
    assert isinstance(applied, views.ApplyView)
    assert applied.accepted
    until(lambda: site.get().status == "Healthy")
    port = int(site.get().url.rstrip("/").rsplit(":", 1)[1])
    users = Load(port, rate_hz=150.0).start()
    site.ask(requests.SetImage("default", "payments", {"payments": "ghcr.io/acme/payments:1.4.3"}, "a test"))
    for step in (1, 3, 5):
        until(partial(reached, site, step), seconds=60)
        site.kill()
        site.up()
    until(lambda: site.get().status in ("Healthy", "Degraded"), seconds=90, why=site.get)
    exchanges = users.stop()
    assert site.get().status == "Healthy", site.get()
    assert site.get().revisions[0].images == ("ghcr.io/acme/payments:1.4.3",)
    failed = [one for one in exchanges if one.status != 200]
    assert not failed, f"{len(failed)} of {len(exchanges)}: {failed[:5]}"
    record = site.ask(requests.Record())
    assert isinstance(record, views.RecordView)
    kinds = [entry.kind for entry in record.entries]
    assert [entry.seq for entry in record.entries] == list(range(1, len(kinds) + 1))
    assert kinds.count("step_completed") == 9
    assert kinds.count("engine_started") == 4
    assert kinds.count("change_promoted") == 2
