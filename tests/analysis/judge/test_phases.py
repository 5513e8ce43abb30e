"""Through all phases, from the first step to the last halves: crashes, echoes and silence change nothing."""

import math
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.judge import (
    Action,
    DataState,
    Judge,
    JudgeState,
    Metric,
    MetricKind,
    Rung,
    Scrape,
    Side,
    observe,
    start,
    verdict,
)
from davy.analysis.judge.histogram import HistShift, Slowdowns
from davy.analysis.judge.known import LatencyKnown, Spell, unknown
from davy.analysis.judge.race import UP, Window
from davy.analysis.judge.settings import ERRORS, LATENCIES
from davy.analysis.judge.warm_up import CEILING, MARGIN, WarmRace
from davy.analysis.judge.watch import Confirming, Phase, Stepping, Watching

METRICS = (ERRORS, LATENCIES, Metric("checkout", MetricKind.CONVERSIONS, 0.1))
QUICK = Judge(
    metrics=METRICS, ladder=(Rung(0.05, 5.0, 10.0), Rung(0.5, 5.0, 10.0)), warm_up_s=5.0, warm_up_each=True
)
TIMES = (0, 20, 40, 30, 10, 0, 0, 0)
SLOW = (0, 0, 0, 20, 40, 30, 10, 0)


def side(requests: int, errors: float, times: tuple[int, ...] = TIMES, sold: float = 0.2) -> Side:
    buckets = tuple(requests * count // 100 for count in times)
    return Side(requests, round(requests * errors), buckets, {"checkout": (requests, round(requests * sold))})


def life() -> list[Scrape]:
    """Return the looks of a release that is stepped up, watched, doubted twice, and taken back in the end."""
    canary, stable = side(0, 0.0), side(0, 0.0)
    looks = [Scrape(0.0, 0.0, canary, stable)]
    part = [(0.0, 4, 0.01, TIMES), (0.05, 4, 0.01, TIMES), (0.5, 4, 0.012, TIMES), (1.0, 4, 0.01, TIMES)]
    part += [(1.0, 2, 0.01, SLOW), (0.5, 3, 0.01, TIMES), (1.0, 3, 0.01, TIMES)]
    part += [(1.0, 2, 0.05, TIMES), (0.5, 4, 0.05, TIMES)]
    for weight, ticks, errors, times in part:
        for number in range(ticks):
            ours = round(2000 * weight)
            canary, stable = canary + side(ours, errors, times), stable + side(2000 - ours, 0.01)
            changed = number == 0 and weight == 0.05
            looks.append(Scrape(looks[-1].at + 5.0, weight, canary, stable, changed=changed))
    return looks


LIFE = life()


def follow(judge: Judge, looks: list[Scrape]) -> JudgeState:
    state = start(judge)
    for look in looks:
        state = observe(state, look)
    return state


def test_the_life_that_is_told_here_goes_through_all_phases() -> None:
    state = start(QUICK)
    phases: list[type[Phase]] = []
    said: list[Action] = []
    for look in LIFE:
        state = observe(state, look)
        said.append(verdict(state, look.at).action)
        kind = type(state.phase)
        if not phases or phases[-1] is not kind:
            phases.append(kind)
    assert phases == [Stepping, Watching, Confirming, Watching, Confirming]
    assert {Action.ADVANCE, Action.HOLD, Action.CONTINUE, Action.ROLLBACK} == set(said)
    assert said[-1] is Action.ROLLBACK


@settings(deadline=None)
@given(st.sets(st.integers(0, len(LIFE) - 1), max_size=6))
def test_a_restart_from_the_stored_state_is_no_restart_in_any_phase(crashes: set[int]) -> None:
    steady = crashed = start(QUICK)
    for number, look in enumerate(LIFE):
        steady, crashed = observe(steady, look), observe(crashed, look)
        if number in crashes:
            crashed = msgspec.json.decode(msgspec.json.encode(crashed), type=JudgeState)
        assert verdict(crashed, look.at) == verdict(steady, look.at)
    assert crashed == steady


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(LIFE) - 1), st.integers(0, 8)), max_size=12))
def test_looks_that_are_told_twice_late_or_in_another_order_change_nothing(
    echoes: list[tuple[int, int]],
) -> None:
    told = list(LIFE)
    for after, back in sorted(echoes, reverse=True):
        told.insert(after + 1, LIFE[max(0, after - back)])
    assert follow(QUICK, told) == follow(QUICK, LIFE)


@settings(deadline=None)
@given(st.integers(1, len(LIFE) - 1), st.booleans())
def test_counters_of_one_side_that_begin_anew_are_a_gap_in_any_phase(where: int, ours: bool) -> None:
    """All that was known of the canary before is known after, and nothing of the window is."""
    before, look = follow(QUICK, LIFE[:where]), LIFE[where]
    low = Side(0, 0, (0,) * 8, {"checkout": (0, 0)})
    late, early = (look.canary, LIFE[where - 1].canary) if ours else (look.stable, LIFE[where - 1].stable)
    if not early.requests:
        return
    reset = Scrape(
        look.at, before.weight, low if ours else look.canary, look.stable if ours else low, changed=False
    )
    after = observe(before, reset)
    assert late.requests >= early.requests
    assert (after.gaps, after.windows) == (before.gaps + 1, before.windows)
    assert after.phase == before.phase
    assert after.split.counted == before.split.counted
    for metric in METRICS:
        assert after.known[metric.name].log_evidence(metric) == before.known[metric.name].log_evidence(metric)
    assert after.last == reset


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=90),
    st.sampled_from(["canary", "stable"]),
    st.sampled_from([0.05, 0.5]),
    st.booleans(),
)
def test_without_requests_of_both_nothing_is_promoted_on_the_way_or_in_halves(
    told: list[tuple[int, int]], silent: str, weight: float, promoted: bool
) -> None:
    looks = LIFE[:16] if promoted else LIFE[:5]
    state, last = follow(QUICK, looks), looks[-1]
    for ours, theirs in told:
        canary = last.canary + side(0 if silent == "canary" else ours, 0.01)
        stable = last.stable + side(0 if silent == "stable" else theirs, 0.01)
        last = Scrape(last.at + 5.0, weight, canary, stable)
        state = observe(state, last)
        found = verdict(state, last.at)
        assert found.action is Action.HOLD
        assert found.data.state is DataState.NO_DATA
        assert found.reason.endswith(f"at {100 * weight:.3g} % yet")


def test_it_says_which_version_is_silent() -> None:
    last = LIFE[4]
    for ours, theirs, silent in ((0, 50, "the canary"), (50, 0, "stable")):
        canary, stable = last.canary + side(ours, 0.0), last.stable + side(theirs, 0.0)
        state = observe(follow(QUICK, LIFE[:5]), Scrape(last.at + 5.0, 0.05, canary, stable))
        assert verdict(state, last.at + 5.0).reason == f"no request of {silent} at 5 % yet"


def binomial(trials: int, successes: int, rate: float) -> float:
    return math.comb(trials, successes) * rate**successes * (1.0 - rate) ** (trials - successes)


def windows(worse: float, rate: float) -> list[tuple[float, Window]]:
    """Return the outcomes of two requests of the canary and three of stable, each with its probability."""
    return [
        (binomial(2, ours, worse * rate) * binomial(3, theirs, rate), Window(2, ours, 3, theirs))
        for ours, theirs in product(range(3), range(4))
    ]


@pytest.mark.parametrize("overlap", [False, True], ids=["one after the other", "overlapping"])
def test_warm_ups_at_each_step_do_not_add_up(overlap: bool) -> None:
    """Three growths that each find instances that fail eight times as often: still at most twice the chance."""
    rate, mean = 0.1, 0.0
    for path in product(windows(MARGIN, rate), repeat=3):
        race, odds = WarmRace(), 1.0
        for number, (chance, window) in enumerate(path):
            race = race.warm(UP, first=number == 0).bet(window, 30.0 * number, UP, dispersion=1.0)
            race = race if overlap else race.warmed(UP)
            odds *= chance
        mean += odds * math.exp(race.warmed(UP).log_evidence(UP))
    assert mean <= CEILING + 1e-12


def test_traffic_that_grows_while_the_canary_is_cold_does_not_make_the_cold_count() -> None:
    """Ten times the errors for 20 s, and a step at 10 s: what was won must not become the new ceiling."""
    judge = Judge(metrics=(ERRORS,), ladder=(Rung(0.05, 5.0, 60.0), Rung(0.5, 5.0, 60.0)), warm_up_each=True)
    looks = [Scrape(0.0, 0.0, Side(), Side())]
    for number, weight in enumerate((0.05, 0.05, 0.5, 0.5), 1):
        ours = round(2000 * weight)
        canary = looks[-1].canary + Side(ours, ours // 14)
        stable = looks[-1].stable + Side(2000 - ours, (2000 - ours) // 100)
        looks.append(Scrape(5.0 * number, weight, canary, stable))
        state = follow(judge, looks)
        assert verdict(state, 5.0 * number).action is not Action.ABORT
        assert verdict(state, 5.0 * number).evidence.log10 <= math.log10(CEILING) + 0.05


def test_a_slow_start_at_each_step_does_not_add_up() -> None:
    metric = Metric("latency", MetricKind.LATENCY)
    slowdowns = Slowdowns()
    past = HistShift.over(8, slowdowns).learn((0, 200, 400, 300, 100, 0, 0, 0), slowdowns)
    known = LatencyKnown(past)
    slow, normal = Side(100, 0, SLOW), Side(900, 0, tuple(9 * count for count in TIMES))
    for number in range(4):
        known = known.warm(metric, first=number == 0)
        known = known.bet(metric, slow, normal, Spell(30.0 * number, 30.0, cold=True))
        assert known.log_evidence(metric) <= math.log(CEILING)
    assert known.evidence.bets.log_wealth(slowdowns.stakes) > math.log(100.0)
    warm = known.bet(metric, Side(0, 0, (0,) * 8), normal, Spell(120.0, 5.0))
    assert warm.log_evidence(metric) <= math.log(CEILING) + 1e-9


def test_every_growth_is_a_warm_up_and_nothing_else_is() -> None:
    state = follow(QUICK, LIFE[:6])
    assert state.warm_until == LIFE[5].at + 5.0
    assert (first := state.warm_until) is not None
    looks = LIFE[:9]
    assert follow(QUICK, looks).warm_until == first
    grown = follow(QUICK, LIFE[:10])
    assert grown.warm_until == LIFE[8].at + 5.0
    once = Judge(metrics=METRICS, ladder=QUICK.ladder, warm_up_s=5.0)
    assert follow(once, LIFE).warm_until == first
    promoted = follow(QUICK, LIFE[:14])
    assert (promoted.weight, promoted.warm_until) == (1.0, LIFE[12].at + 5.0)
    last = LIFE[8]
    fewer = Scrape(last.at + 5.0, 0.01, last.canary + side(20, 0.01), last.stable + side(1980, 0.01))
    assert observe(follow(QUICK, looks), fewer).warm_until == first
    assert unknown(ERRORS).log_evidence(ERRORS) == pytest.approx(0.0)
