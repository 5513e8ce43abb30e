"""What many rollouts cost in one process: processor time of the loop for a second of its clock."""

import gc
from collections import Counter
from collections.abc import Mapping, Sequence
from time import process_time

import msgspec

from bench.figure import Figure
from davy.adapters.memory_platform import MemoryPlatform
from davy.adapters.memory_store import MemoryStore
from davy.analysis.promql.evaluate import Engine as Queries
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Answer, Asking
from davy.analysis.tally import Tally
from davy.control.agenda import LOOK_S
from davy.control.catalog import Catalog, stored
from davy.control.engine import Engine, Setting
from davy.control.requests import SetImage
from davy.control.runs import Runs
from davy.control.turn import World
from davy.ledger.entry import Draft
from davy.ledger.store import Record
from davy.model.analysis import AnalysisTemplate
from davy.model.key import Key
from davy.model.loader import load
from davy.model.providers import MetricProvider
from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.platform import Launch, Seen

SIZES = (1000, 2000, 5000)
BUSY = 10
"""One rollout in so many is in an update at any time; about a third of those has an analysis that runs."""

UPDATE_S = 80.0
"""How long an update takes; in that time each of those begins another."""

WARM_S, MEASURED_S = UPDATE_S, 30.0
READ_EVERY_S = 1.0
"""How often users' requests are counted, as in a running engine."""

BUDGET_MS = 500.0
MANIFESTS = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: service}
spec:
  replicas: 3
  selector: {matchLabels: {app: service}}
  template:
    metadata: {labels: {app: service}}
    spec: {containers: [{name: app, image: "app:1"}]}
  strategy:
    canary:
      canaryService: canary
      stableService: stable
      trafficRouting: {smi: {}}
      steps:
      - setWeight: 10
      - pause: {duration: 20s}
      - analysis: {templates: [{templateName: errors}]}
      - setWeight: 50
      - pause: {duration: 20s}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
  - name: errors
    interval: 5s
    count: 5
    successCondition: result[0] <= 0.02
    failureCondition: result[0] > 0.02
    provider: {prometheus: {address: "http://prometheus:9090", query: "vector(0)"}}
"""


class Town:
    """Many rollouts in a world that is made up: its clock, its users, its metrics."""

    def __init__(self, size: int) -> None:
        self.time = 1_000_000.0
        self.keys = [Key("default", f"service-{number:04}") for number in range(size)]
        self.served: dict[Key, dict[str, Tally]] = {}
        self.looks: dict[Key, float] = {}
        self.longest_s = 0.0
        self.platform = Watched(self)
        self.store = MemoryStore()
        _settle_in(self.store, self.keys, self.time)
        catalog = Catalog.load(self.store)
        self.runs = Runs({"prometheus": self}, catalog.templates, self, lambda: None)
        world = World(self.store, self.platform, self, self.runs, self, Queries(SeriesStore()))
        self.engine = Engine(world, catalog, self, Setting(pid=0, speed=1.0))
        self.platform.changed = self.engine.kick
        self.began, self.released = self.time, 0

    def live(self, seconds: float) -> float:
        """Let time pass from one thing that happens to the next; return the processor time that it took."""
        end, spent = self.time + seconds, 0.0
        read_at = self.time
        while self.time < end:
            if self.time >= read_at:
                self._serve()
                self.engine.looked()
                read_at += READ_EVERY_S
            began = process_time()
            wake_at = self.engine.turn()
            self.runs.settle()
            spent += process_time() - began
            spent += self._release()
            self.time = max(self.time, min(read_at, end, read_at if wake_at is None else wake_at))
        return spent

    def _serve(self) -> None:
        """Let users make requests of every rollout."""
        for key in self.keys:
            counts = self.served.setdefault(key, {})
            weights = self.platform.look_around(key).weights or {}
            self.served[key] = counts | {
                hash_: Tally(counts.get(hash_, Tally()).requests + weight, 0)
                for hash_, weight in weights.items()
                if weight
            }

    def _release(self) -> float:
        """Begin the updates whose turn it is, one after the other; return the processor time that it took."""
        busy = self.keys[::BUSY]
        began = process_time()
        while self.released < len(busy) * (self.time - self.began) / UPDATE_S:
            key = busy[self.released % len(busy)]
            image = f"app:{2 + self.released // len(busy)}"
            self.engine.handle(SetImage(key.namespace, key.name, {"app": image}), "bench")
            self.released += 1
        return process_time() - began

    # What the engine asks of the world:

    def now(self) -> float:
        return self.time

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        return self.time, self.served.get(key, {})

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        return Answer((0.0,), "[0]")

    def put(self, subject: str, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> None:
        raise AssertionError("the store works")

    def take(self) -> list[tuple[dict[Record, bytes | None], list[Draft]]]:
        return []

    def clear(self, subject: str) -> None:
        pass


class Watched(MemoryPlatform):
    """A platform that notes how long nobody looked at a rollout."""

    def __init__(self, town: Town) -> None:
        super().__init__(town.now)
        self._town = town

    def look(self, key: Key) -> Seen:
        town = self._town
        town.longest_s = max(town.longest_s, town.time - town.looks.get(key, town.time))
        town.looks[key] = town.time
        return super().look(key)

    def look_around(self, key: Key) -> Seen:
        return super().look(key)


def measure() -> list[Figure]:
    """Let towns of several sizes live for a while."""
    figures, each = [], {}
    for size in SIZES:
        town = Town(size)
        town.live(WARM_S)
        before, town.longest_s = len(town.store.ledger), 0.0
        gc.collect()
        spent_ms = 1000 * town.live(MEASURED_S) / MEASURED_S
        town.runs.close()
        done = Counter(entry.kind for entry in town.store.entries(after=before, limit=1_000_000))
        wanted = 0.9 * size / BUSY * MEASURED_S / UPDATE_S
        assert min(done["change_promoted"], done["analysis_finished"]) > wanted, f"it does not live: {done}"
        each[size] = spent_ms / size
        name = f"{size:,} rollouts: processor time a second".replace(",", " ")
        figures.append(Figure(name, spent_ms, "ms", int(MEASURED_S), BUDGET_MS * size / SIZES[0]))
    figures.append(Figure("longest without a look, in seconds of the clock", town.longest_s, "s", size, LOOK_S))
    ratio = each[SIZES[-1]] / each[SIZES[0]]
    figures.append(Figure("one of 5 000 / one of 1 000", ratio, "ratio", len(SIZES), 1.5))
    return figures


def _settle_in(store: MemoryStore, keys: list[Key], now: float) -> None:
    """Put rollouts into a store as an engine leaves them there."""
    rollout, template = (document.value for document in load(MANIFESTS, "scale.yaml"))
    assert isinstance(rollout, Rollout)
    assert isinstance(template, AnalysisTemplate)
    store.commit(stored(template), [])
    for key in keys:
        metadata = msgspec.structs.replace(rollout.metadata, name=key.name)
        made = msgspec.structs.replace(rollout, metadata=metadata)
        launch = Launch(argv=("app:1",), directory="/")
        state, _ = actions.create(made, made.spec.template, launch, now)
        store.commit({**stored(made), ("rollout", str(key)): msgspec.json.encode(state)}, [])
