"""What the judge says: one action, one sentence, and the numbers behind it.

Silence holds: without fresh counters, and without requests of both versions on a step, nothing is promoted.
"""

import math
from enum import StrEnum
from typing import assert_never

import msgspec

from davy.analysis.judge.absolute import Objective
from davy.analysis.judge.bets import exponent
from davy.analysis.judge.family import driver, log_mean
from davy.analysis.judge.known import Known, RatioKnown
from davy.analysis.judge.pace import Risk, risk
from davy.analysis.judge.settings import Metric
from davy.analysis.judge.state import JudgeState
from davy.analysis.judge.watch import (
    CONFIRM_S,
    CONFIRM_WEIGHT,
    QUIET,
    Confirming,
    Stepping,
    Watching,
    doubt,
    excluded,
)

STALE_SCRAPES = 3
LN10 = math.log(10.0)


class Action(StrEnum):
    """What to do with the traffic."""

    CONTINUE = "continue"
    """Stay: nothing is decided yet."""
    ADVANCE = "advance"
    """Give the canary `next_weight`; at 1 already, the bake is over and stable need not be kept any longer."""
    ABORT = "abort"
    """Give everything to stable: the canary is worse."""
    HOLD = "hold"
    """Do not give the canary more; if `next_weight` is less, give it that."""
    ROLLBACK = "rollback"
    """Give everything back to the version before, after promotion."""


class DataState(StrEnum):
    """How good what is judged is."""

    OK = "ok"
    NO_DATA = "no_data"
    """Nothing was seen yet, or not since the last step."""
    STALE = "stale"
    """Nothing new came for three scrapes."""
    SPLIT = "split"
    """The canary's part of the requests is not the weight that was set, so the comparison may not be fair."""


class Evidence(msgspec.Struct, frozen=True):
    """How much speaks against the canary: a power of ten against the one that is needed."""

    log10: float
    abort_at: float
    driver: str
    ratio: float | None = None


class Assurance(msgspec.Struct, frozen=True):
    """How bad the canary may still be, and what the next step may cost, in requests."""

    excess_upper: float
    beta: float
    risk_next: float
    budget: float


class MetricView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One metric: its own evidence, (tried, happened) of both versions, and how clumped its events are."""

    log10: float
    canary: tuple[int, int] | None = None
    stable: tuple[int, int] | None = None
    phi: float | None = None


class DataView(msgspec.Struct, frozen=True):
    """How old the counters are, how many windows were judged, and whether that will do."""

    age_s: float | None
    windows: int
    state: DataState


class Verdict(msgspec.Struct, frozen=True):
    """The judge's answer."""

    action: Action
    weight: float
    next_weight: float
    reason: str
    evidence: Evidence
    assurance: Assurance
    metrics: dict[str, MetricView]
    data: DataView


class _Choice(msgspec.Struct, frozen=True):
    action: Action
    reason: str
    next_weight: float


def verdict(state: JudgeState, now: float) -> Verdict:
    """Say what to do now."""
    known = state.phase.known if isinstance(state.phase, Confirming) else state.known
    alpha = state.phase.alpha if isinstance(state.phase, Confirming) else state.judge.alpha
    evidence = _evidence(state, known, alpha)
    ahead = risk(state)
    data = _data(state, now)
    chosen = _choose(state, evidence, ahead, data, now)
    return Verdict(
        chosen.action,
        state.weight,
        chosen.next_weight,
        chosen.reason,
        evidence,
        Assurance(ahead.excess_upper, state.judge.beta, ahead.requests, ahead.budget),
        {metric.name: _view(metric, known[metric.name]) for metric in state.judge.metrics},
        data,
    )


def _evidence(state: JudgeState, known: dict[str, Known], alpha: float) -> Evidence:
    metrics = {metric.name: metric for metric in state.judge.metrics}
    logs = {name: found.log_evidence(metrics[name]) for name, found in known.items()}
    weights = state.judge.weights
    top = driver(logs, weights)
    first = known[top]
    ratio = first.ratio(metrics[top]) if isinstance(first, RatioKnown) else None
    return Evidence(log_mean(logs, weights) / LN10, -math.log10(alpha), top, ratio)


def _data(state: JudgeState, now: float) -> DataView:
    if state.last is None:
        return DataView(None, state.windows, DataState.NO_DATA)
    age = max(0.0, now - state.last.at)
    if age > STALE_SCRAPES * state.judge.scrape_s:
        return DataView(age, state.windows, DataState.STALE)
    if _silent(state):
        return DataView(age, state.windows, DataState.NO_DATA)
    return DataView(age, state.windows, DataState.SPLIT if state.split.off else DataState.OK)


def _silent(state: JudgeState) -> str | None:
    """Return which version has had no request since the split was set."""
    match state.phase:
        case Stepping(requests=0) | Confirming(requests=0) if state.weight > 0.0:
            return "the canary"
        case Stepping(others=0) | Confirming(others=0) if state.weight > 0.0:
            return "stable"
        case _:
            return None


def _choose(state: JudgeState, evidence: Evidence, ahead: Risk, data: DataView, now: float) -> _Choice:
    """Choose; what is proven comes before what is missing."""
    if not isinstance(state.phase, Watching) and evidence.log10 >= evidence.abort_at:
        return _guilty(state, evidence)
    if data.state is DataState.STALE:
        return _Choice(Action.HOLD, f"no news of the counters for {data.age_s:.0f} s", state.weight)
    match state.phase:
        case Stepping() as stepping:
            spoilt = _breached(state) or _missing(state) or _unfair(state)
            return spoilt or _step(state, stepping, evidence, ahead, now)
        case Watching() as watching:
            return _watch(state, watching, now)
        case Confirming() as confirming:
            return _missing(state) or _unfair(state) or _confirm(state, confirming, evidence, now)
        case never:
            assert_never(never)


def _guilty(state: JudgeState, evidence: Evidence) -> _Choice:
    metric = next(each for each in state.judge.metrics if each.name == evidence.driver)
    known = state.phase.known if isinstance(state.phase, Confirming) else state.known
    found = known[metric.name]
    alpha = 10.0**-evidence.abort_at
    chance = f"if it were as good as stable, this happened in at most {100 * alpha:.2g} of 100 rollouts"
    if isinstance(found, RatioKnown):
        what = (
            f"{metric.name} of the canary is {_share(found.seen.canary_errors, found.seen.canary_requests)}, "
            f"of stable {_share(found.seen.stable_errors, found.seen.stable_requests)}"
        )
    else:
        part, factor = found.likeliest(metric)
        some = "" if part >= 1.0 else f", about {_percent(part)} of them"
        what = f"{metric.name}: the canary's requests take about {factor:g} times as long as stable's{some}"
    action = Action.ROLLBACK if isinstance(state.phase, Confirming) else Action.ABORT
    return _Choice(action, f"{what}; {chance}", 0.0)


def _missing(state: JudgeState) -> _Choice | None:
    """Hold while nothing is seen of one version."""
    silent = _silent(state)
    told = f"no request of {silent} at {_percent(state.weight)} yet"
    return _Choice(Action.HOLD, told, state.weight) if silent else None


def _unfair(state: JudgeState) -> _Choice | None:
    """Hold while the split is not what was set."""
    if state.split.off is None:
        return None
    told = (
        f"the canary gets {_percent(state.split.off.share)} of the requests, not {_percent(state.weight)}: "
        "the split is not what was set, so the comparison may not be fair"
    )
    return _Choice(Action.HOLD, told, state.weight)


def _breached(state: JudgeState) -> _Choice | None:
    """Hold both versions to the objectives."""
    needed = -math.log(state.judge.alpha)
    for metric in state.judge.metrics:
        found = state.known[metric.name]
        if metric.objective is None or not isinstance(found, RatioKnown):
            continue
        canary, stable = found.objective.logs
        if canary >= needed:
            return _against_objective(state, metric, metric.objective, found.objective, stable)
    return None


def _against_objective(
    state: JudgeState, metric: Metric, most: float, objective: Objective, stable: float
) -> _Choice:
    told = f"{metric.name}: the canary fails more than the {_percent(most)} of the objective"
    if stable < math.log(state.judge.suspicion):
        return _Choice(Action.ABORT, f"{told}, stable does not", 0.0)
    return _Choice(
        Action.HOLD,
        f"{told}, and so does stable; look for what they share, it may be the canary's doing",
        state.weight,
    )


def _step(state: JudgeState, stepping: Stepping, evidence: Evidence, ahead: Risk, now: float) -> _Choice:
    """Decide whether the canary gets more."""
    weight, rung = state.weight, state.judge.rung(state.weight)
    if weight <= 0.0:
        return _Choice(Action.CONTINUE, "the canary has no traffic yet", ahead.next_weight)
    at = state.last.at if state.last else now
    dwell = at - stepping.since
    following = f"at {_percent(ahead.next_weight)}"
    if dwell < rung.soak_s:
        told = f"{dwell:.0f} s of at least {rung.soak_s:.0f} s at {_percent(weight)}"
        return _Choice(Action.CONTINUE, told, ahead.next_weight)
    if state.warm_until is not None and at < state.warm_until:
        told = f"the canary may be cold for another {state.warm_until - at:.0f} s"
        return _Choice(Action.CONTINUE, told, ahead.next_weight)
    if evidence.log10 >= math.log10(state.judge.suspicion):
        told = (
            f"evidence against the canary is 10^{exponent(evidence.log10)}; more traffic waits until it falls"
        )
        return _Choice(Action.HOLD, told, weight)
    doubtful = ahead.last and ahead.proof < 0.0
    capped = dwell >= rung.cap_s * (state.judge.patience if doubtful else 1.0)
    if ahead.last and evidence.log10 >= math.log10(state.judge.resolve):
        told = f"evidence against the canary is 10^{exponent(evidence.log10)}; the last step waits for more"
        return _Choice(Action.CONTINUE, told, ahead.next_weight)
    if ahead.fits:
        told = f"worst plausible damage {following} is {_requests(ahead.requests)}, budget {ahead.budget:g}"
        return _Choice(Action.ADVANCE, told, ahead.next_weight)
    if capped:
        told = (
            f"timed, not proven: after {dwell:.0f} s only more than +{_percent(ahead.excess_upper)} is excluded"
        )
        return _Choice(Action.ADVANCE, told, ahead.next_weight)
    return _Choice(Action.CONTINUE, _waits(ahead, following), ahead.next_weight)


def _waits(ahead: Risk, following: str) -> str:
    if ahead.requests > ahead.budget:
        return f"worst plausible damage {following} is {_requests(ahead.requests)}, budget {ahead.budget:g}"
    return (
        f"errors of up to +{_percent(ahead.excess_upper)} are not excluded yet; "
        f"all traffic asks for +{_percent(ahead.assurance)}"
    )


def _watch(state: JudgeState, watching: Watching, now: float) -> _Choice:
    if watching.doubted:
        told = f"{doubt(watching.doubted)}; halves of the traffic tell whether it is the new version"
        return _Choice(Action.HOLD, told, CONFIRM_WEIGHT)
    left = state.judge.bake_s - (now - watching.since)
    if left > 0.0:
        return _Choice(Action.CONTINUE, f"promoted; watched for another {left:.0f} s", state.weight)
    return _Choice(Action.ADVANCE, "promoted, and watched to the end", state.weight)


def _confirm(state: JudgeState, confirming: Confirming, evidence: Evidence, now: float) -> _Choice:
    over = now - confirming.since >= CONFIRM_S or excluded(state.judge, confirming)
    if over and evidence.log10 < QUIET / LN10:
        return _Choice(Action.ADVANCE, "stable fares no better: it is not the new version", 1.0)
    since = f", since {doubt(confirming.doubted)}" if confirming.doubted else ""
    return _Choice(Action.CONTINUE, f"compares both halves{since}", state.weight)


def _view(metric: Metric, found: Known) -> MetricView:
    log10 = found.log_evidence(metric) / LN10
    phi = found.dispersion.factor
    if not isinstance(found, RatioKnown):
        return MetricView(log10, phi=phi)
    seen = found.seen
    return MetricView(
        log10, (seen.canary_requests, seen.canary_errors), (seen.stable_requests, seen.stable_errors), phi
    )


def _share(events: int, tried: int) -> str:
    return f"{_percent(events / tried) if tried else '-'} ({events} of {tried})"


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"


def _requests(number: float) -> str:
    return f"{number:.0f} requests" if number >= 1.0 else "less than 1 request"
