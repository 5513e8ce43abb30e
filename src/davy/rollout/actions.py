"""What people may do to a rollout, and what a new manifest does to it.

Each action is a function from state to state. One that cannot be done raises `Refused` and changes nothing.
There is no action that skips a step's analysis or a pause that is not over for somebody who did not ask for
it by name: `promote` ends a pause, and runs an inconclusive analysis again.
"""

import hashlib
from typing import Any

import msgspec

from davy.errors import Refused
from davy.model.rollout import PodTemplateSpec, Rollout
from davy.rollout import canary
from davy.rollout.decision import Event
from davy.rollout.platform import Launch
from davy.rollout.state import (
    Aborted,
    Initial,
    PauseReason,
    Promoting,
    Revision,
    RolloutState,
    Settled,
    Stepping,
)

Outcome = tuple[RolloutState, tuple[Event, ...]]


def fingerprint(value: object, *more: str) -> str:
    """Hash a part of a manifest to ten characters, as short names of revisions.

    Uses the safe alphabet of Kubernetes, without vowels, so that no hash spells a word.
    """
    text = msgspec.json.encode(value, order="sorted") + "\0".join(more).encode()
    digest = int.from_bytes(hashlib.sha256(text).digest())
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    letters = ""
    while len(letters) < 10:
        digest, rest = divmod(digest, len(alphabet))
        letters += alphabet[rest]
    return letters


def create(rollout: Rollout, template: PodTemplateSpec, launch: Launch, now: float) -> Outcome:
    """Begin the life of a rollout with its first version."""
    revision = Revision(1, _template_hash(template, launch), template, launch, created_at=now)
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
    gives everything back to stable. Edited steps start again too. Any other edit takes effect where it stands.
    """
    wanted, steps_hash = _template_hash(template, launch), _steps_hash(rollout)
    edited = steps_hash != state.steps_hash
    state = msgspec.structs.replace(state, steps_hash=steps_hash)
    if wanted == state.current:
        underway = isinstance(state.progress, Stepping | Promoting | Aborted)
        return _restart(state, now, attempt=state.attempt + 1) if edited and underway else (state, ())
    left = _leaving(state)
    state = _adopt(state, wanted, template, launch, now)
    if wanted == state.stable:
        progress = Settled(reason="Rollback to stable ReplicaSets", at=now)
        state = msgspec.structs.replace(state, progress=progress, background="", attempt=1)
        return state, left
    if not state.stable:
        return msgspec.structs.replace(state, progress=Initial(since=now), attempt=1), (
            *left,
            _started(state),
        )
    state, events = _restart(state, now, attempt=1)
    return state, (*left, *events)


def promote(rollout: Rollout, state: RolloutState, now: float) -> Outcome:
    """End the pause that the update is in."""
    match state.progress:
        case Stepping(pause=pause) as progress if pause is None:
            what = _doing(rollout, progress)
            raise Refused(
                f"{_name(rollout)} is not waiting for anybody: {what}",
                hint="nothing skips a gate; wait for it, or abort",
            )
        case Stepping(pause=pause) as progress if pause and pause.reason is PauseReason.INCONCLUSIVE:
            again = msgspec.structs.replace(progress, pause=None, run="", since=now)
            state = msgspec.structs.replace(state, progress=again, background="", attempt=state.attempt + 1)
            return state, (Event("analysis_repeated", {"step": progress.index, "attempt": state.attempt}),)
        case Stepping(index=index):
            step = canary.steps(rollout)[index]
            detail = {"step": index, "of": len(canary.steps(rollout)), "what": canary.describe(step)}
            ended: dict[str, Any] = {"hash": state.current, "revision": state.newest.number, **detail}
            state = msgspec.structs.replace(state, progress=Stepping(index=index + 1, since=now))
            return state, (Event("step_completed", ended),)
        case Aborted():
            raise Refused(
                f"{_name(rollout)} was aborted", hint=f"davy retry {_name(rollout)} starts again at step 0"
            )
        case _:
            raise Refused(f"{_name(rollout)} has nothing to promote: no update is waiting")


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
            hint=f"davy set image {_name(rollout)} CONTAINER=IMAGE goes to another version",
        )
    move = canary.abort(rollout, state, "", now)
    return msgspec.structs.replace(state, progress=move.progress), move.events


def retry(rollout: Rollout, state: RolloutState, now: float) -> Outcome:
    """Start an aborted update again at its first step, with evidence of its own."""
    if not isinstance(state.progress, Aborted):
        raise Refused(f"{_name(rollout)} is not aborted: there is nothing to retry")
    return _restart(state, now, attempt=state.attempt + 1)


def _restart(state: RolloutState, now: float, *, attempt: int) -> Outcome:
    """Go to the first step."""
    state = msgspec.structs.replace(
        state,
        progress=Stepping(index=0, since=now),
        background="",
        attempt=attempt,
        progressed_at=now,
        conditions=(),
    ).changing(state.current, scale_down_at=None, exposed_at=None)
    return state, (_started(state),)


def _adopt(
    state: RolloutState, hash_: str, template: PodTemplateSpec, launch: Launch, now: float
) -> RolloutState:
    """Make a template the newest revision; a known one keeps its replicas and gets a new number."""
    number = max(revision.number for revision in state.revisions) + 1
    known = [revision for revision in state.revisions if revision.hash == hash_]
    others = tuple(revision for revision in state.revisions if revision.hash != hash_)
    fresh = Revision(number, hash_, template, launch, created_at=now)
    if known:
        exposed_at = known[0].exposed_at if hash_ == state.stable else None
        fresh = msgspec.structs.replace(fresh, replicas=known[0].replicas, exposed_at=exposed_at)
    return msgspec.structs.replace(
        state, revisions=(*others, fresh), current=hash_, progressed_at=now, conditions=()
    )


def _leaving(state: RolloutState) -> tuple[Event, ...]:
    """Say what becomes of an update that a newer one takes the place of."""
    if not isinstance(state.progress, Stepping | Promoting):
        return ()
    exposed = state.newest.exposed_at is not None
    detail: dict[str, object] = {"revision": state.newest.number, "hash": state.current, "exposed": exposed}
    return (Event("change_superseded", detail),)


def _started(state: RolloutState) -> Event:
    """Say that an update begins."""
    images = [container.image for container in state.newest.template.spec.containers]
    detail: dict[str, object] = {
        "revision": state.newest.number,
        "hash": state.current,
        "attempt": state.attempt,
        "images": images,
    }
    if state.newest.launch.digest:
        detail["digest"] = state.newest.launch.digest
    return Event("update_started", detail)


def _doing(rollout: Rollout, progress: Stepping) -> str:
    """Say what an update that is not paused is busy with."""
    plan = canary.steps(rollout)
    if progress.index >= len(plan):
        return "its steps are done and the last replicas are becoming available"
    return f"step {progress.index + 1}/{len(plan)} ({canary.describe(plan[progress.index])}) is under way"


def _template_hash(template: PodTemplateSpec, launch: Launch) -> str:
    """Name a version by what it runs: the template and what its image resolved to."""
    return fingerprint(template, launch.digest)


def _steps_hash(rollout: Rollout) -> str:
    """Name the steps, so that an edit of them is noticed."""
    return fingerprint(canary.steps(rollout))


def _name(rollout: Rollout) -> str:
    return rollout.metadata.name
