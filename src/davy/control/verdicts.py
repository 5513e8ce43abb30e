"""What a judge says of a rollout: to whoever decides, to people, and to whoever asks from outside."""

import msgspec

from davy.analysis.judge.verdict import Action, DataState, Verdict, verdict
from davy.analysis.judge.watch import Confirming, Watching
from davy.control.held import Held, Watch, is_compared
from davy.control.watching import share
from davy.rollout.decision import Word
from davy.rollout.state import RolloutState

_ENDS = (Action.ABORT, Action.ROLLBACK)
_STRANGE = "the judge has not seen yet what users get of the traffic as it is split now"


def said(held: Held, watched: Watch | None, now: float) -> Verdict | None:
    """Return the verdict on what is watched, None where no judge watches.

    What was to be counted and was not keeps the canary from getting more, and never keeps it from losing all.
    """
    if watched is None or watched.judge is None:
        return None
    found = verdict(watched.judge, now)
    if held.unread and found.action not in _ENDS:
        return msgspec.structs.replace(
            found, action=Action.HOLD, reason=held.unread, next_weight=min(found.weight, found.next_weight)
        )
    return found


def alarm(found: Verdict | None, state: RolloutState) -> str:
    """Return the judge's sentence when it wants the traffic back."""
    wants = found is not None and found.action in _ENDS and is_compared(state)
    return f"judge: {found.reason}" if wants and found is not None else ""


def heard(held: Held, now: float) -> Word | None:
    """Return the word on what is held, as it was watched last."""
    return word(said(held, held.watch, now), held, held.watch)


def word(found: Verdict | None, held: Held, watched: Watch | None) -> Word | None:
    """Return what the judge says of more traffic, None where there is none.

    It speaks of the split that it has seen: what it says of the one before lets nobody on.
    """
    state = held.state
    if found is None or watched is None or watched.judge is None or not is_compared(state):
        return None
    judge, advances = watched.judge, found.action is Action.ADVANCE
    seen = abs(judge.weight - share(state.weights, state.current)) < 1e-9
    fewer = (
        isinstance(judge.phase, Watching) and found.action is Action.HOLD and found.next_weight < found.weight
    )
    return Word(
        may_grow=seen and advances,
        reason=found.reason if seen else _STRANGE,
        baked=seen and advances and isinstance(judge.phase, Watching),
        doubted=fewer or (isinstance(judge.phase, Confirming) and not advances),
        blind=bool(held.unread) or found.data.state is not DataState.OK or judge.weight <= 0.0,
    )
