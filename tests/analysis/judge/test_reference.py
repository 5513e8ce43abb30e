"""The formulas against numbers that the reference implementation of the study gave, once."""

import json
from pathlib import Path
from typing import Any

import pytest

from davy.analysis.judge.bets import Bets, Stakes
from davy.analysis.judge.dispersion import Dispersion
from davy.analysis.judge.family import driver, log_mean
from davy.analysis.judge.histogram import HistShift, Slowdowns
from davy.analysis.judge.race import DOWN, UP, Race, Rivals, Window
from davy.analysis.judge.safety import SafetyBound

CASES = Path(__file__).parents[2] / "cases" / "judge"
EXACT = 1e-10


def cases(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


@pytest.mark.parametrize("case", cases("race"), ids=lambda case: str(case["name"]))
def test_race(case: dict[str, Any]) -> None:
    every = DOWN if case["down"] else UP
    rivals = Rivals(
        every.ratios, Stakes(every.stakes.shares, 0.5 if case["restart_s"] else 1.0, case["restart_s"])
    )
    race, dispersion = Race(), Dispersion()
    for number, (canary, bad, stable, stable_bad, phi, log_evidence) in enumerate(case["steps"]):
        assert dispersion.factor == pytest.approx(phi, rel=EXACT)
        race = race.open_at(5.0 * number, rivals).bet(
            Window(canary, bad, stable, stable_bad),
            dispersion=dispersion.factor,
            margin=case["margin"],
            rivals=rivals,
        )
        dispersion = dispersion.learn(stable, stable_bad)
        assert race.bets.log_wealth(rivals.stakes) == pytest.approx(log_evidence, rel=EXACT, abs=EXACT)
    assert race.bets.estimate(rivals.ratios, rivals.stakes) == pytest.approx(case["ratio"], rel=EXACT)


@pytest.mark.parametrize("case", cases("hist_shift"), ids=lambda case: str(case["name"]))
def test_hist_shift(case: dict[str, Any]) -> None:
    slowdowns = Slowdowns(smallest=1.05, margin_buckets=case["margin_buckets"], restart_s=0.0)
    shift = HistShift.over(len(case["past"]), slowdowns).learn(tuple(case["past"]), slowdowns)
    for canary, stable, phi, log_evidence in case["steps"]:
        shift = shift.open_at(0.0, slowdowns).bet(tuple(canary), tuple(stable), slowdowns, dispersion=phi)
        found = shift.bets.log_wealth(slowdowns.stakes)
        assert found == pytest.approx(log_evidence, rel=EXACT, abs=EXACT)


def test_safety_bound() -> None:
    case = cases("safety_bound")
    bound = SafetyBound(requests=case["history"][0], errors=case["history"][1])
    for canary, bad, stable, stable_bad, phi, upper, logs in case["steps"]:
        bound = bound.exclude(canary, bad, dispersion=phi).learn(stable, stable_bad, case["window_s"])
        assert bound.upper(case["beta"]) == upper
        assert bound.logs == pytest.approx(tuple(logs), rel=EXACT, abs=EXACT)


def test_dispersion() -> None:
    dispersion = Dispersion()
    for requests, errors, factor in cases("dispersion"):
        dispersion = dispersion.learn(requests, errors)
        assert dispersion.factor == pytest.approx(factor, rel=EXACT)


def test_guard() -> None:
    family = cases("guard")
    for case in family["cases"]:
        log10 = log_mean(case["log_e"], family["weights"]) / 2.302585092994046
        assert log10 == pytest.approx(case["log10_evidence"], rel=EXACT)
        assert (log10 >= case["needed"]) == case["abort"]
        assert driver(case["log_e"], family["weights"]) == case["driver"]


def test_many_starts_in_one_number_are_what_they_are_one_by_one() -> None:
    """The sum over all starts, from the definition, is what the recursion keeps."""
    stakes = Stakes((0.6, 0.4), 0.5, 10.0)
    gains = [(0.3, -0.2), (-0.5, 0.9), (1.2, 0.1), (-0.1, -0.4), (0.7, 0.2)]
    bets = Bets.on(2)
    for number, gain in enumerate(gains):
        bets = bets.open_at(10.0 * number, stakes).gain(gain)
    from math import exp, log

    wealth = 0.5 * sum(share * exp(sum(gain[k] for gain in gains)) for k, share in enumerate(stakes.shares))
    for start in range(1, len(gains)):
        won = sum(share * exp(sum(gain[k] for gain in gains[start:])) for k, share in enumerate(stakes.shares))
        wealth += 0.5 / (start * (start + 1)) * won
    wealth += 0.5 / len(gains)
    assert bets.log_wealth(stakes) == pytest.approx(log(wealth), rel=1e-12)
