"""Is the split what was set? Fair bets, a hold and no more, and bursts that are no proof."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.judge import (
    Action,
    DataState,
    Judge,
    JudgeState,
    Rung,
    Scrape,
    Side,
    observe,
    start,
    verdict,
)
from davy.analysis.judge.settings import ERRORS
from davy.analysis.judge.split_check import ALPHA, TOLERANCE, Bursts, Counted, SplitCheck, log_evidence

WEIGHTS = [0.05, 0.3, 0.5, 0.9]


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("off", [-TOLERANCE, 0.0, TOLERANCE])
@pytest.mark.parametrize("dispersion", [1.0, 3.0])
def test_no_evidence_is_expected_while_the_split_is_within_the_tolerance(
    weight: float, off: float, dispersion: float
) -> None:
    """Every count of up to 30 requests, each with its probability: the exact expectation."""
    share = weight + off * min(weight, 1.0 - weight)
    for requests in range(1, 31):
        mean = sum(
            math.comb(requests, ours)
            * share**ours
            * (1.0 - share) ** (requests - ours)
            * math.exp(log_evidence(Counted(ours, requests - ours), weight, dispersion))
            for ours in range(requests + 1)
        )
        assert mean <= 1.0 + 1e-12


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("enough", [1.05, 1.5, 4.0])
def test_to_look_after_each_request_and_stop_when_it_suits_gains_nothing(weight: float, enough: float) -> None:
    """All paths of ten requests; one stops at the first evidence of `enough`."""
    mean = 0.0
    for path in product((0, 1), repeat=10):
        counted, evidence = Counted(), 1.0
        for ours in path:
            counted += Counted(ours, 1 - ours)
            evidence = math.exp(log_evidence(counted, weight))
            if evidence >= enough:
                break
        mean += weight ** sum(path) * (1.0 - weight) ** (10 - sum(path)) * evidence
    assert mean <= 1.0 + 1e-12


@given(st.integers(0, 5000), st.integers(0, 5000), st.sampled_from(WEIGHTS), st.floats(1.0, 50.0))
def test_clumpier_requests_are_less_evidence(
    canary: int, stable: int, weight: float, dispersion: float
) -> None:
    found = log_evidence(Counted(canary, stable), weight)
    assert log_evidence(Counted(canary, stable), weight, dispersion) <= max(found / dispersion, 0.0) + 1e-9
    assert found == pytest.approx(log_evidence(Counted(stable, canary), 1.0 - weight), abs=1e-6)


def follow(
    state: JudgeState, windows: list[tuple[int, int]], weight: float, *, measured: bool = False
) -> JudgeState:
    last = state.last or Scrape(0.0, 0.0, Side(), Side())
    state = observe(state, last)
    for ours, theirs in windows:
        canary, stable = last.canary + Side(ours), last.stable + Side(theirs)
        last = Scrape(last.at + 5.0, weight, canary, stable, measured=measured)
        state = observe(state, last)
    return state


LONG = Judge(metrics=(ERRORS,), ladder=(Rung(0.05, 5.0, 10.0), Rung(0.5, 5.0, 10.0)), warm_up_s=0.0)
WRONG = [(98, 902)] * 30


def test_a_split_that_is_not_what_was_set_holds_with_a_sentence() -> None:
    state = follow(start(LONG), WRONG, 0.05)
    found = verdict(state, 150.0)
    assert (found.action, found.next_weight, found.data.state) == (Action.HOLD, 0.05, DataState.SPLIT)
    assert found.reason == (
        "the canary gets 9.8 % of the requests, not 5 %: the split is not what was set, "
        "so the comparison may not be fair"
    )
    assert verdict(state, 1e4).data.state is DataState.STALE


def test_a_split_that_is_right_or_nearly_so_goes_on() -> None:
    for ours in (45, 50, 55):
        state = follow(start(LONG), [(ours, 1000 - ours)] * 200, 0.05)
        assert state.split.off is None
        assert verdict(state, 1000.0).action is Action.ADVANCE


@pytest.mark.parametrize(
    ("judge", "measured"),
    [(LONG, True), (Judge(metrics=(ERRORS,), ladder=LONG.ladder, check_split=False), False)],
    ids=["nobody knows the weight", "switched off"],
)
def test_without_a_weight_that_was_set_there_is_no_split_to_check(judge: Judge, measured: bool) -> None:
    state = follow(start(judge), WRONG, 0.05, measured=measured)
    assert state.split == SplitCheck(begins_at=10.0, began_at=10.0)
    assert verdict(state, 150.0).action is Action.ADVANCE


def test_no_traffic_and_all_of_it_are_no_split() -> None:
    assert follow(start(LONG), WRONG, 0.0).split == SplitCheck()
    assert follow(start(LONG), WRONG, 1.0).split.counted == Counted()


def test_a_wrong_split_aborts_nobody_and_spares_nobody() -> None:
    """A canary that is proven worse is aborted all the same: that is the safe side."""
    good = [(400 + 20 * (number % 2), 600) for number in range(40)]
    state, said = start(LONG), []
    for number in range(1, len(good) + 1):
        state = follow(state, good[number - 1 : number], 0.05)
        said.append(verdict(state, 5.0 * number))
    assert {found.action for found in said[-20:]} == {Action.HOLD}
    assert Action.ABORT not in {found.action for found in said}
    last = state.last
    assert last is not None
    worse = Scrape(last.at + 5.0, 0.05, last.canary + Side(400, 300), last.stable + Side(600))
    assert verdict(observe(state, worse), worse.at).action is Action.ABORT


def test_a_new_weight_is_another_split_and_the_first_seconds_of_it_are_nobodys() -> None:
    state = follow(start(LONG), WRONG, 0.05)
    known = state.split.bursts.pairs
    assert known > 20
    moved = follow(state, [(98, 902)] * 2, 0.5)
    assert moved.split.off is None
    assert moved.split.counted == Counted()
    assert moved.split.bursts.pairs == known
    right = follow(moved, [(500, 500)] * 30, 0.5)
    assert right.split.counted.share == 0.5
    assert verdict(right, right.last.at if right.last else 0.0).action is Action.ADVANCE


def test_a_split_that_was_mended_is_believed_after_twice_as_many_requests() -> None:
    state = follow(start(LONG), WRONG, 0.05)
    off = state.split.off
    assert off is not None
    still = follow(state, [(98, 902)] * 60, 0.05)
    assert still.split.off is not None
    mended = follow(still, [(50, 950)] * 200, 0.05)
    assert mended.split.off is None


def test_a_split_that_breaks_late_is_found_though_it_was_right_for_long() -> None:
    state = follow(start(LONG), [(50, 950)] * 1000, 0.05)
    assert state.split.counted.all <= 121_000
    assert follow(state, [(98, 902)] * 130, 0.05).split.off is not None


def test_bursts_of_few_clients_are_no_proof() -> None:
    """Twenty clients with a hundred requests in each block, of which the canary has none to four."""
    ours = [100, 0, 400, 100, 0, 200, 100, 100, 300, 0, 200, 100] * 4
    state = follow(start(LONG), [(each, 2000 - each) for each in ours], 0.05)
    assert state.split.bursts.factor > 50.0
    assert state.split.off is None
    assert log_evidence(state.split.counted, 0.05) > -math.log(ALPHA) > 0.0


def test_how_bursty_requests_are_is_no_less_than_few_blocks_leave_possible() -> None:
    assert Bursts().factor == Bursts(20.0, 5).factor == math.inf
    assert Bursts(4.0 + 16.0, 16).factor > 5.0
    assert 1.0 < Bursts(4.0 + 2000.0, 2000).factor < 1.2


def test_blocks_are_as_long_as_a_session_and_a_gap_parts_them() -> None:
    judge = Judge(metrics=(ERRORS,), ladder=LONG.ladder, session_s=20.0)
    state = follow(start(judge), [(50, 950)] * 22, 0.05)
    assert state.split.bursts.pairs == 4
    assert state.last is not None
    reset = observe(state, Scrape(state.last.at + 5.0, 0.05, Side(3), state.last.stable + Side(950)))
    assert reset.split.bursts.block == Counted()
    assert reset.split.counted == state.split.counted


def test_a_silent_data_plane_is_no_wrong_split() -> None:
    state = follow(start(LONG), [(0, 0)] * 50, 0.05)
    assert (state.split.off, state.split.bursts.pairs) == (None, 0)


def test_halves_that_are_no_halves_confirm_nothing() -> None:
    state = follow(start(LONG), [(50, 950)] * 20, 0.05)
    state = follow(state, [(1000, 0)] * 5, 1.0)
    state = follow(state, [(200, 800)] * 60, 0.5)
    found = verdict(state, state.last.at if state.last else 0.0)
    assert (found.action, found.data.state) == (Action.HOLD, DataState.SPLIT)
    assert found.reason.startswith("the canary gets 20 % of the requests, not 50 %")
