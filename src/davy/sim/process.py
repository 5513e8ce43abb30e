"""An engine's process: it takes the lease, turns its loop, dies at any call, and is started again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from davy.analysis.promql.evaluate import Engine as QueryEngine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Provider
from davy.control import requests
from davy.control.catalog import Catalog
from davy.control.engine import Engine, Setting
from davy.control.runs import Runs
from davy.control.tenure import Tenure
from davy.control.turn import World as Surroundings
from davy.control.views import AnyView, HealthView
from davy.errors import DavyError
from davy.ledger.lease import Fenced, Held
from davy.model.key import Key
from davy.sim.faults import Boundary, Killed, Weather
from davy.sim.ground import SharedStore
from davy.sim.happenings import Died, Happening, Overdue, Turned
from davy.sim.plan import Pace
from davy.sim.platform import SimulatedPlatform, Terrain
from davy.sim.ports import Notes, PatientThreads, SimulatedSpool, SimulatedStore
from davy.sim.story import Tone
from davy.sim.timeline import Timeline
from davy.sim.users import SimulatedTraffic, Users

MOST_TURNS = 60
"""Turns that an engine may take in a row before it is held to be going round in circles."""
RESTART_S = 8.0
"""How long a process is away that was killed, and how often one that waits asks for the lease."""
RETRY_S = 5.0
"""How often a process that stands still tries to go on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where engines run: what all of them share, and who is told what happens."""

    timeline: Timeline
    weather: Weather
    store: SharedStore
    terrain: Terrain
    users: Users
    notes: Notes
    providers: Mapping[str, Provider]
    latency: Random
    tell: Callable[[Happening], None]
    say: Callable[[str, Tone], None]
    deaf: Callable[[], frozenset[Key]]
    pace: Pace
    scrape_s: float


class Process:
    """One process, again and again.

    Args:
        name: how it is called in the story.
        place: where it runs.
        boundary: what it crosses, and where it dies.
        settled: is told after each of its turns, and when it comes or goes, with a way to ask for its troubles.
    """

    def __init__(
        self, name: str, place: Place, boundary: Boundary, settled: Callable[[Callable[[], bool]], None]
    ) -> None:
        self.name, self.boundary = name, boundary
        self.engine: Engine | None = None
        self._place, self._settled = place, settled
        self._runs: Runs | None = None
        self._tenure: Tenure | None = None
        self._planned_for = float("inf")
        self._waits = False

    @property
    def stalled(self) -> bool:
        """Whether it stands still."""
        return self._place.weather.has("stall", self.name)

    def start(self) -> None:
        """Take the lease and start an engine on what the store holds, or try again later."""
        try:
            self._start()
        except Killed as where:
            self.die(where)
        except Held:
            if not self._waits:
                self._place.say(f"{self.name} waits: another engine holds the lease", "engine")
            self._waits = True
            self._again()
        except DavyError as error:
            self._place.say(f"{self.name} cannot start: {error}", "engine")
            self._again()

    def plan_turn(self, at: float) -> None:
        """Let the engine turn at some time, or earlier if that is planned already."""
        if at < self._planned_for and self.engine is not None:
            self._planned_for = at
            self._place.timeline.at(at, lambda: self._turn(at))

    def ask(self, request: requests.AnyRequest, actor: str) -> AnyView:
        """Ask the engine.

        Raises:
            Killed: it died over it, and is started again.
            DavyError: what it says instead.
        """
        assert self.engine is not None
        try:
            return self.engine.handle(request, actor)
        except Killed as where:
            self.die(where)
            raise
        except Fenced as error:
            self._fall_back(error)
            raise
        finally:
            self.plan_turn(self._now)

    def die(self, where: Killed) -> None:
        """Lose what is in memory, and come back; whoever starts it again knows that it is gone."""
        self._place.say(f"{self.name} is killed {where}", "engine")
        self._again()

    @property
    def _now(self) -> float:
        return self._place.timeline.clock.time

    def _start(self) -> None:
        place, clock = self._place, self._place.timeline.clock
        store = SimulatedStore(place.store, self.boundary, place.weather, place.tell)
        last = store.lease()
        own = last.epoch if last and last.holder == self.name else 0
        lease = store.take(self.name, self._now, place.pace.lease_s, over=own)
        self._waits = False
        self._tenure = Tenure(store, lease, clock.now, place.pace.lease_s)
        kept = store.under(lease)
        catalog = Catalog.load(kept)
        self._runs = Runs(
            place.providers,
            catalog.templates,
            clock,
            self._answered,
            threads=PatientThreads(place.timeline, place.latency, place.weather),
        )
        around = Surroundings(
            kept,
            SimulatedPlatform(
                place.terrain, self.boundary, lease.epoch, place.terrain.ground.under(lease.epoch)
            ),
            SimulatedTraffic(place.users, self.boundary),
            self._runs,
            SimulatedSpool(self.boundary, place.notes),
            QueryEngine(SeriesStore()),
        )
        setting = Setting(pid=1, speed=clock.speed, look_s=place.pace.engine_look_s, scrape_s=place.scrape_s)
        self.engine = Engine(around, catalog, clock, setting, self._tenure)
        self._settled(lambda: True)  # nothing is at rest before it has looked
        self.plan_turn(self._now)

    def _again(self) -> None:
        """Have no engine, and start one in a while."""
        self.engine = None
        self._place.tell(Died(frozenset(self._place.notes)))
        self._planned_for = float("inf")
        if self._runs is not None:
            self._runs.close()
        self._settled(self._is_troubled)
        self._place.timeline.after(RESTART_S, self.start)

    def _fall_back(self, error: Fenced) -> None:
        self._place.say(f"{self.name} ends: {error.message}", "engine")
        self._again()

    def _answered(self) -> None:
        if self.engine is not None:
            self.engine.wake()
            self.plan_turn(self._now)

    def _turn(self, planned_for: float) -> None:
        """Let the engine turn until it has nothing more to do now; an earlier turn took the place of some."""
        if planned_for != self._planned_for:
            return
        self._planned_for = float("inf")
        if self.stalled:
            self.plan_turn(self._now + RETRY_S)
            return
        try:
            wake_at = self._turn_on()
        except Killed as where:
            self.die(where)
        except Fenced as error:
            self._fall_back(error)
        else:
            assert self._tenure is not None
            latest = self._now + self._tenure.every_s
            self.plan_turn(latest if wake_at is None else min(wake_at, latest))

    def _turn_on(self) -> float | None:
        engine = self.engine
        assert engine is not None
        for _ in range(MOST_TURNS):
            wake_at = engine.turn()
            self._place.tell(Turned(self._place.deaf()))
            if wake_at is None or wake_at > self._now:
                break
        else:
            self._place.tell(Overdue("the engine goes round in circles"))
        self._settled(self._is_troubled)
        return wake_at

    def _is_troubled(self) -> bool:
        """Say whether the engine has troubles, as it says itself; none at all is one, too."""
        if self.engine is None:
            return True
        health = self.engine.handle(requests.Health(), "somebody")
        assert isinstance(health, HealthView)
        return bool(health.troubles)
