"""What people change: manifests, images, what is done to a rollout. Who and why goes into the same transaction.

What may take long (a build behind an image) is waited for before the gate is taken; what is held may have
changed by then, and is looked at again.
"""

from collections.abc import Iterable

import msgspec

from davy.control import admission, removal, requests, views
from davy.control.acting import check_deletable, perform
from davy.control.catalog import stored
from davy.control.held import Held
from davy.control.holdings import Holdings
from davy.control.loop import Loop
from davy.control.manifest_edits import with_images
from davy.control.ports import Clock
from davy.control.requests import Action
from davy.control.turn import World, commit, owed, paid
from davy.errors import Conflict
from davy.ledger.entry import Draft
from davy.ledger.store import Record
from davy.model.images import ImageMap
from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.actions import Outcome
from davy.rollout.decision import Event
from davy.rollout.platform import Launch


class Changing:
    """Changes what is held, each time all of it or nothing."""

    def __init__(self, world: World, holdings: Holdings, clock: Clock, loop: Loop) -> None:
        self._world, self._holdings, self._clock, self._loop = world, holdings, clock, loop

    def apply(self, request: requests.Apply, actor: str) -> views.ApplyView:
        """Accept manifests, all of them or none.

        Raises:
            DavyError: nothing says what an image runs, or what was there changed meanwhile.
        """
        catalog = self._holdings.catalog
        admitted = admission.admit(request.texts, request.directory, catalog)
        if not admitted.accepted or request.dry_run:
            return admission.answer(admitted, catalog)
        for images in admitted.of(ImageMap):
            self._world.platform.use_images(images)
        launches = {
            found.key: self._world.platform.resolve(found.key, found.spec.template)
            for found in catalog.concerned(admitted.objects)
        }
        with self._holdings.gate:
            view, now = admission.answer(admitted, catalog), self._clock.now()
            applied = [
                Draft(now, "object_applied", f"{found.kind} {found.key}", {}, actor, request.reason)
                for found in admitted.objects
                if catalog.outcome(found) != "unchanged"
            ]
            rollouts = catalog.concerned(admitted.objects)
            if not launches.keys() >= {rollout.key for rollout in rollouts}:
                raise Conflict("another rollout took the template in the meantime", hint="apply it again")
            fresh = [self._revise(rollout, launches[rollout.key], now) for rollout in rollouts]
            self._write_down(fresh, stored(*admitted.objects), applied, now)
            catalog.put(*admitted.objects)
            self._holdings.put(*(held for held, _ in fresh))
        if fresh:
            self._loop.kick(*(held.key for held, _ in fresh))
        return view

    def set_image(self, request: requests.SetImage, actor: str) -> views.ActionView:
        """Go to other images, as `kubectl argo rollouts set image` does.

        Raises:
            DavyError: there is no such rollout or container, or nothing says what the image runs.
        """
        namespace, name, catalog = request.namespace, request.name, self._holdings.catalog
        found = with_images(self._holdings.find(namespace, name).manifest, request.images)
        launch = self._world.platform.resolve(found.key, found.spec.template)
        detail: dict[str, object] = {"action": "set image", "images": request.images}
        with self._holdings.gate:
            now, held = self._clock.now(), self._holdings.find(namespace, name)
            rollout = with_images(held.manifest, request.images)
            if rollout.spec.template != found.spec.template:
                raise Conflict(f"{name} got another template in the meantime", hint="set it again")
            fresh, (state, events) = self._revise(rollout, launch, now)
            drafts = [Draft(now, "human_action", held.subject, detail, actor, request.reason)]
            written = catalog.written(rollout)
            changes = {**stored(*written), _record_of(fresh): msgspec.json.encode(state)}
            commit(fresh, self._world, changes, [*drafts, *_drafts(fresh, events, now)], patient=False)
            catalog.put(*written)
            self._holdings.put(fresh)
        self._loop.kick(rollout.key)
        return _said(request, f'rollout "{name}" image updated')

    def act(self, action: Action, actor: str) -> views.ActionView:
        """Do what a person asked for, and take the rollout's turn at once.

        Raises:
            DavyError: it cannot be done.
        """
        with self._holdings.gate:
            held = self._holdings.find(action.namespace, action.name)
            now = self._clock.now()
            deed = perform(action, held, now)
            state, events = deed.outcome
            draft = Draft(now, "human_action", held.subject, deed.detail, actor, action.reason)
            written = self._holdings.catalog.written(deed.manifest)
            changes: dict[Record, bytes | None] = {} if deed.manifest == held.manifest else stored(*written)
            changes[_record_of(held)] = msgspec.json.encode(state)
            drafts = [draft, *_drafts(held, events, now)]
            commit(held, self._world, changes, drafts, patient=isinstance(action, requests.Abort))
            self._holdings.catalog.put(*written)
            held.manifest, held.state, held.steered = deed.manifest, state, None
            self._loop.turn_one(held)
        self._loop.kick(held.key)
        return _said(action, deed.said)

    def delete(self, request: requests.Delete, actor: str) -> views.ActionView:
        """Take a rollout away; what could not be stopped at once is stopped by a later turn.

        Raises:
            DavyError: there is none, or it is in the middle of an update.
        """
        with self._holdings.gate:
            held = self._holdings.find(request.namespace, request.name)
            check_deletable(held)
            runs = self._world.runs.of(held.key)
            draft = Draft(self._clock.now(), "object_deleted", held.subject, {}, actor, request.reason)
            forgetting = removal.forgetting(held.key, [run.key for run in runs])
            late = self._loop.drop_answers(runs)
            commit(held, self._world, forgetting, [*late, draft], patient=False)
            self._world.runs.forget(*runs)
            self._holdings.catalog.remove("Rollout", held.key)
            self._holdings.drop(held.key)
            trouble = self._loop.part_with(held.key)
        return _said(request, f'rollout "{request.name}" deleted{trouble}')

    def _revise(self, rollout: Rollout, launch: Launch, now: float) -> tuple[Held, Outcome]:
        """Work out what a manifest makes of a rollout, in a copy of what is held."""
        held, template = self._holdings.rollouts.get(rollout.key), rollout.spec.template
        if held is None:
            outcome = actions.create(rollout, template, launch, now)
            return Held(rollout, outcome[0]), outcome
        outcome = actions.revise(rollout, held.state, template, launch, now)
        late, records = held.unsaved, held.unsaved_changes
        return Held(rollout, outcome[0], held.watch, None, "", late, records), outcome

    def _write_down(
        self,
        fresh: list[tuple[Held, Outcome]],
        changes: dict[Record, bytes | None],
        drafts: list[Draft],
        now: float,
    ) -> None:
        """Write several rollouts at once, with what an abort of theirs could not write before."""
        for held, (state, events) in fresh:
            earlier, late = owed(held)
            changes = {**earlier, **changes, _record_of(held): msgspec.json.encode(state)}
            drafts = [*late, *drafts, *_drafts(held, events, now)]
        self._world.store.commit(changes, drafts)
        for held, _ in fresh:
            paid(held, self._world)


def _record_of(held: Held) -> Record:
    return "rollout", str(held.key)


def _drafts(held: Held, events: Iterable[Event], now: float) -> list[Draft]:
    return [Draft(now, event.kind, held.subject, event.detail) for event in events]


def _said(request: Action | requests.SetImage | requests.Delete, message: str) -> views.ActionView:
    return views.ActionView(namespace=request.namespace, name=request.name, message=message)
