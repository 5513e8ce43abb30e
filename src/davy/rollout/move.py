"""Where an update goes: its next progress, what to start and what to write down, as one value.

The ways that canary and blue/green have in common are here: to become stable, to wait for a person when
evidence is missing, and to give the traffic back.
"""

from dataclasses import dataclass, field

import msgspec

from davy.model.rollout import Rollout
from davy.rollout import plan
from davy.rollout.decision import Event, RunRequest, RunView
from davy.rollout.platform import Seen
from davy.rollout.readiness import carries_everything, fully_available
from davy.rollout.state import (
    Aborted,
    Pause,
    PauseReason,
    Previewing,
    Progress,
    RolloutState,
    Settled,
    Side,
    Stepping,
    Verifying,
)


@dataclass(frozen=True, slots=True)
class Move:
    """Where the update goes; `sides` are those of an experiment, None where they stay as they are."""

    progress: Progress
    start: tuple[RunRequest, ...] = ()
    events: tuple[Event, ...] = field(default=())
    sides: tuple[Side, ...] | None = None


def complete(
    rollout: Rollout, state: RolloutState, progress: Stepping, now: float, *, waiver: str = ""
) -> Move:
    """Go to the next step; `waiver` is the one by which this one was passed over, where it was."""
    steps = plan.steps(rollout)
    detail: dict[str, object] = {
        **naming(state),
        "step": progress.index,
        "of": len(steps),
        "what": plan.describe(steps[progress.index]),
        "seconds": round(now - progress.since, 3),
    }
    if waiver:
        detail["skipped"] = waiver
    return Move(Stepping(index=progress.index + 1, since=now), events=(Event("step_completed", detail),))


def take_everything(rollout: Rollout, state: RolloutState, seen: Seen, reason: str, now: float) -> Move:
    """Become stable, once all of the version is available and the data plane sends it all the traffic."""
    if fully_available(rollout, state, seen) and carries_everything(rollout, state, seen):
        return settle(state, reason, now)
    return Move(state.progress)


def settle(state: RolloutState, reason: str, now: float) -> Move:
    """Make the new version the stable one."""
    detail: dict[str, object] = {**naming(state), "reason": reason}
    return Move(Settled(reason=reason, at=now), events=(Event("change_promoted", detail),))


def abort(rollout: Rollout, state: RolloutState, cause: str, now: float) -> Move:
    """Give the traffic back to stable, for a cause or (with an empty one) since a person said so.

    A version that was doubted has half of the traffic, and all users have met it: that is what is told.
    """
    weight = 100 if state.is_baking else state.percent(state.current)
    step = state.progress.index if isinstance(state.progress, Stepping) else len(plan.steps(rollout))
    exposed = state.newest.exposed_at is not None
    kind = "change_rolled_back" if exposed else "change_aborted_unexposed"
    detail: dict[str, object] = {**naming(state), "cause": cause, "weight": weight, "step": step}
    return Move(Aborted(at=now, cause=cause, weight=weight, step=step), events=(Event(kind, detail),), sides=())


def hold(
    state: RolloutState,
    progress: Stepping | Previewing | Verifying,
    run: RunView,
    now: float,
    reason: PauseReason = PauseReason.INCONCLUSIVE,
) -> Move:
    """Wait for a person: unknown evidence moves traffic neither up nor back."""
    detail = {**naming(state), "reason": run.message}
    if isinstance(progress, Stepping):
        detail["step"] = progress.index
    pause = Pause(reason, since=now)
    return Move(msgspec.structs.replace(progress, pause=pause), events=(Event("paused", detail),))


def pause_is_over(pause: Pause, now: float) -> bool:
    """Say whether the time of a pause has passed; one without a time is ended by a person."""
    return pause.duration_s is not None and now >= pause.since + pause.duration_s


def run_name(rollout: Rollout, state: RolloutState, part: str = "") -> str:
    """Name an analysis run as Argo does; a later attempt gets a number of its own.

    `part` is the number of a step, `pre` or `post`, and empty for the background analysis.
    """
    parts = [rollout.metadata.name, state.current, str(state.newest.number), *([part] if part else [])]
    return "-".join(parts) + (f".{state.attempt - 1}" if state.attempt > 1 else "")


def naming(state: RolloutState) -> dict[str, object]:
    """Say which revision an event is about."""
    return {"revision": state.newest.number, "hash": state.current}
