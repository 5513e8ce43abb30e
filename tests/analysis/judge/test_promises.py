"""What the judge promises: fair bets, no abort of the faster, no step on silence, no change by a crash."""

import math
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.judge import (
    Action,
    Judge,
    JudgeState,
    Metric,
    MetricKind,
    Scrape,
    Side,
    observe,
    start,
    verdict,
)
from davy.analysis.judge.bets import Bets
from davy.analysis.judge.dispersion import BURST, Dispersion
from davy.analysis.judge.histogram import HistShift, Slowdowns
from davy.analysis.judge.known import RatioKnown, Spell
from davy.analysis.judge.race import DOWN, UP, Race, Rivals, Window, gain
from davy.analysis.judge.settings import ERRORS, LATENCIES
from davy.analysis.judge.warm_up import CEILING, MARGIN, WarmRace

METRICS = (ERRORS, LATENCIES, Metric("checkout", MetricKind.CONVERSIONS, 0.1), Metric("auth", weight=0.2))
Tick = tuple[float, Side, Side]


def binomial(trials: int, successes: int, rate: float) -> float:
    return math.comb(trials, successes) * rate**successes * (1.0 - rate) ** (trials - successes)


def outcomes(canary: int, stable: int, worse: float, rate: float) -> list[tuple[float, Window]]:
    """Return every outcome of a window and its probability; the canary fails `worse` times as often."""
    return [
        (
            binomial(canary, ours, min(1.0, worse * rate)) * binomial(stable, theirs, rate),
            Window(canary, ours, stable, theirs),
        )
        for ours, theirs in product(range(canary + 1), range(stable + 1))
    ]


@pytest.mark.parametrize("rivals", [UP, DOWN], ids=["up", "down"])
@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("worse", [0.3, 0.9, 1.0, 1.1])
def test_no_bet_gains_in_expectation_while_the_canary_is_no_worse(
    rivals: Rivals, rate: float, worse: float
) -> None:
    """Every outcome of a window, each with its probability: the exact expectation, at any error rate."""
    if (worse > 1.0) is (rivals is UP) and worse != 1.0:
        return
    for ratio in rivals.ratios:
        mean = sum(odds * math.exp(gain(window, ratio)) for odds, window in outcomes(4, 7, worse, rate))
        assert mean <= 1.0 + 1e-12


@pytest.mark.parametrize("rate", [0.02, 0.4])
def test_the_whole_race_is_fair_over_windows_whose_rate_and_split_move(rate: float) -> None:
    """All paths of three windows, with a bettor who starts late and a rate that doubles on the way."""
    mean = 0.0
    paths = [outcomes(2, 3, 1.0, rate), outcomes(3, 2, 1.0, 2 * rate), outcomes(1, 3, 1.0, rate)]
    for path in product(*paths):
        race = Race()
        for number, (_, window) in enumerate(path):
            race = race.open_at(30.0 * number).bet(window)
        mean += math.prod(odds for odds, _ in path) * math.exp(race.log_evidence)
    assert 0.5 < mean <= 1.0 + 1e-12


@pytest.mark.parametrize("before", [[], [(20, 1)] * 6, [(20, 0), (20, 9), (20, 0), (20, 9)]])
def test_a_metric_is_fair_whatever_it_has_learnt_of_stable(before: list[tuple[int, int]]) -> None:
    """All paths of two windows, as a judge sees them: φ and what a burst counts are what the past says."""
    rate, mean = 0.3, 0.0
    known = RatioKnown(WarmRace())
    for requests, errors in before:
        known = known.learn(ERRORS, Side(requests, errors), Spell(0.0, 5.0))
    for path in product(outcomes(3, 3, 1.0, rate), outcomes(2, 4, 1.0, rate)):
        end = known
        for number, (_, seen) in enumerate(path):
            ours = Side(seen.canary_requests, seen.canary_errors)
            theirs = Side(seen.stable_requests, seen.stable_errors)
            end = end.bet(ERRORS, ours, theirs, Spell(30.0 * number, 30.0))
        mean += math.prod(odds for odds, _ in path) * math.exp(end.log_evidence(ERRORS))
    assert 0.5 < mean <= 1.0 + 1e-12


@pytest.mark.parametrize(
    ("before", "counts"),
    [
        ([], 1),
        ([0] * 100, 1),
        ([*[0] * 60, 9, *[0] * 60], 1),
        ([0, 1] * 24, 12),
        ([0, 0, 0, 5] * 40, 20),
        ([10, 11, 9, 10] * 30, 25),
    ],
    ids=["no history", "no error", "one cluster", "single errors", "forty clusters", "many errors"],
)
def test_a_burst_counts_for_half_of_the_clusters_that_stable_has_shown(before: list[int], counts: int) -> None:
    dispersion = Dispersion()
    for errors in before:
        dispersion = dispersion.learn(1000, errors)
    assert dispersion.believed(BURST) == pytest.approx(counts, abs=3 if counts > 1 else 0)
    assert [dispersion.believed(errors) for errors in (0, 1)] == [0, 1]
    assert dispersion.believed(1000) >= 1000 / BURST


def test_what_is_broken_for_everybody_is_stopped_in_the_first_window_of_a_quiet_service() -> None:
    known = RatioKnown(WarmRace())
    for _ in range(120):
        known = known.learn(ERRORS, Side(5000, 0), Spell(0.0, 5.0))
    known = known.bet(ERRORS, Side(500, 500), Side(500, 0), Spell(600.0, 5.0))
    assert known.log_evidence(ERRORS) > math.log(100.0)


def test_the_first_burst_of_a_quiet_service_is_no_proof_and_the_second_is_none_either() -> None:
    """A client that fails twelve times in one window: nobody knows yet whether that is one failure."""
    known = RatioKnown(WarmRace())
    for _ in range(120):
        known = known.learn(ERRORS, Side(100, 0), Spell(0.0, 5.0))
    for number in range(2):
        known = known.bet(ERRORS, Side(12, 12), Side(100, 0), Spell(30.0 * number, 5.0))
    assert known.log_evidence(ERRORS) < math.log(100.0)
    assert known.seen.canary_errors == 24
    for number in range(2, 5):
        known = known.bet(ERRORS, Side(12, 12), Side(100, 0), Spell(30.0 * number, 5.0))
    assert known.log_evidence(ERRORS) > math.log(100.0), "five bursts are"


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 40)), max_size=60))
def test_caution_is_at_least_what_phi_says_beyond_its_noise(windows: list[tuple[int, int]]) -> None:
    dispersion = Dispersion()
    for requests, errors in windows:
        dispersion = dispersion.learn(requests, errors)
    noise = math.sqrt(3.0 / max(1, dispersion.pairs))
    assert dispersion.cautious >= max(1.0, dispersion.factor - noise) - 1e-9
    assert dispersion.pause().pairs == dispersion.pairs <= max(0, len(windows) - 1)


@pytest.mark.parametrize(("worse", "most"), [(1.0, 1.0), (MARGIN, CEILING)])
def test_a_cold_start_at_most_doubles_the_chance_of_a_false_abort(worse: float, most: float) -> None:
    """A cold window, then a warm one: expected evidence of at most 1, or 2 where the cold one was worse."""
    rate, mean = 0.05, 0.0
    for path in product(outcomes(3, 4, worse, rate), outcomes(3, 4, 1.0, rate)):
        (cold_odds, cold), (warm_odds, warm) = path
        race = WarmRace().warm(UP, first=True).bet(cold, 0.0, UP, dispersion=1.0).warmed(UP)
        race = race.bet(warm, 30.0, UP, dispersion=1.0)
        mean += cold_odds * warm_odds * math.exp(race.log_evidence(UP))
    assert mean <= most + 1e-12


@pytest.mark.parametrize("canary", [(0.7, 0.2, 0.1), (0.9, 0.08, 0.02)], ids=["the same", "faster"])
def test_no_bet_on_latency_gains_in_expectation_while_the_canary_is_no_slower(
    canary: tuple[float, ...],
) -> None:
    slowdowns = Slowdowns(growth=1.5, restart_s=0.0)
    past = HistShift.over(3, slowdowns).learn((60, 30, 10), slowdowns)
    stable, mean = (0.7, 0.2, 0.1), 0.0
    for buckets in product(range(3), repeat=5):
        ours, theirs = buckets[:2], buckets[2:]
        odds = math.prod(canary[each] for each in ours) * math.prod(stable[each] for each in theirs)
        counts = [tuple(side.count(bucket) for bucket in range(3)) for side in (ours, theirs)]
        mean += odds * math.exp(past.bet(counts[0], counts[1], slowdowns).bets.log_wealth(slowdowns.stakes))
    assert mean <= 1.0 + 1e-12


sides = st.builds(
    lambda requests, errors, bought, buckets: Side(
        requests,
        min(errors, requests),
        tuple(buckets),
        {"checkout": (requests, min(bought, requests)), "auth": (requests, 0)},
    ),
    st.integers(0, 300),
    st.integers(0, 8),
    st.integers(0, 30),
    st.lists(st.integers(0, 40), min_size=6, max_size=6),
)
ticks = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.05, 0.25, 0.5, 1.0]), sides, sides), min_size=1, max_size=14
)


def follow(state: JudgeState, told: list[Tick]) -> JudgeState:
    canary, stable = Side(), Side()
    state = observe(state, Scrape(0.0, 0.0, canary, stable))
    for number, (weight, ours, theirs) in enumerate(told, 1):
        canary, stable = canary + ours, stable + theirs
        state = observe(state, Scrape(5.0 * number, weight, canary, stable))
    return state


@settings(max_examples=60)
@given(ticks, st.integers(0, 13))
def test_a_judge_read_from_its_stored_state_goes_on_with_identical_numbers(
    told: list[Tick], crash: int
) -> None:
    judge = Judge(metrics=METRICS)
    steady = crashed = observe(start(judge), Scrape(0.0, 0.0, Side(), Side()))
    canary, stable = Side(), Side()
    for number, (weight, ours, theirs) in enumerate(told, 1):
        canary, stable = canary + ours, stable + theirs
        scrape = Scrape(5.0 * number, weight, canary, stable, changed=number % 7 == 0)
        steady, crashed = observe(steady, scrape), observe(crashed, scrape)
        if number == crash:
            crashed = msgspec.json.decode(msgspec.json.encode(crashed), type=JudgeState)
        assert verdict(crashed, 5.0 * number) == verdict(steady, 5.0 * number)
    assert crashed == steady


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 40), min_size=8, max_size=8), st.integers(1, 7)),
        min_size=1,
        max_size=15,
    )
)
def test_a_faster_canary_is_never_aborted(told: list[tuple[list[int], int]]) -> None:
    """The canary's requests are stable's, each some buckets sooner."""
    ticks = []
    for counts, sooner in told:
        fast = (sum(counts[: sooner + 1]), *counts[sooner + 1 :], *(0,) * sooner)
        ticks.append((0.25, Side(sum(counts), 0, fast), Side(sum(counts), 0, tuple(counts))))
    state = follow(start(Judge(warm_up_s=0.0)), ticks)
    assert verdict(state, 5.0 * len(ticks)).action is not Action.ABORT
    assert verdict(state, 5.0 * len(ticks)).evidence.log10 < 0.5


@settings(max_examples=40)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=200), st.sampled_from([0.01, 0.25, 0.5]))
def test_no_data_of_the_canary_never_promotes(stable: list[int], weight: float) -> None:
    state = observe(start(Judge()), Scrape(0.0, 0.0, Side(), Side()))
    total = 0
    for number, requests in enumerate(stable, 1):
        total += requests
        state = observe(state, Scrape(5.0 * number, weight, Side(), Side(total, 0)))
        assert verdict(state, 5.0 * number).action in (Action.CONTINUE, Action.HOLD)


@settings(max_examples=40)
@given(ticks, st.floats(15.1, 1e6))
def test_stale_data_never_promotes(told: list[Tick], age: float) -> None:
    found = verdict(follow(start(Judge(metrics=METRICS)), told), 5.0 * len(told) + age)
    assert found.action is not Action.ADVANCE


@settings(max_examples=60)
@given(ticks, st.integers(0, 13))
def test_another_error_of_the_canary_never_lowers_the_evidence(told: list[Tick], where: int) -> None:
    judge = Judge(metrics=(ERRORS,), warm_up_s=0.0)
    told = [(0.25, Side(ours.requests, ours.errors), theirs) for _, ours, theirs in told]
    number = min(where, len(told) - 1)
    weight, ours, theirs = told[number]
    same = [*told[:number], (weight, Side(ours.requests + 1, ours.errors), theirs), *told[number + 1 :]]
    worse = [*told[:number], (weight, Side(ours.requests + 1, ours.errors + 1), theirs), *told[number + 1 :]]
    before, after = (
        follow(start(judge), each).known["error_ratio"].log_evidence(ERRORS) for each in (same, worse)
    )
    assert after >= before - 1e-9


def test_after_two_hours_nobody_new_begins() -> None:
    bets = Bets.on(8)
    for number in range(1, 400):
        bets = bets.open_at(30.0 * number, UP.stakes)
    assert bets.starts == 239
    assert bets.log_wealth(UP.stakes) == pytest.approx(0.0, abs=1e-12)


def test_capping_keeps_what_was_learnt() -> None:
    bets = Bets.on(8).gain((1.0, 2.0, 3.0, 9.0, 5.0, 1.0, 0.0, 0.0))
    capped = bets.capped(math.log(2.0), UP.stakes)
    assert capped.log_wealth(UP.stakes) == pytest.approx(math.log(2.0))
    assert capped.estimate(UP.ratios, UP.stakes) == pytest.approx(bets.estimate(UP.ratios, UP.stakes))
    assert bets.capped(math.log(1e9), UP.stakes) is bets
    assert bets.capped(-40.0, UP.stakes) is bets
