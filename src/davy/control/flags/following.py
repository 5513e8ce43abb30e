"""What a transaction means for flags: a manifest accepted or taken away, a canary that passed, an abort.

Pure: a table and what is to be written give another table and the entries that belong in the same transaction.
So whatever ends an update, by whatever way, its flags are killed with it, and no gate opens without the entries
that it rests on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from davy.control.flags import drafting
from davy.control.flags.drafting import Why
from davy.control.flags.passages import ABORTS, READ, Passage, follow
from davy.control.flags.ramped import halted, ramped
from davy.control.flags.state import BUCKET, Drilled, FlagState, Kill, Settings
from davy.control.flags.table import KIND, PASSAGES, Flag, Table
from davy.flags.ramp import is_ramp
from davy.ledger.entry import Draft
from davy.ledger.store import Record
from davy.model.flag import FeatureFlag
from davy.model.key import Key
from davy.rollout.state import RolloutState

_ROLLOUT = "Rollout "


@dataclass(frozen=True, slots=True)
class Step:
    """What comes of something: another table, the entries that tell of it, and whether it waits for nothing."""

    table: Table
    drafts: tuple[Draft, ...] = ()
    urgent: bool = False


def entailed(table: Table, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft], now: float) -> Step:
    """Return what a transaction means for flags."""
    step = _declared(_as_written(table, changes), changes, drafts, now)
    for (bucket, name), body in changes.items():
        if bucket == "rollout" and body is not None and is_ramp(_key(name)):
            step = _ramped(step, _key(name), msgspec.json.decode(body, type=RolloutState), drafts, now)
    for subject in dict.fromkeys(draft.subject for draft in drafts if draft.kind in READ):
        if subject.startswith(_ROLLOUT):
            rollout = _key(subject.removeprefix(_ROLLOUT))
            step = _moved(step, rollout, [draft for draft in drafts if draft.subject == subject])
    return step


def with_gates(
    before: Table, step: Step, keys: Iterable[Key], at: float, *, cause: str = "", silent: str | None = None
) -> Step:
    """Write down which gates are open or shut now and were not before.

    Args:
        before: the table that gates were judged by before.
        step: what came about.
        keys: the flags that it is about.
        at: when.
        cause: why gates are shut.
        silent: the artifact of which that is written down already.
    """
    table, drafts = step.table, list(step.drafts)
    for key in keys:
        flag, known = table.flags[key], before.flags.get(key)
        had = {} if known is None else before.opened(known)
        has = table.opened(flag)
        if had.keys() == has.keys():
            continue
        best = max(has.values(), key=lambda each: each.at, default=None)
        after = renewed(table, flag, evidence="" if best is None else best.digest)
        known_by = {each.digest for each in had.values()}
        told = {each.digest: each for each in has.values() if each.digest not in known_by}
        drafts += [drafting.gate_opened(after, each, at) for each in told.values()]
        gone = {artifact: each for artifact, each in had.items() if artifact not in has and artifact != silent}
        if gone:
            artifact = next((name for name in gone if name), _under_way(table, flag))
            drafts.append(drafting.gate_closed(after, str(flag.linked), artifact, cause, at))
        if told and after.state.live is None and after.reach:
            why = Why("davy", at, next(iter(told.values())).rollout.name + ": its canary has passed")
            after = after.being(live=drafting.change_of(after))
            evidence = next(iter(told))
            drafts.append(
                drafting.flag_changed(table, flag, after, "opened", why, weight=after.reach, evidence=evidence)
            )
        table = table.put(after)
    return Step(table, tuple(drafts), step.urgent)


def renewed(table: Table, flag: Flag, *, same_document: bool = False, **changes: object) -> Flag:
    """Return the next version of a flag; it makes the next document unless nobody gets anything else by it."""
    generation = flag.state.generation if same_document else table.generation + 1
    return flag.being(version=flag.state.version + 1, generation=generation, **changes)


def interrupted(flag: Flag, at: float) -> tuple[dict[str, Any], list[Draft]]:
    """End the drill of a flag, if there is one, since something happens for real."""
    drill = flag.state.drill
    if drill is None:
        return {}, []
    ended = Drilled(drill.id, drill.at, "interrupted", at - drill.at)
    detail: dict[str, object] = {
        "drill": drill.id,
        "flag": flag.key.name,
        "outcome": ended.outcome,
        "seconds": round(ended.seconds, 3),
    }
    return {"drill": None, "drilled": ended}, [Draft(at, "drill_finished", flag.subject, detail)]


def _as_written(table: Table, changes: Mapping[Record, bytes | None]) -> Table:
    """Take in what is written of flags as it is: somebody noted it while nothing could be written."""
    for (bucket, name), body in changes.items():
        if body is None:
            continue
        if bucket == PASSAGES:
            table = table.passing(_key(name), msgspec.json.decode(body, type=Passage))
        elif bucket == BUCKET:
            state, flag = msgspec.json.decode(body, type=FlagState), table.flags.get(_key(name))
            if flag is not None and state.version > flag.state.version:
                table = table.put(Flag(flag.manifest, flag.definition, flag.governance, state))
    return table


def _declared(
    table: Table, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft], now: float
) -> Step:
    """Take in manifests that are accepted or taken away, each by itself: none is up to another."""
    whose = _whose(drafts)
    parts: dict[Key, Table] = {}
    told: list[Draft] = []
    generation = table.generation
    for (bucket, name), body in changes.items():
        if bucket != "object" or not name.startswith(f"{KIND}/"):
            continue
        key = _key(name.partition("/")[2])
        why = whose.get(f"{KIND} {key}", Why("davy", now))
        alone = Step(table.only(key, generation))
        step = _deleted(alone, key, why) if body is None else _applied(alone, body, why)
        if step is not alone:
            parts[key] = step.table
            told += step.drafts
            generation = step.table.generation
    return Step(table.joined(parts), tuple(told)) if parts else Step(table)


def _applied(step: Step, body: bytes, why: Why) -> Step:
    """Take in a manifest; settings stay on top of it as far as it has what they name."""
    table, manifest = step.table, msgspec.json.decode(body, type=FeatureFlag)
    known = table.flags.get(manifest.key)
    if known is not None and known.manifest == manifest:
        return step
    left = table.retired.get(manifest.key)
    if known is not None:
        state = known.state
    elif left is not None:
        state = msgspec.structs.replace(left, retired_at=None, since=why.at)
    else:
        state = FlagState(version=0, generation=table.generation, since=why.at)
    flag = Flag.of(manifest, state, table.environment)
    if state.settings.variant not in ("", *flag.definition.variants):
        flag = flag.being(settings=Settings())
    retired = manifest.spec.retired and not (known and known.manifest.spec.retired)
    after = renewed(table, flag, proposals=())
    may_be_on, weight = table.may_be_on(after), drafting.weight(known, after)
    if not may_be_on or manifest.spec.retired:
        weight = 0
    live = drafting.change_of(after) if weight and after.reach else state.live if after.reach else None
    after = after.being(live=live)
    action = drafting.flag_changed(table, known, after, "retired" if retired else "applied", why, weight=weight)
    why_shut = "the flag waits for something else now"
    opened = with_gates(table, Step(table.put(after)), [after.key], why.at, cause=why_shut)
    return Step(opened.table, (*step.drafts, action, *opened.drafts), step.urgent)


def _deleted(step: Step, key: Key, why: Why) -> Step:
    """Take a flag away; its versions go on where they were if it ever comes back."""
    table, known = step.table, step.table.flags.get(key)
    if known is None:
        return step
    changes, ended = interrupted(known, why.at)
    after = renewed(table, known, **changes, proposals=(), live=None, retired_at=why.at)
    weight = known.reach if table.may_be_on(known) else 0
    told = drafting.flag_changed(table, known, after, "retired", why, weight=weight)
    return Step(table.without(key, after.state), (*step.drafts, *ended, told), step.urgent)


def _moved(step: Step, rollout: Key, drafts: Sequence[Draft]) -> Step:
    """Take in what became of a rollout."""
    before = step.table
    known = before.passages.get(rollout, Passage())
    passage = follow(known, rollout, drafts)
    if passage == known and not _aborted(known, drafts):
        return step
    step = Step(before.passing(rollout, passage), step.drafts, step.urgent)
    abort, at, linked = _aborted(known, drafts), drafts[-1].at, before.linked(rollout)
    keys = [flag.key for flag in linked]
    if abort is None:
        return with_gates(before, step, keys, at, cause=_why_shut(passage, drafts))
    cause = _cause(abort, drafts)
    for flag in linked:
        step = _with_abort(before, step, flag, abort, cause)
    return with_gates(before, step, keys, at, cause=cause, silent=str(abort.detail["hash"]))


def _with_abort(before: Table, step: Step, flag: Flag, abort: Draft, cause: str) -> Step:
    """Kill a flag since its rollout was aborted, unless nobody can have any of it, or it is dead already."""
    table, drafts, after = step.table, list(step.drafts), flag
    if flag.state.killed is None and before.may_be_on(flag):
        changes, ended = interrupted(flag, abort.at)
        name = str(abort.detail.get("rollout", ""))
        kill = Kill("davy", abort.at, cause, table.generation + 1, name)
        after = renewed(table, flag, **changes, **halted(flag), killed=kill, live=None, proposals=())
        why = Why("davy", abort.at, cause)
        drafts += [*ended, drafting.killed(before, flag, after, why, rollout=name)]
        table = table.put(after)
    if before.gated(flag):
        artifact = str(abort.detail["hash"])
        drafts.append(drafting.gate_closed(after, str(flag.linked), artifact, cause, abort.at))
    return Step(table, tuple(drafts), urgent=True)


def _ramped(step: Step, ramp: Key, state: RolloutState, drafts: Sequence[Draft], now: float) -> Step:
    """Let a flag follow its ramp."""
    moved = ramped(step.table, ramp, state, drafts, now)
    if moved is None:
        return step
    after, told, urgent = moved
    entries = step.drafts if told is None else (*step.drafts, told)
    return Step(step.table.put(after), entries, step.urgent or urgent)


def _aborted(known: Passage, drafts: Sequence[Draft]) -> Draft | None:
    """Return the abort among entries, unless it is one that was met before: it may be written twice."""
    aborts = [draft for draft in drafts if draft.kind in ABORTS]
    return next(
        (each for each in aborts if not known.aborted or each.detail.get("rollout") != known.aborted), None
    )


def _cause(abort: Draft, drafts: Sequence[Draft]) -> str:
    """Say in a sentence why a rollout was aborted; where a person wanted it, who and why."""
    if cause := str(abort.detail.get("cause", "")):
        return cause
    person = next((draft for draft in drafts if draft.kind == "human_action"), None)
    name = abort.detail.get("rollout", abort.subject.removeprefix(_ROLLOUT))
    return f"{name} was aborted" if person is None else f"{name} was aborted by a person: {person.reason}"


def _why_shut(passage: Passage, drafts: Sequence[Draft]) -> str:
    if passage.trial is not None:
        return f"revision {passage.trial.revision} is under way and has not passed yet"
    if any(draft.kind == "object_deleted" for draft in drafts):
        return "the rollout was taken away"
    return f"the stable version {passage.stable} has not passed"


def _under_way(table: Table, flag: Flag) -> str:
    passage = Passage() if flag.linked is None else table.passages.get(flag.linked, Passage())
    return passage.trial.artifact if passage.trial else passage.stable


def _whose(drafts: Sequence[Draft]) -> dict[str, Why]:
    """Say by their subjects who accepts manifests or takes them away, and why."""
    return {
        draft.subject: Why(draft.actor, draft.at, draft.reason)
        for draft in reversed(drafts)
        if draft.kind in ("object_applied", "object_deleted")
    }


def _key(name: str) -> Key:
    namespace, _, rest = name.partition("/")
    return Key(namespace, rest)
