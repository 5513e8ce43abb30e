"""The guard's promises: few false alarms, quick on real ones, resumable, never moved by a reset."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.guard import Counters, Guard, GuardVerdict, Settings, observe, verdict, weight_changed
from davy.analysis.judge.bets import MOST_STARTS
from davy.analysis.judge.dispersion import Dispersion
from davy.analysis.judge.race import Race, Window

Deltas = tuple[int, int, int, int]

windows = st.builds(
    lambda canary, canary_bad, stable, stable_bad: (
        canary,
        min(canary, canary_bad),
        stable,
        min(stable, stable_bad),
    ),
    st.integers(0, 80),
    st.integers(0, 6),
    st.integers(0, 900),
    st.integers(0, 9),
)


def watch(deltas: list[Deltas], *, every_s: float = 5.0, guard: Guard | None = None) -> Guard:
    """Feed windows as the cumulative counters that a data plane would show."""
    guard = guard or Guard(0.0)
    counts = [0, 0, 0, 0]
    guard = observe(guard, Counters(guard.started_at, 0, 0, 0, 0))
    for number, delta in enumerate(deltas, 1):
        counts = [count + more for count, more in zip(counts, delta, strict=True)]
        guard = observe(guard, Counters(guard.started_at + number * every_s, *counts))
    return guard


def until_abort(guard: Guard) -> GuardVerdict:
    """Watch the demo's canary: 10 of 200 requests a second, one in twelve fails, stable is clean."""
    guard = observe(guard, Counters(0.0, 0, 0, 0, 0))
    for second in range(1, 60):
        requests = 10 * second
        guard = observe(guard, Counters(float(second), requests, requests // 12, 190 * second, 0))
        if verdict(guard).abort:
            break
    return verdict(guard)


REFERENCE: list[Deltas] = [
    (50, 0, 950, 1),
    (52, 1, 940, 3),
    (0, 0, 900, 0),
    (49, 2, 951, 9),
    (55, 1, 945, 0),
    (3, 1, 0, 0),
    (50, 4, 950, 2),
    (50, 0, 950, 1),
    (50, 5, 950, 2),
    (50, 3, 950, 0),
]
# Computed once with the reference implementation of the study that chose the method.
REFERENCE_EVIDENCE = [
    (-0.11738639358878876, 1.0),
    (0.17033626538377394, 1.0106522956326986),
    (0.17033626538377394, 1.5183854219688486),
    (0.9263005825463998, 4.667919553060784),
    (1.1446155062421397, 5.994736208681102),
    (1.1446155062421397, 5.994736208681102),
    (2.157993804427745, 5.994736208681102),
    (2.114330593577223, 5.463979689117249),
    (3.428011950157225, 5.024210001478627),
    (4.473086905476794, 4.860739190587891),
]


@pytest.mark.parametrize("length", range(1, len(REFERENCE) + 1))
def test_evidence_equals_the_reference_implementation(length: int) -> None:
    guard = watch(REFERENCE[:length])
    evidence, dispersion = REFERENCE_EVIDENCE[length - 1]
    assert guard.race.log_evidence == pytest.approx(evidence, rel=1e-12)
    assert guard.dispersion.factor == pytest.approx(dispersion, rel=1e-12)


def test_a_canary_that_fails_one_request_in_twelve_is_stopped_by_its_third_error() -> None:
    found = until_abort(Guard(0.0))
    assert found.abort
    assert found.canary.errors == 3
    assert found.sentence == (
        "5xx ratio of the canary (7.5 %, 3 of 40) against stable (0.0 %, 0 of 760): "
        "evidence 10^2.5 of the 10^2 needed"
    )


def test_warming_up_costs_six_more_errors_on_such_a_canary() -> None:
    guard = weight_changed(Guard(0.0, Settings(warm_up_s=30.0)), 0.0)
    assert until_abort(guard).canary.errors == 9


def test_warming_up_forgives_what_counts_later_and_does_not_start_when_traffic_shrinks() -> None:
    strict = watch([(100, 4, 900, 4)] * 6)
    warm = watch([(100, 4, 900, 4)] * 6, guard=weight_changed(Guard(0.0, Settings(warm_up_s=30.0)), 0.0))
    after = watch([(100, 4, 900, 4)] * 12, guard=weight_changed(Guard(0.0, Settings(warm_up_s=30.0)), 0.0))
    shrunk = weight_changed(Guard(0.0, Settings(warm_up_s=30.0)), 0.0, grew=False)
    assert warm.race.log_evidence < strict.race.log_evidence
    assert after.race.log_evidence > warm.race.log_evidence
    assert shrunk.warm_until is None


def test_good_canaries_are_rarely_aborted() -> None:
    """At most α of A/A rollouts; 100 of them with drifting errors leave room for chance up to 3 %."""
    rng = random.Random(597)  # a seed: the same rollouts every time
    aborted = 0
    for _ in range(100):
        guard = Guard(0.0)
        counts = [0, 0, 0, 0]
        stopped = False
        for tick in range(50):
            guard = observe(guard, Counters(tick * 5.0, *counts))
            stopped = stopped or verdict(guard).abort
            rate = 0.005 * (1.0 + 0.8 * math.sin(tick / 9.0))
            canary = rng.randint(30, 70)
            counts = [
                count + more
                for count, more in zip(
                    counts,
                    (canary, poisson(rng, canary * rate), 950, poisson(rng, 950 * rate)),
                    strict=True,
                )
            ]
        aborted += stopped
    assert aborted <= 3


def poisson(rng: random.Random, mean: float) -> int:
    """Draw a count (Knuth's product of uniforms)."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


@settings(max_examples=60, deadline=None)
@given(st.lists(windows, min_size=1, max_size=12), st.data())
def test_another_error_of_the_canary_never_lowers_the_evidence(
    deltas: list[Deltas], data: st.DataObject
) -> None:
    where = data.draw(st.integers(0, len(deltas) - 1))
    canary, bad, stable, stable_bad = deltas[where]
    worse = [*deltas[:where], (canary + 1, bad + 1, stable, stable_bad), *deltas[where + 1 :]]
    same_traffic = [*deltas[:where], (canary + 1, bad, stable, stable_bad), *deltas[where + 1 :]]
    before, after = verdict(watch(same_traffic)), verdict(watch(worse))
    assert after.log10_evidence >= before.log10_evidence - 1e-9
    assert after.abort or not before.abort


@settings(max_examples=60, deadline=None)
@given(st.lists(windows, min_size=2, max_size=15), st.integers(0, 14))
def test_a_guard_resumed_from_its_stored_state_goes_on_with_identical_numbers(
    deltas: list[Deltas], crash: int
) -> None:
    guard = resumed = observe(Guard(0.0), Counters(0.0, 0, 0, 0, 0))
    counts = [0, 0, 0, 0]
    for tick, delta in enumerate(deltas):
        counts = [count + more for count, more in zip(counts, delta, strict=True)]
        scrape = Counters(7.0 * (tick + 1), *counts)
        guard, resumed = observe(guard, scrape), observe(resumed, scrape)
        if tick == crash:
            resumed = observe(msgspec.json.decode(msgspec.json.encode(resumed), type=Guard), scrape)
    assert resumed == guard
    assert verdict(resumed) == verdict(guard)


@settings(max_examples=60, deadline=None)
@given(st.lists(windows, min_size=1, max_size=12), st.integers(0, 11))
def test_a_restart_of_the_data_plane_is_as_if_it_had_not_happened(deltas: list[Deltas], at: int) -> None:
    """Counters that start again at a scrape count the same events, wherever it shows that they did."""
    guard = observe(Guard(0.0), Counters(0.0, 0, 0, 0, 0))
    counts = [0, 0, 0, 0]
    steady = watch(deltas)
    for tick, delta in enumerate(deltas, 1):
        if tick == at and delta[0] < counts[0] and delta[2] < counts[2]:
            counts = [0, 0, 0, 0]
        counts = [count + more for count, more in zip(counts, delta, strict=True)]
        guard = observe(guard, Counters(tick * 5.0, *counts))
    assert verdict(guard) == verdict(steady)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(windows, max_size=12),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from(["both", "canary", "stable"]),
)
def test_a_reset_never_aborts(deltas: list[Deltas], canary: int, stable: int, side: str) -> None:
    guard = watch([*deltas, (40, 3, 300, 2)])
    last = guard.last
    assert last is not None
    before = verdict(guard)
    falls = Counters(
        last.at + 5.0,
        canary if side != "stable" else last.canary_requests + 10,
        {"both": 0, "canary": canary, "stable": last.canary_errors + 10}[side],
        stable if side != "canary" else last.stable_requests + 10,
        0 if side != "canary" else last.stable_errors,
    )
    after = verdict(observe(guard, falls))
    assert before.abort or not after.abort


def test_a_scrape_told_twice_or_late_changes_nothing() -> None:
    guard = watch(REFERENCE)
    assert guard.last is not None
    assert observe(guard, guard.last) is guard
    assert observe(guard, msgspec.structs.replace(guard.last, at=1.0, canary_errors=99)) is guard


def test_a_missed_scrape_loses_nothing() -> None:
    guard = observe(Guard(0.0), Counters(0.0, 0, 0, 0, 0))
    guard = observe(guard, Counters(10.0, 100, 3, 1900, 1))
    assert verdict(guard).canary.requests == 100
    assert verdict(guard).log10_evidence > 0.0


def test_the_window_in_which_the_weight_changed_is_dropped() -> None:
    guard = watch([(50, 1, 950, 1), (0, 0, 5, 0)])
    assert guard.race.held == Window(0, 0, 5, 0)
    changed = observe(weight_changed(guard, 12.0), Counters(15.0, 500, 400, 1500, 1))
    assert changed.race.log_evidence == guard.race.log_evidence
    assert changed.race.held == Window()
    assert changed.seen == guard.seen
    assert (changed.dispersion.requests, changed.changed_at) == (0, None)


def test_a_scrape_right_after_the_change_closes_the_window() -> None:
    guard = weight_changed(watch([(50, 1, 950, 1)]), 5.0)
    guard = observe(guard, Counters(10.0, 300, 5, 1700, 1))
    assert verdict(guard).canary.requests == 300


@pytest.mark.parametrize("quiet", [(100, 50, 0, 0), (0, 0, 100, 0)])
def test_nothing_is_judged_unless_both_versions_have_traffic(quiet: Deltas) -> None:
    found = verdict(watch([quiet] * 10))
    assert not found.abort
    assert found.log10_evidence == pytest.approx(0.0, abs=1e-12)
    assert "no requests" in found.sentence


def test_two_errors_are_too_few_however_telling() -> None:
    found = verdict(watch([(1, 1, 4000, 0)] * 2))
    assert not found.abort
    assert found.log10_evidence > found.needed
    assert found.sentence.endswith("of the 10^2 needed, but it takes 3 errors")
    assert verdict(watch([(1, 1, 4000, 0)] * 3)).abort


def test_a_canary_that_is_always_better_is_never_aborted() -> None:
    found = verdict(watch([(100, 0, 900, 30)] * 100))
    assert not found.abort
    assert "evidence 10^-" in found.sentence


def test_small_ratios_are_not_written_as_zero() -> None:
    assert "(0.02 %, 2 of 10 000)" in verdict(watch([(10_000, 2, 90_000, 18)])).sentence


def test_a_canary_that_turns_bad_late_is_found_and_the_state_stays_bounded() -> None:
    guard = watch([(100, 0, 900, 9)] * 300, every_s=60.0)
    assert guard.race.bets.starts + 1 == MOST_STARTS
    late = watch([(100, 1, 900, 9)] * 60 + [(100, 20, 900, 9)] * 2)
    assert verdict(late).abort


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, math.nan])
def test_alpha_is_a_share(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha is a share between 0 and 1"):
        Settings(alpha=alpha)


def test_errors_in_clusters_weigh_less() -> None:
    independent, clustered = Dispersion(), Dispersion()
    for tick in range(40):
        independent = independent.learn(100, 1)
        clustered = clustered.learn(100, 5 if tick % 5 == 0 else 0)
    assert independent.factor == 1.0
    assert clustered.factor > 3.0
    window = Window(100, 3, 900, 0)
    assert Race().bet(window, dispersion=clustered.factor).log_evidence < Race().bet(window).log_evidence
