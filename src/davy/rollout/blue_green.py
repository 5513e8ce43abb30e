"""Blue/green: the new version is looked at beside the active one, then takes all the traffic in one move.

Source of the order: `rollout/bluegreen.go` and `rollout/service.go` of argoproj/argo-rollouts (Apache-2.0).
What differs is on purpose: an abort never asks how the new version is, and the old one stays whole until the
new one is verified.
"""

import msgspec

from davy.model.rollout import BlueGreenStrategy, Rollout, RolloutAnalysis
from davy.rollout import plan
from davy.rollout.decision import Event, Look, RunKind, RunRequest, RunView, Verdict
from davy.rollout.move import Move, hold, naming, pause_is_over, run_name, settle
from davy.rollout.readiness import carries_everything
from davy.rollout.state import Pause, PauseReason, Previewing, RolloutState, Verifying

COMPLETED = "Completed blue-green update"


def preview(rollout: Rollout, state: RolloutState, progress: Previewing, look: Look, now: float) -> Move:
    """Bring the new version up, judge it, wait for whoever has to be waited for, and switch."""
    available = look.seen.count(state.current).available
    if progress.approved:
        if available < rollout.spec.desired_replicas:
            return Move(progress)
        quick = progress.approved != COMPLETED
        return Move(Verifying(since=now, reason=progress.approved, quick=quick))
    strategy = _strategy(rollout)
    if progress.pause:
        return _wait(progress, progress.pause, now)
    if available < preview_replicas(rollout):
        return Move(progress)
    if strategy.pre_promotion_analysis and not _passed(progress.run, look):
        return _judge(rollout, state, progress, strategy.pre_promotion_analysis, look, now)
    return _ask(strategy, state, progress, now)


def verify(rollout: Rollout, state: RolloutState, progress: Verifying, look: Look, now: float) -> Move:
    """Judge the new version by what its users get, and make it the stable one."""
    if progress.pause or not carries_everything(rollout, state, look.seen):
        return Move(progress)
    analysis = _strategy(rollout).post_promotion_analysis
    if analysis is None or progress.quick or _passed(progress.run, look):
        return settle(state, progress.reason, now)
    return _judge(rollout, state, progress, analysis, look, now)


def preview_replicas(rollout: Rollout) -> int:
    """Say how many replicas the new version has until the switch is allowed."""
    count, n = _strategy(rollout).preview_replica_count, rollout.spec.desired_replicas
    return n if count is None else count


def _judge(
    rollout: Rollout,
    state: RolloutState,
    progress: Previewing | Verifying,
    analysis: RolloutAnalysis,
    look: Look,
    now: float,
) -> Move:
    """Start the analysis, or hear what it says. Failures were heard before, as aborts."""
    if not progress.run:
        part, kind = ("pre", RunKind.PRE_PROMOTION) if isinstance(progress, Previewing) else _POST
        name = run_name(rollout, state, part)
        return Move(msgspec.structs.replace(progress, run=name), start=(RunRequest(name, kind, analysis),))
    run = look.runs.get(progress.run, RunView(Verdict.RUNNING))
    return hold(state, progress, run, now) if run.verdict is Verdict.UNKNOWN else Move(progress)


_POST = "post", RunKind.POST_PROMOTION


def _ask(strategy: BlueGreenStrategy, state: RolloutState, progress: Previewing, now: float) -> Move:
    """Begin to wait for a person or for a time where the manifest says so; allow the switch otherwise."""
    if strategy.promotes_itself and not strategy.auto_promotion_seconds:
        return Move(msgspec.structs.replace(progress, approved=COMPLETED))
    seconds = float(strategy.auto_promotion_seconds) if strategy.promotes_itself else None
    pause = Pause(PauseReason.BLUE_GREEN, since=now, duration_s=seconds)
    detail: dict[str, object] = {**naming(state), "seconds": seconds}
    return Move(msgspec.structs.replace(progress, pause=pause), events=(Event("paused", detail),))


def _wait(progress: Previewing, pause: Pause, now: float) -> Move:
    """Allow the switch when the time is over."""
    if pause_is_over(pause, now):
        return Move(msgspec.structs.replace(progress, pause=None, approved=COMPLETED))
    return Move(progress)


def _passed(run: str, look: Look) -> bool:
    return run in look.runs and look.runs[run].verdict is Verdict.PASSED


def _strategy(rollout: Rollout) -> BlueGreenStrategy:
    strategy = plan.blue_green(rollout)
    assert strategy is not None
    return strategy
