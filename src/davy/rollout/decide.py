"""One turn of a rollout: from what is remembered and seen to what happens next."""

import msgspec

from davy.model.rollout import Rollout
from davy.rollout import canary, status
from davy.rollout.decision import Decision, Event, Look, RunKind, RunRequest
from davy.rollout.platform import Desired, ReplicaSet, Seen
from davy.rollout.scale import scale, split
from davy.rollout.state import Aborted, Initial, Promoting, Revision, RolloutState, Settled, Stepping


def decide(
    rollout: Rollout, state: RolloutState, look: Look, now: float, *, port: int | None = None
) -> Decision:
    """Decide what a rollout does next.

    Pure: the same arguments give the same decision, and deciding again after the world has followed changes
    nothing more. `now` is the clock's time in seconds; `port` is where users want to reach the rollout.
    """
    before = state.weights
    state, exposure = _expose(state, look, now)
    move = canary.advance(rollout, state, look, now)
    state = msgspec.structs.replace(state, progress=move.progress)
    if isinstance(move.progress, Settled):
        state = msgspec.structs.replace(state, stable=state.current, background="")
    state = scale(rollout, state, look.seen, now)
    weights = {hash_: weight for hash_, weight in split(rollout, state, look.seen).items() if weight}
    state = msgspec.structs.replace(state, weights=weights)
    state, background = _background(rollout, state, look.seen)
    state = _forget_old(rollout, _note_progress(state, look.seen, now), look.seen)
    state = msgspec.structs.replace(state, conditions=status.conditions(rollout, state, look.seen, now))
    return Decision(
        state=state,
        desired=desired(rollout, state, port),
        start=(*move.start, *background),
        active=active_runs(state),
        events=(*exposure, *move.events, *_weight_event(state, before)),
        wake_at=_wake_at(rollout, state, now),
    )


def desired(rollout: Rollout, state: RolloutState, port: int | None) -> Desired:
    """Say what the platform is to make true."""
    return Desired(
        replica_sets=tuple(
            ReplicaSet(
                hash=revision.hash,
                revision=revision.number,
                template=revision.template,
                launch=revision.launch,
                replicas=revision.replicas,
            )
            for revision in state.revisions
            if revision.replicas
        ),
        weights=state.weights,
        min_ready_s=float(rollout.spec.min_ready_seconds),
        port=port,
    )


def active_runs(state: RolloutState) -> frozenset[str]:
    """Name the analysis runs that may go on; an update that is over has none."""
    match state.progress:
        case Stepping(run=run):
            return frozenset(name for name in (run, state.background) if name)
        case Promoting():
            return frozenset(name for name in (state.background,) if name)
        case _:
            return frozenset()


def _background(
    rollout: Rollout, state: RolloutState, seen: Seen
) -> tuple[RolloutState, tuple[RunRequest, ...]]:
    """Start the background analysis once users meet the new version: before that it has nothing to judge."""
    analysis = canary.strategy(rollout).analysis
    if analysis is None or state.background or not isinstance(state.progress, Stepping):
        return state, ()
    met = (seen.weights or {}).get(state.current, 0) > 0
    if not met or state.progress.index < (analysis.starting_step or 0):
        return state, ()
    name = canary.run_name(rollout, state)
    return msgspec.structs.replace(state, background=name), (RunRequest(name, RunKind.BACKGROUND, analysis),)


def _expose(state: RolloutState, look: Look, now: float) -> tuple[RolloutState, tuple[Event, ...]]:
    """Note the first request of a user that the new version answered.

    It may come to light only after the abort; the change was met by users then and counts as rolled back.
    """
    if state.newest.exposed_at is not None:
        return state, ()
    requests = look.requests.get(state.current, 0)
    served = (look.seen.weights or {}).get(state.current, 0) > 0
    if not served and not isinstance(state.progress, Aborted):
        return state.changing(state.current, requests_before=requests), ()
    if requests <= state.newest.requests_before:
        return state, ()
    naming = {"revision": state.newest.number, "hash": state.current}
    weight = state.weights.get(state.current, 0)
    events = [Event("change_exposed", {**naming, "weight": weight})]
    if isinstance(state.progress, Aborted):
        late = {"cause": state.progress.cause, "weight": state.progress.weight, "step": state.progress.step}
        events.append(Event("change_rolled_back", {**naming, **late}))
    return state.changing(state.current, exposed_at=now), tuple(events)


def _weight_event(state: RolloutState, before: dict[str, int]) -> tuple[Event, ...]:
    """Write down a split that differs from the one before."""
    if before == state.weights:
        return ()
    total = sum(state.weights.values())
    detail: dict[str, object] = {
        "revision": state.newest.number,
        "hash": state.current,
        "weight": state.weights.get(state.current, 0),
        "of": total,
        "weights": state.weights,
    }
    return (Event("weight_set", detail),)


def _note_progress(state: RolloutState, seen: Seen, now: float) -> RolloutState:
    """Remember when replicas last came or went: the progress deadline runs from there."""
    current = seen.count(state.current)
    step = state.progress.index if isinstance(state.progress, Stepping) else -1
    counts = (current.created, current.available, len(seen.pods), step)
    if counts == state.counts:
        return state
    return msgspec.structs.replace(state, counts=counts, progressed_at=now)


def _forget_old(rollout: Rollout, state: RolloutState, seen: Seen) -> RolloutState:
    """Keep as many old revisions as the manifest says, and every one that still matters."""
    limit = rollout.spec.kept_revisions
    running = {pod.hash for pod in seen.pods} | {state.current, state.stable}
    old = [revision for revision in state.revisions if revision.hash not in running and revision.replicas == 0]
    gone = {revision.hash for revision in old[: max(0, len(old) - limit)]}
    if not gone:
        return state
    kept: tuple[Revision, ...] = tuple(revision for revision in state.revisions if revision.hash not in gone)
    return msgspec.structs.replace(state, revisions=kept)


def _wake_at(rollout: Rollout, state: RolloutState, now: float) -> float | None:
    """Say when time alone will change the answer."""
    times = [
        revision.scale_down_at for revision in state.revisions if revision.replicas and revision.scale_down_at
    ]
    progress = state.progress
    if isinstance(progress, Stepping) and progress.pause and progress.pause.duration_s is not None:
        times.append(progress.pause.since + progress.pause.duration_s)
    elif isinstance(progress, Stepping | Promoting | Initial):
        times.append(state.progressed_at + rollout.spec.progress_deadline_s)
    return min((time for time in times if time > now), default=None)
