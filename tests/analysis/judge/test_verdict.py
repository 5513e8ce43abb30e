"""What the judge says on the way from no traffic to all of it, and after."""

import math
from collections.abc import Callable

import pytest

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
    Verdict,
    observe,
    resume,
    start,
    verdict,
)
from davy.analysis.judge.cusum import RatioCusum
from davy.analysis.judge.histogram import Slowdowns
from davy.analysis.judge.known import LatencyKnown, RatioKnown
from davy.analysis.judge.settings import ERRORS, LATENCIES
from davy.analysis.judge.watch import Confirming, Watching

ONLY_ERRORS = Judge(metrics=(ERRORS,))
RPS = 400
Rate = Callable[[float], float]


class Release:
    """A release that is played: expected counts, rounded, and a judge whose word is done."""

    def __init__(self, judge: Judge = ONLY_ERRORS, *, history: int = 20) -> None:
        self.state = start(judge)
        self.at, self.weight = -5.0 * history, 0.0
        self.canary, self.stable = Side(), Side()
        self.owed = [0.0, 0.0]
        self.said: list[Verdict] = []
        self.state = observe(self.state, Scrape(self.at, 0.0, self.canary, self.stable))
        self.play(history, lambda _: 0.01, lambda _: 0.01, obey=False)
        self.weight = verdict(self.state, self.at).next_weight

    def play(self, ticks: int, canary: Rate, stable: Rate, *, obey: bool = True) -> "Release":
        for _ in range(ticks):
            self.at += 5.0
            ours = round(5 * RPS * self.weight)
            theirs = 5 * RPS - ours
            self.canary += Side(ours, self._errors(0, ours * canary(self.at)))
            self.stable += Side(theirs, self._errors(1, theirs * stable(self.at)))
            self.state = observe(self.state, Scrape(self.at, self.weight, self.canary, self.stable))
            self.said.append(verdict(self.state, self.at))
            if not obey:
                continue
            if self.last.action in (Action.ABORT, Action.ROLLBACK):
                break
            if self.last.action in (Action.ADVANCE, Action.HOLD):
                self.weight = self.last.next_weight
        return self

    def _errors(self, side: int, expected: float) -> int:
        self.owed[side] += expected
        whole = math.floor(self.owed[side])
        self.owed[side] -= whole
        return whole

    @property
    def last(self) -> Verdict:
        return self.said[-1]


def one_percent(_: float) -> float:
    return 0.01


def test_a_good_release_gets_everything_step_by_step_with_a_reason_for_each() -> None:
    release = Release().play(100, one_percent, one_percent)
    steps = [found for found in release.said if found.action is Action.ADVANCE]
    assert [found.next_weight for found in steps] == [0.05, 0.25, 0.5, 1.0]
    assert release.weight == 1.0
    assert "worst plausible damage at 5 % is" in steps[0].reason
    reasons = {found.reason.split(" s ")[0].lstrip("0123456789") for found in release.said}
    assert "" in reasons
    assert release.last.reason.startswith("promoted; watched for another")
    assert isinstance(release.state.phase, Watching)


def test_a_bad_release_is_aborted_and_the_sentence_says_why() -> None:
    release = Release().play(100, lambda _: 0.1, one_percent)
    assert release.last.action is Action.ABORT
    assert release.last.next_weight == 0.0
    assert "error_ratio of the canary is" in release.last.reason
    assert release.last.reason.endswith(
        "if it were as good as stable, this happened in at most 1 of 100 rollouts"
    )
    assert release.last.evidence.log10 >= release.last.evidence.abort_at == 2.0
    assert 5.0 < (release.last.evidence.ratio or 0.0) < 20.0


def test_a_cold_start_is_no_regression() -> None:
    release = Release().play(100, lambda at: 0.08 if at <= 30.0 else 0.01, one_percent)
    assert Action.ABORT not in [found.action for found in release.said]
    assert release.weight == 1.0


def test_gross_failure_is_stopped_while_the_canary_warms_up() -> None:
    release = Release().play(100, lambda _: 1.0, one_percent)
    assert release.last.action is Action.ABORT
    assert release.at <= 5.0


def test_every_growth_of_traffic_is_a_cold_start_where_that_is_asked_for() -> None:
    judge = Judge(metrics=(ERRORS, LATENCIES), warm_up_each=True)
    release = Release(judge)
    release.play(100, lambda at: 0.03 if (at - since(release)) <= 30.0 else 0.01, one_percent)
    assert Action.ABORT not in [found.action for found in release.said]
    strict = Release(ONLY_ERRORS).play(100, lambda at: 0.03 if at > 60.0 else 0.01, one_percent)
    assert strict.last.action is Action.ABORT


def since(release: Release) -> float:
    return float(getattr(release.state.phase, "since", 0.0))


def test_a_shared_fault_before_the_last_step_is_held_against_nobody() -> None:
    release = Release().play(130, lambda at: 0.01 + at / 5000, lambda at: 0.01 + at / 5000)
    assert Action.ABORT not in [found.action for found in release.said]
    assert release.weight == 1.0


def test_what_is_uncertain_waits_and_goes_on_by_time_without_proof() -> None:
    judge = Judge(metrics=(ERRORS,), risk_budget=0.001)
    release = Release(judge).play(30, one_percent, one_percent)
    told = [found.reason for found in release.said if found.action is Action.ADVANCE]
    assert told[0].startswith("timed, not proven: after 45 s only more than +")
    waits = [found.reason for found in release.said if found.action is Action.CONTINUE]
    assert any("budget 0.001" in reason for reason in waits)
    assert any("s of at least 20 s at 5 %" in reason for reason in waits)
    assert "the canary may be cold for another 20 s" in waits


def test_nothing_is_given_to_a_canary_that_may_be_cold() -> None:
    cold, warm = Release(), Release(Judge(metrics=(ERRORS,), warm_up_s=0.0))
    for release in (cold, warm):
        release.play(100, lambda _: 0.0, one_percent)
    grown = [
        next(found for found in release.said if found.action is Action.ADVANCE) for release in (cold, warm)
    ]
    assert cold.said.index(grown[0]) - 20 == 7, "the first window of a warm canary is the seventh"
    assert warm.said.index(grown[1]) - 20 == 1


@pytest.mark.parametrize(
    ("rps", "weight"), [(0.0, 0.01), (20.0, 0.01), (399.0, 0.01), (401.0, 0.001), (2000.0, 0.001), (1e6, 0.001)]
)
def test_the_busiest_services_begin_with_least(rps: float, weight: float) -> None:
    assert Judge().first(rps) == weight
    assert Judge(ladder=(Rung(0.05, 1.0, 2.0), Rung(0.5, 1.0, 2.0))).first(rps) == 0.05


def test_the_first_weight_is_told_before_there_is_traffic() -> None:
    busy = observe(start(ONLY_ERRORS), Scrape(-10.0, 0.0, Side(), Side()))
    busy = observe(busy, Scrape(0.0, 0.0, Side(), Side(20_000, 20)))
    found = verdict(busy, 0.0)
    assert (found.action, found.next_weight) == (Action.CONTINUE, 0.001)
    assert found.assurance.risk_next == pytest.approx(20.0)


def test_all_traffic_asks_for_more_than_a_small_risk() -> None:
    judge = Judge(metrics=(ERRORS,), risk_budget=1e6, assurance=0.0005)
    release = Release(judge).play(52, one_percent, one_percent)
    assert "are not excluded yet; all traffic asks for +0.05 %" in release.last.reason


def test_evidence_that_is_no_proof_holds_and_the_last_step_waits_for_it_to_fall() -> None:
    ladder = (Rung(0.5, 5.0, 10.0),)
    judge = Judge(metrics=(ERRORS,), ladder=ladder, warm_up_s=0.0, suspicion=10.0, resolve=3.0)
    release = Release(judge)
    release.play(1, lambda _: 0.028, one_percent, obey=False)
    release.play(1, lambda _: 0.0115, one_percent, obey=False)
    said = release.said[-2:]
    assert [found.action for found in said] == [Action.HOLD, Action.CONTINUE]
    assert "more traffic waits until it falls" in said[0].reason
    assert "the last step waits for more" in said[1].reason


def test_the_last_step_waits_longer_while_the_counts_rather_speak_for_a_regression() -> None:
    judge = Judge(metrics=(ERRORS,), ladder=(Rung(0.5, 5.0, 40.0),), warm_up_s=0.0)
    doubtful = Release(judge).play(9, lambda _: 0.0135, one_percent, obey=False)
    assert doubtful.last.action is Action.CONTINUE
    assert doubtful.play(40, one_percent, one_percent).weight == 1.0


def test_without_counters_and_without_requests_it_holds() -> None:
    fresh = start(ONLY_ERRORS)
    assert verdict(fresh, 0.0).data.state is DataState.NO_DATA
    assert verdict(fresh, 0.0).data.age_s is None
    assert verdict(fresh, 0.0).action is Action.CONTINUE
    assert verdict(fresh, 0.0).reason == "the canary has no traffic yet"
    release = Release()
    silent = observe(release.state, Scrape(5.0, 0.01, Side(), release.stable + Side(50, 0)))
    assert verdict(silent, 5.0).action is Action.HOLD
    assert verdict(silent, 5.0).reason == "no request of the canary at 1 % yet"
    late = verdict(release.state, 100.0)
    assert (late.action, late.data.state) == (Action.HOLD, DataState.STALE)
    assert late.reason == "no news of the counters for 100 s"


def test_a_proof_is_a_proof_even_when_the_counters_are_stale() -> None:
    release = Release().play(100, lambda _: 1.0, one_percent)
    assert verdict(release.state, 1e6).action is Action.ABORT


def test_a_fault_after_promotion_is_confirmed_in_halves_and_taken_back() -> None:
    release = Release().play(70, one_percent, one_percent)
    assert isinstance(release.state.phase, Watching)
    release.play(60, lambda _: 0.05, one_percent)
    actions = [found.action for found in release.said[-60:]]
    assert Action.HOLD in actions
    assert release.last.action is Action.ROLLBACK
    assert "at most 0.5 of 100" in release.last.reason


def test_a_fault_of_everybody_after_promotion_takes_nothing_back() -> None:
    release = Release().play(70, one_percent, one_percent)
    release.play(60, lambda _: 0.05, lambda _: 0.05)
    said = release.said[70:]
    assert Action.ROLLBACK not in [found.action for found in said]
    assert any(found.reason == "stable fares no better: it is not the new version" for found in said)
    assert any(found.reason.startswith("compares both halves") for found in said)
    assert isinstance(release.state.phase, Watching)
    assert release.state.phase.episode == 1
    frozen = release.state.phase.cusums["error_ratio"]
    assert isinstance(frozen, RatioCusum)
    assert frozen.rate == pytest.approx(0.05, rel=0.05)


def test_a_quiet_confirmation_ends_by_time() -> None:
    release = Release(Judge(metrics=(LATENCIES,))).play(150, one_percent, one_percent)
    assert release.weight == 1.0
    release.weight = 0.5
    release.play(37, one_percent, one_percent)
    assert isinstance(release.state.phase, (Confirming, Watching))
    assert any("it is not the new version" in found.reason for found in release.said)


def test_the_watch_ends() -> None:
    release = Release(Judge(metrics=(ERRORS,), bake_s=50.0)).play(120, one_percent, one_percent)
    assert release.last.reason == "promoted, and watched to the end"
    assert (release.last.action, release.last.next_weight) == (Action.ADVANCE, 1.0)
    promoted = [found for found in release.said if found.weight == 1.0]
    assert {found.action for found in promoted[:9]} == {Action.CONTINUE}
    assert verdict(release.state, release.at + 20.0).action is Action.HOLD, "stale: nobody watched the end"
    before = release.state.phase
    release.play(2, lambda _: 1.0, one_percent)
    assert release.state.phase == before


def objective(most: float) -> Judge:
    return Judge(metrics=(Metric(objective=most), LATENCIES), warm_up_s=0.0)


def test_a_canary_that_alone_breaches_the_objective_is_aborted_before_it_is_proven_worse() -> None:
    ladder = (Rung(0.9, 60.0, 100.0),)
    judge = Judge(metrics=(Metric(objective=0.015, materiality=50.0),), ladder=ladder, warm_up_s=0.0)
    release = Release(judge).play(30, lambda _: 0.03, one_percent)
    assert release.last.action is Action.ABORT
    assert (
        release.last.reason
        == "error_ratio: the canary fails more than the 1.5 % of the objective, stable does not"
    )


def test_when_both_breach_the_objective_somebody_is_called_and_nothing_moves() -> None:
    release = Release(objective(0.015)).play(40, lambda _: 0.05, lambda _: 0.05)
    assert release.last.action is Action.HOLD
    assert "and so does stable" in release.last.reason
    assert release.weight < 0.25


def test_a_split_that_changed_within_a_window_and_one_sided_resets_drop_it() -> None:
    release = Release().play(4, one_percent, one_percent, obey=False)
    state, seen = release.state, release.canary.requests
    moved = observe(state, Scrape(25.0, 0.05, release.canary + Side(90, 90), release.stable, changed=True))
    assert (moved.windows, moved.gaps, moved.weight) == (4, 1, 0.05)
    assert verdict(moved, 25.0).metrics["error_ratio"].canary == (seen, 0)
    reset = observe(state, Scrape(25.0, 0.01, Side(9, 9), release.stable + Side(900, 1)))
    assert reset.gaps == 1
    both = observe(state, Scrape(25.0, 0.01, Side(9, 1), Side(900, 1)))
    assert (both.gaps, both.windows) == (0, 5)


def test_a_scrape_told_twice_changes_nothing() -> None:
    release = Release()
    assert release.state.last is not None
    assert observe(release.state, release.state.last) is release.state


def test_the_same_digest_keeps_its_evidence_and_another_starts_at_one() -> None:
    judge = Judge(metrics=(ERRORS, LATENCIES))
    release = Release(judge).play(100, lambda _: 0.1, one_percent)
    again = resume(release.state, "")
    other = resume(release.state, "sha256:2")
    assert verdict(again, release.at).evidence.log10 == pytest.approx(release.last.evidence.log10)
    assert verdict(other, release.at).evidence.log10 == pytest.approx(0.0)
    assert other.known["error_ratio"].dispersion.spread == release.state.known["error_ratio"].dispersion.spread
    replay = observe(again, Scrape(900.0, 0.0, Side(), Side()))
    replay = observe(replay, Scrape(905.0, 0.01, Side(20, 1), Side(1980, 20)))
    assert replay.started_at == release.state.started_at
    assert replay.warm_until == 930.0


def test_slow_requests_abort_whether_all_are_slow_or_only_the_tail() -> None:
    normal, slow, tail = (
        (0, 40, 30, 20, 10, 0, 0, 0),
        (0, 0, 0, 40, 30, 20, 10, 0),
        (0, 40, 30, 10, 0, 0, 0, 20),
    )
    for counts, how in (
        (slow, "1.2 times as long as stable's"),
        (tail, "2 times as long as stable's, about 20 % of them"),
    ):
        state = latencies(Judge(warm_up_s=0.0), counts, normal, 12)
        found = verdict(state, 60.0)
        assert found.action is Action.ABORT
        assert found.reason.startswith(f"latency: the canary's requests take about {how}; ")
        assert found.evidence.ratio is None
    assert verdict(latencies(Judge(warm_up_s=0.0), normal, normal, 12), 60.0).action is not Action.ABORT


def latencies(judge: Judge, canary: tuple[int, ...], stable: tuple[int, ...], windows: int) -> JudgeState:
    ours, theirs = Side(), Side()
    state = observe(start(judge), Scrape(-15.0, 0.0, ours, theirs))
    for number in range(-2, windows + 1):
        if number > 0:
            ours += Side(sum(canary), 0, canary)
        theirs += Side(sum(stable), 0, stable)
        state = observe(state, Scrape(5.0 * number, 0.05 if number > 0 else 0.0, ours, theirs))
    return state


def test_a_slow_cold_start_counts_no_more_than_twice() -> None:
    normal, slow = (0, 40, 30, 20, 10, 0, 0, 0), (0, 0, 0, 40, 30, 20, 10, 0)
    cold = latencies(Judge(), slow, normal, 6)
    assert 0.0 < verdict(cold, 30.0).evidence.log10 < math.log10(2.0)
    warm = latencies(Judge(), slow, normal, 9)
    assert verdict(warm, 45.0).action is Action.ABORT


def test_histograms_of_another_shape_start_anew_and_missing_ones_are_no_evidence() -> None:
    metric = LATENCIES
    state = latencies(Judge(), (1,) * 8, (1,) * 8, 4)
    known = state.known["latency"]
    assert isinstance(known, LatencyKnown)
    assert state.last is not None
    wider = observe(state, Scrape(25.0, 0.05, Side(200, 0, (10,) * 9), Side(200, 0, (10,) * 9)))
    assert isinstance(found := wider.known["latency"], LatencyKnown)
    assert (len(found.evidence.past), found.edge) == (9, None)
    assert found.evidence.bets.totals == known.evidence.bets.totals
    assert sum(found.evidence.past) == 90
    none = Release(Judge(metrics=(metric,))).play(9, one_percent, one_percent)
    assert verdict(none.state, none.at).evidence.log10 == pytest.approx(0.0, abs=1e-9)


def test_a_window_without_requests_of_the_canary_is_no_evidence() -> None:
    state = latencies(Judge(warm_up_s=0.0), (0,) * 8, (9,) * 8, 9)
    assert verdict(state, 45.0).evidence.log10 == pytest.approx(0.0, abs=1e-9)


def test_fewer_conversions_abort_and_events_of_several_metrics_are_told() -> None:
    judge = Judge(metrics=(ERRORS, Metric("checkout", MetricKind.CONVERSIONS, 0.4)), warm_up_s=0.0)
    state = observe(start(judge), Scrape(0.0, 0.0, Side(), Side()))
    ours, theirs = Side(), Side()
    for number in range(1, 30):
        ours += Side(100, 1, (), {"checkout": (100, 5)})
        theirs += Side(100, 1, (), {"checkout": (100, 20)})
        state = observe(state, Scrape(5.0 * number, 0.5, ours, theirs))
    found = verdict(state, 145.0)
    assert found.action is Action.ABORT
    assert found.evidence.driver == "checkout"
    assert found.metrics["checkout"].canary == (2900, 145)
    assert 0.2 < (found.evidence.ratio or 1.0) < 0.34


def test_a_canary_of_which_nothing_is_known_fails_in_the_worst_way() -> None:
    found = verdict(start(Judge(metrics=(LATENCIES,))), 0.0)
    assert found.assurance.excess_upper == 1.0


def test_what_is_bet_on_follows_the_materiality() -> None:
    assert Metric(materiality=1.2).rivals.ratios[:2] == (1.2, 1.5)
    assert Metric(materiality=2.5).rivals.ratios[:2] == (2.5, 3.0)
    assert sum(Metric(materiality=2.5).rivals.stakes.shares) == pytest.approx(1.0)
    assert Metric("x", MetricKind.CONVERSIONS, materiality=0.5).rivals.ratios[:2] == (0.5, 0.33)
    assert Metric("x", MetricKind.LATENCY, materiality=1.1).slowdowns == Slowdowns(smallest=1.1)
    assert Slowdowns().alternatives[0] == (1.0, 1.2)


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: Judge(alpha=0.0), "alpha is a share"),
        (lambda: Judge(beta=math.nan), "beta is a share"),
        (lambda: Judge(metrics=()), "at least one metric"),
        (lambda: Judge(metrics=(ERRORS, ERRORS)), "the same name"),
        (lambda: Judge(ladder=(Rung(0.5, 1, 1), Rung(0.2, 1, 1))), "have to grow"),
        (lambda: Judge(ladder=(Rung(1.0, 1, 1),)), "between 0 and 1"),
        (lambda: Metric(weight=0.0), "has to be above 0"),
        (lambda: Metric(objective=1.0), "the objective of error_ratio is a share"),
        (lambda: Metric(materiality=0.9), "a ratio above 1"),
        (lambda: Metric("x", MetricKind.CONVERSIONS, materiality=1.1), "between 0 and 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(build: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        build()


def test_the_rung_of_a_weight_below_the_ladder_is_the_first() -> None:
    assert Judge().rung(0.001) == Judge().ladder[0]
    assert Judge().rung(0.3).weight == 0.25
    assert Judge().above(0.3) == 0.5


def test_known_types_are_those_of_the_metrics() -> None:
    state = start(Judge())
    assert isinstance(state.known["error_ratio"], RatioKnown)
    assert isinstance(state.known["latency"], LatencyKnown)
