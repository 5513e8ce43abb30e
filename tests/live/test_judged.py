"""A judge on the real Envoy, with real replicas and users: the worse is taken back, the good goes on."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.site import Site

from davy.control import requests, views
from davy.testing.patience import until

pytestmark = pytest.mark.live

STEPS = "[{setWeight: 25}, {setWeight: 50}]"
JUDGE = """
apiVersion: davy.dev/v1alpha1
kind: Judge
metadata: {name: pay}
spec:
  service: pay
  bake: 60s
  metrics:
  - {name: error_ratio}
  - {name: latency, kind: latency, margin: 2}  # new replicas on a machine that has much else to do
---
apiVersion: davy.dev/v1alpha1
kind: ImageMap
metadata: {name: versions}
spec:
  images:
    "app:one":
      source: {dir: .}
      command: [env, VERSION=one, ERROR_RATE=0.01, DELAY_MS=10, PYTHON, upstream.py]
    "app:good":
      source: {dir: .}
      command: [env, VERSION=good, ERROR_RATE=0.01, DELAY_MS=10, PYTHON, upstream.py]
    "app:ten":
      source: {dir: .}
      command: [env, VERSION=ten, ERROR_RATE=0.1, DELAY_MS=10, PYTHON, upstream.py]
    "app:slow":
      source: {dir: .}
      command: [env, VERSION=slow, ERROR_RATE=0.01, DELAY_MS=80, PYTHON, upstream.py]
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home", speed=20)
    site.up()
    yield site
    site.down()


def live(site: Site) -> None:
    text = JUDGE.replace("PYTHON", sys.executable)
    site.apply(("versions.yaml", text), steps=STEPS)


def ended(site: Site) -> bool:
    return site.get().status in ("Healthy", "Degraded") and site.get().revisions[0].number > 1


def verdict(site: Site) -> views.VerdictView:
    found = site.ask(requests.Verdict("default", "pay"))
    assert isinstance(found, views.VerdictView)
    return found


def test_versions_that_fail_or_dawdle_are_taken_back_and_a_good_one_is_promoted(site: Site) -> None:
    live(site)
    users = site.users(200.0)
    until(lambda: verdict(site).data.state == "ok", why=site.get)
    site.release("ten")
    until(lambda: ended(site), seconds=90, why=site.get)
    assert "judge: error_ratio of the canary is" in site.get().message
    assert verdict(site).verdict == "abort"
    site.release("slow")
    until(lambda: site.get().revisions[0].images == ("app:slow",) and ended(site), seconds=90, why=site.get)
    assert "judge: latency: the canary's requests take about" in site.get().message
    site.release("good")
    until(lambda: site.get().revisions[0].images == ("app:good",) and ended(site), seconds=120, why=site.get)
    users.stop()
    assert site.get().status == "Healthy", site.get().message
    told = [entry for entry in site.entries() if entry.kind in ("change_rolled_back", "change_promoted")]
    assert [entry.kind for entry in told][1:] == ["change_rolled_back", "change_rolled_back", "change_promoted"]
    assert told[1].detail["judge"]["driver"] == "error_ratio"
    assert told[2].detail["judge"]["driver"] == "latency"
    kinds = [entry.kind for entry in site.entries()]
    assert kinds.count("bake_started") == 1


def test_without_users_nothing_is_promoted_be_the_engine_killed_or_not(site: Site) -> None:
    live(site)
    site.release("good")
    until(lambda: site.get().actual_weight == 25, seconds=60, why=site.get)
    site.kill()
    site.up()
    until(lambda: "Judge: no request" in site.get().message, seconds=60, why=site.get)
    assert site.get().actual_weight == 25
    assert verdict(site).verdict == "continue"
