"""What people do to flags: pure, so that whoever asks decides when to write it down.

Towards what is safe nobody is asked for anything but a reason. The other way takes an open gate where there is
one, and a second person where much depends on the flag.
"""

from dataclasses import dataclass
from hashlib import sha256

import msgspec

from davy.control.flags import drafting
from davy.control.flags.drafting import Why
from davy.control.flags.following import Step, interrupted, renewed
from davy.control.flags.ramped import halted
from davy.control.flags.state import Action, Drill, Drilled, Kill, Proposal, Ramp, Settings
from davy.control.flags.table import Flag, Table
from davy.errors import Conflict, NotFound, NotPermitted, Refused
from davy.flags.governance import Criticality, FlagKind
from davy.ledger.entry import Draft

PROPOSED_S = 24 * 3600.0
"""Seconds for which a change waits for a second person."""

MOST_PROPOSED = 20
"""How many changes of one flag wait at once; one more takes the place of the oldest."""

DRILL_S = 30.0
"""Seconds after which a drill is ended, whoever has not heard of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, in a sentence, and what comes of it; `proposal` is what waits for somebody else."""

    step: Step
    said: str
    proposal: Proposal | None = None


def toggle(table: Table, flag: Flag, settings: Settings, why: Why, *, alone: bool = False) -> Done:
    """Set a flag; what takes two people waits for the second one, unless `alone`.

    Raises:
        Refused: it was killed, which is for restore to end.
    """
    name = flag.key.name
    if flag.state.settings == settings:
        return Done(Step(table), f'flag "{name}" is set so already')
    after = flag.being(settings=settings)
    _check_ramp(table, flag, after)
    rises = after.being(killed=None, drill=None).reach > flag.being(killed=None, drill=None).reach
    other = after.served != flag.served and settings.enabled is not False
    if flag.governance.criticality is Criticality.HIGH and (rises or other) and not alone:
        return _proposed(table, flag, "toggled", settings, why)
    same = after.served == flag.served or flag.state.dead
    after = renewed(table, after, same_document=same, proposals=(), ramp=_taken(flag))
    weight = drafting.weight(flag, after) if table.may_be_on(flag) else 0
    if weight:
        after = after.being(live=drafting.change_of(after) if after.reach else None)
    draft = drafting.flag_changed(table, flag, after, "toggled", why, weight=weight)
    return Done(Step(table.put(after), (draft,)), f'flag "{name}" is set: {_shown(table, after)}')


def kill(table: Table, flag: Flag, why: Why) -> Done:
    """Give everybody what is safe, at once and without asking anybody; killing what is dead changes nothing."""
    name = flag.key.name
    if flag.state.killed is not None:
        return Done(Step(table), f'flag "{name}" is killed already, by {flag.state.killed.by}')
    changes, ended = interrupted(flag, why.at)
    dead = Kill(why.actor, why.at, why.reason, table.generation + 1)
    after = renewed(table, flag, **changes, **halted(flag), killed=dead, live=None, proposals=())
    draft = drafting.killed(table, flag, after, why)
    said = f'flag "{name}" is killed: {flag.safe or "nothing"} for everybody'
    return Done(Step(table.put(after), (*ended, draft), urgent=True), said)


def restore(table: Table, flag: Flag, why: Why, *, alone: bool = False) -> Done:
    """End a kill, through a gate that is open.

    Raises:
        Refused: it was not killed, or its gate is shut.
    """
    name = flag.key.name
    if flag.state.killed is None:
        raise Refused(f'flag "{name}" is not killed', hint=f"davy flag status {name}")
    if not table.may_be_on(flag):
        raise Refused(
            f'flag "{name}" stays killed: {table.verdict(flag).why}',
            hint=f"its gate opens when a canary of {flag.linked} has passed",
        )
    if flag.governance.criticality is Criticality.HIGH and not alone:
        return _proposed(table, flag, "restored", flag.state.settings, why)
    after = renewed(table, flag, killed=None, proposals=())
    after = after.being(live=drafting.change_of(after) if after.reach else None)
    draft = drafting.flag_changed(table, flag, after, "restored", why)
    return Done(Step(table.put(after), (draft,)), f'flag "{name}" is restored: {_shown(table, after)}')


def approve(table: Table, flag: Flag, proposal: Proposal, why: Why) -> Done:
    """Do what somebody else asked for; a ramp is begun by whoever can begin rollouts.

    Raises:
        Refused: it is over.
        NotPermitted: it is one's own.
        Conflict: the flag is another one by now.
    """
    wanted = agreed(flag, proposal, why)
    if proposal.action == "restored":
        return restore(table, flag, wanted, alone=True)
    return toggle(table, flag, proposal.settings, wanted, alone=True)


def agreed(flag: Flag, proposal: Proposal, why: Why) -> Why:
    """Return in whose name something is done that a second person agrees to.

    Raises:
        Refused: it is over.
        NotPermitted: it is one's own.
        Conflict: the flag is another one by now.
    """
    if why.at >= proposal.until:
        raise Refused(f"{proposal.id} is over: nobody agreed to it in time", hint="ask for it again")
    if why.actor == proposal.by:
        raise NotPermitted(
            f"{proposal.id} was asked for by {proposal.by}, and nobody approves their own",
            hint=f"somebody else runs: davy flag approve {proposal.id}",
        )
    if flag.state.version != proposal.version:
        raise Conflict(
            f"{proposal.id} is for version {proposal.version} of {flag.key.name}, "
            f"which is at {flag.state.version}",
            hint="ask for it again, for the flag as it is",
        )
    return Why(
        proposal.by,
        why.at,
        proposal.reason,
        proposal.ticket,
        {"by": why.actor, "at": why.at, "proposal": proposal.id, "reason": why.reason},
    )


def find_proposal(table: Table, id_: str) -> tuple[Flag, Proposal]:
    """Find what waits for a second person.

    Raises:
        NotFound: there is nothing of that id.
    """
    waiting = {each.id: (flag, each) for flag in table.flags.values() for each in flag.state.proposals}
    if id_ not in waiting:
        known = ", ".join(sorted(waiting)) or "nothing"
        raise NotFound(f"there is no proposal {id_}", hint=f"waiting for a second person: {known}")
    return waiting[id_]


def begin_drill(table: Table, flag: Flag, why: Why) -> Done:
    """Rehearse a kill: it is served like one until everybody has heard of it.

    Raises:
        Refused: it is no kill switch, or now is not the time.
    """
    name = flag.key.name
    if flag.governance.kind is not FlagKind.KILL_SWITCH:
        raise Refused(f'flag "{name}" is no kill switch', hint="drills are for flags of kind: kill-switch")
    if flag.state.killed is not None:
        raise Refused(f'flag "{name}" is killed for real', hint=f"davy flag restore {name}")
    if flag.state.drill is not None:
        raise Refused(f'a drill of flag "{name}" is under way', hint=f"davy flag status {name}")
    if flag.state.ramping:
        raise Refused(
            f'flag "{name}" is on its ramp, and a drill would take users from it', hint="drill when it is over"
        )
    passage = None if flag.linked is None else table.passages.get(flag.linked)
    if passage is not None and passage.trial is not None:
        raise Refused(
            f"{flag.linked} has an update under way, and a drill must not get in the way of an abort",
            hint="drill when it is over",
        )
    id_ = f"drill-{_short((name, why.at, flag.state.version))}"
    drill = Drill(id_, why.actor, why.at, why.at + DRILL_S, why.reason, table.generation + 1)
    after = renewed(table, flag, drill=drill)
    detail: dict[str, object] = {
        "drill": id_,
        "flag": name,
        "rollout": f"flag:{name}",
        "version": after.state.version,
    }
    draft = Draft(why.at, "drill_started", flag.subject, detail, why.actor, why.reason)
    return Done(Step(table.put(after), (draft,)), f'{id_} of flag "{name}" has begun')


def end_drill(table: Table, flag: Flag, outcome: str, now: float, missing: tuple[str, ...] = ()) -> Step:
    """Serve a flag as it was before its drill, and write down how that went."""
    drill = flag.state.drill
    assert drill is not None, "a drill is under way"
    drilled = Drilled(drill.id, drill.at, outcome, now - drill.at)
    after = renewed(table, flag, drill=None, drilled=drilled)
    detail: dict[str, object] = {
        "drill": drill.id,
        "flag": flag.key.name,
        "outcome": outcome,
        "seconds": round(drilled.seconds, 3),
        "missing": list(missing),
    }
    return Step(table.put(after), (Draft(now, "drill_finished", flag.subject, detail),))


def proposed(table: Table, flag: Flag, settings: Settings, why: Why) -> Done:
    """Keep a ramp until somebody else agrees to it."""
    return _proposed(table, flag, "ramped", settings, why)


def _check_ramp(table: Table, flag: Flag, after: Flag) -> None:
    """Make sure that a flag which has a ramp gets to more users by it and by nothing else.

    Raises:
        Refused: it would get to more users, or to others, in one go.
    """
    name = flag.key.name
    if flag.manifest.spec.ramp is None or not table.production or after.state.settings.enabled is False:
        return
    if after.reach > flag.reach or (
        after.reach and after.state.settings.variant != flag.state.settings.variant
    ):
        raise Refused(
            f'flag "{name}" has a ramp, and gets to more users by its steps only',
            hint=f'davy flag ramp {name} --reason "…"; --off and smaller shares are always possible',
        )


def _taken(flag: Flag) -> Ramp | None:
    """Take a flag out of the hands of its ramp, which is aborted by that."""
    return None if flag.state.ramp is None else msgspec.structs.replace(flag.state.ramp, over=True)


def _proposed(table: Table, flag: Flag, action: Action, settings: Settings, why: Why) -> Done:
    """Keep a change until somebody else agrees to it; the same one is asked for once."""
    told = (flag.key.name, flag.state.version, action, settings, why.actor)
    id_ = f"fc-{_short(told)}"
    open_ = tuple(each for each in flag.state.proposals if each.id != id_ and each.until > why.at)
    wanted = Proposal(
        id_,
        action,
        settings,
        flag.state.version,
        why.actor,
        why.at,
        why.at + PROPOSED_S,
        why.reason,
        why.ticket,
    )
    waiting = flag.being(proposals=(*open_, wanted)[-MOST_PROPOSED:])
    after = flag.being(settings=settings, killed=None if action == "restored" else flag.state.killed)
    entry = drafting.flag_changed(table, flag, after, action, why)
    entry = msgspec.structs.replace(
        entry, kind="flag_change_proposed", detail={**entry.detail, "proposal": id_}
    )
    said = f"{id_} waits for a second person: {drafting.serves(after)}"
    return Done(Step(table.put(waiting), (entry,)), said, wanted)


def _shown(table: Table, flag: Flag) -> str:
    """Say what users get, and what holds it back."""
    if flag.state.killed is not None or table.may_be_on(flag):
        return drafting.serves(flag)
    return f"{drafting.serves(flag)}, once its gate is open: {table.verdict(flag).why}"


def _short(told: object) -> str:
    return sha256(msgspec.json.encode(told)).hexdigest()[:8]
