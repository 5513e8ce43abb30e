"""Engines and ports that are broken on purpose, and the first world that finds each of them out.

To find the seeds anew after the generator has changed: `python -m tests.sim.mutations`.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeAlias

import msgspec
import pytest

from davy.adapters.memory_platform import MemoryPlatform
from davy.adapters.memory_store import MemoryStore
from davy.analysis import run as analysis
from davy.analysis.judge import state as judging
from davy.control import turn
from davy.control.engine import Engine
from davy.control.held import Watch
from davy.control.runs import RunRecord, Runs
from davy.ledger.entry import Draft, Entry
from davy.ledger.lease import Lease
from davy.ledger.store import Record, Store
from davy.rollout import decide, scale, split
from davy.rollout.decision import Verdict
from davy.rollout.platform import Platform
from davy.rollout.state import Aborted, Verifying
from davy.sim.drill import Report, play
from davy.sim.ground import Parts
from davy.sim.plan import draw

PARTS = Parts(MemoryStore, MemoryPlatform)
Patch: TypeAlias = Callable[[pytest.MonkeyPatch], Parts]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A way to break something, the invariant that is broken by it, and the first seed that shows it."""

    breaks: Patch
    invariant: str
    seed: int


def unknown_counts_as_passed(patch: pytest.MonkeyPatch) -> Parts:
    honest = Runs.views

    def views(self: Runs, owner: Any) -> Mapping[str, Any]:
        return {
            name: msgspec.structs.replace(view, verdict=Verdict.PASSED)
            if view.verdict is Verdict.UNKNOWN
            else view
            for name, view in honest(self, owner).items()
        }

    patch.setattr(Runs, "views", views)
    return PARTS


def pauses_end_at_once(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr("davy.rollout.canary.pause_is_over", lambda _pause, _now: True)
    return PARTS


def an_abort_waits_for_the_store(patch: pytest.MonkeyPatch) -> Parts:
    honest = turn.commit

    def commit(held: Any, world: Any, changes: Any, drafts: Any, *, patient: bool) -> None:
        honest(held, world, changes, drafts, patient=False)

    patch.setattr(turn, "commit", commit)
    patch.setattr("davy.control.changing.commit", commit)
    return PARTS


def an_abort_waits_for_stable_to_be_ready(patch: pytest.MonkeyPatch) -> Parts:
    honest = split.split

    def stubborn(rollout: Any, state: Any, seen: Any, now: float) -> dict[str, int]:
        waits = isinstance(state.progress, Aborted) and not seen.count(state.stable).available
        return state.weights if waits else honest(rollout, state, seen, now)

    patch.setattr(decide, "split", stubborn)
    return PARTS


def the_switch_waits_for_nothing(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr("davy.rollout.blue_green._passed", lambda _run, _look: True)
    return PARTS


def blue_green_goes_by_halves(patch: pytest.MonkeyPatch) -> Parts:
    honest = split.split

    def by_halves(rollout: Any, state: Any, seen: Any, now: float) -> dict[str, int]:
        both = isinstance(state.progress, Verifying) and state.stable
        return {state.stable: 50, state.current: 50} if both else honest(rollout, state, seen, now)

    patch.setattr(decide, "split", by_halves)
    return PARTS


def who_is_met_is_not_told(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr(decide, "_exposed", lambda _state, _revision: ())
    return PARTS


def only_the_newest_is_counted(patch: pytest.MonkeyPatch) -> Parts:
    honest = decide._expose

    def expose(state: Any, look: Any, now: float) -> Any:
        after, events = honest(state, look, now)
        return after, tuple(event for event in events if event.detail["hash"] == state.current)

    patch.setattr(decide, "_expose", expose)
    return PARTS


def weights_move_without_an_entry(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr(decide, "_weight_event", lambda _state, _before: ())
    return PARTS


class Gappy(MemoryStore):
    """Leaves a number out now and then."""

    def commit(self, changes: Mapping[Record, bytes | None], drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        entries = super().commit(changes, drafts)
        return tuple(msgspec.structs.replace(entry, seq=entry.seq + entry.seq // 20) for entry in entries)


def entries_are_numbered_with_gaps(_patch: pytest.MonkeyPatch) -> Parts:
    return replace(PARTS, store=Gappy)


class Unfenced(MemoryStore):
    """Lets whoever once had the lease write for ever."""

    def under(self, _lease: Lease) -> Store:
        return self


class UnfencedPlatform(MemoryPlatform):
    """Obeys engines of every epoch."""

    def under(self, _epoch: int) -> Platform:
        return self


class Generous(MemoryStore):
    """Gives the lease to anybody who asks."""

    def take(self, holder: str, now: float, seconds: float, *, mark: str = "", over: int = 0) -> Lease:
        return super().take(holder, now + 1e6, seconds - 1e6, mark=mark, over=over)


def the_store_knows_no_fence(_patch: pytest.MonkeyPatch) -> Parts:
    return replace(PARTS, store=Unfenced)


def the_platform_knows_no_fence(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr(Engine, "_keep_lease", lambda _self: None)
    return replace(PARTS, platform=UnfencedPlatform)


def the_lease_is_given_to_anybody(_patch: pytest.MonkeyPatch) -> Parts:
    return replace(PARTS, store=Generous)


def pauses_never_end(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr("davy.rollout.canary.pause_is_over", lambda _pause, _now: False)
    return PARTS


def a_steer_that_failed_is_not_repeated(patch: pytest.MonkeyPatch) -> Parts:
    def act(held: Any, world: Any, decision: Any, _seen: Any) -> None:
        if held.steered != decision.desired:
            held.steered = decision.desired
            world.platform.steer(held.key, decision.desired)

    patch.setattr(turn, "_act", act)
    return PARTS


def a_restart_breaks_what_was_measured(patch: pytest.MonkeyPatch) -> Parts:
    honest = Runs.load

    def load(self: Runs, records: Mapping[str, bytes]) -> None:
        honest(self, records)
        for body in records.values():
            run = msgspec.json.decode(body, type=RunRecord)
            if not run.state.completed:
                lost = analysis.broken(run.name, "lost", now=run.state.started_at)
                self.keep(msgspec.structs.replace(run, state=lost))

    patch.setattr(Runs, "load", load)
    return PARTS


def the_judge_is_not_asked(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr("davy.rollout.judged.refusal", lambda _rollout, _look: None)
    return PARTS


def the_bake_is_over_at_once(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr("davy.rollout.judged.is_baked", lambda _rollout, _state, _look: True)
    return PARTS


def silence_is_consent(patch: pytest.MonkeyPatch) -> Parts:
    module = import_module("davy.analysis.judge.verdict")  # the package has a function of this name
    patch.setattr(module, "STALE_SCRAPES", 1e9)
    patch.setattr(module, "_silent", lambda _state: None)
    return PARTS


def the_judge_is_not_heard_when_it_wants_all_back(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr(turn, "alarm", lambda _found, _state: "")
    return PARTS


def stable_is_let_go_in_the_bake(patch: pytest.MonkeyPatch) -> Parts:
    honest = scale._scale_routed

    def thrifty(rollout: Any, state: Any, now: float) -> Any:
        after = honest(rollout, state, now)
        return after.changing(state.stable, replicas=0) if state.is_baking else after

    patch.setattr(scale, "_scale_routed", thrifty)
    return PARTS


def a_restarted_engine_judges_afresh(patch: pytest.MonkeyPatch) -> Parts:
    def fresh(self: Watch) -> Watch:
        anew = None if self.judge is None else judging.start(self.judge.judge, self.judge.digest)
        return msgspec.structs.replace(self, judge=anew)

    patch.setattr(Watch, "taken_up", fresh)
    return PARTS


def what_is_learnt_is_not_stored(patch: pytest.MonkeyPatch) -> Parts:
    patch.setattr("davy.control.watching.STORE_S", 1e9)
    return PARTS


GROWS = "traffic grows only on passed evidence"
SIDES = "blue green moves all users at once"
BACK = "an abort gives all traffic back"
WORD = "a judged canary gets more only on the word of its judge"
DATA = "without data nothing is promoted"
WHOLE = "stable is whole in the bake"
KEPT = "what a judge knows outlives its engine"
EXPOSED = "every exposure has its entry"
ENTRY = "no entry without its change"
ONE = "one engine at a time"
REST = "every update comes to rest"

MUTATIONS = (
    Mutation(unknown_counts_as_passed, GROWS, 2),
    Mutation(pauses_end_at_once, GROWS, 1),
    Mutation(the_switch_waits_for_nothing, GROWS, 6),
    Mutation(blue_green_goes_by_halves, SIDES, 6),
    Mutation(an_abort_waits_for_the_store, BACK, 66),
    Mutation(an_abort_waits_for_stable_to_be_ready, BACK, 137),
    Mutation(the_judge_is_not_heard_when_it_wants_all_back, BACK, 99),
    Mutation(the_judge_is_not_asked, WORD, 4),
    Mutation(the_bake_is_over_at_once, WORD, 4),
    Mutation(silence_is_consent, DATA, 4),
    Mutation(stable_is_let_go_in_the_bake, WHOLE, 4),
    Mutation(a_restarted_engine_judges_afresh, KEPT, 7),
    Mutation(what_is_learnt_is_not_stored, KEPT, 7),
    Mutation(who_is_met_is_not_told, EXPOSED, 1),
    Mutation(only_the_newest_is_counted, EXPOSED, 35),
    Mutation(weights_move_without_an_entry, ENTRY, 1),
    Mutation(entries_are_numbered_with_gaps, ENTRY, 1),
    Mutation(the_store_knows_no_fence, ONE, 53),
    Mutation(the_platform_knows_no_fence, GROWS, 6),
    Mutation(the_lease_is_given_to_anybody, ONE, 6),
    Mutation(pauses_never_end, REST, 1),
    Mutation(a_steer_that_failed_is_not_repeated, BACK, 16),
)


def found_out(breaks: Patch, seeds: range) -> tuple[int, Report] | None:
    """Find the first world in which an invariant is broken."""
    for seed in seeds:
        with pytest.MonkeyPatch.context() as patch:
            report = play(draw(seed), breaks(patch))
        if report.broken is not None:
            return seed, report
    return None


if __name__ == "__main__":
    for mutation in MUTATIONS:
        found = found_out(mutation.breaks, range(1, 400))
        says = f"{found[0]}: {found[1].broken}" if found else "not found out"
        sys.stdout.write(f"{mutation.breaks.__name__} {says}\n")
