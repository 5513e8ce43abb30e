"""Who watches a rollout: the guard sees what users of an update got, and a judge in its place sees more.

A judge learns how stable is before an update begins, while there is nothing to compare it with; that is kept in
memory only. Once there is an update, all that it knows is part of the watch, and goes on after a crash.
"""

from collections.abc import Mapping

import msgspec

from davy.analysis import guard
from davy.analysis.judge.counters import Scrape
from davy.analysis.judge.pace import risk
from davy.analysis.judge.settings import Judge
from davy.analysis.judge.state import JudgeState, observe, resume, start
from davy.analysis.judge.watch import Stepping
from davy.analysis.promql.evaluate import Engine
from davy.analysis.tally import Tally
from davy.control.counting import Reading, count
from davy.control.held import Held, Watch, is_compared
from davy.control.judges import Bound
from davy.rollout.platform import Seen
from davy.rollout.readiness import meets_users
from davy.rollout.state import Aborted, RolloutState

STORE_S = 10.0
"""Seconds of the clock after which what a judge knows is written down, though nothing happened."""


def watch(
    held: Held, bound: Bound | None, seen: Seen, at: float, counters: Mapping[str, Tally], queries: Engine
) -> Watch | None:
    """Let whoever watches see what users got since the last turn."""
    if bound is not None and held.state.stable:
        return _judged(held, bound, seen, at, counters, queries)
    held.unread = ""
    return _guarded(held, seen, at, counters)


def learn(held: Held, bound: Bound, at: float, counters: Mapping[str, Tally], queries: Engine) -> None:
    """Let a judge learn how stable is while no update is under way; nothing is decided by it, or stored."""
    watched = held.watch
    if watched is None or watched.judge is None or not _is_fit(watched, held.state, bound.settings):
        return  # the next turn begins with one that is
    last = watched.judge.last
    if last is None or at - last.at >= bound.settings.scrape_s:
        held.watch = _observed(held, watched, bound, 0.0, at, counters, queries)


def weight_changed(watched: Watch, now: float, *, grew: bool) -> Watch:
    """Note that the split was told to change; of a judged canary that got more, whether it had earned that."""
    if watched.judge is None:
        assert watched.guard is not None, "either watches"
        return msgspec.structs.replace(watched, guard=guard.weight_changed(watched.guard, now, grew=grew))
    proven = watched.proven
    if grew and isinstance(watched.judge.phase, Stepping):
        proven = risk(watched.judge).fits
    return msgspec.structs.replace(watched, changed_at=now, proven=proven)


def worth_storing(before: Watch | None, after: Watch | None, stored_at: float) -> bool:
    """Say whether something is known that must not be lost; windows without errors are learnt again.

    What a judge learns of latencies is in every window, so it is stored now and then all the same.
    """
    before, after = kept(before), kept(after)
    if before is None or after is None:
        return before is not after
    if _naming(before) != _naming(after):
        return True
    if after.judge is None or before.judge is None:
        return after.judge is not before.judge or _guard_learnt(before, after)
    if after.judge.weight == before.judge.weight == 0.0:
        return False
    errors = _errors(before.judge) != _errors(after.judge)
    moved = before.judge.weight != after.judge.weight or type(before.judge.phase) is not type(after.judge.phase)
    return errors or moved or _at(after.judge) - stored_at >= STORE_S


def kept(watched: Watch | None) -> Watch | None:
    """Return what is to outlive the engine of what watches: not what is known of stable alone."""
    return watched if watched is not None and watched.hash else None


def share(weights: Mapping[str, int] | None, hash_: str) -> float:
    """Return a version's part of the traffic."""
    total = sum(weights.values()) if weights else 0
    return weights.get(hash_, 0) / total if weights and total else 0.0


def _guarded(held: Held, seen: Seen, at: float, counters: Mapping[str, Tally]) -> Watch | None:
    """Let the guard watch while an update has traffic; after an abort it keeps what it found, for who asks."""
    state = held.state
    current = held.watch if held.judge is None else None
    if isinstance(state.progress, Aborted):
        return held.watch
    if not is_compared(state):
        return None
    if current is None or not current.is_of(state):
        if not meets_users(state, seen):
            return None
        current = Watch(state.current, state.attempt, guard.Guard(started_at=at), state.newest.number)
    assert current.guard is not None, "either watches"
    canary, stable = (counters.get(hash_, Tally(0, 0)) for hash_ in (state.current, state.stable))
    seen_now = guard.Counters(at, canary.requests, canary.errors, stable.requests, stable.errors)
    return msgspec.structs.replace(current, guard=guard.observe(current.guard, seen_now))


def _judged(
    held: Held, bound: Bound, seen: Seen, at: float, counters: Mapping[str, Tally], queries: Engine
) -> Watch | None:
    state, settings = held.state, bound.settings
    current = held.watch
    fit = current if current is not None and _is_fit(current, state, settings) else None
    if is_compared(state):
        if fit is None or not fit.is_of(state):
            fit = _begun(fit, state, settings)
        return _observed(held, fit, bound, share(seen.weights, state.current), at, counters, queries)
    held.unread = ""
    if fit is None:
        if isinstance(state.progress, Aborted) and current is not None:
            return current
        fit = Watch("", 0, judge=start(settings), stable=state.stable)
    if isinstance(state.progress, Aborted) and share(seen.weights, state.current):
        return fit  # it stays what it was aborted on
    return _observed(held, fit, bound, 0.0, at, counters, queries)


def _begun(known: Watch | None, state: RolloutState, settings: Judge) -> Watch:
    """Begin with an attempt: the same version goes on with the evidence that there is, another begins at 1."""
    digest = state.current
    judge = start(settings, digest) if known is None or known.judge is None else resume(known.judge, digest)
    return Watch(digest, state.attempt, None, state.newest.number, judge, state.stable)


def _is_fit(watched: Watch, state: RolloutState, settings: Judge) -> bool:
    """Say whether what is known is of the stable version that there is, by the settings that there are."""
    return watched.judge is not None and watched.stable == state.stable and watched.judge.judge == settings


def _observed(
    held: Held,
    watched: Watch,
    bound: Bound,
    weight: float,
    at: float,
    counters: Mapping[str, Tally],
    queries: Engine,
) -> Watch:
    """Let a judge see what there is at a look; a look that it has seen already is none."""
    assert watched.judge is not None, "a judge watches"
    last = watched.judge.last
    if not at or (last is not None and at <= last.at):
        return watched
    reading = count(bound.manifest, at, counters, watched.hash, watched.stable, queries)
    held.unread = reading.unread if weight else ""
    restarts = _restarts(counters, watched.hash), _restarts(counters, watched.stable)
    torn = last is not None and _is_torn(watched, last, weight, reading, restarts)
    scrape = Scrape(at, weight, reading.canary, reading.stable, torn)
    return msgspec.structs.replace(watched, judge=observe(watched.judge, scrape), restarts=restarts)


def _is_torn(watched: Watch, last: Scrape, weight: float, reading: Reading, restarts: tuple[int, int]) -> bool:
    """Say whether nobody can tell what the two versions did since the last look, at one split.

    Counters of which one fell over the end of an engine count something twice, or what nobody has counted.
    """
    pairs = ((last.canary, reading.canary), (last.stable, reading.stable))
    told = watched.changed_at is not None and watched.changed_at > last.at
    if told or weight != last.weight or any(not now.events.keys() <= old.events.keys() for old, now in pairs):
        return True
    if watched.restarts is not None:
        return watched.restarts != restarts
    return any(now.requests < old.requests or now.errors < old.errors for old, now in pairs)


def _restarts(counters: Mapping[str, Tally], hash_: str) -> int:
    return counters.get(hash_, Tally()).restarts


def _naming(watched: Watch) -> Watch:
    """Return all but what is learnt with every look."""
    return msgspec.structs.replace(watched, guard=None, judge=None, restarts=None)


def _guard_learnt(before: Watch, after: Watch) -> bool:
    one, other = before.guard, after.guard
    assert one is not None, "either watches"
    assert other is not None, "either watches"
    errors = [(each.seen.canary_errors, each.seen.stable_errors) for each in (one, other)]
    return errors[0] != errors[1] or one.changed_at != other.changed_at


def _errors(judge: JudgeState) -> tuple[object, ...]:
    """Return all that was counted against either version."""
    last = judge.last
    if last is None:
        return ()
    return last.canary.errors, last.stable.errors, last.canary.events, last.stable.events


def _at(judge: JudgeState) -> float:
    return 0.0 if judge.last is None else judge.last.at
