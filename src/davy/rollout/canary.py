"""The canary: which step comes next.

`advance` is asked in every turn, with what is remembered and what is seen, and answers with the state of the
update that follows. Asked twice with the same arguments it answers the same, so the loop may crash anywhere
and ask again. Order matters: an abort is decided before anything else and waits for nothing.
"""

from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from davy.model.rollout import CanaryStep, CanaryStrategy, Rollout
from davy.rollout import replicas
from davy.rollout.decision import Event, Look, RunKind, RunRequest, RunView, Verdict
from davy.rollout.platform import Seen
from davy.rollout.state import (
    Aborted,
    Initial,
    Pause,
    PauseReason,
    Progress,
    Promoting,
    RolloutState,
    Settled,
    Stepping,
)


@dataclass(frozen=True, slots=True)
class Move:
    """Where the update goes: its next progress, what to start, what to write down."""

    progress: Progress
    start: tuple[RunRequest, ...] = ()
    events: tuple[Event, ...] = field(default=())


def advance(rollout: Rollout, state: RolloutState, look: Look, now: float) -> Move:
    """Say how the update goes on; at most one step is completed at a time."""
    progress = state.progress
    if isinstance(progress, Stepping | Promoting) and (cause := abort_cause(rollout, state, look, now)):
        return abort(rollout, state, cause, now)
    if rollout.spec.paused:
        return Move(progress)
    match progress:
        case Initial():
            if fully_available(rollout, state, look.seen) and carries_everything(rollout, state, look.seen):
                return _settle(state, "Initial deploy", now)
        case Stepping():
            return _step(rollout, state, progress, look, now)
        case Promoting(reason=reason):
            if fully_available(rollout, state, look.seen) and carries_everything(rollout, state, look.seen):
                return _settle(state, reason, now)
        case Aborted() | Settled():
            pass
        case _:
            assert_never(progress)
    return Move(progress)


def abort_cause(rollout: Rollout, state: RolloutState, look: Look, now: float) -> str:
    """Say why the traffic has to go back now, or return an empty string."""
    if look.alarm:
        return look.alarm
    background = look.runs.get(state.background)
    if background and background.verdict in (Verdict.FAILED, Verdict.ERROR):
        return f"Background analysis phase error/failed: {background.message}"
    if isinstance(state.progress, Stepping):
        step = look.runs.get(state.progress.run)
        if step and step.verdict in (Verdict.FAILED, Verdict.ERROR):
            return f"Step-based analysis phase error/failed: {step.message}"
        pause = state.progress.pause
        limit = rollout.spec.progress_deadline_s
        if pause and pause.reason is PauseReason.INCONCLUSIVE and now >= pause.since + limit:
            return f"the analysis was inconclusive and nobody resolved it within {limit:g}s"
    if rollout.spec.progress_deadline_abort and timed_out(rollout, state, now):
        return timed_out_message(rollout, state)
    return ""


def abort(rollout: Rollout, state: RolloutState, cause: str, now: float) -> Move:
    """Give the traffic back to stable, for a cause or (with an empty one) since a person said so."""
    weight = state.weights.get(state.current, 0)
    step = state.progress.index if isinstance(state.progress, Stepping) else len(steps(rollout))
    exposed = state.newest.exposed_at is not None
    kind = "change_rolled_back" if exposed else "change_aborted_unexposed"
    detail: dict[str, object] = {**_naming(state), "cause": cause, "weight": weight, "step": step}
    return Move(Aborted(at=now, cause=cause, weight=weight, step=step), events=(Event(kind, detail),))


def _step(rollout: Rollout, state: RolloutState, progress: Stepping, look: Look, now: float) -> Move:
    """Go on with the step that the update is on."""
    plan = steps(rollout)
    if progress.pause and progress.pause.reason is PauseReason.INCONCLUSIVE:
        return Move(progress)
    background = look.runs.get(state.background)
    if background and background.verdict is Verdict.UNKNOWN:
        return _hold(state, progress, background, now)
    if progress.index >= len(plan):
        return Move(Promoting(reason=f"Completed all {len(plan)} canary steps", since=now))
    step = plan[progress.index]
    if step.set_weight is not None:
        reached = at_desired(rollout, state, look.seen) and serves(rollout, state, look.seen, step.set_weight)
        return _complete(state, progress, step, len(plan), now) if reached else Move(progress)
    if step.pause is not None:
        return _pause(state, progress, step, len(plan), now)
    assert step.analysis is not None, "steps of other kinds are refused when a manifest is applied"
    return _analyse(rollout, state, progress, step, look, now)


def _pause(state: RolloutState, progress: Stepping, step: CanaryStep, total: int, now: float) -> Move:
    """Begin to wait, or end waiting when the time is over."""
    assert step.pause is not None
    if progress.pause is None:
        pause = Pause(PauseReason.CANARY_STEP, since=now, duration_s=step.pause.seconds)
        detail = {**_naming(state), "step": progress.index, "seconds": pause.duration_s}
        return Move(msgspec.structs.replace(progress, pause=pause), events=(Event("paused", detail),))
    duration = progress.pause.duration_s
    if duration is not None and now >= progress.pause.since + duration:
        return _complete(state, progress, step, total, now)
    return Move(progress)


def _analyse(
    rollout: Rollout, state: RolloutState, progress: Stepping, step: CanaryStep, look: Look, now: float
) -> Move:
    """Start the analysis of this step, or hear what it says. Failures were heard before, as aborts."""
    assert step.analysis is not None
    if not progress.run:
        name = run_name(rollout, state, progress.index)
        request = RunRequest(name, RunKind.STEP, step.analysis, progress.index)
        return Move(msgspec.structs.replace(progress, run=name), start=(request,))
    run = look.runs.get(progress.run, RunView(Verdict.RUNNING))
    if run.verdict is Verdict.PASSED:
        return _complete(state, progress, step, len(steps(rollout)), now)
    if run.verdict is Verdict.UNKNOWN:
        return _hold(state, progress, run, now)
    return Move(progress)


def _hold(state: RolloutState, progress: Stepping, run: RunView, now: float) -> Move:
    """Wait for a person: unknown evidence moves traffic neither up nor back."""
    detail = {**_naming(state), "step": progress.index, "reason": run.message}
    pause = Pause(PauseReason.INCONCLUSIVE, since=now)
    return Move(msgspec.structs.replace(progress, pause=pause), events=(Event("paused", detail),))


def _complete(state: RolloutState, progress: Stepping, step: CanaryStep, total: int, now: float) -> Move:
    """Go to the next step."""
    detail = {
        **_naming(state),
        "step": progress.index,
        "of": total,
        "what": describe(step),
        "seconds": round(now - progress.since, 3),
    }
    return Move(Stepping(index=progress.index + 1, since=now), events=(Event("step_completed", detail),))


def _settle(state: RolloutState, reason: str, now: float) -> Move:
    """Make the new version the stable one."""
    detail: dict[str, object] = {**_naming(state), "reason": reason}
    return Move(Settled(reason=reason, at=now), events=(Event("change_promoted", detail),))


def run_name(rollout: Rollout, state: RolloutState, step: int | None = None) -> str:
    """Name an analysis run as Argo does; a later attempt gets a number of its own."""
    parts = [rollout.metadata.name, state.current, str(state.newest.number)]
    parts += [] if step is None else [str(step)]
    return "-".join(parts) + (f".{state.attempt - 1}" if state.attempt > 1 else "")


def strategy(rollout: Rollout) -> CanaryStrategy:
    """Return the canary strategy; a manifest without one was refused when it was applied."""
    canary = rollout.spec.strategy.canary
    assert canary is not None
    return canary


def steps(rollout: Rollout) -> tuple[CanaryStep, ...]:
    """Return the steps, none at all for a plain rolling update."""
    return strategy(rollout).steps


def set_weight(rollout: Rollout, index: int) -> int:
    """Return the weight that holds on step `index`: the last setWeight at or before it, else 0."""
    plan = steps(rollout)
    if index >= len(plan):
        return strategy(rollout).full_weight
    weights = [step.set_weight for step in plan[: index + 1] if step.set_weight is not None]
    return weights[-1] if weights else 0


def at_desired(rollout: Rollout, state: RolloutState, seen: Seen) -> bool:
    """Say whether both sides have the replicas that the step asks for, the new ones available."""
    assert isinstance(state.progress, Stepping)
    weight = set_weight(rollout, state.progress.index)
    canary, canary_seen = state.newest, seen.count(state.current)
    stable, stable_seen = state.revision(state.stable), seen.count(state.stable)
    if strategy(rollout).traffic_routing is None:
        canary_strategy, n = strategy(rollout), rollout.spec.desired_replicas
        bounds = replicas.resolve_bounds(canary_strategy.max_surge, canary_strategy.max_unavailable, n)
        goal = replicas.approximate(n, weight, strategy(rollout).full_weight, bounds.surge)
        older = any(
            seen.count(other.hash).available for other in state.revisions if other not in (canary, stable)
        )
        if older or (goal.canary, goal.stable) != (canary.replicas, stable.replicas):
            return False
    return (
        canary.replicas == canary_seen.created == canary_seen.available
        and stable.replicas == stable_seen.created
    )


def serves(rollout: Rollout, state: RolloutState, seen: Seen, weight: int) -> bool:
    """Say whether the data plane serves the weight of a step; without a router, the split of the pods."""
    weights = {hash_: share for hash_, share in (seen.weights or {}).items() if share}
    if strategy(rollout).traffic_routing is None:
        return weights == ratio_split(state, seen)
    return weights.get(state.current, 0) == weight and sum(weights.values()) == strategy(rollout).full_weight


def ratio_split(state: RolloutState, seen: Seen) -> dict[str, int]:
    """Split by what is available on either side; with nothing available, leave things as they are."""
    shares = {hash_: seen.count(hash_).available for hash_ in (state.current, state.stable)}
    return {hash_: share for hash_, share in shares.items() if share} or state.weights


def carries_everything(rollout: Rollout, state: RolloutState, seen: Seen) -> bool:
    """Say whether the data plane sends all the traffic to the current version; scaled to zero, it need not."""
    if rollout.spec.desired_replicas == 0:
        return True
    return {hash_ for hash_, weight in (seen.weights or {}).items() if weight} == {state.current}


def fully_available(rollout: Rollout, state: RolloutState, seen: Seen) -> bool:
    """Say whether the current version alone could carry everything."""
    return seen.count(state.current).available >= rollout.spec.desired_replicas


def timed_out(rollout: Rollout, state: RolloutState, now: float) -> bool:
    """Say whether replicas should have made progress and have not, as Argo's progress deadline does."""
    progress = state.progress
    if rollout.spec.paused or isinstance(progress, Settled | Aborted):
        return False
    if isinstance(progress, Stepping) and progress.index < len(steps(rollout)):
        step = steps(rollout)[progress.index]
        if step.set_weight is None:
            return False
    return now >= state.progressed_at + rollout.spec.progress_deadline_s


def timed_out_message(rollout: Rollout, state: RolloutState) -> str:
    """Say which replicas are stuck, in Argo's words."""
    return f'ReplicaSet "{rollout.metadata.name}-{state.current}" has timed out progressing.'


def describe(step: CanaryStep) -> str:
    """Say in a few words what a step does, as Argo does in its events."""
    if step.set_weight is not None:
        return f"setWeight: {step.set_weight}"
    if step.pause is not None:
        return "pause" if step.pause.duration is None else f"pause: {step.pause.duration}"
    return "analysis"


def _naming(state: RolloutState) -> dict[str, object]:
    """Say which revision an event is about."""
    return {"revision": state.newest.number, "hash": state.current}
