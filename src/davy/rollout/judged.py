"""What an update does only on the word of its judge: send more users to the canary, and call it stable.

No word is asked for the first traffic, since nothing can be known before it: neither for a step from 0 nor for
routes and experiments before it. None is asked for less traffic, and none where nobody can be sent anywhere,
with no replicas. A version that comes back quickly, within the rollback window, was stable before, and is not
asked about either.

A judge that has data and is not sure goes on as long as it needs: to abort then would be to call a version bad
without proof. One that knows nothing for `progressDeadlineSeconds` while it is waited for ends the update, as
every wait for evidence that does not come.
"""

import msgspec

from davy.model.rollout import Rollout
from davy.rollout import plan
from davy.rollout.decision import Event, Look, Word
from davy.rollout.move import Move, complete, naming
from davy.rollout.platform import Seen
from davy.rollout.readiness import at_desired, fully_available
from davy.rollout.state import (
    Bake,
    Promoting,
    RolloutState,
    Stepping,
    Wait,
    awaits_judge,
    lacks_evidence,
)


def leave(rollout: Rollout, state: RolloutState, progress: Stepping, look: Look, now: float) -> Move:
    """Go to the step after one that is done, or wait with it as the next one would send more users."""
    if plan.asks_for_more(rollout, progress.index) and (word := refusal(rollout, look)):
        return wait(state, progress, word, now)
    return complete(rollout, state, progress, now, waiver=progress.waits.waiver if progress.waits else "")


def refusal(rollout: Rollout, look: Look) -> Word | None:
    """Return the word that keeps a canary from getting more, None where it may get more."""
    unheard = look.word is None or look.word.may_grow or rollout.spec.desired_replicas == 0
    return None if unheard else look.word


def withhold(rollout: Rollout, state: RolloutState, progress: Stepping, look: Look) -> Stepping:
    """Keep a greater weight from a canary whose judge took its word back while the replicas for it came up.

    Without a router the pods that come up are the weight, and nothing is left to withhold.
    """
    more = plan.asks_for_more(rollout, progress.index - 1) and _has_less(
        state, plan.set_weight(rollout, progress.index)
    )
    refused = more and at_desired(rollout, state, look.seen) and _takes_back(rollout, state, look)
    return progress if refused == progress.withheld else msgspec.structs.replace(progress, withheld=refused)


def withholds_all(rollout: Rollout, state: RolloutState, look: Look) -> bool:
    """Say the same of all the traffic, once the whole of the new version is there to take it."""
    more = state.weights.get(state.current, 0) > 0 and _has_less(state, plan.full_weight(rollout))
    return more and fully_available(rollout, state, look.seen) and _takes_back(rollout, state, look)


def wait(state: RolloutState, progress: Stepping | Promoting, word: Word, now: float) -> Move:
    """Wait for the judge; that is written down when it begins."""
    waits = progress.waits or Wait()
    if waits.since is not None:
        return Move(progress)
    held = msgspec.structs.replace(progress, waits=msgspec.structs.replace(waits, since=now))
    detail: dict[str, object] = {**naming(state), "reason": word.reason}
    if isinstance(progress, Stepping):
        held = msgspec.structs.replace(held, pause=None, experiment=None)
        detail["step"] = progress.index
    return Move(held, events=(Event("judge_awaited", detail),))


def is_baked(rollout: Rollout, state: RolloutState, look: Look) -> bool:
    """Say whether a version that has everything has had it for long enough."""
    if look.word is None or not _can_bake(rollout):
        return True
    return look.word.baked and state.bake is not None and state.bake.since is not None and not state.bake.halved


def bake(
    rollout: Rollout, state: RolloutState, look: Look, now: float
) -> tuple[Bake | None, tuple[Event, ...]]:
    """Say how the version that is to have everything is watched, and tell what has changed of that.

    Without a router there is no bake: to keep stable whole would take twice the pods, and pods that are there
    would get users.
    """
    word, before = look.word, state.bake
    if word is None or not _can_bake(rollout) or not _gets_everything(rollout, state):
        return None, ()
    found, kind = before or Bake(), ""
    if found.since is None:
        if has_everything(state, look.seen):
            found, kind = msgspec.structs.replace(found, since=now), "bake_started"
    elif word.doubted != found.halved and not (found.halved and lacks_evidence(state.progress)):
        found = msgspec.structs.replace(found, halved=word.doubted)
        kind = "bake_doubted" if word.doubted else "bake_cleared"
    return found, (Event(kind, {**naming(state), "reason": word.reason}),) if kind else ()


def blind_since(state: RolloutState, look: Look, now: float) -> float | None:
    """Say since when the judge, while it is waited for, knows nothing; None while it knows something."""
    if look.word is None or not look.word.blind or not awaits_judge(state):
        return None
    return now if state.blind_since is None else state.blind_since


def blind_cause(rollout: Rollout, state: RolloutState, look: Look, now: float) -> str:
    """Say that the judge knew nothing for too long, or return an empty string."""
    limit = rollout.spec.progress_deadline_s
    if rollout.spec.paused or look.word is None or not look.word.blind or state.blind_since is None:
        return ""
    if now < state.blind_since + limit:
        return ""
    return f"the judge has known nothing of what users get for {limit:g}s: {look.word.reason}"


def has_everything(state: RolloutState, seen: Seen) -> bool:
    """Say whether the data plane sends all the users there are to the new version."""
    return {hash_ for hash_, weight in (seen.weights or {}).items() if weight} == {state.current}


def _has_less(state: RolloutState, weight: int) -> bool:
    return state.weights.get(state.current, 0) < weight


def _takes_back(rollout: Rollout, state: RolloutState, look: Look) -> bool:
    return plan.is_routed(rollout) and not state.is_baking and refusal(rollout, look) is not None


def _can_bake(rollout: Rollout) -> bool:
    return plan.is_routed(rollout) and rollout.spec.desired_replicas > 0


def _gets_everything(rollout: Rollout, state: RolloutState) -> bool:
    """Say whether the update has come to where the canary is to have everything."""
    match state.progress:
        case Promoting(quick=quick, waits=waits):
            return not quick and waits is None
        case Stepping(index=index):
            last = len(plan.steps(rollout)) - 1
            whole = plan.set_weight(rollout, min(index, last)) == plan.full_weight(rollout)
            return (last >= 0 and whole) or (index > last and state.bake is not None)
        case _:
            return False
