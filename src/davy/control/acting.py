"""What a person asks for, applied to what is held: pure, so that whoever asks decides when to write it down."""

from dataclasses import dataclass
from typing import assert_never

from davy.control import requests
from davy.control.held import Held
from davy.control.manifest_edits import paused, with_replicas, with_restart, with_template
from davy.control.requests import MOST_REPLICAS, Action
from davy.errors import NotFound, Refused, UsageError
from davy.model.rollout import Rollout
from davy.rollout import actions, plan, skipping
from davy.rollout.actions import Outcome
from davy.rollout.carry import uncarried
from davy.rollout.state import UNDERWAY, Previewing, Revision, RolloutState, Settled, Stepping, pause_of


@dataclass(frozen=True, slots=True)
class Deed:
    """What came of an action: what goes into the record, what to say, the new state and the new manifest."""

    detail: dict[str, object]
    said: str
    outcome: Outcome
    manifest: Rollout


def perform(action: Action, held: Held, now: float) -> Deed:
    """Apply an action to what is held.

    Raises:
        DavyError: it cannot be done.
    """
    rollout, state, name = held.manifest, held.state, held.key.name
    match action:
        case requests.Undo(to_revision=number):
            return _undo(held, number, now)
        case requests.Restart():
            restarted = with_restart(rollout, now)
            detail: dict[str, object] = {"action": "restart", "restartAt": restarted.spec.restart_at}
            return Deed(detail, f"rollout '{name}' restarts in 0s", (state, ()), restarted)
        case requests.Scale(replicas=replicas):
            return _scale(held, replicas)
        case requests.Promote(full=True) | requests.Promote(skip_step=True):
            return _pass_over(action, held, now)
        case requests.Promote():
            return _promote(held, now)
        case requests.Abort():
            outcome = actions.abort(rollout, state, now)
            return Deed({"action": "abort"}, f"rollout '{name}' aborted", outcome, rollout)
        case requests.Retry():
            outcome = actions.retry(rollout, state, now)
            return Deed({"action": "retry"}, f"rollout '{name}' retried", outcome, rollout)
        case requests.Pause():
            if rollout.spec.paused:
                raise Refused(f"rollout '{name}' is paused already", hint=f"davy resume {name}")
            frozen = paused(rollout, paused=True)
            return Deed({"action": "pause"}, f"rollout '{name}' paused", (state, ()), frozen)
        case requests.Resume():
            if not rollout.spec.paused:
                raise Refused(
                    f"rollout '{name}' is not paused by hand",
                    hint="a pause of its own steps is ended by davy promote",
                )
            freed = paused(rollout, paused=False)
            return Deed({"action": "resume"}, f"rollout '{name}' resumed", (state, ()), freed)
        case _:
            assert_never(action)


def check_deletable(held: Held) -> None:
    """Refuse to take a rollout away in the middle of an update, whose end nobody would ever read.

    Raises:
        Refused: an update is under way.
    """
    name = held.key.name
    if isinstance(held.state.progress, UNDERWAY):
        raise Refused(
            f"rollout '{name}' is in the middle of an update to revision {held.state.newest.number}",
            hint=f"davy abort {name} ends it, then delete; or wait until it is promoted",
        )


def _undo(held: Held, number: int | None, now: float) -> Deed:
    """Go back to the template of a revision, and to exactly what that ran, be its tag moved or not."""
    target = _revision(held, number)
    rollout = with_template(held.manifest, target.template)
    outcome = actions.revise(rollout, held.state, target.template, target.launch, now)
    images = ", ".join(container.image for container in target.template.spec.containers)
    said = f"rollout '{held.key.name}' undo to revision {target.number} ({images}){_way(outcome)}"
    return Deed({"action": "undo", "revision": target.number}, said, outcome, rollout)


def _revision(held: Held, number: int | None) -> Revision:
    """Find the revision to go back to; where none is named, the last one that was ever promoted."""
    name, state = held.key.name, held.state
    newest_first = sorted(state.revisions, key=lambda revision: -revision.number)
    if number is None:
        others = [revision for revision in newest_first if revision.hash != state.current]
        if not others:
            raise Refused(
                f"rollout '{name}' has no revision to go back to: it has only ever run this one",
                hint=f"davy set image {name} CONTAINER=IMAGE goes to another version",
            )
        return next((revision for revision in others if revision.promoted_at is not None), others[0])
    found = next((revision for revision in newest_first if revision.number == number), None)
    if found is None:
        known = ", ".join(str(revision.number) for revision in newest_first)
        raise NotFound(f"rollout '{name}' has no revision {number}", hint=f"its revisions: {known}")
    if found.hash == state.current:
        raise Refused(f"rollout '{name}' is at revision {number} already")
    return found


def _way(outcome: Outcome) -> str:
    """Say in Argo's words why going back takes no steps, nothing where it takes them."""
    state, events = outcome
    if isinstance(state.progress, Settled):
        return f": {state.progress.reason}"
    quick = [event.detail["quick"] for event in events if "quick" in event.detail]
    return f": {quick[0]}" if quick else ""


def _scale(held: Held, replicas: int) -> Deed:
    """Ask for another number of replicas; one at which a step would measure nothing is refused, as by apply."""
    name = held.key.name
    if not 0 <= replicas <= MOST_REPLICAS:
        raise UsageError(f"{replicas} is no number of replicas", hint=f"davy scale {name} --replicas 3")
    rollout = with_replicas(held.manifest, replicas)
    if lost := uncarried(rollout):
        why = lost[0][1]
        raise Refused(
            f"rollout '{name}' has a weight that {replicas} replicas cannot carry: {why}",
            hint="more replicas, or davy apply a manifest with other steps",
        )
    detail: dict[str, object] = {"action": "scale", "replicas": replicas}
    return Deed(detail, f"rollout '{name}' scaled to {replicas}", (held.state, ()), rollout)


def _promote(held: Held, now: float) -> Deed:
    """End a pause, the one by hand before that of the update."""
    rollout, state, said = held.manifest, held.state, f"rollout '{held.key.name}' promoted"
    if rollout.spec.paused:
        return Deed({"action": "promote"}, said, (state, ()), paused(rollout, paused=False))
    outcome = actions.promote(rollout, state, now)
    return Deed({"action": "promote"}, said + _what_follows(rollout, state), outcome, rollout)


def _pass_over(action: requests.Promote, held: Held, now: float) -> Deed:
    """Pass over a step or all of them, by the waiver that is named; whether it holds is asked later."""
    rollout, state, name = held.manifest, held.state, held.key.name
    if action.full and action.skip_step:
        raise UsageError("one of --full and --skip-step", hint=f"davy promote {name} --skip-step --waiver ID")
    if rollout.spec.paused:
        raise Refused(f"rollout '{name}' is paused by hand", hint=f"davy resume {name} comes first")
    way = skipping.promote_full if action.full else skipping.skip_step
    outcome = way(rollout, state, action.waiver, now)
    skipped = _passed_over(action, state, len(plan.steps(rollout)))
    verb = "promote --full" if action.full else "promote --skip-step"
    detail: dict[str, object] = {"action": verb, "waiver": action.waiver, "skipped": skipped}
    what = "fully promoted" if action.full else "promoted past a step"
    return Deed(detail, f"rollout '{name}' {what} by waiver {action.waiver}", outcome, rollout)


def _passed_over(action: requests.Promote, state: RolloutState, total: int) -> list[int]:
    """Name the steps that are passed over; a blue/green update has none."""
    if not isinstance(state.progress, Stepping):
        return []
    index = state.progress.index
    return list(range(index, total if action.full else index + 1))


def _what_follows(rollout: Rollout, state: RolloutState) -> str:
    """Say what the end of a pause leads to, where that is not just the next step."""
    pause = pause_of(state.progress)
    if pause is not None and pause.reason.lacks_evidence:
        return ": what was inconclusive is measured again"
    if isinstance(state.progress, Previewing):
        n = rollout.spec.desired_replicas
        return f": revision {state.newest.number} takes all the traffic as soon as all of its {n} are available"
    return ""
