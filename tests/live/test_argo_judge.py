"""Davy's judge for somebody else's engine: scaffolded templates, a real Prometheus, two versions behind Envoy.

`davy up` plays the part of Argo Rollouts: it runs the Rollout, and asks the judge over HTTP through the
provider `web`, as Argo's controller does. What is judged comes from a Prometheus that scrapes the replicas.
"""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.live.prometheus import Prometheus, serving
from tests.live.site import ROLLOUT, Site

from davy.adapters import addresses
from davy.adapters.load import Load
from davy.control import requests, views
from davy.testing.patience import until

pytestmark = pytest.mark.live

STEPS = "10,50"
SCRAPING = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 10s}}
scrape_configs:
- job_name: pods
  file_sd_configs: [{{files: ["{targets}"], refresh_interval: 1s}}]
"""
IMAGES = """
apiVersion: davy.dev/v1alpha1
kind: ImageMap
metadata: {name: images}
spec:
  images:
    "app:bad":
      source: {dir: .}
      command: [env, VERSION=bad, DELAY_MS=60, ERROR_RATE=0.2, PYTHON, upstream.py]
    "app:*":
      source: {dir: .}
      command: [env, "VERSION={tag}", DELAY_MS=15, ERROR_RATE=0.2, PYTHON, upstream.py]
"""
"""The bad version is slow: the engine's own guard, which looks at errors, has nothing against it."""
QUICK = {"interval": "1s", "warmUp": "1s", "assurance": 0.05}


@dataclass
class Court:
    """A server of verdicts in a process of its own."""

    home: Path
    port: int
    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)

    def verdict(self, **words: str) -> tuple[int, Any]:
        one = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        query = "&".join(f"{name}={value}" for name, value in words.items())
        one.request("GET", f"/v1/rollouts/pay/verdict?{query}")
        answer = one.getresponse()
        body = json.loads(answer.read())
        one.close()
        return answer.status, body


@contextmanager
def judging(home: Path, judges: Path, listen: str = "127.0.0.1:0") -> Iterator[Court]:
    """Run `davy serve --judges` until the end of the block."""
    davy = [sys.executable, "-m", "davy", "--home", str(home), "serve", "--judges", str(judges)]
    process = subprocess.Popen([*davy, "--listen", listen], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said, port = [], 0
    for line in process.stderr:
        said.append(line)
        if "  at      " in line:
            port = int(line.partition("//")[2].partition("/")[0].rpartition(":")[2])
        if "  record  " in line:
            break
    try:
        assert port, said
        yield Court(home, port, process, said)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def scaffolded(url: str, prometheus: str) -> list[dict[str, Any]]:
    """Return what `davy scaffold argo-judge` writes, as documents."""
    command = [sys.executable, "-m", "davy", "scaffold", "argo-judge", "pay", "--steps", STEPS]
    command += ["--url", url, "--prometheus", prometheus]
    written = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(written))


@dataclass
class World:
    """A site with its users, the Prometheus that looks at its replicas, and the judge."""

    site: Site
    prometheus: Prometheus
    court: Court
    targets: Path
    users: Load

    def scrape(self) -> None:
        """Have Prometheus scrape the replicas that there are, under the labels of their pods."""
        groups = [
            {
                "targets": [f"127.0.0.1:{pod.port}"],
                "labels": {
                    "app": "pay",
                    "namespace": "default",
                    "pod": pod.name,
                    "rollouts_pod_template_hash": revision.hash,
                },
            }
            for revision in self.site.get().revisions
            for pod in revision.pods
            if pod.port
        ]
        text = json.dumps(groups)
        if not self.targets.exists() or self.targets.read_text() != text:
            beside = self.targets.with_suffix(".new")
            beside.write_text(text)
            beside.rename(self.targets)

    def follow(self, done: Callable[[], bool], seconds: float = 120.0) -> None:
        """Let things happen until something has."""

        def look() -> bool:
            self.scrape()
            return done()

        until(look, seconds=seconds, why=self.site.get)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    targets = tmp_path / "targets.json"
    targets.write_text("[]")
    (tmp_path / "prometheus").mkdir()
    site = Site(tmp_path / "home", speed=6)  # an engine measures nothing in its first minute
    judges = tmp_path / "judge.yaml"
    with serving(tmp_path / "prometheus", SCRAPING.format(targets=targets)) as prometheus:
        port = free()
        judge, *templates, rollout = scaffolded(f"http://127.0.0.1:{port}", prometheus.url)
        judge["spec"] |= QUICK
        judge["spec"]["steps"] = [{**step, "least": "3s", "most": "600s"} for step in judge["spec"]["steps"]]
        judges.write_text(yaml.safe_dump(judge))
        with judging(tmp_path / "judge", judges, f"127.0.0.1:{port}") as court:
            site.home.mkdir()
            (site.home / addresses.FILE).write_text(f"127.0.0.1:{port}\n")
            site.up()
            try:
                apply(site, templates, rollout["spec"]["strategy"]["canary"])
                users = site.users(rate_hz=300.0)
                try:
                    yield World(site, prometheus, court, targets, users)
                finally:
                    users.stop()
            finally:
                site.down()


def apply(site: Site, templates: list[dict[str, Any]], canary: dict[str, Any]) -> None:
    """Run the service of the other tests with the scaffolded analyses and steps, asked every second."""
    for template in templates:
        for metric in template["spec"]["metrics"]:
            metric["interval"] = "1s"
    service = [each for each in yaml.safe_load_all(ROLLOUT) if each["kind"] != "ImageMap"]
    service[0]["spec"]["strategy"]["canary"] |= canary
    images = yaml.safe_load(IMAGES.replace("PYTHON", sys.executable))
    text = yaml.safe_dump_all([*service, *templates, images])
    view = site.ask(requests.Apply((("pay.yaml", text),), str(Path(__file__).parents[1] / "apps"), "a test"))
    assert isinstance(view, views.ApplyView)
    assert view.accepted, [finding.text for finding in view.findings]
    until(lambda: site.get().status == "Healthy", seconds=60, why=site.get)


def free() -> int:
    from davy.adapters.ports import free_port

    return free_port()


def sees_stable(world: World) -> bool:
    """Say whether Prometheus has scraped the stable version for a while."""
    found = world.prometheus.instant("sum(http_requests_total)", now())["result"]
    return bool(found) and float(found[0]["value"][1]) > 1000


def now() -> float:
    import time

    return time.time()


def kinds(site: Site) -> list[str]:
    return [entry.kind for entry in site.entries()]


def test_a_good_version_gets_more_as_soon_as_the_evidence_allows(world: World) -> None:
    site = world.site
    world.follow(lambda: sees_stable(world))
    site.release("two")
    world.follow(lambda: "change_exposed" in kinds(site) and (site.get().actual_weight or 0) >= 10)
    world.follow(lambda: kinds(site).count("change_promoted") == 2, seconds=240)
    runs = [entry.detail for entry in site.entries() if entry.kind == "analysis_finished"]
    steps = [run for run in runs if run["type"] == "Step"]
    assert [run["phase"] for run in steps] == ["Successful", "Successful"]


def test_a_bad_version_is_aborted_by_the_word_of_the_judge(world: World) -> None:
    site = world.site
    world.follow(lambda: sees_stable(world))
    site.release("bad")
    world.follow(lambda: "change_rolled_back" in kinds(site))
    failed = [entry.detail for entry in site.entries() if entry.kind == "analysis_finished"]
    assert "Failed" in [run["phase"] for run in failed if run["type"] in ("Step", "Background")], failed
    hashes = {each.images[0]: each.hash for each in site.get().revisions}
    status, answer = world.court.verdict(canary=hashes["app:bad"], stable=hashes["app:one"])
    assert (status, answer["verdict"]) == (200, "abort"), answer
    assert kinds(site).count("change_promoted") == 1


def test_a_version_that_nobody_has_seen_never_gets_more(world: World) -> None:
    world.follow(lambda: sees_stable(world))
    words = {"canary": "nobody", "stable": world.site.get().revisions[0].hash, "weight": "10"}
    world.follow(lambda: world.court.verdict(**words)[1]["data"]["windows"] > 2)
    answer = world.court.verdict(**words)[1]
    assert (answer["verdict"], answer["data"]["state"]) == ("continue", "no_data")
