"""A world: the real engine, its made-up surroundings, and the loop that lets time pass.

One integer makes it. The engines are those of production, from the manifests to the record; what is made up are
their ports. Nothing in here waits, and nothing depends on the machine.
"""

from collections.abc import Callable
from random import Random

import msgspec

from davy.control import requests
from davy.control.catalog import stored
from davy.control.views import ApplyView
from davy.errors import DavyError, Refused
from davy.ledger.entry import Draft
from davy.ledger.lease import Fenced
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.state import Aborted, Settled
from davy.sim.clock import VirtualClock
from davy.sim.faults import FAULTS, Boundary, Killed, Weather, Window
from davy.sim.ground import Parts
from davy.sim.happenings import Acted, Answer, Counted, Happening, Overdue, Rested, Wished
from davy.sim.history import History, Track
from davy.sim.invariants import hold
from davy.sim.manifests import objects, texts
from davy.sim.people import Team, Wish
from davy.sim.plan import Plan, Quality, Release
from davy.sim.platform import Terrain
from davy.sim.ports import Notes, SimulatedProvider, SimulatedStore
from davy.sim.process import RETRY_S, Place, Process
from davy.sim.story import Story
from davy.sim.timeline import Timeline
from davy.sim.users import Users

SOME_REQUESTS_S = 1.0
"""How long after a change of the split its users have made requests that can be counted."""
RATE_HZ = 8.0
"""Requests a second that users make to each rollout."""
UPSTREAM = 0.2
"""The share of errors of every version while what all of them need fails."""


class World:
    """Everything there is in one world; `run` lets it happen.

    Args:
        plan: what was drawn of it.
        parts: how the platform and the store in memory are made.
        die_at: the one place at which the engine is killed, if it is not left to chance.
        detailed: whether the story tells every call to a port.
    """

    def __init__(self, plan: Plan, parts: Parts, *, die_at: int | None = None, detailed: bool = False) -> None:
        self.plan, self.clock = plan, VirtualClock()
        self.history, self.story = History(self.clock), Story(self.clock)
        self.events = 0
        self.teams = {team.key: team for team in (Team(plan.seed, service) for service in plan.services)}
        self.notes: Notes = {}
        self.timeline, self.weather = Timeline(self.clock), Weather()
        self.terrain = Terrain(
            parts.platform(self.clock.now),
            self.weather,
            self.timeline,
            self._call,
            self._changed,
            self._start_s,
            self.tell,
        )
        self.users = Users(self.clock, RATE_HZ, self._failing, self.tell)
        self._shared = parts.store()
        self.processes = self._processes(die_at, detailed)
        self._qualities = {key: team.service.qualities for key, team in self.teams.items()}
        self._over_at = max((window.begins_at + window.lasts_s for window in plan.windows), default=0.0)
        self._released_at = 0.0
        self._wishes: set[str] = set()
        self._deeds = 0
        self._idle = False

    def run(self) -> None:
        """Let everything happen.

        Raises:
            Broken: an invariant does not hold.
        """
        self._begin()
        while not self._idle:
            act = self.timeline.pop()
            act()
            self.events += 1
            if (
                self.clock.time
                > max(self._over_at, self.history.calm_since, self._released_at) + self.plan.pace.overdue_s
            ):
                self.tell(Overdue(self._unrest()))
        self.tell(Rested())

    def tell(self, happening: Happening) -> None:
        """Let it be known what happened, and hold the invariants against it."""
        self.history.take(happening)
        self.story.take(happening, self.terrain.images)
        hold(happening, self.history)

    # How things are:

    def _processes(self, die_at: int | None, detailed: bool) -> tuple[Process, ...]:
        """Make the engines: one, or one and another that stands by."""
        seed = self.plan.seed
        place = Place(
            timeline=self.timeline,
            weather=self.weather,
            store=self._shared,
            terrain=self.terrain,
            users=self.users,
            notes=self.notes,
            providers={"prometheus": SimulatedProvider(self._measured, self.weather, self.tell)},
            latency=Random(f"{seed}/latency"),  # noqa: S311  a world is to be repeated
            tell=self.tell,
            say=self.story.say,
            deaf=self._deaf,
            pace=self.plan.pace,
            scrape_s=self.plan.scrape_s,
        )
        names = ("the engine", "the standby") if self.plan.standby else ("the engine",)
        return tuple(
            Process(
                name,
                place,
                Boundary(
                    Random(f"{seed}/{name}"),  # noqa: S311
                    self.plan.crash_risk,
                    trace=(lambda call: self.story.say(call, "call")) if detailed else None,
                    at=die_at,
                ),
                self._settled,
            )
            for name in names
        )

    def _acting(self) -> Process | None:
        """Return the process whose engine answers people."""
        up = (process for process in self.processes if process.engine is not None and not process.stalled)
        return next(up, None)

    def _start_s(self, key: Key, image: str, pod: str) -> float | None:
        """Say how long a replica takes to be ready."""
        if not self._qualities[key][image].ready:
            return None
        return Random(f"{self.plan.seed}/{pod}").uniform(1.0, 12.0)  # noqa: S311

    def _shown(self, key: Key, hash_: str) -> Quality:
        """Return the quality that a version shows now."""
        qualities = self._qualities[key]
        quality = qualities[self.terrain.images[hash_]]
        if quality.from_s:
            attempts = self.history.tracks[key].attempts
            met = [each.met_at for each in attempts if each.hash == hash_ and each.met_at is not None]
            if not met or self.clock.time < met[0] + quality.from_s:
                return qualities[f"{key.name}:1"]
        return quality

    def _failing(self, key: Key, hash_: str) -> float:
        if not self.terrain.answers(key, hash_):
            return 1.0
        least = UPSTREAM if self.weather.has("upstream", key.name) else 0.0
        return max(least, self._shown(key, hash_).failing)

    def _measured(self, key: Key, hash_: str) -> tuple[float, ...]:
        value = self._shown(key, hash_).measured
        return () if value is None else (value,)

    def _deaf(self) -> frozenset[Key]:
        """Name those that have to give back and cannot: nothing is acknowledged, or nobody could answer."""
        return frozenset(
            key
            for key, track in self.history.giving_back.items()
            if self.terrain.deaf(key)
            or not (self.terrain.answers(key, track.account.stable) or track.shares.get(track.account.stable))
        )

    # What happens:

    def _begin(self) -> None:
        for window in self.plan.windows:
            self.timeline.at(window.begins_at, lambda window=window: self._fault(window))  # type: ignore[misc]
        if self.plan.applied:
            self._lay_down()
        for process in self.processes:
            process.start()
        self.timeline.after(1.0, self._look_on if self.plan.applied else self._apply)
        self.timeline.after(self.plan.scrape_s, self._read)

    def _call(self, key: Key) -> None:
        """Let the users of a rollout have made their requests until now."""
        self.users.call(key, self.terrain.split(key))

    def _changed(self, key: Key) -> None:
        """Tell the engines that something happened to a rollout."""
        if not self.weather.has("news", key.name):
            for process in self.processes:
                if process.engine is not None:
                    process.engine.kick(key)
                    process.plan_turn(self.clock.time)

    def _read(self) -> None:
        """Let the proxy's counters be read, and the engines look.

        They are read where they can tell something: while an update is under way, and after the split changed.
        """
        for key, track in self.history.tracks.items():
            if not track.is_read and not self.weather.has("scrape", key.name):
                self._call(key)
                self.users.read(key)
                self.tell(Counted(key))
                track.is_read = self._is_over(track) and self.clock.time > track.split_since + SOME_REQUESTS_S
        for process in self.processes:
            if process.engine is not None:
                process.engine.looked()
                process.plan_turn(self.clock.time)
        self.timeline.after(self.plan.scrape_s, self._read)

    def _fault(self, window: Window) -> None:
        where = f" ({window.where})" if window.where else ""
        self.story.say(f"{FAULTS[window.kind]}{where}, for {window.lasts_s:g} s", "fault")
        self._serve(window)
        self.weather.begin(window)
        self._calm()
        if window.kind in ("stable", "pods"):
            self._hurt(Key("default", window.where), window)
        self.timeline.after(window.lasts_s, lambda: self._over(window))

    def _serve(self, window: Window) -> None:
        """Let users have got what they got until now, where that is about to be another thing."""
        if window.kind == "upstream":
            self._call(Key("default", window.where))

    def _hurt(self, key: Key, window: Window) -> None:
        """Let a fault of the replicas do its harm, and be healed."""
        track = self.history.tracks.get(key)
        if track is None or track.state is None or not self.terrain.split(key):
            return
        hash_ = track.state.stable if window.kind == "stable" else track.state.current
        if hash_ in self.terrain.images:  # an engine may have died before it asked for any replica of it
            self.terrain.hurt(key, hash_, crash=window.kind == "pods")
            if self._qualities[key][self.terrain.images[hash_]].ready:
                self.timeline.after(window.lasts_s, lambda: self.terrain.heal(key, hash_))

    def _over(self, window: Window) -> None:
        where = f" ({window.where})" if window.where else ""
        self._serve(window)
        self.weather.end(window)
        self._calm()
        self.story.say(f"over: {FAULTS[window.kind]}{where}", "fault")

    @staticmethod
    def _is_over(track: Track) -> bool:
        return track.state is not None and isinstance(track.state.progress, Settled | Aborted)

    def _settled(self, troubled: Callable[[], bool]) -> None:
        """Note that a process turned, or that it is not there any more."""
        self._calm()
        self._idle = not self._unrest() and not troubled()

    def _calm(self) -> None:
        """Note since when all is well."""
        if self.weather.active or self._acting() is None:
            self.history.calm_since = float("inf")
        elif self.history.calm_since == float("inf"):
            self.history.calm_since = self.clock.time

    # People:

    def _apply(self) -> None:
        """Apply the manifests, until it is done."""
        request = requests.Apply(texts(self.plan), "/", reason="the first version")
        process = self._acting()
        try:
            assert process is not None, "nobody answers"
            view = process.ask(request, "somebody")
        except (AssertionError, Killed, DavyError):
            self.timeline.after(RETRY_S, self._apply)
            return
        assert isinstance(view, ApplyView)
        assert view.accepted, [finding.text for finding in view.findings]
        self._look_on()

    def _lay_down(self) -> None:
        """Put into the store what applying the manifests would have."""
        found = objects(self.plan)
        drafts = [Draft(0.0, "object_applied", f"{each.kind} {each.key}") for each in found]
        changes = stored(*found)
        for rollout in (each for each in found if isinstance(each, Rollout)):
            template = rollout.spec.template
            launch = self.terrain.ground.resolve(rollout.key, template)
            state, events = actions.create(rollout, template, launch, 0.0)
            changes["rollout", str(rollout.key)] = msgspec.json.encode(state)
            drafts += [Draft(0.0, event.kind, f"Rollout {rollout.key}", event.detail) for event in events]
        nobody = Boundary(Random(0))  # noqa: S311  never drawn from
        SimulatedStore(self._shared, nobody, self.weather, self.tell).commit(changes, drafts)

    def _look_on(self) -> None:
        """Let every team begin to look after its rollout."""
        for team in self.teams.values():
            self.timeline.after(self.plan.pace.people_look_s, lambda team=team: self._look_after(team))  # type: ignore[misc]

    def _look_after(self, team: Team) -> None:
        """Let a team see to its rollout: what waits, what is next."""
        track = self.history.tracks[team.key]
        wish = team.look_after(track)
        release = team.next_release
        if wish is None and release and self._ends_or_hurries(track, team):
            self.timeline.after(release.after_s, lambda: self._release(team, release))
            return
        if wish is not None:
            self._wish(team, wish)
        self.timeline.after(self.plan.pace.people_look_s, lambda: self._look_after(team))

    def _ends_or_hurries(self, track: Track, team: Team) -> bool:
        """Say whether a team would go on to its next release: the last is over, or they do not wait."""
        if track.state is None:
            return False
        if team.service.hasty and track.state.stable:
            return True
        if isinstance(track.state.progress, Aborted):
            return not team.will_retry(track)
        return isinstance(track.state.progress, Settled)

    def _release(self, team: Team, release: Release) -> None:
        what = self._qualities[team.key][release.image].what
        self.story.say(f"somebody releases {release.image}: {what}", "person")
        self._released_at = self.clock.time
        self._wish(team, team.release(release))
        for deed in release.deeds:
            self._deeds += 1
            self.timeline.after(deed.after_s, lambda verb=deed.verb: self._do(team, verb))  # type: ignore[misc]
        self.timeline.after(self.plan.pace.people_look_s, lambda: self._look_after(team))

    def _do(self, team: Team, verb: str) -> None:
        """Let somebody do what they do by the clock."""
        self._deeds -= 1
        self._released_at = self.clock.time
        self._wish(team, team.deed(verb))

    def _wish(self, team: Team, wish: Wish) -> None:
        """Ask for something until there is an answer."""
        self._idle = False
        self._wishes.add(wish.reason)
        verb = type(wish).__name__.lower()
        process = self._acting()
        if process is None:
            self.timeline.after(RETRY_S, lambda: self._wish(team, wish))
            return
        answer: Answer = "done"
        self.tell(Wished(team.key, verb))
        try:
            for _ in range(2 if self.weather.has("repeat") else 1):
                process.ask(wish, f"{team.service.name} team")
        except (Killed, Fenced):
            self.timeline.after(RETRY_S, lambda: self._wish(team, wish))
            return
        except Refused:
            answer = "refused"
        except DavyError:
            answer = "failed"
            self.timeline.after(RETRY_S, lambda: self._wish(team, wish))
        if answer != "failed":
            self._wishes.discard(wish.reason)
        self.tell(Acted(team.key, verb, wish.reason, answer))

    # The end:

    def _unrest(self) -> str:
        """Say what is not at rest, or return an empty string."""
        if len(self.history.tracks) < len(self.teams):
            return "not everything is applied yet"
        if self._acting() is None:
            return "no engine is up"
        if self.weather.active or self.clock.time < self._over_at:
            return "there are faults"
        if self._deeds:
            return "somebody is about to do something"
        if self._wishes:
            return f"people wait for an answer: {', '.join(sorted(self._wishes))}"
        if self.notes:
            return f"the spool still has notes of {', '.join(self.notes)}"
        for key, track in self.history.tracks.items():
            if restless := self._restless(key, track):
                return f"{key}: {restless}"
        return ""

    def _restless(self, key: Key, track: Track) -> str:
        team, state = self.teams[key], track.state
        if team.next_release or state is None:
            return "there is more to be released"
        if not isinstance(state.progress, Settled | Aborted):
            return f"its update is under way: {state.progress}"
        if isinstance(state.progress, Aborted) and team.will_retry(track):
            return "it will be tried again"
        if track.manifest.spec.paused:
            return "it is paused by hand"
        if set(track.shares) != {state.stable}:
            return f"its users are sent to {dict(track.shares)}, and stable is {state.stable}"
        if self.users.read_at(key) <= track.split_since + SOME_REQUESTS_S:
            return "its counters are to be read"
        return ""
