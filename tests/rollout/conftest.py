"""A small world for the state machine: replicas come up when they are told to, the data plane acknowledges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from davy.model.pod import PodTemplateSpec
from davy.model.rollout import Rollout
from davy.model.side_route import SideRoute
from davy.rollout import actions
from davy.rollout.decide import decide
from davy.rollout.decision import Decision, Event, Look, RunView, Word
from davy.rollout.platform import Launch, Pod, Seen
from davy.rollout.state import RolloutState
from davy.rollout.status import Status, status

SEED_STEPS: list[dict[str, Any]] = [
    {"setWeight": 5},
    {"pause": {"duration": 120}},
    {"analysis": {"templates": [{"templateName": "err-rate"}]}},
    {"setWeight": 25},
    {"pause": {"duration": 180}},
    {"analysis": {"templates": [{"templateName": "latency-p95"}]}},
]


def manifest(steps: list[dict[str, Any]], *, routed: bool = True, image: str = "app:1", **spec: Any) -> Rollout:
    """Make a rollout; `canary` within `spec` adds to the strategy, `blue_green` takes its place."""
    canary = {"steps": steps, **spec.pop("canary", {})}
    if routed:
        canary |= {"canaryService": "c", "stableService": "s"}
        canary.setdefault("trafficRouting", {"smi": {}})
    strategy = {"canary": canary}
    if "blue_green" in spec:
        strategy = {"blueGreen": {"activeService": "a", "previewService": "p", **spec.pop("blue_green")}}
    body = {
        "metadata": {"name": "payments"},
        "spec": {
            "replicas": 4,
            "template": {"spec": {"containers": [{"name": "app", "image": image}]}},
            "strategy": strategy,
            **spec,
        },
    }
    return msgspec.convert(body, Rollout)


def template(rollout: Rollout) -> PodTemplateSpec:
    return rollout.spec.template


@dataclass
class World:
    """Plays the loop and the platform; everything a test wants to break is a field."""

    rollout: Rollout
    now: float = 1000.0
    state: RolloutState = field(init=False)
    pods: dict[str, int] = field(default_factory=dict)
    born: dict[str, float] = field(default_factory=dict)
    routes: tuple[SideRoute, ...] = ()
    ready: Callable[[str], bool] = field(default=lambda _: True)
    acknowledges: bool = True
    weights: dict[str, int] | None = None
    runs: dict[str, RunView] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    alarm: str = ""
    word: Word | None = None
    events: list[Event] = field(default_factory=list)
    decision: Decision = field(init=False)

    def __post_init__(self) -> None:
        self.state, events = actions.create(self.rollout, template(self.rollout), Launch((), "/"), self.now)
        self.events += events

    @property
    def seen(self) -> Seen:
        pods = tuple(
            self._pod(hash_, f"{hash_}-{i}") for hash_, count in self.pods.items() for i in range(count)
        )
        return Seen(pods, self.weights, routes=self.routes)

    def _pod(self, hash_: str, name: str) -> Pod:
        ready = self.ready(hash_)
        return Pod(name, hash_, "Running", ready, ready, 0, self.born.get(name, 0.0), 1)

    @property
    def status(self) -> Status:
        return status(self.rollout, self.state, self.seen, self.word)

    @property
    def weight(self) -> int:
        return (self.weights or {}).get(self.state.current, 0)

    def look(self) -> Look:
        return Look(self.seen, self.runs, self.requests, self.alarm, self.word)

    def turn(self, seconds: float = 0.0) -> Decision:
        """Let time pass, decide, and let the world follow."""
        self.now += seconds
        self.decision = decide(self.rollout, self.state, self.look(), self.now)
        self.state = self.decision.state
        self.events += self.decision.events
        self.pods = {
            replica_set.hash: replica_set.replicas for replica_set in self.decision.desired.replica_sets
        }
        self.born |= dict.fromkeys(self.decision.desired.evict, self.now)
        if self.acknowledges:
            self.weights, self.routes = dict(self.decision.desired.weights), self.decision.desired.routes
        return self.decision

    def turns(self, count: int = 12, seconds: float = 0.0) -> None:
        for _ in range(count):
            self.turn(seconds)

    def until(self, wanted: Callable[["World"], bool], seconds: float = 0.0, most: int = 200) -> None:
        for _ in range(most):
            if wanted(self):
                return
            self.turn(seconds)
        raise AssertionError(f"it never came about: {self.state.progress} {self.status}")

    def apply(self, rollout: Rollout) -> None:
        self.rollout = rollout
        self.do(actions.revise(rollout, self.state, template(rollout), Launch((), "/"), self.now))

    def do(self, outcome: actions.Outcome) -> None:
        self.state = outcome[0]
        self.events += outcome[1]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    """Return a factory of worlds in which version 1 is stable."""

    def make(steps: list[dict[str, Any]] | None = None, **options: Any) -> World:
        world = World(manifest(SEED_STEPS if steps is None else steps, **options))
        world.turns()
        assert world.status.phase == "Healthy", world.status
        return world

    return make


@pytest.fixture(scope="session")
def version() -> Callable[[World, int], Rollout]:
    """Return a function that makes another version of a world's rollout."""

    def make(world: World, number: int) -> Rollout:
        spec = world.rollout.spec
        container = msgspec.structs.replace(spec.template.spec.containers[0], image=f"app:{number}")
        pod = msgspec.structs.replace(spec.template.spec, containers=(container,))
        changed = msgspec.structs.replace(spec, template=msgspec.structs.replace(spec.template, spec=pod))
        return msgspec.structs.replace(world.rollout, spec=changed)

    return make
