"""The canary: what each step waits for, and what comes after it."""

import msgspec

from davy.model.rollout import CanaryStep, Rollout, RolloutAnalysis
from davy.model.side_route import SideRoute
from davy.model.steps import RolloutPause
from davy.rollout import experiment, judged, plan
from davy.rollout.decision import Event, Look, RunKind, RunRequest, RunView, Verdict
from davy.rollout.move import Move, hold, naming, pause_is_over, run_name, take_everything
from davy.rollout.readiness import at_desired, meets_users, serves
from davy.rollout.routes import routes
from davy.rollout.state import Pause, PauseReason, Promoting, RolloutState, Stepping, Wait, lacks_evidence


def step(rollout: Rollout, state: RolloutState, progress: Stepping, look: Look, now: float) -> Move:
    """Go on with the step that the update is on; failures were heard before, as aborts."""
    steps = plan.steps(rollout)
    if lacks_evidence(progress):
        return Move(progress)
    background = look.runs.get(state.background)
    if background and background.verdict is Verdict.UNKNOWN:
        return hold(state, progress, background, now)
    if progress.index >= len(steps):
        return _end(rollout, state, progress, look, now)
    if progress.waits is not None:
        return judged.leave(rollout, state, progress, look, now)
    wanted = steps[progress.index]
    if wanted.pause is not None:
        return _pause(rollout, state, progress, wanted.pause, look, now)
    if wanted.analysis is not None:
        return _analyse(rollout, state, progress, wanted.analysis, look, now)
    if wanted.experiment is not None:
        return _experiment(rollout, state, progress, look, now)
    if wanted.set_weight is not None:
        progress = judged.withhold(rollout, state, progress, look)
    reached = _is_reached(rollout, state, wanted, look)
    return judged.leave(rollout, state, progress, look, now) if reached else Move(progress)


def promote(rollout: Rollout, state: RolloutState, progress: Promoting, look: Look, now: float) -> Move:
    """Become stable with all the traffic, and with something good measured of it where that is asked for."""
    if progress.quick:
        return take_everything(rollout, state, look.seen, progress.reason, now)
    known = _background(rollout, state, progress, look, now)
    if known.verdict is Verdict.UNKNOWN:
        waiting = Stepping(index=len(plan.steps(rollout)), since=progress.since)
        return hold(state, waiting, known, now)
    if progress.waits is not None:
        return _await_judge(rollout, state, progress, look, now)
    if judged.withholds_all(rollout, state, look):
        held = state.weights[state.current]
        return Move(msgspec.structs.replace(progress, waits=Wait(), weight=held))
    measured = known.verdict is Verdict.PASSED or rollout.spec.desired_replicas == 0
    if measured and judged.is_baked(rollout, state, look):
        return take_everything(rollout, state, look.seen, progress.reason, now)
    return Move(progress)


def _await_judge(rollout: Rollout, state: RolloutState, progress: Promoting, look: Look, now: float) -> Move:
    """Give a version everything that waits for it, once the judge has seen what it has so far."""
    word = judged.refusal(rollout, look)
    if word is not None and 0 < progress.weight < plan.full_weight(rollout):
        return judged.wait(state, progress, word, now)
    return Move(msgspec.structs.replace(progress, waits=None))


def _end(rollout: Rollout, state: RolloutState, progress: Stepping, look: Look, now: float) -> Move:
    """Leave the steps; where users have met the new version, not before something good was measured of that.

    And where they are to meet it more than before, not without the judge's word.
    """
    known = _background(rollout, state, progress, look, now)
    unmet = not state.background and not meets_users(state, look.seen)
    if known.verdict is Verdict.PASSED or unmet:
        held, whole = plan.set_weight(rollout, len(plan.steps(rollout)) - 1), plan.full_weight(rollout)
        word = None if state.is_baking else judged.refusal(rollout, look)
        if word is not None and 0 < held < whole:
            return judged.wait(state, progress, word, now)
        return Move(Promoting(reason=f"Completed all {len(plan.steps(rollout))} canary steps", since=now))
    return hold(state, progress, known, now) if known.verdict is Verdict.UNKNOWN else Move(progress)


def _background(
    rollout: Rollout, state: RolloutState, progress: Stepping | Promoting, look: Look, now: float
) -> RunView:
    """Say what the background analysis, which need not have an end, makes of a version whose steps are done.

    It passes with something good measured of everything that counts, and is unknown when that takes too long.
    """
    run = look.runs.get(state.background, RunView(Verdict.RUNNING))
    if run.verdict is not Verdict.RUNNING:
        return run
    if run.passing or plan.background(rollout) is None:
        return RunView(Verdict.PASSED)
    limit = rollout.spec.progress_deadline_s
    if state.background and now >= progress.since + limit:
        why = f"the background analysis has measured nothing good within {limit:g}s"
        return RunView(Verdict.UNKNOWN, why)
    return run


def _is_reached(rollout: Rollout, state: RolloutState, wanted: CanaryStep, look: Look) -> bool:
    """Say whether the replicas, the split or the routes that a step sets are there."""
    if wanted.set_weight is not None:
        return at_desired(rollout, state, look.seen) and serves(rollout, state, look.seen, wanted.set_weight)
    if wanted.set_canary_scale is not None:
        return at_desired(rollout, state, look.seen)
    asked: tuple[SideRoute, ...] = routes(rollout, state, look.seen)
    return look.seen.routes == asked


def _pause(
    rollout: Rollout, state: RolloutState, progress: Stepping, wanted: RolloutPause, look: Look, now: float
) -> Move:
    """Begin to wait, or end waiting when the time is over."""
    if progress.pause is None:
        pause = Pause(PauseReason.CANARY_STEP, since=now, duration_s=wanted.seconds)
        detail = {**naming(state), "step": progress.index, "seconds": pause.duration_s}
        return Move(msgspec.structs.replace(progress, pause=pause), events=(Event("paused", detail),))
    over = pause_is_over(progress.pause, now)
    return judged.leave(rollout, state, progress, look, now) if over else Move(progress)


def _analyse(
    rollout: Rollout,
    state: RolloutState,
    progress: Stepping,
    analysis: RolloutAnalysis,
    look: Look,
    now: float,
) -> Move:
    """Start the analysis of this step, or hear what it says."""
    if not progress.run:
        name = run_name(rollout, state, str(progress.index))
        request = RunRequest(name, RunKind.STEP, analysis, progress.index)
        return Move(msgspec.structs.replace(progress, run=name), start=(request,))
    run = look.runs.get(progress.run, RunView(Verdict.RUNNING))
    if run.verdict is Verdict.PASSED:
        return judged.leave(rollout, state, progress, look, now)
    return hold(state, progress, run, now) if run.verdict is Verdict.UNKNOWN else Move(progress)


def _experiment(rollout: Rollout, state: RolloutState, progress: Stepping, look: Look, now: float) -> Move:
    """Run versions side by side, and go on when what was measured there has passed."""
    if progress.experiment is None:
        return experiment.begin(rollout, state, progress, now)
    if progress.experiment.available_at is None:
        return experiment.await_sides(rollout, state, progress, progress.experiment, look, now)
    found = experiment.judge(rollout, state, progress, progress.experiment, look, now)
    if found.verdict is Verdict.PASSED:
        done = judged.leave(rollout, state, progress, look, now)
        over = experiment.finish(rollout, state, progress, now)
        return Move(done.progress, events=(*over.events, *done.events), sides=over.sides)
    if found.verdict is Verdict.UNKNOWN:
        return hold(state, progress, found, now, PauseReason.INCONCLUSIVE_EXPERIMENT)
    return Move(progress)
