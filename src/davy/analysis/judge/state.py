"""What a judge knows of one rollout, and how it learns: `observe` takes in one look at the counters.

The state is a value. Stored as JSON and read again, it goes on with identical numbers.
"""

from typing import TypeVar, assert_never

import msgspec

from davy.analysis.judge.counters import Scrape, Side, between
from davy.analysis.judge.known import Known, RatioKnown, Spell, begin, counted
from davy.analysis.judge.race import Window
from davy.analysis.judge.safety import HALF_LIFE_S
from davy.analysis.judge.settings import Judge, Metric, MetricKind
from davy.analysis.judge.watch import ALARM, Confirming, Cusum, Phase, Stepping, Watching

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
        return msgspec.structs.replace(state, known=known, last=scrape, gaps=state.gaps + 1)
    canary, stable = seen
    spell = _spell(state, last.at, scrape.at)
    state = _flowed(state, canary.requests + stable.requests, spell.window_s)
    state = _judged(state, canary, stable, spell, scrape.at)
    return msgspec.structs.replace(state, last=scrape)


def _moved(state: JudgeState, weight: float, at: float) -> JudgeState:
    """Note that the canary has another part of the traffic since `at`."""
    grew = weight > state.weight
    known = {name: found.settle() for name, found in state.known.items()}
    state = msgspec.structs.replace(state, known=known, weight=weight, phase=_next(state, weight, at))
    if not (grew and isinstance(state.phase, Stepping)):
        return state
    first = state.started_at is None
    if first:
        state = msgspec.structs.replace(state, started_at=at)
    again = first or state.judge.warm_up_each or state.warm_until is None
    if not (again and state.judge.warm_up_s > 0.0):
        return state
    metrics = state.judge.metrics
    known = {metric.name: state.known[metric.name].warm(metric, first=first) for metric in metrics}
    return msgspec.structs.replace(state, known=known, warm_until=at + state.judge.warm_up_s)


def _next(state: JudgeState, weight: float, at: float) -> Phase:
    match state.phase:
        case Stepping():
            return _watching(state, at, 0) if weight >= 1.0 else Stepping(at)
        case Watching(since=promoted, episode=episode) if 0.0 < weight < 1.0:
            known = {metric.name: state.known[metric.name].fresh(metric) for metric in state.judge.metrics}
            return Confirming(at, promoted, episode + 1, known)
        case Confirming(promoted_at=promoted, episode=episode) if weight >= 1.0:
            return _watching(state, promoted, episode)
        case phase:
            return phase


def _watching(state: JudgeState, since: float, episode: int) -> Watching:
    """Freeze the rates that the version is held to from now on."""
    known = state.phase.known if isinstance(state.phase, Confirming) else state.known
    cusums = {}
    for metric in state.judge.metrics:
        found = known[metric.name]
        if metric.kind is MetricKind.ERRORS and isinstance(found, RatioKnown):
            seen = found.seen if isinstance(state.phase, Confirming) else None
            cusums[metric.name] = Cusum(_pooled(seen) if seen else found.safety.rate)
    return Watching(since, cusums, episode)


def _pooled(seen: Window) -> float:
    """Return the rate of both halves of a confirmation."""
    requests = seen.canary_requests + seen.stable_requests
    return (seen.canary_errors + seen.stable_errors + 0.5) / (requests + 1.0)


def _spell(state: JudgeState, began: float, ended: float) -> Spell:
    started = state.started_at if state.started_at is not None else began
    cold = state.warm_until is not None and began < state.warm_until
    return Spell(began - started, ended - began, cold)


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
        case Stepping(since=since, requests=requests):
            known = _bet(state.known, metrics, canary, stable, spell)
            phase: Phase = Stepping(since, requests + canary.requests)
            return msgspec.structs.replace(state, known=known, phase=phase, windows=state.windows + 1)
        case Watching() as watching:
            phase = _watched(state, watching, canary, at)
            return msgspec.structs.replace(state, phase=phase, windows=state.windows + 1)
        case Confirming() as confirming:
            fresh = Spell(at - spell.window_s - confirming.since, spell.window_s)
            known = _bet(confirming.known, metrics, canary, stable, fresh)
            phase = msgspec.structs.replace(confirming, known=known)
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


def _watched(state: JudgeState, watching: Watching, canary: Side, at: float) -> Watching:
    """Add to the sums of a promoted version, as long as it is baked."""
    if at - watching.since > state.judge.bake_s:
        return watching
    metrics = {metric.name: metric for metric in state.judge.metrics}
    cusums = {
        name: cusum.add(*counted(metrics[name], canary), dispersion=state.known[name].dispersion.factor)
        for name, cusum in watching.cusums.items()
    }
    alarmed = watching.alarmed or any(cusum.log_evidence >= ALARM for cusum in cusums.values())
    return msgspec.structs.replace(watching, cusums=cusums, alarmed=alarmed)
