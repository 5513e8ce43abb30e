"""The engine: turns the loop, and answers whoever asks.

A turn is taken of those rollouts to which something happened (a replica came or went, users got something, an
answer came, somebody acted) or whose time has come, and of no other. One gate guards what is held in memory;
the turn of one rollout holds it for a millisecond, and who waits for it is next. What may take long (a build
behind an image, a provider's answer) is waited for outside of it. One rollout that cannot take its turn keeps
its trouble to itself, and the others go on.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

import msgspec

from davy import __version__
from davy.control import admission, picture, removal, requests, views
from davy.control.acting import check_deletable, perform
from davy.control.agenda import LOOK_S, Agenda
from davy.control.answers import Answers
from davy.control.catalog import Catalog, stored
from davy.control.gate import Gate
from davy.control.held import Held, Watch
from davy.control.manifest_edits import with_images
from davy.control.ports import Clock
from davy.control.requests import Action
from davy.control.tenure import Tenure
from davy.control.turn import NOTED, World, commit, gap, owed, paid, take_turn
from davy.errors import Conflict, DavyError, NotFound
from davy.ledger.entry import Draft
from davy.ledger.lease import Fenced
from davy.ledger.store import Record, StoreUnavailable
from davy.model.images import ImageMap
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.actions import Outcome
from davy.rollout.platform import Launch
from davy.rollout.state import RolloutState

RETRY_S = 0.25
"""Real seconds after which a turn that could not be finished is taken again."""

MOST = 50
"""How many rollouts take their turns before the loop looks for news again."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How an engine runs: who it is, how fast its clock goes (for `health`), how often it looks unasked."""

    pid: int
    speed: float
    look_s: float = LOOK_S


class Engine:
    """Holds the rollouts of one store and turns their loop.

    With a `tenure` it does so for as long as nobody else has taken the lease; `fenced` then says who has.
    """

    def __init__(
        self, world: World, catalog: Catalog, clock: Clock, setting: Setting, tenure: Tenure | None = None
    ) -> None:
        self._world, self._clock, self._setting, self._tenure = world, clock, setting, tenure
        self.fenced: Fenced | None = None
        self._gate, self._agenda = Gate(), Agenda(setting.look_s)
        self._changed = threading.Event()
        self._stopping = self._counts_came = False
        self._answers = Answers(world.runs, world.store)
        self._retry_s = RETRY_S / clock.real_seconds(1.0)
        self._recover()
        self.catalog = catalog
        for images in catalog.objects:
            if isinstance(images, ImageMap):
                world.platform.use_images(images)
        self._held = self._load()
        self._counting: set[Key] = set()
        self._leaving = removal.leaving(world)
        world.runs.load(world.store.load("run"))
        detail: dict[str, object] = {"version": __version__, "rollouts": len(self._held)}
        if tenure is not None:
            detail |= {"epoch": tenure.lease.epoch}
        world.store.commit({}, [Draft(clock.now(), "engine_started", "Engine davy", detail)])
        self._agenda.kick(*self._held)

    def kick(self, *keys: Key) -> None:
        """Say that something happened to these rollouts, or to all where none is named; they are next."""
        self._agenda.kick(*keys)
        self._changed.set()

    def looked(self) -> None:
        """Say that the data plane was read; those that learn from it are next."""
        self._counts_came = True
        self._changed.set()

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
            now = self._clock.now()
            with self._gate:
                self._take_in_answers()
                self._take_in_counts()
                if self._leaving:
                    self._take_away()
            for key in self._agenda.take(now, MOST):
                with self._gate:
                    if key in self._held:  # somebody may have deleted it a moment ago
                        self._turn_one(self._held[key])
                self._keep_lease()
            with self._gate:
                wakes = [self._agenda.next_at(now), self._world.runs.ask_due(now)]
            if self._answers.owners or self._leaving:
                wakes.append(now + self._retry_s)
            return min((wake for wake in wakes if wake is not None), default=None)

    def handle(self, request: requests.AnyRequest, actor: str) -> views.AnyView:
        """Answer a request.

        Raises:
            DavyError: it cannot be done; nothing was changed.
        """
        with self._fencing():
            return self._answer(request, actor)

    def _answer(self, request: requests.AnyRequest, actor: str) -> views.AnyView:
        match request:
            case requests.Apply():
                return self._apply(request, actor)
            case requests.SetImage():
                return self._set_image(request, actor)
            case requests.Health():
                return self._health()
            case requests.List(namespace=namespace):
                return views.RolloutList(items=self._pictures(namespace))
            case requests.Get():
                with self._gate:
                    return self._picture(self._find(request))
            case requests.Manifest():
                with self._gate:
                    held = self._find(request)
                    written = self.catalog.written(held.manifest)[0]
                    seen, runs = self._world.platform.look(held.key), self._world.runs.of(held.key)
                    return picture.manifest(held, seen, written, runs)
            case requests.Why():
                subject = self._find(request).subject
                entries = self._world.store.entries(subject=subject, limit=100_000)
                with self._gate:
                    held = self._find(request)
                    return picture.why(held, self._picture(held), entries)
            case requests.Record():
                return self._record(request)
            case requests.Query(query=query):
                return picture.query(self._world.queries.instant(query, self._clock.now()))
            case requests.Delete():
                return self._delete(request, actor)
            case (
                requests.Undo()
                | requests.Restart()
                | requests.Scale()
                | requests.Promote()
                | requests.Abort()
                | requests.Retry()
                | requests.Pause()
                | requests.Resume() as action
            ):
                return self._act(action, actor)
            case _:
                assert_never(request)

    def _recover(self) -> None:
        """Bring into the store what an abort noted while the store could not be written.

        An engine may have died after it had written a note and before it forgot it; that one stays as it is.
        """
        marks = {(NOTED, subject): mark for subject, mark in self._world.store.load(NOTED).items()}
        for changes, drafts in self._world.spool.take():
            if any(marks.get(record) == mark for record, mark in changes.items() if record[0] == NOTED):
                continue
            self._world.store.commit(changes, [*gap(drafts), *drafts])
        self._world.spool.clear("")

    def _load(self) -> dict[Key, Held]:
        """Take up every rollout where it was left."""
        states = self._world.store.load("rollout")
        watches = self._world.store.load("watch")
        held = {}
        for key, manifest in self.catalog.rollouts.items():
            state = msgspec.json.decode(states[str(key)], type=RolloutState)
            watch = watches.get(str(key))
            held[key] = Held(manifest, state, msgspec.json.decode(watch, type=Watch) if watch else None)
        return held

    @contextmanager
    def _fencing(self) -> Iterator[None]:
        """End the loop once it has come out that another engine has taken over, whoever finds out."""
        try:
            yield
        except Fenced as error:
            self.fenced = error
            self.stop()
            raise

    def _keep_lease(self) -> None:
        if self._tenure is not None:
            self._tenure.keep()

    def _take_in_answers(self) -> None:
        """Take in what providers answered since the last turn, and write it down.

        What an abort could not write down of the same rollouts comes before it.
        """
        for run in self._answers.take_in():
            if run.state.completed:
                self._agenda.kick(run.owner)
        concerned = [self._held[owner] for owner in self._answers.owners & self._held.keys()]
        late = [held for held in concerned if held.is_late]
        try:
            self._answers.write_down(after=[owed(held) for held in late])
        except StoreUnavailable as error:
            for held in concerned:
                held.trouble = error.message
            return
        for held in late:
            paid(held, self._world)

    def _take_in_counts(self) -> None:
        """Find out whom it concerns what users got since the last turn."""
        if self._counts_came:
            self._counts_came = False
            for key in self._counting:
                if self._held[key].learns_from(self._world.traffic.counters(key)[1]):
                    self._agenda.kick(key)

    def _turn_one(self, held: Held) -> None:
        """Take the turn of one rollout, and say when the next is; its failure stays its own."""
        now, wake_at, trouble = self._clock.now(), None, ""
        try:
            wake_at = take_turn(held, self._world, now)
        except Fenced:
            raise
        except DavyError as error:
            trouble = error.message
        except Exception as error:  # noqa: BLE001  a fault met by one rollout must not keep others from an abort
            trouble = f"a fault of Davy itself: {type(error).__name__}: {error}"
        late = len(held.unsaved)
        held.trouble = trouble or (f"{late} entries of an abort are not written down yet" if late else "")
        if held.unfinished:
            wake_at = now + self._retry_s if wake_at is None else min(wake_at, now + self._retry_s)
        self._agenda.put(held.key, wake_at, now)
        (self._counting.add if held.counting else self._counting.discard)(held.key)

    def _find(
        self,
        request: requests.Get | requests.Manifest | requests.Why | requests.SetImage | requests.Delete | Action,
    ) -> Held:
        """Find the rollout that a request names."""
        held = self._held.get(Key(request.namespace, request.name))
        if held is None:
            known = ", ".join(key.name for key in sorted(self._held) if key.namespace == request.namespace)
            raise NotFound(
                f'rollout "{request.name}" not found in namespace "{request.namespace}"',
                hint=f"known there: {known}" if known else "davy apply -f FILE makes one",
            )
        return held

    def _pictures(self, namespace: str) -> tuple[views.RolloutView, ...]:
        """Draw the rollouts of a namespace one by one, so that nobody waits for all of them."""
        found = []
        for key, held in sorted(self._held.items()):
            if namespace in ("", key.namespace):
                with self._gate:
                    found.append(self._picture(held))
        return tuple(found)

    def _picture(self, held: Held) -> views.RolloutView:
        """Draw a rollout as it is now."""
        seen = self._world.platform.look(held.key)
        _, counters = self._world.traffic.counters(held.key)
        runs = self._world.runs.of(held.key)
        return picture.rollout(held, seen, counters, runs, self._clock.now())

    def _record(self, request: requests.Record) -> views.RecordView:
        """Read the record."""
        subject = f"Rollout {Key(request.namespace, request.name)}" if request.name else ""
        limit = max(1, min(request.limit, 100_000))
        return views.RecordView(
            entries=self._world.store.entries(after=request.after, subject=subject, limit=limit)
        )

    def _health(self) -> views.HealthView:
        """Say how the engine is."""
        with self._gate:
            troubles = [f"{key}: {held.trouble}" for key, held in sorted(self._held.items()) if held.trouble]
            if self._tenure is not None and self._tenure.trouble:
                troubles.append(self._tenure.trouble)
            return views.HealthView(
                version=__version__,
                pid=self._setting.pid,
                speed=self._setting.speed,
                now=self._clock.now(),
                rollouts=len(self._held),
                troubles=tuple(troubles),
            )

    def _apply(self, request: requests.Apply, actor: str) -> views.ApplyView:
        """Accept manifests, all of them or none."""
        admitted = admission.admit(request.texts, request.directory, self.catalog)
        if not admitted.accepted or request.dry_run:
            return admission.answer(admitted, self.catalog)
        for images in admitted.of(ImageMap):
            self._world.platform.use_images(images)
        launches = {
            found.key: self._world.platform.resolve(found.key, found.spec.template)
            for found in self.catalog.concerned(admitted.objects)
        }
        with self._gate:
            view = admission.answer(admitted, self.catalog)
            now = self._clock.now()
            changes = stored(*admitted.objects)
            drafts = [
                Draft(now, "object_applied", f"{found.kind} {found.key}", {}, actor, request.reason)
                for found in admitted.objects
                if self.catalog.outcome(found) != "unchanged"
            ]
            rollouts = self.catalog.concerned(admitted.objects)
            if not launches.keys() >= {rollout.key for rollout in rollouts}:
                raise Conflict("another rollout took the template in the meantime", hint="apply it again")
            fresh = [self._revise(rollout, launches[rollout.key], now) for rollout in rollouts]
            for held, (state, events) in fresh:
                earlier, late = owed(held)
                changes = {**earlier, **changes, ("rollout", str(held.key)): msgspec.json.encode(state)}
                drafts = [
                    *late,
                    *drafts,
                    *(Draft(now, event.kind, held.subject, event.detail) for event in events),
                ]
            self._world.store.commit(changes, drafts)
            for held, _ in fresh:
                paid(held, self._world)
            self.catalog.put(*admitted.objects)
            self._held = self._held | {held.key: held for held, _ in fresh}
        if fresh:
            self.kick(*(held.key for held, _ in fresh))
        return view

    def _revise(self, rollout: Rollout, launch: Launch, now: float) -> tuple[Held, Outcome]:
        """Work out what a manifest makes of a rollout, in a copy of what is held."""
        held = self._held.get(rollout.key)
        template = rollout.spec.template
        if held is None:
            outcome = actions.create(rollout, template, launch, now)
            return Held(rollout, outcome[0]), outcome
        outcome = actions.revise(rollout, held.state, template, launch, now)
        late, records = held.unsaved, held.unsaved_changes
        return Held(rollout, outcome[0], held.watch, None, "", late, records), outcome

    def _set_image(self, request: requests.SetImage, actor: str) -> views.ActionView:
        """Go to other images, as `kubectl argo rollouts set image` does."""
        found = with_images(self._find(request).manifest, request.images)
        launch = self._world.platform.resolve(found.key, found.spec.template)
        detail: dict[str, object] = {"action": "set image", "images": request.images}
        with self._gate:
            now, held = self._clock.now(), self._find(request)
            rollout = with_images(held.manifest, request.images)
            if rollout.spec.template != found.spec.template:
                raise Conflict(f"{request.name} got another template in the meantime", hint="set it again")
            fresh, (state, events) = self._revise(rollout, launch, now)
            drafts = [Draft(now, "human_action", held.subject, detail, actor, request.reason)]
            drafts += [Draft(now, event.kind, held.subject, event.detail) for event in events]
            written = self.catalog.written(rollout)
            changes = stored(*written)
            changes["rollout", str(rollout.key)] = msgspec.json.encode(state)
            commit(fresh, self._world, changes, drafts, patient=False)
            self.catalog.put(*written)
            self._held = self._held | {rollout.key: fresh}
        self.kick(rollout.key)
        return _said(request, f'rollout "{request.name}" image updated')

    def _act(self, action: Action, actor: str) -> views.ActionView:
        """Do what a person asked for, with who and why in the same transaction."""
        with self._gate:
            held = self._find(action)
            now = self._clock.now()
            deed = perform(action, held, now)
            state, events = deed.outcome
            draft = Draft(now, "human_action", held.subject, deed.detail, actor, action.reason)
            drafts = [draft, *(Draft(now, event.kind, held.subject, event.detail) for event in events)]
            written = self.catalog.written(deed.manifest)
            changes: dict[Record, bytes | None] = {} if deed.manifest == held.manifest else stored(*written)
            changes["rollout", str(held.key)] = msgspec.json.encode(state)
            commit(held, self._world, changes, drafts, patient=isinstance(action, requests.Abort))
            self.catalog.put(*written)
            held.manifest, held.state, held.steered = deed.manifest, state, None
            self._turn_one(held)
        self.kick(held.key)
        return _said(action, deed.said)

    def _delete(self, request: requests.Delete, actor: str) -> views.ActionView:
        """Take a rollout away; what could not be stopped at once is stopped by a later turn."""
        with self._gate:
            held = self._find(request)
            check_deletable(held)
            runs = self._world.runs.of(held.key)
            late = self._answers.drop(runs)
            draft = Draft(self._clock.now(), "object_deleted", held.subject, {}, actor, request.reason)
            forgetting = removal.forgetting(held.key, [run.key for run in runs])
            commit(held, self._world, forgetting, [*late, draft], patient=False)
            self._world.runs.forget(*runs)
            self.catalog.remove("Rollout", held.key)
            self._held = {key: each for key, each in self._held.items() if key != held.key}
            self._counting.discard(held.key)
            self._agenda.drop(held.key)
            self._leaving.add(held.key)
            trouble = self._take_away()
        return _said(request, f'rollout "{request.name}" deleted{trouble}')

    def _take_away(self) -> str:
        """Stop what still runs of deleted rollouts, unless there is a new one of the name; say what remains."""
        self._leaving -= self._held.keys()
        troubles = {key: removal.take_away(self._world, key) for key in self._leaving}
        self._leaving = {key for key, trouble in troubles.items() if trouble}
        return "".join(f"; {key} is still being stopped: {why}" for key, why in troubles.items() if why)


def _said(request: Action | requests.SetImage | requests.Delete, message: str) -> views.ActionView:
    return views.ActionView(namespace=request.namespace, name=request.name, message=message)
