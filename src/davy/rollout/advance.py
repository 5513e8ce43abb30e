"""How an update goes on: an abort before anything else, then the next thing that its strategy wants.

`advance` is asked in every turn, with what is remembered and what is seen, and answers with the state of the
update that follows. Asked twice with the same arguments it answers the same, so the loop may crash anywhere
and ask again.
"""

from typing import assert_never

from davy.model.rollout import Rollout
from davy.rollout import blue_green, canary, experiment, judged
from davy.rollout.decision import Look, Verdict
from davy.rollout.move import Move, abort, take_everything
from davy.rollout.readiness import timed_out, timed_out_message
from davy.rollout.state import (
    UNDERWAY,
    Aborted,
    Initial,
    Previewing,
    Promoting,
    RolloutState,
    Settled,
    Stepping,
    Verifying,
    pause_of,
)


def advance(rollout: Rollout, state: RolloutState, look: Look, now: float) -> Move:
    """Say how the update goes on; at most one step is completed at a time."""
    progress = state.progress
    if isinstance(progress, UNDERWAY) and (cause := abort_cause(rollout, state, look, now)):
        return abort(rollout, state, cause, now)
    if rollout.spec.paused:
        return Move(progress)
    match progress:
        case Initial():
            return take_everything(rollout, state, look.seen, "Initial deploy", now)
        case Stepping():
            return canary.step(rollout, state, progress, look, now)
        case Promoting():
            return canary.promote(rollout, state, progress, look, now)
        case Previewing():
            return blue_green.preview(rollout, state, progress, look, now)
        case Verifying():
            return blue_green.verify(rollout, state, progress, look, now)
        case Aborted() | Settled():
            return Move(progress)
        case _:
            assert_never(progress)


def abort_cause(rollout: Rollout, state: RolloutState, look: Look, now: float) -> str:
    """Say why the traffic has to go back now, or return an empty string."""
    if look.alarm:
        return look.alarm
    for name, what in _watched(state):
        run = look.runs.get(name)
        if run and run.verdict in (Verdict.FAILED, Verdict.ERROR):
            return f"{what}: {run.message}"
    if isinstance(state.progress, Stepping) and (
        cause := experiment.stuck_cause(rollout, state, state.progress, look, now)
    ):
        return cause
    pause, limit = pause_of(state.progress), rollout.spec.progress_deadline_s
    if pause and pause.reason.lacks_evidence and now >= pause.since + limit:
        return f"the analysis was inconclusive and nobody resolved it within {limit:g}s"
    if cause := judged.blind_cause(rollout, state, look, now):
        return cause
    if rollout.spec.progress_deadline_abort and timed_out(rollout, state, now):
        return timed_out_message(rollout, state)
    return ""


def _watched(state: RolloutState) -> list[tuple[str, str]]:
    """Name the analysis runs that an update rests on, and how Argo calls their failure."""
    watched = [(state.background, "Background analysis phase error/failed")]
    match state.progress:
        case Stepping(run=run, experiment=trial):
            watched.append((run, "Step-based analysis phase error/failed"))
            for name in trial.runs if trial else ():
                watched.append((name, "Experiment analysis phase is error/failed"))
        case Previewing(run=run):
            watched.append((run, "Blue/green pre-promotion analysis phase error/failed"))
        case Verifying(run=run):
            watched.append((run, "Blue/green post-promotion analysis phase error/failed"))
        case _:
            pass
    return [(name, what) for name, what in watched if name]
