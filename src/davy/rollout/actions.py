"""What people may do to a rollout, and what a new manifest does to it.

Each action is a function from state to state. One that cannot be done raises `Refused` and changes nothing.
There is no action that skips a step's analysis or a pause that is not over for somebody who did not ask for
it by name: `promote` ends a pause, and runs an inconclusive analysis again.
"""

from typing import assert_never

import msgspec

from davy.errors import Refused
from davy.model.origin import Origin, origin_of
from davy.model.rollout import PodTemplateSpec, Rollout
from davy.rollout import move, plan
from davy.rollout.blue_green import COMPLETED
from davy.rollout.decision import Event
from davy.rollout.names import fingerprint, template_hash
from davy.rollout.platform import Launch
from davy.rollout.rollback import quick_way_back, was_stable_before
from davy.rollout.state import (
    UNDERWAY,
    Aborted,
    Initial,
    Pause,
    Previewing,
    Promoting,
    Revision,
    RolloutState,
    Settled,
    Stepping,
    Verifying,
    Wait,
    pause_of,
)

Outcome = tuple[RolloutState, tuple[Event, ...]]


def create(rollout: Rollout, template: PodTemplateSpec, launch: Launch, now: float) -> Outcome:
    """Begin the life of a rollout with its first version."""
    hash_, origin = template_hash(template, launch), origin_of(rollout, template)
    revision = Revision(1, hash_, template, launch, created_at=now, origin=origin)
    state = RolloutState(
        revisions=(revision,),
        current=revision.hash,
        stable="",
        progress=Initial(since=now),
        steps_hash=_steps_hash(rollout),
        progressed_at=now,
    )
    return state, (_started(state),)


def revise(
    rollout: Rollout, state: RolloutState, template: PodTemplateSpec, launch: Launch, now: float
) -> Outcome:
    """Take a manifest that was applied anew.

    A new template starts at the first step, whatever went on before, and ends an abort; the stable template
    gives everything back to stable. One that was stable before may come back quickly (`davy.rollout.rollback`).
    Edited steps start again too. Any other edit takes effect where it stands.
    """
    wanted, steps_hash = template_hash(template, launch), _steps_hash(rollout)
    edited = steps_hash != state.steps_hash
    state = msgspec.structs.replace(state, steps_hash=steps_hash)
    if wanted == state.current:
        restarts = edited and isinstance(state.progress, (*UNDERWAY, Aborted))
        return _begin(rollout, state, now, attempt=state.attempt + 1) if restarts else (state, ())
    left = _leaving(state)
    known = next((revision for revision in state.revisions if revision.hash == wanted), None)
    quick = quick_way_back(rollout, state, known, now) if known and state.stable else ""
    state = _adopt(rollout, state, wanted, template, launch, now)
    if wanted == state.stable:
        progress = Settled(reason="Rollback to stable ReplicaSets", at=now)
        state = msgspec.structs.replace(state, progress=progress, background="", attempt=1, sides=())
        restored: dict[str, object] = {"revision": state.newest.number, "hash": wanted}
        return state, (*left, Event("stable_restored", restored))
    if not state.stable:
        return msgspec.structs.replace(state, progress=Initial(since=now), attempt=1), (
            *left,
            _started(state),
        )
    state, events = _begin(rollout, state, now, attempt=1, quick=quick)
    return state, (*left, *events)


def promote(rollout: Rollout, state: RolloutState, now: float) -> Outcome:
    """End the pause that the update is in."""
    progress, pause = state.progress, pause_of(state.progress)
    match progress:
        case Stepping() | Previewing() | Verifying() if pause is None:
            raise Refused(
                f"{_name(rollout)} is not waiting for anybody: {_doing(rollout, progress)}",
                hint="nothing skips a gate; wait for it, or abort",
            )
        case Stepping() | Previewing() | Verifying():
            assert pause is not None
            if pause.reason.lacks_evidence:
                return _judge_again(state, progress, now)
            return _go_on(rollout, state, progress, pause, now)
        case Aborted():
            raise Refused(
                f"{_name(rollout)} was aborted", hint=f"davy retry {_name(rollout)} starts again at step 0"
            )
        case Promoting():
            raise Refused(
                f"{_name(rollout)} is not waiting for anybody: its steps are done, and it is promoted "
                "once all of it is available, its background analysis has measured something good and its "
                "judge has watched it for long enough, where it has them",
                hint="nothing skips a gate; wait for it, or abort",
            )
        case Initial() | Settled():
            raise Refused(f"{_name(rollout)} has nothing to promote: no update is waiting")
        case _:
            assert_never(progress)


def _judge_again(state: RolloutState, progress: Stepping | Previewing | Verifying, now: float) -> Outcome:
    """Run an inconclusive analysis or experiment again, with evidence of its own."""
    detail: dict[str, object] = {"attempt": state.attempt + 1}
    again = msgspec.structs.replace(progress, pause=None, run="", since=now)
    if isinstance(again, Stepping):
        detail["step"] = again.index
        again = msgspec.structs.replace(again, experiment=None, waits=None)
    state = msgspec.structs.replace(state, progress=again, background="", attempt=state.attempt + 1, sides=())
    return state, (Event("analysis_repeated", detail),)


def _go_on(
    rollout: Rollout,
    state: RolloutState,
    progress: Stepping | Previewing | Verifying,
    pause: Pause,
    now: float,
) -> Outcome:
    """End a pause that waited for a person or a time; nothing else is passed over with it.

    Whether more traffic may follow is the judge's to say, where there is one, in the next turn.
    """
    if isinstance(progress, Stepping) and plan.asks_for_more(rollout, progress.index):
        over = msgspec.structs.replace(progress, pause=None, waits=Wait())
        return msgspec.structs.replace(state, progress=over), ()
    if isinstance(progress, Stepping):
        done = move.complete(rollout, state, progress, now)
        return msgspec.structs.replace(state, progress=done.progress), done.events
    assert isinstance(progress, Previewing), f"{pause.reason} is no pause of {type(progress).__name__}"
    allowed = msgspec.structs.replace(progress, pause=None, approved=COMPLETED)
    return msgspec.structs.replace(state, progress=allowed), ()


def abort(rollout: Rollout, state: RolloutState, now: float) -> Outcome:
    """Give the traffic back to the stable version."""
    if isinstance(state.progress, Aborted):
        return state, ()
    if isinstance(state.progress, Initial):
        raise Refused(
            f"{_name(rollout)} has no stable version yet that could take the traffic back",
            hint="apply a version that works, or delete the rollout",
        )
    if isinstance(state.progress, Settled):
        raise Refused(
            f"{_name(rollout)} has no update to abort: revision {state.newest.number} is fully promoted",
            hint=f"davy undo {_name(rollout)} goes back to the version before it",
        )
    back = move.abort(rollout, state, "", now)
    state = msgspec.structs.replace(state, progress=back.progress, sides=())
    return state.changing(state.current, promoted_at=None), back.events


def retry(rollout: Rollout, state: RolloutState, now: float) -> Outcome:
    """Start an aborted update again at its first step, with evidence of its own."""
    if not isinstance(state.progress, Aborted):
        raise Refused(f"{_name(rollout)} is not aborted: there is nothing to retry")
    return _begin(rollout, state, now, attempt=state.attempt + 1)


def begin_again(rollout: Rollout, state: RolloutState, now: float) -> Outcome:
    """Start an update that is under way at its first step again, with evidence of its own."""
    assert isinstance(state.progress, UNDERWAY), "only an update that is under way begins again"
    return _begin(rollout, state, now, attempt=state.attempt + 1)


def _begin(rollout: Rollout, state: RolloutState, now: float, *, attempt: int, quick: str = "") -> Outcome:
    """Start an update at its beginning; `quick` is why it may pass over steps and analyses."""
    progress: Stepping | Previewing | Promoting = Stepping(index=0, since=now)
    if plan.blue_green(rollout) is not None:
        progress = Previewing(since=now, approved=quick)
    elif quick:
        progress = Promoting(reason=quick, since=now, quick=True)
    unseen = state.newest.sends_users and state.newest.exposed_at is None
    state = msgspec.structs.replace(
        state,
        progress=progress,
        background="",
        attempt=attempt,
        progressed_at=now,
        conditions=(),
        sides=(),
    ).changing(state.current, scale_down_at=None, exposed_at=None, sends_users=unseen, attempt=attempt)
    return state, (_started(state, quick),)


def _adopt(
    rollout: Rollout, state: RolloutState, hash_: str, template: PodTemplateSpec, launch: Launch, now: float
) -> RolloutState:
    """Make a template the newest revision; a known one keeps its replicas and gets a new number.

    It also stays the change that it is: that goes by what is run, and a manifest that brings it back, by hand
    or by a revert, has annotations of its own.
    """
    number = max(revision.number for revision in state.revisions) + 1
    known = [revision for revision in state.revisions if revision.hash == hash_]
    others = tuple(revision for revision in state.revisions if revision.hash != hash_)
    fresh = Revision(number, hash_, template, launch, created_at=now, origin=origin_of(rollout, template))
    for before in known:
        fresh = msgspec.structs.replace(
            fresh,
            replicas=before.replicas,
            created_at=before.created_at,
            promoted_at=before.promoted_at,
            exposed_at=before.exposed_at if hash_ == state.stable else None,
            sends_users=before.sends_users and before.exposed_at is None,
            requests_before=before.requests_before,
            origin=fresh.origin if before.origin == Origin() else before.origin,
            goes_back=hash_ != state.stable and was_stable_before(state, before),
        )
    return msgspec.structs.replace(
        state, revisions=(*others, fresh), current=hash_, progressed_at=now, conditions=()
    )


def _leaving(state: RolloutState) -> tuple[Event, ...]:
    """Say what becomes of an update that a newer one takes the place of."""
    if not isinstance(state.progress, UNDERWAY):
        return ()
    exposed = state.newest.exposed_at is not None
    detail: dict[str, object] = {"revision": state.newest.number, "hash": state.current, "exposed": exposed}
    return (Event("change_superseded", detail),)


def _started(state: RolloutState, quick: str = "") -> Event:
    """Say that an update begins, and why it is a quick one where it is."""
    images = [container.image for container in state.newest.template.spec.containers]
    detail: dict[str, object] = {
        "revision": state.newest.number,
        "hash": state.current,
        "attempt": state.attempt,
        "images": images,
    }
    if state.newest.launch.digest:
        detail["digest"] = state.newest.launch.digest
    if quick:
        detail["quick"] = quick
    return Event("update_started", detail)


def _doing(rollout: Rollout, progress: Stepping | Previewing | Verifying) -> str:
    """Say what an update that is not paused is busy with."""
    match progress:
        case Previewing(approved=approved) if approved:
            return "the switch is allowed, and the last replicas are becoming available"
        case Previewing(run=run):
            return "its pre-promotion analysis is under way" if run else "its replicas are becoming available"
        case Verifying():
            return "it has all the traffic, and its post-promotion analysis is under way"
        case Stepping(waits=waits) if waits is not None:
            return "more traffic waits for the word of its judge"
        case Stepping(index=index):
            steps = plan.steps(rollout)
            if index >= len(steps):
                return "its steps are done, and its background analysis has measured nothing good yet"
            return f"step {index + 1}/{len(steps)} ({plan.describe(steps[index])}) is under way"
        case _:
            assert_never(progress)


def _steps_hash(rollout: Rollout) -> str:
    """Name the steps and the whole that their weights are of, to notice an edit or another strategy."""
    if plan.blue_green(rollout) is not None:
        return fingerprint("blueGreen")
    whole = plan.full_weight(rollout)
    return fingerprint(plan.steps(rollout), *([] if whole == 100 else [str(whole)]))


def _name(rollout: Rollout) -> str:
    return rollout.metadata.name
