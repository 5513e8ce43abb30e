"""One turn of one rollout: look, decide, write down, act.

A turn may crash at any line and be taken again with the same result: what was decided is written down with its
entries in one transaction before the world is told, and telling the world the same thing twice changes nothing.
The exception is an abort: it is acted on even when nothing can be written down, and written down later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from davy.analysis import guard
from davy.analysis.promql.evaluate import Engine
from davy.control.held import Held, Watch
from davy.control.judges import NOBODY, Judges
from davy.control.ports import Traffic
from davy.control.runs import Runs, ended_entry, started_entry
from davy.control.stories import story
from davy.control.verdicts import alarm, said, word
from davy.control.watching import kept, watch, weight_changed, worth_storing
from davy.errors import DavyError
from davy.ledger.entry import Draft
from davy.ledger.log import UNWRITABLE
from davy.ledger.store import Record, Store
from davy.rollout.decide import decide
from davy.rollout.decision import Decision, Look
from davy.rollout.names import fingerprint
from davy.rollout.platform import Platform, Seen
from davy.rollout.state import Aborted

NOTED = "noted"
"""The bucket with the mark of the last note of each subject that was written after all."""


class Spool(Protocol):
    """Where aborts are noted while the store cannot be written; read again when the engine starts."""

    def put(self, subject: str, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> None:
        """Note all there is to say of a subject, as well as can be; never raises."""
        ...

    def take(self) -> list[tuple[dict[Record, bytes | None], list[Draft]]]:
        """Return what was noted of every subject."""
        ...

    def clear(self, subject: str) -> None:
        """Forget what was noted of a subject, now that it is in the store; of all with an empty one."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """The parts that a turn looks at and acts on."""

    store: Store
    platform: Platform
    traffic: Traffic
    runs: Runs
    spool: Spool
    queries: Engine
    judges: Judges = NOBODY


def take_turn(held: Held, world: World, now: float) -> float | None:
    """Take one turn and return the clock's time at which to take the next, None for when something happens.

    A turn that moved something on is followed by another at once: at most one step is completed in each. What
    `held` says to be unfinished is tried again soon.

    Raises:
        DavyError: the turn could not be finished; the same turn will be taken again.
    """
    seen = world.platform.look(held.key)
    at, counters = world.traffic.counters(held.key)
    held.counted, held.ripening = dict(counters), any(pod.ready and not pod.available for pod in seen.pods)
    watched = watch(held, world.judges.of(held.manifest), seen, at, counters, world.queries)
    found = said(held, watched, now)
    look = Look(
        seen=seen,
        runs=world.runs.views(held.key),
        requests={hash_: counter.requests + counter.met for hash_, counter in counters.items()},
        alarm=seen.alarm or _alarm(watched) or alarm(found, held.state),
        word=word(found, held, watched),
    )
    decision = decide(held.manifest, held.state, look, now, port=held.port)
    moved = bool(decision.events) or decision.state.progress != held.state.progress
    _write_down(held, world, decision, watched, now)
    _act(held, world, decision, seen)
    return now if moved else decision.wake_at


def _alarm(watched: Watch | None) -> str:
    """Return the guard's sentence when it wants the traffic back."""
    if watched is None or watched.guard is None:
        return ""
    found = guard.verdict(watched.guard)
    return f"guard: {found.sentence}" if found.abort else ""


def _write_down(held: Held, world: World, decision: Decision, watched: Watch | None, now: float) -> None:
    """Put the decision, its analysis runs and its entries into the store, all or nothing."""
    started = [world.runs.start(request, held, now) for request in decision.start]
    names = {run.name for run in started} | decision.active
    ended = world.runs.end_all_but(held.key, names, now)
    learnt = watched
    weights_moved = decision.state.weights != held.state.weights
    if watched is not None and weights_moved:
        share = decision.state.weights.get(decision.state.current, 0)
        grew = share > held.state.weights.get(decision.state.current, 0)
        watched = weight_changed(watched, now, grew=grew)
    changes: dict[Record, bytes | None] = {}
    if decision.state != held.state:
        changes["rollout", str(held.key)] = msgspec.json.encode(decision.state)
    moved = decision.state.progress != held.state.progress and kept(watched) is not None
    if moved or worth_storing(held.watch, watched, held.watched_at):
        lasting = kept(watched)
        changes["watch", str(held.key)] = None if lasting is None else msgspec.json.encode(lasting)
    changes |= {("run", str(run.key)): msgspec.json.encode(run) for run in (*started, *ended)}
    surplus = world.runs.surplus(held.key, names)
    changes |= {("run", str(run.key)): None for run in surplus}
    drafts = [
        Draft(now, event.kind, held.subject, story(event, held.manifest, held.state, watched))
        for event in decision.events
    ]
    drafts += [started_entry(run, now) for run in started]
    drafts += [ended_entry(run, now) for run in ended]
    if changes or drafts or held.is_late:
        try:
            commit(held, world, changes, drafts, patient=isinstance(decision.state.progress, Aborted))
        except UNWRITABLE:
            held.watch = learnt  # nothing was decided, but an abort may rest on what users got meanwhile
            raise
    if ("watch", str(held.key)) in changes:
        held.watched_at = now
    held.state, held.watch = decision.state, watched
    world.runs.keep(*started, *ended)
    world.runs.forget(*surplus)


def commit(
    held: Held, world: World, changes: dict[Record, bytes | None], drafts: list[Draft], *, patient: bool
) -> None:
    """Commit; an abort (`patient`) goes on without, and is made up for by the next turn that can write."""
    earlier, late = owed(held)
    try:
        world.store.commit(earlier | changes, [*late, *drafts])
    except UNWRITABLE:
        if not patient:
            raise
        if changes or drafts:
            _note(held, world, earlier | changes, [*held.unsaved, *drafts])
        return
    paid(held, world)


def owed(held: Held) -> tuple[dict[Record, bytes | None], list[Draft]]:
    """Return what has to be written of a rollout before anything else is: records and entries of an abort."""
    return held.unsaved_changes, [*gap(held.unsaved), *held.unsaved]


def paid(held: Held, world: World) -> None:
    """Take what was owed as written."""
    if held.is_late:
        held.unsaved, held.unsaved_changes = [], {}
        world.spool.clear(held.subject)


def gap(late: Sequence[Draft]) -> tuple[Draft, ...]:
    """Return what comes before entries that are written late, nothing where there are none."""
    return tuple(Draft(first.at, "ledger_gap", first.subject, {"entries": len(late)}) for first in late[:1])


def _note(held: Held, world: World, changes: dict[Record, bytes | None], drafts: list[Draft]) -> None:
    """Keep what could not be written, and note it for the next engine if it has entries.

    The mark of a note is written with it, so that it is never recovered twice.
    """
    held.unsaved, held.unsaved_changes = drafts, changes
    if drafts:
        mark = fingerprint((list(changes.values()), drafts)).encode()
        held.unsaved_changes = {**changes, (NOTED, held.subject): mark}
        world.spool.put(held.subject, held.unsaved_changes, drafts)


def _act(held: Held, world: World, decision: Decision, seen: Seen) -> None:
    """Tell the platform what is wanted, unless it was told and does so."""
    wanted = {hash_: weight for hash_, weight in decision.desired.weights.items() if weight}
    served = {hash_: weight for hash_, weight in (seen.weights or {}).items() if weight}
    if held.steered == decision.desired and wanted == served and decision.desired.routes == seen.routes:
        return
    try:
        world.platform.steer(held.key, decision.desired)
    except DavyError:
        held.steered = None
        raise
    held.steered = decision.desired
