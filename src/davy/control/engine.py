"""The engine: keeps the loop turning for as long as it holds the lease, and answers whoever asks.

What may take long (a build behind an image, a provider's answer) is waited for outside of the gate that guards
what is held in memory, so that the loop goes on meanwhile.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from davy import __version__
from davy.control import judges, requests, views
from davy.control.agenda import LOOK_S
from davy.control.catalog import Catalog
from davy.control.changing import Changing
from davy.control.emitting import drafts_of, number_of, tell
from davy.control.flags.desk import FlagDesk
from davy.control.flags.exposures import BUCKET as EXPOSURES
from davy.control.flags.exposures import Exposures
from davy.control.flags.instances import Instances
from davy.control.flags.interlock import Interlock
from davy.control.flags.ramping import Ramping
from davy.control.flags.ramps import Dispatching, Ramps
from davy.control.following import found
from davy.control.holdings import Holdings
from davy.control.looking import Looking
from davy.control.loop import Loop
from davy.control.ports import Clock
from davy.control.rulebook import Rulebook, Rules
from davy.control.tenure import Tenure
from davy.control.turn import NOTED, World, gap
from davy.control.waiver_desk import WaiverDesk
from davy.control.waiving import Waiving
from davy.errors import NotPermitted
from davy.flags.gate import PRODUCTION
from davy.flags.serving import Flags
from davy.ledger.entry import Draft
from davy.ledger.lease import Fenced
from davy.ledger.log import UNWRITABLE, Log
from davy.model.images import ImageMap
from davy.model.key import Key


@dataclass(frozen=True, slots=True)
class Setting:
    """How an engine runs: who it is, how fast its clock goes (for `health`), how often it looks, its rules.

    `troubles` says what is wrong beside the rollouts, a sentence each. `environment` is whose flags it holds,
    `scrape_s` how many seconds of the clock there are between two looks at the data plane.
    """

    pid: int
    speed: float
    look_s: float = LOOK_S
    rules: Rules = field(default_factory=Rules)
    troubles: Callable[[], Sequence[str]] = tuple
    environment: str = PRODUCTION
    scrape_s: float = judges.LOOK_S


class Engine:
    """Holds the rollouts of one store and turns their loop.

    With a `tenure` it does so for as long as nobody else has taken the lease; `fenced` then says who has. The
    `log`, of the same store, is where it writes down what others tell.
    """

    def __init__(
        self,
        world: World,
        catalog: Catalog,
        clock: Clock,
        setting: Setting,
        tenure: Tenure | None = None,
        log: Log | None = None,
    ) -> None:
        self._clock, self._setting, self._tenure, self._log = clock, setting, tenure, log
        self.fenced: Fenced | None = None
        self._changed = threading.Event()
        self._stopping = False
        interlock = Interlock(world.store, setting.environment, clock, world.spool)
        world = replace(world, store=interlock)
        recover(world)
        instances = Instances(clock.now, self._heard)
        exposures = Exposures(clock.now, interlock.load(EXPOSURES))
        ramps = Ramps(interlock, instances, exposures)
        led = Dispatching(ramps, world.platform, world.traffic)
        self._judges = judges.Judges(catalog, setting.scrape_s)
        world = replace(world, platform=led, traffic=led, judges=self._judges)
        self.catalog = catalog
        for images in catalog.objects:
            if isinstance(images, ImageMap):
                world.platform.use_images(images)
        self._holdings = Holdings(world.store, catalog)
        world.runs.load(world.store.load("run"))
        self._loop = Loop(world, self._holdings, clock, setting.look_s)
        self._looking = Looking(world, self._holdings, clock)
        rules = setting.rules
        self._rulebook = rulebook = Rulebook(world.store, rules)
        self._waiving = Waiving(world.store, clock, rules.terms)
        self._desk = WaiverDesk(self._waiving, self._holdings, clock)
        self._changing = Changing(world, self._holdings, clock, self._loop, self._waiving, rulebook, interlock)
        self._flags = FlagDesk(
            interlock, self._holdings, self._changing.enforcing, self._waiving, clock, instances, exposures
        )
        self._ramping = Ramping(
            self._flags,
            interlock,
            self._holdings,
            self._loop,
            self._changing.enforcing,
            self._waiving,
            clock,
        )
        exposures.told, ramps.changed = self.looked, self.kick
        detail: dict[str, object] = {"version": __version__, "rollouts": len(self._holdings.rollouts)}
        if tenure is not None:
            detail |= {"epoch": tenure.lease.epoch}
        started = Draft(
            clock.now(), "engine_started", "Engine davy", detail | rulebook.detail, reason=rules.reason
        )
        entries = world.store.commit(rulebook.records, [started])
        self._flags.blaming.begin(entries[0].seq)

    @property
    def flags(self) -> Flags:
        """The flags, as ways in see them."""
        return self._flags.served

    @property
    def judged(self) -> frozenset[Key]:
        """The rollouts that have a judge; from any thread."""
        return self._judges.among(self.catalog.rollouts)

    def kick(self, *keys: Key) -> None:
        """Say that something happened to these rollouts, or to all where none is named; they are next."""
        self._loop.kick(*keys)
        self.wake()

    def looked(self) -> None:
        """Say that the data plane was read; those that learn from it are next."""
        self._loop.looked()
        self.wake()

    def now(self) -> float:
        """Return the time by the engine's clock: that of its entries."""
        return self._clock.now()

    def wake(self) -> None:
        """Let the loop take in what has come: an answer, or the wish that it ends."""
        self._changed.set()

    def stop(self) -> None:
        """End `run` after the turn that is under way."""
        self._stopping = True
        self.wake()

    def run(self) -> None:
        """Turn the loop until `stop` is called, or another engine has taken over."""
        longest_s = LOOK_S if self._tenure is None else self._tenure.every_s
        while not self._stopping:
            self._changed.clear()
            try:
                wake_at = self.turn()
            except Fenced:
                return
            timeout = longest_s
            if wake_at is not None:
                timeout = min(timeout, max(0.0, self._clock.real_seconds(wake_at - self._clock.now())))
            self._changed.wait(timeout)

    def turn(self) -> float | None:
        """Take the turns that are due and return the clock's time at which time alone asks for another.

        Raises:
            Fenced: another engine has taken over; this one has to end.
        """
        with self._fencing():
            self._keep_lease()
            wakes = (self._loop.turn(self._keep_lease), self._sweep())
            return min((wake for wake in wakes if wake is not None), default=None)

    def handle(self, request: requests.AnyRequest, actor: str) -> views.AnyView:
        """Answer a request.

        Raises:
            DavyError: it cannot be done; nothing was changed.
        """
        with self._fencing():
            match request:
                case (
                    requests.List()
                    | requests.Get()
                    | requests.Manifest()
                    | requests.Why()
                    | requests.Verdict()
                    | requests.Record()
                    | requests.Query() as look
                ):
                    return self._looking.answer(look)
                case requests.Health():
                    return self._health()
                case requests.Emit() | requests.Found() as told:
                    return self._take_in(told, actor)
                case requests.Waivers():
                    return self._desk.list(request)
                case (
                    requests.AskWaiver()
                    | requests.ApproveWaiver()
                    | requests.RevokeWaiver()
                    | requests.ReviewWaiver() as step
                ):
                    answer = self._desk.step(step, actor)
                    self.wake()
                    return answer
                case (
                    requests.FlagStatus() | requests.FlagList() | requests.FlagHistory() | requests.FlagBlame()
                ) as look:
                    return self._flags.look(look)
                case (
                    requests.SetFlag()
                    | requests.KillFlag()
                    | requests.RestoreFlag()
                    | requests.ApproveFlag()
                    | requests.DrillFlag()
                ) as step:
                    done = self._flags.step(step, actor)
                    self.wake()
                    return done
                case requests.RampFlag(key=key, reason=reason, ticket=ticket):
                    begun = self._ramping.start(key, actor, reason, ticket)
                    self.wake()
                    return begun
                case _:
                    view = self._change(request, actor)
                    self.wake()
                    return view

    def _heard(self) -> None:
        """Let flags and their ramps take in what instances have told."""
        self._ramping.kick()
        self.wake()

    def _take_in(self, told: requests.Emit | requests.Found, actor: str) -> views.EmitView:
        """Write down what somebody on this machine tells."""
        if self._log is None:
            raise NotPermitted("this engine takes in no events")
        self.wake()
        now, way = self._clock.now(), f"unix socket, {number_of(actor)}"
        if isinstance(told, requests.Emit):
            return tell(self._log, drafts_of(told.events, actor, authenticated=way, now=now))
        return tell(self._log, found.drafts_of(told.findings, authenticated=way, now=now))

    def _change(
        self,
        request: requests.Apply | requests.SetImage | requests.Delete | requests.DeletePolicy | requests.Action,
        actor: str,
    ) -> views.AnyView:
        match request:
            case requests.Apply():
                return self._changing.apply(request, actor)
            case requests.SetImage():
                return self._changing.set_image(request, actor)
            case requests.Delete():
                return self._changing.delete(request, actor)
            case requests.DeletePolicy(kind="FeatureFlag"):
                return self._changing.delete_flag(request, actor)
            case requests.DeletePolicy(kind="Judge"):
                return self._changing.delete_judge(request, actor)
            case requests.DeletePolicy():
                return self._changing.delete_policy(request, actor)
            case _:
                return self._changing.act(request, actor)

    def _health(self) -> views.HealthView:
        """Say how the engine is."""
        with self._holdings.gate:
            held = sorted(self._holdings.rollouts.items())
            troubles = [f"{key}: {each.trouble}" for key, each in held if each.trouble]
            if self._tenure is not None and self._tenure.trouble:
                troubles.append(self._tenure.trouble)
            if self._flags.late:
                troubles.append(f"{self._flags.late} entries about flags are not written down yet")
            troubles += self._setting.troubles()
            return views.HealthView(
                version=__version__,
                pid=self._setting.pid,
                speed=self._setting.speed,
                now=self._clock.now(),
                rollouts=len(held),
                troubles=tuple(troubles),
                profile=self._rulebook.profile,
            )

    @contextmanager
    def _fencing(self) -> Iterator[None]:
        """End the loop once it has come out that another engine has taken over, whoever finds out."""
        try:
            yield
        except Fenced as error:
            self.fenced = error
            self.stop()
            raise

    def _sweep(self) -> float | None:
        """Put on record which waivers have run out and who has heard of kills, and say when to look again."""
        with self._holdings.gate:
            try:
                wakes = (self._waiving.sweep(), self._flags.sweep())
            except UNWRITABLE:  # it is so all the same, and is noted when there is a store again
                return self._clock.now() + LOOK_S
        return min((wake for wake in wakes if wake is not None), default=None)

    def _keep_lease(self) -> None:
        if self._tenure is not None:
            self._tenure.keep()


def recover(world: World) -> None:
    """Bring into the store what an abort noted while the store could not be written.

    An engine may have died after it had written a note and before it forgot it; that one stays as it is.
    """
    marks = {(NOTED, subject): mark for subject, mark in world.store.load(NOTED).items()}
    for changes, drafts in world.spool.take():
        if any(marks.get(record) == mark for record, mark in changes.items() if record[0] == NOTED):
            continue
        world.store.commit(changes, [*gap(drafts), *drafts])
    world.spool.clear("")
