"""Replica arithmetic answers what Argo Rollouts' own functions answered (tests/cases, Apache-2.0 upstream)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.rollout.replicas import Bounds, Counts, Scale, approximate, resolve_bounds, routed, step_towards

CASES = Path(__file__).parent.parent / "cases"
BASIC = json.loads((CASES / "argo_basic_canary_replicas.json").read_text())
ROUTED = json.loads((CASES / "argo_traffic_routed_replicas.json").read_text())


def name(case: dict[str, Any]) -> str:
    return f"{case['replicas']}@{case['setWeight']}+{case['maxSurge']}-{case['maxUnavailable']}"


@pytest.mark.parametrize("case", BASIC, ids=name)
def test_a_canary_by_ratio_takes_the_steps_that_argo_takes(case: dict[str, Any]) -> None:
    n, weight = case["replicas"], case["setWeight"]
    bounds = resolve_bounds(case["maxSurge"], case["maxUnavailable"], n)
    assert bounds == Bounds(case["resolvedMaxSurge"], case["resolvedMaxUnavailable"])

    canary, stable = case["start_canary_stable"]
    for wanted in case["trace_canary_stable_when_pods_become_available_between_reconciles"]:
        counts = step_towards(n, weight, bounds, Scale(canary, canary), Scale(stable, stable))
        assert [counts.canary, counts.stable] == wanted
        canary, stable = wanted


@pytest.mark.parametrize("case", BASIC, ids=name)
def test_it_does_as_argo_when_none_of_the_new_pods_comes_up(case: dict[str, Any]) -> None:
    n = case["replicas"]
    bounds = resolve_bounds(case["maxSurge"], case["maxUnavailable"], n)
    counts = step_towards(n, case["setWeight"], bounds, Scale(n, 0), Scale(n, n))
    assert [counts.canary, counts.stable] == case["next_if_canary_pods_unavailable"]


@pytest.mark.parametrize("case", ROUTED)
def test_a_routed_canary_has_the_replicas_that_argo_gives_it(case: dict[str, Any]) -> None:
    weight = 0 if case["abort"] else case["setWeight"]
    whole, actual, dynamic = case["maxTrafficWeight"], case["actualCanaryWeight"], case["dynamicStableScale"]
    counts = routed(
        case["replicas"],
        weight,
        whole=whole,
        least=case["minPodsPerReplicaSet"],
        stable_weight=whole - actual if dynamic else None,
        canary_weight=actual if dynamic and case["abort"] else 0,
    )
    assert (counts.canary, counts.stable) == (case["canary"], case["stable"])


bounds_strategy = st.builds(Bounds, st.integers(0, 5), st.integers(0, 5)).filter(
    lambda bounds: bounds.surge + bounds.unavailable > 0
)


@given(st.integers(1, 30), st.integers(0, 100), bounds_strategy, st.integers(0, 30), st.integers(0, 30))
def test_a_step_never_leaves_the_bounds_that_it_was_within(
    n: int, weight: int, bounds: Bounds, canary: int, stable: int
) -> None:
    if not n - bounds.unavailable <= canary + stable <= n + bounds.surge:
        return
    counts = step_towards(n, weight, bounds, Scale(canary, canary), Scale(stable, stable))
    assert counts.canary >= 0
    assert counts.stable >= 0
    assert n - bounds.unavailable <= counts.total <= n + bounds.surge


@given(st.integers(1, 30), st.integers(0, 100), bounds_strategy)
def test_taking_steps_arrives_at_the_closest_ratio_and_stays(n: int, weight: int, bounds: Bounds) -> None:
    counts = Counts(0, n)
    for _ in range(4 * n + 10):
        counts = step_towards(
            n, weight, bounds, Scale(counts.canary, counts.canary), Scale(counts.stable, counts.stable)
        )
    assert counts == approximate(n, weight, 100, bounds.surge)


def test_older_revisions_shrink_before_anything_else_does() -> None:
    counts = step_towards(4, 50, Bounds(1, 1), Scale(1, 1), Scale(4, 4), older=2)
    assert counts == Counts(1, 4)


def test_a_rollout_without_replicas_has_none() -> None:
    assert approximate(0, 50, 100, 1) == Counts(0, 0)


def test_a_canary_gives_nothing_back_before_stable_can_spare_it() -> None:
    assert step_towards(4, 0, Bounds(1, 0), Scale(2, 2), Scale(2, 2)) == Counts(2, 3)
