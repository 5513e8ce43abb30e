"""After promotion: what becomes worse is doubted, doubt is settled in halves, and better is never doubted."""

import math
from collections.abc import Callable
from functools import partial
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
    Rung,
    Scrape,
    Side,
    Verdict,
    observe,
    start,
    verdict,
)
from davy.analysis.judge.cusum import (
    LATER_BUCKETS,
    TOLERANCE,
    TOLERANCE_FEWER,
    LatencyCusum,
    RatioCusum,
    freeze,
)
from davy.analysis.judge.histogram import faded
from davy.analysis.judge.known import RatioKnown, Spell, unknown
from davy.analysis.judge.settings import ERRORS, LATENCIES
from davy.analysis.judge.watch import ALARM, CONFIRM_S, SAFE, Confirming, Watching, excluded

CHECKOUT = Metric("checkout", MetricKind.CONVERSIONS, 0.1)
JUDGE = Judge(metrics=(ERRORS, LATENCIES, CHECKOUT), ladder=(Rung(0.5, 5.0, 10.0),), warm_up_s=0.0)
NORMAL = (0, 2, 10, 24, 30, 20, 9, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""Requests of a hundred by bucket, each 1.1 times as wide as the one before."""
ALL = 2000


def side(requests: int, *, errors: float = 0.01, sold: float = 0.2, later: int = 0) -> Side:
    times = tuple(requests // 100 * count for count in (*(0,) * later, *NORMAL)[: len(NORMAL)])
    return Side(requests, round(requests * errors), times, {"checkout": (requests, round(requests * sold))})


Played = Callable[[int], Side]


class Promoted:
    """A good release that was given everything; then it is played on, and the judge's word is done."""

    def __init__(self, judge: Judge = JUDGE) -> None:
        self.at, self.weight, self.state = 0.0, 0.0, start(judge)
        self.canary, self.stable = side(0), side(0)
        self.said: list[Verdict] = []
        self._look()
        for self.weight in (0.0, 0.0, 0.5, 0.5):
            self.step(side, side)
        self.weight = 1.0

    def step(self, canary: Played, stable: Played) -> Verdict:
        self.at += 5.0
        ours = round(ALL * self.weight)
        self.canary += canary(ours)
        self.stable += stable(ALL - ours)
        return self._look()

    def play(self, ticks: int, canary: Played, stable: Played = side) -> "Promoted":
        for _ in range(ticks):
            said = self.step(canary, stable)
            self.said.append(said)
            if said.action is Action.ROLLBACK:
                break
            if said.action in (Action.HOLD, Action.ADVANCE):
                self.weight = said.next_weight
        return self

    def _look(self) -> Verdict:
        self.state = observe(self.state, Scrape(self.at, self.weight, self.canary, self.stable))
        return verdict(self.state, self.at)

    @property
    def actions(self) -> set[Action]:
        return {said.action for said in self.said}


WORSE = {
    "checkout": lambda requests: side(requests, sold=0.1),
    "latency": lambda requests: side(requests, later=6),
    "error_ratio": lambda requests: side(requests, errors=0.03),
}


@pytest.mark.parametrize("name", WORSE)
def test_what_became_worse_is_doubted_confirmed_in_halves_and_taken_back(name: str) -> None:
    release = Promoted().play(60, WORSE[name])
    first = next(said for said in release.said if said.action is Action.HOLD)
    assert first.next_weight == 0.5
    assert first.reason == (
        f"{name} is worse than before promotion; halves of the traffic tell whether it is the new version"
    )
    last = release.said[-1]
    assert last.action is Action.ROLLBACK
    assert last.evidence.driver == name
    assert last.evidence.abort_at == pytest.approx(-math.log10(0.005))


@pytest.mark.parametrize("name", WORSE)
def test_what_became_worse_for_everybody_takes_nothing_back_and_is_the_new_normal(name: str) -> None:
    release = Promoted().play(150, WORSE[name], WORSE[name])
    assert Action.ROLLBACK not in release.actions
    reasons = [said.reason for said in release.said]
    assert f"compares both halves, since {name} is worse than before promotion" in reasons
    assert "stable fares no better: it is not the new version" in reasons
    assert isinstance(release.state.phase, Watching)
    assert (release.state.phase.episode, release.state.phase.doubted) == (1, ())
    assert release.weight == 1.0


def test_a_good_release_is_watched_to_the_end_in_peace() -> None:
    release = Promoted().play(181, side)
    assert release.actions == {Action.CONTINUE, Action.ADVANCE}
    assert release.said[-1].reason == "promoted, and watched to the end"


def test_a_latency_that_was_doubted_takes_its_three_minutes() -> None:
    """That errors and conversions are as before is proven sooner, and says nothing of a latency."""
    for name in ("latency", "checkout"):
        halves = [said for said in Promoted().play(150, WORSE[name], WORSE[name]).said if said.weight == 0.5]
        assert (5.0 * len(halves) >= CONFIRM_S) is (name == "latency")


def test_a_confirmation_ends_early_once_every_metric_that_counts_is_proven() -> None:
    proven = {metric.name: unknown(metric) for metric in JUDGE.metrics}
    for name in ("error_ratio", "checkout"):
        some = Confirming(0.0, 0.0, 1, proven)
        assert not excluded(JUDGE, some)
        proven = {**proven, name: msgspec.structs.replace(proven[name], safe=SAFE)}
    assert excluded(JUDGE, Confirming(0.0, 0.0, 1, proven, ("checkout",)))
    assert not excluded(JUDGE, Confirming(0.0, 0.0, 1, proven, ("checkout", "latency")))
    alone = Judge(metrics=(LATENCIES,))
    assert not excluded(alone, Confirming(0.0, 0.0, 1, {"latency": proven["latency"]}))


def test_what_speaks_against_it_elsewhere_keeps_a_confirmation_open() -> None:
    """Errors and conversions are proven to be as before; a latency that nobody doubted is not."""
    release = Promoted().play(3, side)
    release.weight = 0.5
    against = 0
    for _ in range(40):
        said = release.step(lambda requests: side(requests, later=1), side)
        phase = release.state.phase
        assert isinstance(phase, Confirming)
        if excluded(JUDGE, phase) and said.evidence.log10 >= math.log10(2.0):
            against += 1
            assert said.action in (Action.CONTINUE, Action.ROLLBACK)
    assert against


def test_halves_without_an_alarm_are_compared_as_well() -> None:
    release = Promoted().play(3, side)
    release.weight = 0.5
    release.play(1, side)
    assert isinstance(release.state.phase, Confirming)
    assert release.said[-1].reason == "compares both halves"


def test_several_doubts_are_named() -> None:
    release = Promoted().play(1, lambda requests: side(requests, sold=0.0, later=9))
    assert release.said[-1].reason.startswith("latency and checkout are worse than before promotion; halves")


def nothing_but(found: Side, _: int) -> Side:
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6), st.floats(0.2, 1.0)), min_size=1, max_size=20))
def test_a_faster_version_that_sells_more_and_fails_less_is_never_doubted(
    told: list[tuple[int, int, float]],
) -> None:
    release = Promoted()
    for hundreds, sooner, sold in told:
        times = tuple(hundreds * count for count in NORMAL)
        fast = (sum(times[: sooner + 1]), *times[sooner + 1 :], *(0,) * sooner)
        requests = sum(times)
        better = Side(requests, requests // 200, fast, {"checkout": (requests, math.ceil(requests * sold))})
        said = release.step(partial(nothing_but, better), partial(nothing_but, side(0)))
        assert said.action is Action.CONTINUE
        assert isinstance(release.state.phase, Watching)
        assert release.state.phase.cusums["latency"].log_evidence(LATENCIES) <= 1e-9


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=8, max_size=8), min_size=1, max_size=10), st.integers(1, 7)
)
def test_to_be_slower_never_lowers_the_sum(told: list[list[int]], buckets: int) -> None:
    known = unknown(LATENCIES)
    for _ in range(2):
        known = known.learn(LATENCIES, side(0) + Side(400, 0, (0, 90, 200, 90, 20, 0, 0, 0)), spell())
    first = freeze(LATENCIES, known, confirmed=False)
    assert first is not None
    asis = slow = first
    for counts in told:
        later = (*(0,) * buckets, *counts[: 8 - buckets - 1], sum(counts[8 - buckets - 1 :]))
        asis = asis.add(LATENCIES, Side(sum(counts), 0, tuple(counts)))
        slow = slow.add(LATENCIES, Side(sum(counts), 0, later))
    assert slow.log_evidence(LATENCIES) >= asis.log_evidence(LATENCIES) - 1e-9


def spell() -> Spell:
    return Spell(0.0, 5.0)


@pytest.mark.parametrize(("metric", "borne"), [(ERRORS, TOLERANCE), (CHECKOUT, TOLERANCE_FEWER)])
@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_a_window_at_the_edge_of_what_is_borne_is_a_fair_bet(metric: Metric, borne: float, rate: float) -> None:
    """Every outcome of a window of eight tries, each with its probability."""
    cusum = RatioCusum(rate, (0.0,) * len(metric.rivals.ratios))
    for at, _ in enumerate(metric.rivals.ratios):
        mean = sum(
            math.comb(8, happened)
            * (borne * rate) ** happened
            * (1.0 - borne * rate) ** (8 - happened)
            * math.exp(cusum.add(metric, counts(metric, 8, happened)).sums[at])
            for happened in range(9)
        )
        assert mean <= 1.0 + 1e-12


def counts(metric: Metric, tried: int, happened: int) -> Side:
    return Side(tried, happened, (), {metric.name: (tried, happened)})


def test_a_window_of_latencies_a_third_slower_is_a_fair_bet() -> None:
    frozen = LatencyCusum((0.0, 0.0, 0.0, 60.0, 30.0, 10.0), (0.0,) * len(LATENCIES.slowdowns.alternatives))
    whole = sum(frozen.past) + 0.06
    odds = [(count + 0.01) / whole for count in frozen.past]
    mean = 0.0
    for buckets in product(range(6), repeat=3):
        seen = Side(3, 0, tuple(buckets.count(bucket) for bucket in range(6)))
        mean += math.prod(odds[each] for each in buckets) * math.exp(
            frozen.add(LATENCIES, seen).log_evidence(LATENCIES)
        )
    assert 0.5 < mean <= 1.0 + 1e-12


def test_what_is_frozen_is_borne_a_third_slower_and_a_standard_error_lower() -> None:
    latency = unknown(LATENCIES).learn(LATENCIES, side(1000), spell())
    found = freeze(LATENCIES, latency, confirmed=False)
    assert isinstance(found, LatencyCusum)
    assert found.past[LATER_BUCKETS:] == tuple(map(float, (10 * count for count in NORMAL[:-LATER_BUCKETS])))
    sold = unknown(CHECKOUT).learn(CHECKOUT, side(1000), spell())
    rate = freeze(CHECKOUT, sold, confirmed=False)
    assert isinstance(rate, RatioCusum)
    assert rate.rate == pytest.approx((200.5 - math.sqrt(200.5)) / 1001)


def test_what_is_not_known_is_not_watched() -> None:
    for metric in JUDGE.metrics:
        assert freeze(metric, unknown(metric), confirmed=False) is None
        assert freeze(metric, unknown(metric), confirmed=True) is None
    few = unknown(LATENCIES).learn(LATENCIES, Side(99, 0, (99, 0)), spell())
    assert freeze(LATENCIES, few, confirmed=False) is None
    state = observe(
        observe(start(JUDGE), Scrape(0.0, 0.0, Side(), Side())), Scrape(5.0, 1.0, Side(9, 9), Side())
    )
    assert isinstance(state.phase, Watching)
    assert state.phase.cusums == {}
    assert verdict(state, 5.0).action is Action.CONTINUE


def test_after_a_confirmation_both_halves_are_frozen() -> None:
    known = unknown(ERRORS)
    assert isinstance(known, RatioKnown)
    known = known.bet(ERRORS, Side(100, 3), Side(100, 1), spell())
    found = freeze(ERRORS, known, confirmed=True)
    assert isinstance(found, RatioCusum)
    assert found.rate == 4.5 / 201


def test_other_buckets_than_were_frozen_are_not_watched() -> None:
    release = Promoted()
    release.play(1, side)
    assert isinstance(release.state.phase, Watching)
    before = release.state.phase.cusums["latency"]
    assert before.add(LATENCIES, Side(9, 0, (0, 9))) is before
    assert faded((1.0,), (2, 3), 0.5) == (2.0, 3.0)
    assert faded((4.0, 2.0), (2, 3), 0.5) == (4.0, 4.0)


def test_a_promoted_version_may_be_cold_where_traffic_finds_new_instances_each_time() -> None:
    """Four times the errors, half the sales and slow for 30 s; but nothing excuses that half of all fails."""
    judge = Judge(metrics=JUDGE.metrics, ladder=JUDGE.ladder, warm_up_s=30.0, warm_up_each=True)

    def cold(requests: int) -> Side:
        return side(requests, errors=0.04, sold=0.1, later=6)

    release = Promoted(judge).play(6, cold)
    release.play(30, side)
    assert release.actions == {Action.CONTINUE}
    strict = Promoted(Judge(metrics=JUDGE.metrics, ladder=JUDGE.ladder, warm_up_s=5.0)).play(6, cold)
    assert Action.HOLD in strict.actions
    broken = Promoted(judge).play(1, lambda requests: side(requests, errors=0.5))
    assert broken.said[-1].action is Action.HOLD


def test_the_sum_never_owes_anything() -> None:
    """A long good time is no credit: what begins late is found as soon as what begins at once."""
    early = RatioCusum(0.01, (0.0,) * len(ERRORS.rivals.ratios))
    late = early
    for _ in range(500):
        late = late.add(ERRORS, Side(1000, 5))
    for _ in range(2):
        early, late = early.add(ERRORS, Side(1000, 60)), late.add(ERRORS, Side(1000, 60))
    assert late == early
    assert early.log_evidence(ERRORS) > ALARM


def test_dispersion_divides_an_alarm_as_it_divides_evidence() -> None:
    first = RatioCusum(0.01, (0.0,) * len(ERRORS.rivals.ratios))
    once, clumped = first.add(ERRORS, Side(1000, 60)), first.add(ERRORS, Side(1000, 60), dispersion=4.0)
    assert clumped.sums == pytest.approx([each / 4.0 for each in once.sums])


def test_resuming_a_state_keeps_its_type() -> None:
    state: JudgeState = Promoted().play(3, side).state
    assert isinstance(state.phase, Watching)
    assert set(state.phase.cusums) == {"error_ratio", "latency", "checkout"}
