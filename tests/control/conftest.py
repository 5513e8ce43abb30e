"""An engine in a world of fakes: replicas come up at once, the data plane acknowledges, time is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from davy.adapters.memory_platform import MemoryPlatform
from davy.adapters.memory_store import MemoryStore
from davy.adapters.spool import FileSpool
from davy.analysis.promql.evaluate import Engine as QueryEngine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Answer, Asking, ProviderError
from davy.analysis.tally import Tally
from davy.control import requests, views
from davy.control.catalog import Catalog
from davy.control.engine import Engine, Setting
from davy.control.rulebook import Rules
from davy.control.runs import Runs
from davy.control.tenure import Tenure
from davy.control.turn import World
from davy.errors import Undecided
from davy.ledger.store import Store
from davy.model.key import Key
from davy.model.providers import MetricProvider
from davy.rollout.platform import Desired, Platform

ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: NAME}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - {name: app, image: "app:1"}
  strategy:
    canary:
      canaryService: NAME-canary
      stableService: NAME-stable
      trafficRouting: {smi: {}}
      steps:
      - setWeight: 20
      - pause: {duration: 60}
      - analysis: {templates: [{templateName: errors}]}
      - setWeight: 50
      - pause: {}
---
apiVersion: v1
kind: Service
metadata: {name: NAME-canary}
spec: {selector: {app: NAME}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: NAME-stable}
spec: {selector: {app: NAME}, ports: [{port: 80}]}
"""
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
  - name: errors
    interval: 10s
    count: 2
    successCondition: len(result) > 0 && result[0] <= 0.02
    failureCondition: len(result) > 0 && result[0] > 0.02
    provider: {prometheus: {address: "http://prometheus:9090", query: 'sum(errors{version="x"})'}}
"""


class FakeClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def real_seconds(self, seconds: float) -> float:
        return seconds


class BreakablePlatform(MemoryPlatform):
    """A platform in memory that raises what `broken` has for a rollout instead of steering it."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock.now)
        self.unmapped = {"unknown"}
        self.broken: dict[Key, Exception] = {}

    def steer(self, key: Key, desired: Desired) -> None:
        if key in self.broken:
            raise self.broken[key]
        super().steer(key, desired)


@dataclass
class FakeTraffic:
    clock: FakeClock
    counts: dict[str, Tally] = field(default_factory=dict)

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        return self.clock.time, self.counts


class FakeProvider:
    """Answers with `value`; None is a provider that is down."""

    def __init__(self) -> None:
        self.value: tuple[float, ...] | None = (0.0,)

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        if self.value is None:
            raise ProviderError("it is down")
        return Answer(self.value, str(list(self.value)))


class Lab:
    """An engine and everything around it, so that a test can break any of it and start the engine anew."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.platform = BreakablePlatform(self.clock)
        self.traffic = FakeTraffic(self.clock)
        self.spool = FileSpool(directory / "spool")
        self.provider: Any = FakeProvider()
        self.secrets: Any = None
        self.template = TEMPLATE
        self.watch_first_s = 0.0
        self.rules = Rules()
        self.environment = "production"
        self.engine = self.start()

    def start(self, tenure: Tenure | None = None) -> Engine:
        """Start an engine on what the store holds; with a tenure it can write for as long as that lasts."""
        catalog = Catalog.load(self.store)
        providers = self.provider if isinstance(self.provider, dict) else {"prometheus": self.provider}
        runs = Runs(
            providers,
            catalog.templates,
            self.clock,
            lambda: None,
            watch_first_s=self.watch_first_s,
            secrets=self.secrets,
        )
        queries = QueryEngine(SeriesStore())
        store: Store = self.store
        platform: Platform = self.platform
        if tenure is not None:
            store, platform = self.store.under(tenure.lease), self.platform.under(tenure.lease.epoch)
        world = World(store, platform, self.traffic, runs, self.spool, queries)
        setting = Setting(pid=1, speed=1.0, rules=self.rules, environment=self.environment)
        self.engine = Engine(world, catalog, self.clock, setting, tenure, self.store)
        self.platform.changed = self.engine.kick
        self.runs = runs
        return self.engine

    def ask(self, request: requests.AnyRequest, actor: str = "ada (uid 7)") -> Any:
        return self.engine.handle(request, actor)

    def apply(self, *names: str, **changes: str) -> views.ApplyView:
        texts = [("errors.yaml", self.template)]
        for name in names:
            text = ROLLOUT.replace("NAME", name)
            for old, new in changes.items():
                text = text.replace(old, new)
            texts.append((f"{name}.yaml", text))
        view = self.ask(requests.Apply(tuple(texts), "/here", reason="because"))
        assert isinstance(view, views.ApplyView)
        return view

    def get(self, name: str = "payments") -> views.RolloutView:
        view = self.ask(requests.Get("default", name))
        assert isinstance(view, views.RolloutView)
        return view

    def turns(self, count: int = 8, seconds: float = 0.0) -> None:
        for _ in range(count):
            self.clock.time += seconds
            self.serve()
            self.engine.kick()
            self.engine.turn()
            self.runs.settle()

    def serve(self, failing: str = "") -> None:
        """Let users make a hundred requests of what has traffic, all of those to `failing` in vain."""
        for key in self.engine.catalog.rollouts:
            for hash_, weight in (self.platform.look(key).weights or {}).items():
                count = self.traffic.counts.get(hash_, Tally(0, 0))
                errors = count.errors + (weight if hash_ == failing else 0)
                self.traffic.counts[hash_] = Tally(count.requests + weight, errors)

    def until(
        self, wanted: Callable[[views.RolloutView], bool], seconds: float = 10.0, most: int = 200
    ) -> views.RolloutView:
        for _ in range(most):
            view = self.get()
            if wanted(view):
                return view
            self.turns(1, seconds)
        raise AssertionError(f"it never came about: {view}")

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.store.entries()]


DOWN = Undecided("the data plane does not answer")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)
