"""What a ramp makes of its flag: the share that was decided is the share that is served, in one transaction."""

from collections.abc import Sequence
from typing import Any

import msgspec

from davy.control.flags import drafting
from davy.control.flags.drafting import Why
from davy.control.flags.state import EVERYBODY, NOBODY, Change, Ramp, Settings
from davy.control.flags.table import Flag, Table
from davy.flags.ramp import flag_of
from davy.ledger.entry import Draft
from davy.model.key import Key
from davy.rollout.state import Aborted, RolloutState, Settled


def update_of(state: RolloutState) -> str:
    """Name the update and attempt that a ramp is at."""
    return f"{state.newest.number}.{state.attempt}"


def ramped(
    table: Table, rollout: Key, state: RolloutState, drafts: Sequence[Draft], now: float
) -> tuple[Flag, Draft | None, bool] | None:
    """Return what becomes of a flag by the state of its ramp, the entry of it, and whether that may not wait.

    Args:
        table: the flags.
        rollout: the ramp.
        state: what was decided of it.
        drafts: the entries that are written with it.
        now: when, where no entry says.

    Returns:
        None where the flag stays what it is: the ramp is over, or somebody took the flag out of its hands.
    """
    flag = table.flags.get(flag_of(rollout))
    if flag is None or flag.manifest.spec.ramp is None:
        return None
    own = [draft for draft in drafts if draft.subject == f"Rollout {rollout}"]
    at = own[-1].at if own else now
    if any(draft.kind == "update_started" for draft in own):
        ramp = _begun(table, flag, state)
    elif flag.state.ramp is None or not flag.state.ramping or flag.state.ramp.update != update_of(state):
        return None
    else:
        ramp = flag.state.ramp
    return _following(table, flag, ramp, state, _why(own, at))


def halted(flag: Flag) -> dict[str, Any]:
    """Return what a kill changes of a flag on its ramp: it is not where it was when the kill is over."""
    ramp = flag.state.ramp
    if ramp is None or ramp.over:
        return {}
    return {"ramp": msgspec.structs.replace(ramp, over=True), "settings": _settings(flag, ramp, NOBODY)}


def _begun(table: Table, flag: Flag, state: RolloutState) -> Ramp:
    spec, origin = flag.manifest.spec.ramp, state.newest.origin
    assert spec is not None, "a flag with a ramp"
    change = Change(origin.repository, origin.commit)
    return Ramp(update_of(state), spec.variant, state.current, state.stable, table.generation + 1, change)


def _following(
    table: Table, flag: Flag, ramp: Ramp, state: RolloutState, why: Why
) -> tuple[Flag, Draft | None, bool] | None:
    """Give the flag the share that its ramp has come to."""
    share, over = _share(state)
    settings = _settings(flag, ramp, share)
    ramp = msgspec.structs.replace(ramp, over=over)
    if settings == flag.state.settings and ramp == flag.state.ramp:
        return None
    after = flag.being(settings=settings, ramp=ramp)
    same = flag.state.dead or after.served == flag.served
    after = after.being(
        version=flag.state.version + 1,
        generation=flag.state.generation if same else table.generation + 1,
        proposals=(),
        live=ramp.change if isinstance(state.progress, Settled) and after.reach else flag.state.live,
    )
    told = None
    if settings != flag.state.settings:  # of weight 0: figures read the entries of the ramp itself
        more: dict[str, object] = {"weight": NOBODY, "share": share}
        name = f"{flag.key.namespace}/flag:{flag.key.name}#{ramp.update}"
        told = drafting.flag_changed(table, flag, after, "ramped", why, rollout=name, **more)
        told = msgspec.structs.replace(told, detail={**told.detail, "change": msgspec.to_builtins(ramp.change)})
    return after, told, isinstance(state.progress, Aborted)


def _share(state: RolloutState) -> tuple[int, bool]:
    """Say for how many percent of the users the variant is, and whether that is the end of it."""
    match state.progress:
        case Aborted():
            return NOBODY, True
        case Settled():
            return EVERYBODY, True
        case _:
            return state.percent(state.current), False


def _settings(flag: Flag, ramp: Ramp, share: int) -> Settings:
    spec = flag.manifest.spec.ramp
    assert spec is not None, "a flag with a ramp"
    return Settings(enabled=True, variant=ramp.variant, share=share, bucket_by=spec.bucket_by)


def _why(own: Sequence[Draft], at: float) -> Why:
    """Say who moves the flag and why: a person who did something to the ramp, or Davy by what was measured."""
    person = next((draft for draft in own if draft.kind == "human_action"), None)
    if person is not None:
        return Why(person.actor, at, person.reason)
    ended = next((draft for draft in own if draft.kind in ("change_rolled_back", "change_promoted")), None)
    return Why("davy", at, str(ended.detail.get("cause") or ended.detail.get("reason", "")) if ended else "")
