"""The ways past what an update has still to show: a step, or all of them.

Neither exists without the waiver that allows it, and neither passes over what watches users: the guard or the
judge and the background analysis of a canary go on, more traffic waits for the judge's word, and a blue/green
update is verified after its switch.
"""

import msgspec

from davy.errors import Refused
from davy.model.rollout import Rollout
from davy.rollout import move, plan
from davy.rollout.actions import Outcome
from davy.rollout.blue_green import COMPLETED
from davy.rollout.decision import Event
from davy.rollout.state import Previewing, Promoting, RolloutState, Stepping, Verifying, Wait


def skip_step(rollout: Rollout, state: RolloutState, waiver: str, now: float) -> Outcome:
    """Go to the next step, whatever the one that it is on waits for or would have measured.

    Raises:
        Refused: there is no waiver, or no step to pass over.
    """
    progress = _canary(rollout, state, waiver, "--skip-step")
    if progress.waits is not None:
        name = rollout.metadata.name
        why = "the step is done, and no waiver passes over the judge, whose word more traffic waits for"
        raise Refused(f"{name} has nothing that --skip-step could pass over: {why}")
    if plan.asks_for_more(rollout, progress.index):
        over = msgspec.structs.replace(progress, pause=None, experiment=None, waits=Wait(waiver=waiver))
        return msgspec.structs.replace(state, progress=over, sides=()), ()
    done = move.complete(rollout, state, progress, now, waiver=waiver)
    return msgspec.structs.replace(state, progress=done.progress, sides=()), done.events


def promote_full(rollout: Rollout, state: RolloutState, waiver: str, now: float) -> Outcome:
    """Pass over every step and the analyses in them; or, with blue/green, over all that is before the switch.

    Raises:
        Refused: there is no waiver, or nothing that could be passed over.
    """
    if isinstance(state.progress, Previewing) and waiver and not state.progress.approved:
        allowed = msgspec.structs.replace(state.progress, pause=None, run="", approved=COMPLETED)
        return msgspec.structs.replace(state, progress=allowed), ()
    progress = _canary(rollout, state, waiver, "--full")
    steps = plan.steps(rollout)
    events = tuple(
        Event(
            "step_completed",
            {
                **move.naming(state),
                "step": index,
                "of": len(steps),
                "what": plan.describe(steps[index]),
                "seconds": round(now - progress.since, 3) if index == progress.index else 0.0,
                "skipped": waiver,
            },
        )
        for index in range(progress.index, len(steps))
    )
    everything = Promoting(
        reason=f"Full promotion by waiver {waiver}",
        since=now,
        waits=Wait(),
        weight=plan.set_weight(rollout, progress.index) or plan.first_weight(rollout),
    )
    return msgspec.structs.replace(state, progress=everything, sides=()), events


def _canary(rollout: Rollout, state: RolloutState, waiver: str, option: str) -> Stepping:
    """Return the step that a canary is on.

    Raises:
        Refused: there is no waiver, or it is on none.
    """
    name = rollout.metadata.name
    if not waiver:
        raise Refused(
            f"{option} passes over a gate, and nothing does without a waiver",
            hint=f"davy waiver request PD043 --scope {name} …, then davy promote {name} {option} --waiver ID",
        )
    progress = state.progress
    if isinstance(progress, Stepping) and progress.index < len(plan.steps(rollout)):
        return progress
    if isinstance(progress, Stepping | Promoting):
        why = "its steps are done, and no waiver passes over its background analysis, its guard or its judge"
    elif isinstance(progress, Verifying):
        why = "it has all the traffic, and no waiver passes over what is measured of its users"
    elif isinstance(progress, Previewing):
        why = "its switch is allowed already" if progress.approved else "a blue/green update has no steps"
    else:
        why = "no update is under way"
    raise Refused(f"{name} has nothing that {option} could pass over: {why}")
