"""What a judge knows of one rollout, and how it learns: `observe` takes in one look at the counters.

The state is a value. Stored as JSON and read again, it goes on with identical numbers.
"""

from typing import TypeVar, assert_never

import msgspec

from davy.analysis.judge.counters import Scrape, Side, between
from davy.analysis.judge.cusum import freeze
from davy.analysis.judge.known import Known, Spell, begin
from davy.analysis.judge.safety import HALF_LIFE_S
from davy.analysis.judge.settings import Judge, Metric
from davy.analysis.judge.split_check import SETTLE_SCRAPES, SplitCheck
from davy.analysis.judge.watch import ALARM, Confirming, Phase, Stepping, Watching

Kept = TypeVar("Kept", bound=Known)


class JudgeState(msgspec.Struct, frozen=True):
    """What is known.

    `started_at` is when the canary first had traffic, `warm_until` when it counts as warm. `flow` is (requests,
    seconds), old ones for less. `windows` were judged; `gaps` were not, since nobody can tell what happened.
    """

    judge: Judge
    digest: str = ""
    known: dict[str, Known] = {}
    phase: Phase = Stepping()
    last: Scrape | None = None
    weight: float = 0.0
    started_at: float | None = None
    warm_until: float | None = None
    flow: tuple[float, float] = (0.0, 0.0)
    windows: int = 0
    gaps: int = 0
    split: SplitCheck = SplitCheck()

    @property
    def rate(self) -> float:
        """Return requests a second of both versions together."""
        requests, seconds = self.flow
        return requests / seconds if seconds else 0.0


def start(judge: Judge, digest: str = "") -> JudgeState:
    """Begin to judge a version, of which nothing is known."""
    return JudgeState(judge, digest, begin(judge))


def resume(state: JudgeState, digest: str) -> JudgeState:
    """Begin another attempt.

    The same digest keeps its evidence, which may go on at any time (optional continuation: Grünwald, de Heide &
    Koolen, "Safe Testing", JRSS B 2024); so asking again until it passes does not help. Another one starts at
    1. What is known of stable is kept for both.
    """
    metrics = {metric.name: metric for metric in state.judge.metrics}
    known = {name: found.gap() for name, found in state.known.items()}
    if digest != state.digest:
        known = {name: found.fresh(metrics[name]) for name, found in known.items()}
    started = state.started_at if digest == state.digest else None
    return JudgeState(state.judge, digest, known, started_at=started, flow=state.flow)


def observe(state: JudgeState, scrape: Scrape) -> JudgeState:
    """Take in a look at the counters.

    A look that never came only makes the window longer, and one that is told twice or late changes nothing. A
    window in which the split changed is dropped, since its two halves do not mix, and so is one after which the
    counters of one version alone began anew.
    """
    last = state.last
    if last is None:
        return msgspec.structs.replace(state, last=scrape)
    if scrape.at <= last.at:
        return state
    seen = None if scrape.changed else between(last, scrape)
    began = last.at if seen else scrape.at
    if scrape.weight != state.weight:
        state = _moved(state, scrape.weight, began)
    if seen is None:
        known = {name: found.gap() for name, found in state.known.items()}
        return msgspec.structs.replace(
            state, known=known, split=state.split.gap(), last=scrape, gaps=state.gaps + 1
        )
    canary, stable = seen
    spell = _spell(state, last.at, scrape.at)
    if not scrape.measured:
        state = _checked(state, canary, stable, last.at, spell.window_s)
    state = _flowed(state, canary.requests + stable.requests, spell.window_s)
    state = _judged(state, canary, stable, spell, scrape.at)
    return msgspec.structs.replace(state, last=scrape)


def _moved(state: JudgeState, weight: float, at: float) -> JudgeState:
    """Note that the canary has another part of the traffic since `at`."""
    grew = weight > state.weight
    known = {name: found.settle() for name, found in state.known.items()}
    split = state.split.moved(at + SETTLE_SCRAPES * state.judge.scrape_s)
    phase = _next(state, weight, at)
    state = msgspec.structs.replace(state, known=known, weight=weight, phase=phase, split=split)
    return state if isinstance(phase, Confirming) or not grew else _warming(state, at)


def _warming(state: JudgeState, at: float) -> JudgeState:
    """Note that traffic which grew may have found cold instances."""
    judge, first = state.judge, state.started_at is None
    if first:
        state = msgspec.structs.replace(state, started_at=at)
    again = first or judge.warm_up_each or state.warm_until is None
    if not (again and judge.warm_up_s > 0.0):
        return state
    known = state.known
    if isinstance(state.phase, Stepping):
        known = {metric.name: known[metric.name].warm(metric, first=first) for metric in judge.metrics}
    return msgspec.structs.replace(state, known=known, warm_until=at + judge.warm_up_s)


def _next(state: JudgeState, weight: float, at: float) -> Phase:
    match state.phase:
        case Stepping():
            return _watching(state, at, 0) if weight >= 1.0 else Stepping(at)
        case Watching(since=promoted, episode=episode, doubted=doubted) if 0.0 < weight < 1.0:
            known = {metric.name: state.known[metric.name].fresh(metric) for metric in state.judge.metrics}
            return Confirming(at, promoted, episode + 1, known, doubted)
        case Confirming(promoted_at=promoted, episode=episode) if weight >= 1.0:
            return _watching(state, promoted, episode)
        case phase:
            return phase


def _watching(state: JudgeState, since: float, episode: int) -> Watching:
    """Freeze what the version is held to from now on."""
    confirmed = isinstance(state.phase, Confirming)
    known = state.phase.known if isinstance(state.phase, Confirming) else state.known
    cusums = {
        metric.name: cusum
        for metric in state.judge.metrics
        if (cusum := freeze(metric, known[metric.name], confirmed=confirmed))
    }
    return Watching(since, cusums, episode)


def _spell(state: JudgeState, began: float, ended: float) -> Spell:
    started = state.started_at if state.started_at is not None else began
    cold = state.warm_until is not None and began < state.warm_until
    return Spell(began - started, ended - began, cold)


def _checked(state: JudgeState, canary: Side, stable: Side, began: float, window_s: float) -> JudgeState:
    """Compare the split with what was set, where there is one."""
    if not (state.judge.check_split and 0.0 < state.weight < 1.0):
        return state
    split = state.split.add(
        canary.requests,
        stable.requests,
        weight=state.weight,
        began_at=began,
        window_s=window_s,
        session_s=state.judge.session_s,
    )
    return msgspec.structs.replace(state, split=split)


def _flowed(state: JudgeState, requests: int, window_s: float) -> JudgeState:
    kept = 0.5 ** (window_s / HALF_LIFE_S)
    before, seconds = state.flow
    return msgspec.structs.replace(state, flow=(before * kept + requests, seconds * kept + window_s))


def _judged(state: JudgeState, canary: Side, stable: Side, spell: Spell, at: float) -> JudgeState:
    """Let what the phase looks at take in a window."""
    metrics = state.judge.metrics
    match state.phase:
        case _ if state.weight <= 0.0:
            return msgspec.structs.replace(state, known=_learned(state, stable, spell))
        case Stepping() as stepping:
            known = _bet(state.known, metrics, canary, stable, spell)
            phase: Phase = Stepping(
                stepping.since, stepping.requests + canary.requests, stepping.others + stable.requests
            )
            return msgspec.structs.replace(state, known=known, phase=phase, windows=state.windows + 1)
        case Watching() as watching:
            phase = _watched(state, watching, canary, at, cold=spell.cold)
            return msgspec.structs.replace(state, phase=phase, windows=state.windows + 1)
        case Confirming() as confirming:
            fresh = Spell(at - spell.window_s - confirming.since, spell.window_s)
            known = _bet(confirming.known, metrics, canary, stable, fresh)
            phase = msgspec.structs.replace(
                confirming,
                known=known,
                requests=confirming.requests + canary.requests,
                others=confirming.others + stable.requests,
            )
            return msgspec.structs.replace(state, phase=phase, windows=state.windows + 1)
        case never:
            assert_never(never)


def _learned(state: JudgeState, stable: Side, spell: Spell) -> dict[str, Known]:
    return {
        metric.name: state.known[metric.name].learn(metric, stable, spell) for metric in state.judge.metrics
    }


def _bet(
    known: dict[str, Known], metrics: tuple[Metric, ...], canary: Side, stable: Side, spell: Spell
) -> dict[str, Known]:
    return {metric.name: known[metric.name].bet(metric, canary, stable, spell) for metric in metrics}


def _watched(state: JudgeState, watching: Watching, canary: Side, at: float, *, cold: bool) -> Watching:
    """Add to the sums of a promoted version, as long as it is baked."""
    if at - watching.since > state.judge.bake_s:
        return watching
    cusums, doubted = dict(watching.cusums), watching.doubted
    for metric in state.judge.metrics:
        if metric.name in cusums:
            factor = state.known[metric.name].dispersion.factor
            cusum = cusums[metric.name].add(metric, canary, dispersion=factor, cold=cold)
            cusums[metric.name] = cusum
            if cusum.log_evidence(metric) >= ALARM and metric.name not in doubted:
                doubted = (*doubted, metric.name)
    return msgspec.structs.replace(watching, cusums=cusums, doubted=doubted)
