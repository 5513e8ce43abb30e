"""Every verb against a real engine in a world in memory; waiting is what turns its loop."""

import json
import os
import pwd
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from davy.adapters.memory_platform import MemoryPlatform
from davy.adapters.memory_store import MemoryStore
from davy.analysis.promql.evaluate import Engine as QueryEngine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Answer, Asking
from davy.analysis.tally import Tally
from davy.control.catalog import Catalog
from davy.control.engine import Engine, Setting
from davy.control.runs import Runs
from davy.control.turn import World
from davy.ledger.entry import Draft
from davy.ledger.store import Record
from davy.model.key import Key
from davy.model.providers import MetricProvider
from davy.serve.socket import SocketServer

MANIFESTS = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: payments
spec:
  replicas: 2
  selector: {matchLabels: {app: payments}}
  template:
    metadata: {labels: {app: payments}}
    spec:
      containers:
      - {name: app, image: "payments:1"}
  strategy:
    canary:
      canaryService: payments-canary
      stableService: payments-stable
      trafficRouting: {smi: {}}
      steps:
      - setWeight: 20
      - analysis: {templates: [{templateName: errors}]}
      - pause: {}
---
apiVersion: v1
kind: Service
metadata: {name: payments-canary}
spec: {selector: {app: payments}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: payments-stable}
spec: {selector: {app: payments}, ports: [{port: 80}]}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
  - name: errors
    interval: 1s
    count: 2
    successCondition: len(result) > 0 && result[0] <= 0.02
    failureCondition: len(result) > 0 && result[0] > 0.02
    provider: {prometheus: {address: "http://prometheus:9090", query: 'sum(errors{app="payments"})'}}
"""

WAIVE = re.compile(r"\n +=\ waive:.*")
"""Whoever checks may ask for a waiver; an engine has its own."""


class Quiet:
    """Users who make no requests, a provider with one answer, a clock that is told, a store that works."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.value = 0.0

    def now(self) -> float:
        return self.time

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def counters(self, _key: Key) -> tuple[float, Mapping[str, Tally]]:
        return self.time, {}

    def put(self, _subject: str, _changes: Mapping[Record, bytes | None], _drafts: Sequence[Draft]) -> None:
        raise AssertionError("the store works")

    def take(self) -> list[tuple[dict[Record, bytes | None], list[Draft]]]:
        return []

    def clear(self, _subject: str) -> None:
        pass

    def measure(self, _provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        return Answer((self.value,), str([self.value]))


@pytest.fixture
def world(home: Path, waiting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Quiet]:
    """An engine that takes a turn whenever a command waits."""
    quiet = Quiet()
    store = MemoryStore()
    catalog = Catalog.load(store)
    runs = Runs({"prometheus": quiet}, catalog.templates, quiet, lambda: None)
    queries = QueryEngine(SeriesStore())
    everything = World(store, MemoryPlatform(quiet.now), quiet, runs, quiet, queries)
    engine = Engine(everything, catalog, quiet, Setting(pid=os.getpid(), speed=1.0), log=store)

    def turn(waits: int) -> None:
        assert waits < 1000, "it never ends"
        quiet.time += 1.0
        engine.kick()
        engine.turn()
        runs.settle()

    waiting.then = turn
    monkeypatch.chdir(tmp_path)
    (tmp_path / "payments.yaml").write_text(MANIFESTS)
    with SocketServer(home / "davy.sock", engine, reports=home / "reports"):
        yield quiet
    runs.close()
    assert not (home / "reports").exists(), "a fault of ours was met"


def until(run: Any, wanted: str) -> None:
    """Watch until the rollout is as it is wanted, as a person would."""
    ran = run("status", "payments", "--watch", "--timeout", "60s")
    assert wanted in ran.stdout + ran.stderr


def test_a_release_from_the_first_manifest_to_the_record(run: Any, world: Quiet) -> None:
    ran = run("apply", "-f", ".", "--reason", "first")
    assert ran.exit_code == 0, ran.stderr
    assert 'rollout "payments" created\n' in ran.stdout
    until(run, "Healthy")
    assert run("apply", "-f", ".").stdout.count(" unchanged\n") == 4

    assert run("set", "image", "payments", "app=payments:2").stdout == 'rollout "payments" image updated\n'
    until(run, "Paused - CanaryPauseStep")
    drawn = run("get", "rollout", "payments").stdout
    assert "  Step:          2/3\n" in drawn
    assert "payments:2 (canary)" in drawn
    assert "[0.0]  n=" in drawn
    assert run("get", "rollouts", "-o", "name").stdout == "rollout/payments\n"
    assert "on step 3/3 (pause) and waits" in run("why", "payments").stdout
    assert run("get", "ro", "payments", "-o", "manifest").stdout.startswith(
        "apiVersion: argoproj.io/v1alpha1\n"
    )

    assert run("pause", "payments").stdout == "rollout 'payments' paused\n"
    assert run("resume", "payments").stdout == "rollout 'payments' resumed\n"
    assert run("promote", "payments", "--reason", "looks good").stdout == "rollout 'payments' promoted\n"
    until(run, "Healthy")

    told = run("record", "payments").stdout
    me = pwd.getpwuid(os.getuid()).pw_name
    assert f"promote  by {me} (uid {os.getuid()}): looks good\n" in told
    assert "revision 2 is the stable one: Completed all 3 canary steps\n" in told
    assert "=" not in told.replace("images=", ""), f"an entry without a sentence:\n{told}"


def test_a_bad_release_takes_itself_back(run: Any, world: Quiet) -> None:
    run("apply", "-f", ".")
    until(run, "Healthy")
    world.value = 0.5
    run("set", "image", "payments", "*=payments:2")
    ran = run("status", "payments", "-w")
    assert ran.exit_code == 1
    assert "error[refused]: The rollout is in a degraded state with message: RolloutAborted: " in ran.stderr
    assert "was aborted at 20 %" in run("why", "payments").stdout
    drawn = run("get", "rollout", "payments").stdout
    assert "why: " in drawn
    assert "✖ Failed" in drawn

    world.value = 0.0
    assert run("retry", "rollout", "payments").stdout == "rollout 'payments' retried\n"
    until(run, "Paused - CanaryPauseStep")
    assert run("abort", "payments", "--reason", "on second thoughts").stdout == "rollout 'payments' aborted\n"
    assert run("status", "payments").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["promote", "payments", "--reason", "x"], "nothing to promote"),
        (["abort", "payments", "--reason", "x"], "no update to abort"),
        (["retry", "payments"], "not aborted"),
        (["resume", "payments"], "not paused by hand"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    run: Any, world: Quiet, arguments: list[str], says: str
) -> None:
    run("apply", "-f", ".")
    until(run, "Healthy")
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error[refused]: ")
    assert says in ran.stderr


@pytest.mark.parametrize(
    ("old", "new", "exit_code", "code"),
    [
        ("count: 2", "count: 3", 0, ""),
        ("    successCondition", "    # successCondition", 1, "PD053"),
        ("replicas: 2", "replcas: 2", 2, "DV005"),
        ("kind: Rollout", "kind: [", 2, "DV001"),
        ("templateName: errors", "templateName: nope", 2, "DV010"),
    ],
)
def test_check_and_apply_give_the_same_answer(
    run: Any, world: Quiet, tmp_path: Path, old: str, new: str, exit_code: int, code: str
) -> None:
    (tmp_path / "payments.yaml").write_text(MANIFESTS.replace(old, new))
    checked, applied = run("check", "-f", "."), run("apply", "-f", ".")
    assert (checked.exit_code, applied.exit_code) == (exit_code, exit_code), checked.stderr
    findings = [
        WAIVE.sub("", text).rsplit("\nerror[", 1)[0].rsplit("\n1 object", 1)[0]
        for text in (checked.stderr, applied.stderr)
    ]
    if exit_code:
        assert findings[0] == findings[1]
        assert f"error[{code}]" in findings[0]
        assert json.loads(run("get", "rollouts", "-o", "json").stdout)["items"] == []


def test_an_engine_knows_its_containers(run: Any, world: Quiet) -> None:
    run("apply", "-f", ".")
    ran = run("set", "image", "payments", "web=payments:2")
    assert (ran.exit_code, ran.stderr.splitlines()[-1]) == (2, "  hint: its containers: app")
