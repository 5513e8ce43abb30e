"""One turn of a rollout: from what is remembered and seen to what happens next."""

from typing import assert_never

import msgspec

from davy.model.rollout import Rollout
from davy.rollout import experiment, judged, plan, status
from davy.rollout.advance import advance
from davy.rollout.decision import Decision, Event, Look, RunKind, RunRequest
from davy.rollout.move import run_name
from davy.rollout.parts import metadata_of
from davy.rollout.platform import Desired, ReplicaSet, Seen, ServicePoint
from davy.rollout.readiness import meets_users
from davy.rollout.restart import evictions, is_restarted, restart_at
from davy.rollout.routes import routes
from davy.rollout.scale import scale
from davy.rollout.split import ramps_until, rescaled, split
from davy.rollout.state import (
    UNDERWAY,
    Aborted,
    Initial,
    Previewing,
    Promoting,
    Revision,
    RolloutState,
    Settled,
    Stepping,
    Verifying,
    awaits_judge,
    pause_of,
)


def decide(
    rollout: Rollout, state: RolloutState, look: Look, now: float, *, port: int | None = None
) -> Decision:
    """Decide what a rollout does next.

    Pure: the same arguments give the same decision, and deciding again after the world has followed changes
    nothing more. `now` is the clock's time in seconds; `port` is where users want to reach the rollout.
    """
    before = state.weights
    state = rescaled(rollout, state)
    state, exposure = _expose(state, look, now)
    move = advance(rollout, state, look, now)
    sides = state.sides if move.sides is None else move.sides
    state = msgspec.structs.replace(state, progress=move.progress, sides=sides)
    if isinstance(move.progress, Settled):
        state = _make_stable(state, move.progress)
    if isinstance(move.progress, Aborted):
        state = state.changing(state.current, promoted_at=None)
    state, baking = _judge(rollout, state, look, now)
    state = scale(rollout, state, look.seen, now)
    weights = {hash_: weight for hash_, weight in split(rollout, state, look.seen, now).items() if weight}
    state = msgspec.structs.replace(state, weights=weights)
    if weights.get(state.current):
        state = state.changing(state.current, sends_users=True)
    state, background = _background(rollout, state, look.seen)
    if is_restarted(rollout, state, look.seen, now):
        state = msgspec.structs.replace(state, restarted_at=restart_at(rollout))
    state = _forget_old(rollout, _note_progress(state, look.seen, now), look.seen)
    state = msgspec.structs.replace(state, conditions=status.conditions(rollout, state, look.seen, now))
    return Decision(
        state=state,
        desired=desired(rollout, state, look.seen, now, port),
        start=(*move.start, *background),
        active=active_runs(state),
        events=(*exposure, *move.events, *baking, *_weight_event(state, before)),
        wake_at=_wake_at(rollout, state, now),
    )


def desired(rollout: Rollout, state: RolloutState, seen: Seen, now: float, port: int | None) -> Desired:
    """Say what the platform is to make true."""
    revisions = tuple(
        ReplicaSet(
            hash=revision.hash,
            revision=revision.number,
            template=revision.template,
            launch=revision.launch,
            replicas=revision.replicas,
            metadata=metadata_of(rollout, state, revision.hash),
        )
        for revision in state.revisions
        if revision.replicas
    )
    sides = tuple(
        ReplicaSet(side.hash, state.newest.number, side.template, side.launch, side.replicas, side.metadata)
        for side in state.sides
    )
    return Desired(
        replica_sets=(*revisions, *sides),
        weights=state.weights,
        min_ready_s=float(rollout.spec.min_ready_seconds),
        port=port,
        routes=routes(rollout, state, seen),
        services=_services(rollout, state),
        evict=evictions(rollout, state, seen, now),
    )


def _services(rollout: Rollout, state: RolloutState) -> dict[str, ServicePoint]:
    """Name what can be called apart from users: the preview, always the newest, and sides that want it."""
    strategy = plan.blue_green(rollout)
    points = {side.service: ServicePoint(side.hash) for side in state.sides if side.service}
    if strategy is not None and strategy.preview_service:
        points[strategy.preview_service] = ServicePoint(state.current)
    return points


def _judge(
    rollout: Rollout, state: RolloutState, look: Look, now: float
) -> tuple[RolloutState, tuple[Event, ...]]:
    """Note what the judge's word means for a version that has everything, and since when it knows nothing."""
    bake, events = judged.bake(rollout, state, look, now)
    state = msgspec.structs.replace(state, bake=bake)
    return msgspec.structs.replace(state, blind_since=judged.blind_since(state, look, now)), events


def _make_stable(state: RolloutState, progress: Settled) -> RolloutState:
    """Let the current version be the stable one, and remember since when it is."""
    if state.stable != state.current or state.newest.promoted_at is None:
        state = state.changing(state.current, promoted_at=progress.at)
    return msgspec.structs.replace(state, stable=state.current, background="")


def active_runs(state: RolloutState) -> frozenset[str]:
    """Name the analysis runs that may go on; an update that is over has none."""
    match state.progress:
        case Stepping(run=run, experiment=trial):
            names = (run, state.background, *(trial.runs if trial else ()))
        case Previewing(run=run) | Verifying(run=run):
            names = (run,)
        case Promoting():
            names = (state.background,)
        case Initial() | Aborted() | Settled():
            names = ()
        case _:
            assert_never(state.progress)
    return frozenset(name for name in names if name)


def _background(
    rollout: Rollout, state: RolloutState, seen: Seen
) -> tuple[RolloutState, tuple[RunRequest, ...]]:
    """Start the background analysis once users meet the new version: before that it has nothing to judge."""
    match state.progress:
        case Stepping(index=index):
            pass
        case Promoting(quick=False):
            index = len(plan.steps(rollout))
        case _:
            return state, ()
    analysis = plan.background(rollout)
    if state.background or analysis is None or index < (analysis.starting_step or 0):
        return state, ()
    if not meets_users(state, seen):
        return state, ()
    name = run_name(rollout, state)
    return msgspec.structs.replace(state, background=name), (RunRequest(name, RunKind.BACKGROUND, analysis),)


def _expose(state: RolloutState, look: Look, now: float) -> tuple[RolloutState, tuple[Event, ...]]:
    """Note the first request of a user that a version answered, of every version that was sent any.

    It may come to light only when the version has no traffic any more: after an abort (the change was met by
    users then and counts as rolled back), or when a newer one took its place.
    """
    events: list[Event] = []
    if meets_users(state, look.seen):
        state = state.changing(state.current, sends_users=True)
    for revision in state.revisions:
        if revision.exposed_at is not None:
            continue
        is_newest = revision.hash == state.current
        hashes = (revision.hash, *(side.hash for side in state.sides if is_newest and side.of == "canary"))
        requests = sum(look.requests.get(hash_, 0) for hash_ in hashes)
        if not revision.sends_users:
            state = state.changing(revision.hash, requests_before=requests)
        elif requests > revision.requests_before:
            state = state.changing(revision.hash, exposed_at=now)
            events += _exposed(state, revision)
    return state, tuple(events)


def _exposed(state: RolloutState, revision: Revision) -> tuple[Event, ...]:
    """Tell that users met a version."""
    naming = {"revision": revision.number, "hash": revision.hash}
    met = Event("change_exposed", {**naming, "weight": state.percent(revision.hash)})
    if not isinstance(state.progress, Aborted) or revision.hash != state.current:
        return (met,)
    late = {"cause": state.progress.cause, "weight": state.progress.weight, "step": state.progress.step}
    return met, Event("change_rolled_back", {**naming, **late})


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
    match state.progress:
        case Stepping(index=index):
            step = index
        case Previewing(approved=approved):
            step = -2 if approved else -3
        case Promoting(waits=waits):
            step = -4 if waits else -5 if state.is_baking else -1
        case _:
            step = -1
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
    progress, deadline_s = state.progress, rollout.spec.progress_deadline_s
    times = [revision.scale_down_at for revision in state.revisions if revision.replicas]
    times += [side.scale_down_at for side in state.sides]
    times += [ramps_until(rollout, state), restart_at(rollout)]
    pause = pause_of(progress)
    if pause is not None:
        waits_s = deadline_s if pause.reason.lacks_evidence else pause.duration_s
        times.append(None if waits_s is None else pause.since + waits_s)
    elif isinstance(progress, (Initial, *UNDERWAY)) and not awaits_judge(state):
        times.append(state.progressed_at + deadline_s)
    if state.blind_since is not None:
        times.append(state.blind_since + deadline_s)
    if isinstance(progress, Stepping | Promoting) and state.background:
        times.append(progress.since + deadline_s)
    if isinstance(progress, Stepping) and progress.experiment is not None:
        times += [experiment.ends_at(rollout, progress), progress.experiment.since + deadline_s]
    return min((time for time in times if time is not None and time > now), default=None)
