"""What people change: manifests, images, what is done to a rollout. Who and why goes into the same transaction.

What may take long (a build behind an image) is waited for before the gate is taken; what is held may have
changed by then, and is looked at again.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

import msgspec

from davy.control import admission, removal, requests, views
from davy.control.acting import Deed, check_deletable, perform
from davy.control.catalog import Catalog, stored
from davy.control.catalog import Object as Manifest
from davy.control.enforcing import Enforcing, policies_in, waivers_in
from davy.control.flags.desk import check_names
from davy.control.flags.interlock import Interlock, find
from davy.control.flags.ramping import check_ramp_action, check_ramping
from davy.control.held import Held
from davy.control.holdings import Holdings
from davy.control.judges import check_needless
from davy.control.judges import swapped as judged_otherwise
from davy.control.loop import Loop
from davy.control.manifest_edits import with_images
from davy.control.pinning import is_held_to_templates, pins, refusal, swapped
from davy.control.ports import Clock
from davy.control.requests import Action
from davy.control.reviewing import as_object, as_rollout, review
from davy.control.rulebook import BUCKET, Rulebook, name_of
from davy.control.rulebook import stored as stored_policies
from davy.control.stories import story
from davy.control.turn import World, commit, owed, paid
from davy.control.waiving import Change, Waiving
from davy.errors import Conflict, NotFound
from davy.flags.ramp import name_of as ramp_of
from davy.ledger.entry import Draft
from davy.ledger.store import Record
from davy.model.flag import FeatureFlag
from davy.model.images import ImageMap
from davy.model.judge import Judge
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.policy.review import Object as Json
from davy.rollout import actions
from davy.rollout.actions import Outcome
from davy.rollout.platform import Launch
from davy.rollout.state import RolloutState, Stepping, pause_of

Revised: TypeAlias = tuple[Held, Outcome]
"""What is held of a rollout after a change, and the change."""


class Changing:
    """Changes what is held, each time all of it or nothing."""

    def __init__(
        self,
        world: World,
        holdings: Holdings,
        clock: Clock,
        loop: Loop,
        waiving: Waiving,
        rulebook: Rulebook,
        interlock: Interlock,
    ) -> None:
        self._world, self._holdings, self._clock, self._loop = world, holdings, clock, loop
        self._waiving, self._rulebook, self._interlock = waiving, rulebook, interlock
        self.enforcing = self._enforcing = Enforcing(world.store, holdings.catalog, rulebook, waiving)

    def apply(self, request: requests.Apply, actor: str) -> views.ApplyView:
        """Accept manifests, all of them or none.

        Raises:
            DavyError: nothing says what an image runs, what was there changed meanwhile, or an update under way
                is held to a template that would change.
        """
        catalog = self._holdings.catalog
        with self._holdings.gate:
            governance = self._enforcing.for_manifests(actor, self._clock.now())
            base = self._enforcing.held_under_the_names_of(request.texts, request.namespace)
        admitted = admission.admit(
            request.texts, request.directory, catalog, governance, namespace=request.namespace, base=base
        )
        if not admitted.accepted or request.dry_run:
            if not request.dry_run:
                self._enforcing.note_refusals(admitted.decisions, actor, self._clock.now())
            return self._answer(admitted)
        for images in admitted.of(ImageMap):
            self._world.platform.use_images(images)
        launches = {
            found.key: self._world.platform.resolve(found.key, found.spec.template)
            for found in catalog.concerned(admitted.objects)
        }
        with self._holdings.gate:
            check_names(self._interlock.table, admitted.of(FeatureFlag))
            known = (flag.manifest for flag in self._interlock.table.flags.values())
            check_ramping(self._holdings.rollouts.values(), admitted.of(FeatureFlag), known)
            view, now = self._answer(admitted), self._clock.now()
            policies, waivers = policies_in(admitted.raw), waivers_in(admitted.raw)
            steps = self._waiving.asked_by_file(waivers, actor)
            steps += self._enforcing.used_by(admitted.decisions, "apply", actor, now, ahead=len(steps.kept))
            changed = [found for found in admitted.objects if catalog.outcome(found) != "unchanged"]
            names = [f"{found.kind} {found.key}" for found in changed]
            names += [
                name_of(found).replace("/", " ", 1)
                for found in policies
                if self._rulebook.outcome(found) != "unchanged"
            ]
            applied = [Draft(now, "object_applied", name, {}, actor, request.reason) for name in names]
            rollouts = catalog.concerned(admitted.objects)
            if not launches.keys() >= {rollout.key for rollout in rollouts}:
                raise Conflict("another rollout took the template in the meantime", hint="apply it again")
            fresh = [self._revise(rollout, launches[rollout.key], now) for rollout in rollouts]
            fresh = self._held_to_gates(fresh, changed, admitted.objects, now)
            records = {**stored(*admitted.objects), **stored_policies(policies), **steps.records}
            then = Catalog([*catalog.objects, *admitted.objects])
            self._write_down(fresh, records, [*applied, *steps.drafts], now, then)
            catalog.put(*admitted.objects)
            self._rulebook.put(policies)
            self._waiving.take(steps)
            self._holdings.put(*(held for held, _ in fresh))
        if admitted.of(Judge):
            self._loop.kick(*self._world.judges.among(catalog.rollouts))
        if fresh:
            self._loop.kick(*(held.key for held, _ in fresh))
        return view

    def set_image(self, request: requests.SetImage, actor: str) -> views.ActionView:
        """Go to other images, as `kubectl argo rollouts set image` does.

        Raises:
            DavyError: there is no such rollout or container, nothing says what it runs, or policies refuse.
        """
        namespace, name, catalog = request.namespace, request.name, self._holdings.catalog
        check_ramp_action(Key(namespace, name), request)
        found = with_images(self._holdings.find(namespace, name).manifest, request.images)
        launch = self._world.platform.resolve(found.key, found.spec.template)
        detail: dict[str, object] = {"action": "set image", "images": request.images}
        with self._holdings.gate:
            now, held = self._clock.now(), self._holdings.find(namespace, name)
            rollout = with_images(held.manifest, request.images)
            if rollout.spec.template != found.spec.template:
                raise Conflict(f"{name} got another template in the meantime", hint="set it again")
            fresh, (state, events) = self._revise(rollout, launch, now)
            before, after = as_rollout(held.manifest, held.state), as_rollout(rollout, held.state)
            used = self._enforcing.allow(review(before, after, actor), "set image of", actor, now)
            drafts = [Draft(now, "human_action", held.subject, detail, actor, request.reason), *used.drafts]
            written = catalog.written(rollout)
            changes = {**stored(*written), **used.records, _record_of(fresh): msgspec.json.encode(state)}
            drafts += self._drafts(fresh, (state, events), now, catalog, used.drafts)
            commit(fresh, self._world, changes, drafts, patient=False)
            catalog.put(*written)
            self._waiving.take(used)
            self._holdings.put(fresh)
        self._loop.kick(rollout.key)
        return self._said(request, f'rollout "{name}" image updated')

    def act(self, action: Action, actor: str) -> views.ActionView:
        """Do what a person asked for, and take the rollout's turn at once.

        Raises:
            DavyError: it cannot be done, or policies refuse it.
        """
        with self._holdings.gate:
            held = self._holdings.find(action.namespace, action.name)
            check_ramp_action(held.key, action)
            now = self._clock.now()
            deed = perform(action, held, now)
            used = self._allow(action, held, deed, actor, now)
            state = deed.outcome[0]
            draft = Draft(now, "human_action", held.subject, deed.detail, actor, action.reason)
            written = self._holdings.catalog.written(deed.manifest)
            changes: dict[Record, bytes | None] = {} if deed.manifest == held.manifest else stored(*written)
            changes |= {**used.records, _record_of(held): msgspec.json.encode(state)}
            told = self._drafts(held, deed.outcome, now, self._holdings.catalog, used.drafts)
            drafts = [draft, *used.drafts, *told]
            commit(held, self._world, changes, drafts, patient=isinstance(action, requests.Abort))
            self._holdings.catalog.put(*written)
            self._waiving.take(used)
            held.manifest, held.state, held.steered = deed.manifest, state, None
            self._loop.turn_one(held)
        self._loop.kick(held.key)
        return self._said(action, deed.said)

    def delete(self, request: requests.Delete, actor: str) -> views.ActionView:
        """Take a rollout away; what could not be stopped at once is stopped by a later turn.

        Raises:
            DavyError: there is none, it is in the middle of an update, or policies refuse.
        """
        with self._holdings.gate:
            held = self._holdings.find(request.namespace, request.name)
            check_deletable(held)
            now = self._clock.now()
            going = review(as_rollout(held.manifest, held.state), None, actor)
            used = self._enforcing.allow(going, "delete", actor, now)
            runs = self._world.runs.of(held.key)
            draft = Draft(now, "object_deleted", held.subject, {}, actor, request.reason)
            forgetting = {**removal.forgetting(held.key, [run.key for run in runs]), **used.records}
            late = self._loop.drop_answers(runs)
            commit(held, self._world, forgetting, [*late, draft, *used.drafts], patient=False)
            self._waiving.take(used)
            self._world.runs.forget(*runs)
            self._holdings.catalog.remove("Rollout", held.key)
            self._holdings.drop(held.key)
            trouble = self._loop.part_with(held.key)
        return self._said(request, f'rollout "{request.name}" deleted{trouble}')

    def delete_policy(self, request: requests.DeletePolicy, actor: str) -> views.ActionView:
        """Take a policy away that was applied; whether that may be done is for policies to say, too.

        Raises:
            DavyError: there is none, it is the pack's, or policies refuse.
        """
        name = "/".join(part for part in (request.kind, request.namespace, request.name) if part)
        with self._holdings.gate:
            found, now = self._rulebook.removable(name), self._clock.now()
            used = self._enforcing.allow(review(found, None, actor), "delete", actor, now)
            subject = name.replace("/", " ", 1)
            draft = Draft(now, "object_deleted", subject, {}, actor, request.reason)
            self._world.store.commit({(BUCKET, name): None, **used.records}, [draft, *used.drafts])
            self._waiving.take(used)
            self._rulebook.remove(name)
        return self._said(request, f'{request.kind.lower()} "{request.name}" deleted')

    def delete_judge(self, request: requests.DeletePolicy, actor: str) -> views.ActionView:
        """Take a Judge away; the rollouts that it judged have the guard again.

        Raises:
            DavyError: there is none, an update is held to it, or policies refuse.
        """
        key = Key(request.namespace or "default", request.name)
        with self._holdings.gate:
            now, catalog = self._clock.now(), self._holdings.catalog
            judge = next((each for each in catalog.judges(key.namespace) if each.key == key), None)
            if judge is None:
                known = ", ".join(sorted(each.key.name for each in catalog.judges(key.namespace)))
                raise NotFound(
                    f'judge "{key.name}" not found in namespace "{key.namespace}"',
                    hint=f"known there: {known}" if known else "davy apply -f FILE makes one",
                )
            check_needless(judge, self._holdings.rollouts.values(), self._world.judges)
            used = self._enforcing.allow(review(as_object(judge), None, actor), "delete", actor, now)
            draft = Draft(now, "object_deleted", f"Judge {key}", {}, actor, request.reason)
            self._world.store.commit({("object", f"Judge/{key}"): None, **used.records}, [draft, *used.drafts])
            self._waiving.take(used)
            concerned = self._world.judges.among(catalog.rollouts)
            catalog.remove("Judge", key)
        self._loop.kick(*concerned)
        return self._said(request, f'judge "{request.name}" deleted')

    def delete_flag(self, request: requests.DeletePolicy, actor: str) -> views.ActionView:
        """Take a flag away; its key stays taken.

        Raises:
            DavyError: there is none, or policies refuse.
        """
        with self._holdings.gate:
            flag, now = find(self._interlock.table, request.name), self._clock.now()
            if flag is None:
                raise NotFound(f'flag "{request.name}" not found', hint="davy flag status lists them")
            ramp = self._holdings.rollouts.get(ramp_of(flag.key))
            if ramp is not None:
                check_deletable(ramp)
            used = self._enforcing.allow(review(as_object(flag.manifest), None, actor), "delete", actor, now)
            draft = Draft(now, "object_deleted", flag.subject, {}, actor, request.reason)
            changes: dict[Record, bytes | None] = {("object", f"FeatureFlag/{flag.key}"): None}
            runs = [] if ramp is None else self._world.runs.of(ramp.key)
            if ramp is not None:
                changes |= removal.forgetting(ramp.key, [run.key for run in runs])
            late = self._loop.drop_answers(runs)
            self._world.store.commit({**changes, **used.records}, [*late, draft, *used.drafts])
            self._waiving.take(used)
            self._holdings.catalog.remove("FeatureFlag", flag.key)
            if ramp is not None:
                self._world.runs.forget(*runs)
                self._holdings.catalog.remove("Rollout", ramp.key)
                self._holdings.drop(ramp.key)
                self._loop.part_with(ramp.key)
        return self._said(request, f'flag "{request.name}" deleted')

    def _allow(self, action: Action, held: Held, deed: Deed, actor: str, now: float) -> Change:
        """Ask policies whether a person may do this, unless it gives users back something that works.

        Raises:
            Denied: they refuse.
        """
        state, skips = deed.outcome[0], None
        status: dict[str, object] = {}
        match action:
            case requests.Abort() | requests.Pause() | requests.Resume():
                return Change()
            case requests.Scale(replicas=replicas) if replicas >= held.manifest.spec.desired_replicas:
                return Change()
            case requests.Undo() if state.current == held.state.stable and held.state.stable:
                return Change()
            case requests.Promote(full=True, waiver=waiver):
                skips, status = waiver, {"promoteFull": True}
            case requests.Promote(skip_step=True, waiver=waiver):
                assert isinstance(held.state.progress, Stepping), "only a step is passed over"
                skips, status = waiver, {"currentStepIndex": held.state.progress.index + 1}
            case requests.Promote() if deed.manifest == held.manifest and _ends(held.state):
                status = {"controllerPause": False, "pauseConditions": None}
            case requests.Retry():
                status = {"abort": False}
            case _:
                pass
        before = as_rollout(held.manifest, held.state)
        wanted = held.manifest if isinstance(action, requests.Promote) else deed.manifest
        after = as_rollout(wanted, held.state, **status)
        what = str(deed.detail["action"])
        return self._enforcing.allow(review(before, after, actor), what, actor, now, skips=skips)

    def _held_to_gates(
        self, fresh: list[Revised], changed: list[Manifest], admitted: tuple[Manifest, ...], now: float
    ) -> list[Revised]:
        """Let no update pass a gate that is not the one that it set out for, nor be judged by another judge.

        Raises:
            Refused: an update that goes on as it is would meet another gate.
        """
        catalog, rollouts = self._holdings.catalog, self._holdings.rollouts
        known = [found for found in changed if catalog.outcome(found) == "configured"]
        again = {held.key: (held, outcome) for held, outcome in fresh}
        gates = list(swapped(rollouts.values(), known, catalog.templates))
        judges = self._world.judges
        if judges.any or any(isinstance(found, Judge) for found in changed):
            revised = {key: held.manifest for key, (held, _) in again.items()}
            then = judges.over(Catalog([*catalog.objects, *admitted]))
            gates += judged_otherwise(rollouts, revised, judges, then)
        for held, gate in gates:
            revised_held, (state, events) = again.get(held.key, (held, (held.state, ())))
            if not is_held_to_templates(state) or _attempt(state) != _attempt(held.state):
                continue
            if self._rulebook.rules.on_template_change == "refuse":
                raise refusal(held, gate)
            state, more = actions.begin_again(revised_held.manifest, state, now)
            again[held.key] = _renewed(held, revised_held.manifest, state), (state, (*events, *more))
        return list(again.values())

    def _answer(self, admitted: admission.Admitted) -> views.ApplyView:
        """Say what was made, or would be, of each object, policies and waivers included."""
        view = admission.answer(admitted, self._holdings.catalog)
        others = [
            views.Applied(kind, namespace, name, outcome)
            for kind, namespace, name, outcome in (
                *((*_names(found), self._rulebook.outcome(found)) for found in policies_in(admitted.raw)),
                *(("Waiver", "", each.id, self._waiving.outcome(each)) for each in waivers_in(admitted.raw)),
            )
        ]
        applied = (*view.applied, *others) if view.accepted else ()
        generation = self._waiving.generation
        return msgspec.structs.replace(view, applied=applied, waiver_generation=generation)

    def _said(
        self, request: Action | requests.SetImage | requests.Delete | requests.DeletePolicy, message: str
    ) -> views.ActionView:
        return views.ActionView(
            namespace=request.namespace,
            name=request.name,
            message=message,
            waiver_generation=self._waiving.generation,
        )

    def _revise(self, rollout: Rollout, launch: Launch, now: float) -> Revised:
        """Work out what a manifest makes of a rollout, in a copy of what is held."""
        held, template = self._holdings.rollouts.get(rollout.key), rollout.spec.template
        if held is None:
            outcome = actions.create(rollout, template, launch, now)
            return Held(rollout, outcome[0]), outcome
        outcome = actions.revise(rollout, held.state, template, launch, now)
        return _renewed(held, rollout, outcome[0]), outcome

    def _write_down(
        self,
        fresh: list[Revised],
        changes: dict[Record, bytes | None],
        drafts: list[Draft],
        now: float,
        catalog: Catalog,
    ) -> None:
        """Write several rollouts at once, with what an abort of theirs could not write before."""
        used = tuple(drafts)
        for held, outcome in fresh:
            earlier, late = owed(held)
            changes = {**earlier, **changes, _record_of(held): msgspec.json.encode(outcome[0])}
            drafts = [*late, *drafts, *self._drafts(held, outcome, now, catalog, used)]
        self._world.store.commit(changes, drafts)
        for held, _ in fresh:
            paid(held, self._world)

    def _drafts(
        self, held: Held, outcome: Outcome, now: float, catalog: Catalog, used: Iterable[Draft]
    ) -> list[Draft]:
        """Write entries; where an update begins, with the gates it is held to and the waivers it needed."""
        state, events = outcome
        drafts = []
        for event in events:
            detail = story(event, held.manifest, state, held.watch)
            if event.kind == "update_started" and (found := self._pins(held.manifest, catalog)):
                detail |= {"templates": found}
            if event.kind == "update_started" and (passed := _waivers(held, used)):
                detail |= {"waiver": passed}
            drafts.append(Draft(now, event.kind, held.subject, detail))
        return drafts

    def _pins(self, rollout: Rollout, catalog: Catalog) -> dict[str, str]:
        judges = self._world.judges
        bound = (judges if catalog is self._holdings.catalog else judges.over(catalog)).of(rollout)
        judge = None if bound is None else bound.manifest
        return pins(rollout, catalog.templates(rollout.key.namespace), judge)


def _renewed(held: Held, rollout: Rollout, state: RolloutState) -> Held:
    """Return a copy of what is held of a rollout, with another manifest and state."""
    return replace(held, manifest=rollout, state=state, steered=None, trouble="")


def _ends(state: RolloutState) -> bool:
    """Say whether to promote is to end a pause; one for want of evidence is not ended, but measured again."""
    pause = pause_of(state.progress)
    return pause is not None and not pause.reason.lacks_evidence


def _record_of(held: Held) -> Record:
    return "rollout", str(held.key)


def _waivers(held: Held, used: Iterable[Draft]) -> str:
    """Name the waivers on whose strength an update began; one of a manifest may be for any namespace."""
    names = (held.subject, f"Rollout {held.key.name}")
    mine = (each for each in used if each.kind == "waiver_used" and each.subject in names)
    return " ".join(sorted({str(each.detail["waiver"]) for each in mine}))


def _attempt(state: RolloutState) -> tuple[str, int, int]:
    """Tell two updates, and two attempts at one, apart."""
    return state.current, state.attempt, state.newest.number


def _names(policy: Json) -> tuple[str, str, str]:
    kind, *namespace, name = name_of(policy).split("/")
    return kind, "/".join(namespace), name
