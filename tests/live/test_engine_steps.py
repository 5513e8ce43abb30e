"""Every kind of step through the whole engine: real Envoy, real processes, real requests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davy.adapters.http import request
from davy.adapters.load import Load
from davy.cli.running import Running, start
from davy.control import requests, views
from davy.model.key import Key
from davy.rollout.platform import Seen
from davy.testing.patience import until

pytestmark = pytest.mark.live

KEY = Key("default", "shop")
UPSTREAM = Path(__file__).parent.parent / "apps" / "upstream.py"
MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: shop
        command: [python3, UPSTREAM]
        env: [{name: VERSION, value: "ONE"}]
        ports: [{name: http, containerPort: 80}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
  strategy:
    canary:
      canaryService: shop-canary
      stableService: shop-stable
      canaryMetadata: {labels: {role: canary}}
      trafficRouting:
        managedRoutes: [{name: beta}, {name: copy}]
        plugins: {any/router: {}}
      steps:
      - setCanaryScale: {replicas: 1}
      - setMirrorRoute: {name: copy, percentage: 100, match: [{path: {prefix: /}}]}
      - pause: {}
      - setMirrorRoute: {name: copy}
      - setHeaderRoute: {name: beta, match: [{headerName: x-beta, headerValue: {exact: "yes"}}]}
      - pause: {}
      - experiment:
          duration: 30s
          templates:
          - {name: old, specRef: stable}
          - {name: new, specRef: canary, weight: 30, service: {name: trial}}
      - setWeight: 50
      - pause: {}
---
apiVersion: v1
kind: Service
metadata: {name: shop-canary}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop-stable}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""


class Site:
    """An engine of the test's own, and what is asked of it."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def ask(self, wanted: requests.AnyRequest) -> Any:
        return self.running.engine.handle(wanted, "ada (uid 7)")

    def apply(self, version: str) -> None:
        text = MANIFEST.replace("UPSTREAM", str(UPSTREAM)).replace("ONE", version)
        applied = self.ask(requests.Apply((("shop.yaml", text),), str(UPSTREAM.parent), reason="a test"))
        assert applied.accepted, applied.findings

    @property
    def view(self) -> views.RolloutView:
        view = self.ask(requests.Get(KEY.namespace, KEY.name))
        assert isinstance(view, views.RolloutView)
        return view

    @property
    def seen(self) -> Seen:
        return self.running.platform.look(KEY)

    def kinds(self) -> list[str]:
        record = self.ask(requests.Record(KEY.namespace, KEY.name))
        return [entry.kind for entry in record.entries]

    def was_met(self, hash_: str) -> bool:
        """Say whether the record knows of a user who met a revision."""
        record = self.ask(requests.Record(KEY.namespace, KEY.name))
        return any(e.kind == "change_exposed" and e.detail["hash"] == hash_ for e in record.entries)

    def until_paused_at(self, step: int) -> None:
        until(lambda: (self.view.step, self.view.status) == (step, "Paused"), seconds=60, why=lambda: self.view)

    def promote(self) -> None:
        self.ask(requests.Promote(KEY.namespace, KEY.name, reason="a test"))

    def versions(self, count: int = 60, headers: dict[str, str] | None = None) -> list[str]:
        answers = (request("GET", self.view.url, headers=headers) for _ in range(count))
        return [answer.headers.get("x-app-version", "") for answer in answers]

    def answered(self, hash_: str) -> int:
        """Count what the replicas of a revision answered, whoever asked."""
        total = 0
        for pod in self.seen.pods:
            if pod.hash == hash_:
                page = request("GET", f"http://127.0.0.1:{pod.port}/metrics").body.decode()
                lines = [line for line in page.splitlines() if line.startswith("http_requests_total")]
                total += sum(int(line.rsplit(" ", 1)[1]) for line in lines)
        return total


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = start(tmp_path / "home", speed=20.0, in_process=True)
    yield Site(running)
    running.shutdown()


def test_scale_mirror_header_experiment_and_weight_do_what_they_say(site: Site) -> None:
    site.apply("old")
    until(lambda: site.view.status == "Healthy", why=lambda: site.view)
    users = Load(int(site.view.url.rstrip("/").rsplit(":", 1)[1]), rate_hz=100.0).start()
    site.apply("new")

    site.until_paused_at(2)  # one replica and a copy of everything: nobody has met it
    canary = site.view.revisions[0].hash
    assert site.seen.count(canary).created == 1
    assert {pod.metadata.labels.get("role") for pod in site.seen.pods if pod.hash == canary} == {"canary"}
    until(lambda: site.answered(canary) >= 50)
    assert set(site.versions()) == {"old"}
    assert not site.was_met(canary)

    site.promote()
    site.until_paused_at(5)  # whoever says so meets it, and nobody else
    assert set(site.versions(headers={"x-beta": "yes"})) == {"new"}
    assert set(site.versions(headers={"x-beta": "no"})) == {"old"}
    until(lambda: site.was_met(canary))

    site.promote()
    until(lambda: "experiment_started" in site.kinds())
    until(lambda: len([w for w in (site.seen.weights or {}).values() if w]) == 2, why=lambda: site.seen)
    assert "new" in site.versions(100)
    trial = site.seen.services["trial"]
    answer = request("GET", f"http://127.0.0.1:{trial.port}/")
    assert answer.headers["x-app-version"] == "new"

    site.until_paused_at(8)
    until(lambda: site.seen.services == {})
    assert {"old", "new"} == set(site.versions(100))
    site.promote()
    until(lambda: site.view.status == "Healthy", seconds=60, why=lambda: site.view)
    failed = [one for one in users.stop() if one.status != 200]
    assert not failed, failed[:5]
    assert set(site.versions()) == {"new"}


def test_a_restart_replaces_every_replica_and_costs_no_request(site: Site) -> None:
    site.apply("old")
    until(lambda: site.view.status == "Healthy", why=lambda: site.view)
    users = Load(int(site.view.url.rstrip("/").rsplit(":", 1)[1]), rate_hz=100.0).start()
    before = {pod.name for pod in site.seen.pods}
    site.ask(requests.Restart(KEY.namespace, KEY.name, reason="a test"))
    until(
        lambda: site.view.status == "Healthy" and not before & {pod.name for pod in site.seen.pods}, seconds=60
    )
    failed = [one for one in users.stop() if one.status != 200]
    assert not failed, failed[:5]
    until(lambda: len(site.seen.pods) == 2)
