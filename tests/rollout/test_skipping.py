"""What an update may pass over: nothing without a waiver, and with one nothing that watches its users."""

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rollout.test_promises import OPERATIONS, play

from davy.errors import Refused
from davy.rollout import skipping
from davy.rollout.decision import RunView, Verdict
from davy.rollout.state import (
    Aborted,
    Initial,
    Previewing,
    Promoting,
    Settled,
    Stepping,
    Verifying,
    lacks_evidence,
)

WAYS = {"step": skipping.skip_step, "full": skipping.promote_full}
BACKGROUND = {"analysis": {"templates": [{"templateName": "err-rate"}]}}


@settings(max_examples=100, deadline=None)
@given(operations=st.lists(OPERATIONS, max_size=30), way=st.sampled_from(sorted(WAYS)))
def test_nothing_is_passed_over_without_a_waiver(
    make_world: Any, version: Any, operations: list[tuple[str, Any]], way: str
) -> None:
    world = make_world()
    for operation in operations:
        play(world, version, operation)
        world.turn()
        with pytest.raises(Refused):
            WAYS[way](world.rollout, world.state, "", world.now)
    assert not any("skipped" in event.detail for event in world.events)


SKIPS = st.one_of(OPERATIONS, st.tuples(st.just("skip"), st.sampled_from(sorted(WAYS))))


@settings(max_examples=100, deadline=None)
@given(operations=st.lists(SKIPS, max_size=40))
def test_a_step_is_done_on_evidence_or_by_a_waiver_that_is_named(
    make_world: Any, version: Any, operations: list[tuple[str, Any]]
) -> None:
    world = make_world()
    for operation in operations:
        told = len(world.events)
        before, alarmed = world.state, world.alarm
        if operation[0] == "skip":
            with contextlib.suppress(Refused):
                world.do(WAYS[operation[1]](world.rollout, world.state, "w-1", world.now))
        else:
            play(world, version, operation)
        passed = {
            index
            for index in range(6)
            for name, run in world.runs.items()
            if run.verdict is Verdict.PASSED and f"-{index}" in name and before.current in name
        }
        alarmed = world.alarm
        world.turn()
        if alarmed and isinstance(before.progress, Stepping | Promoting):
            assert not isinstance(world.state.progress, Stepping | Promoting | Settled)
        for event in world.events[told:]:
            if event.kind == "step_completed" and "skipped" not in event.detail:
                assert event.detail["step"] not in (2, 5) or event.detail["step"] in passed


def test_a_step_is_passed_over_and_the_next_is_not(make_world: Any, version: Callable[..., Any]) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.until(lambda world: world.state.progress.index == 1 and world.state.progress.pause is not None)
    world.do(skipping.skip_step(world.rollout, world.state, "w-1", world.now))
    world.turns()
    assert (world.state.progress.index, world.weight) == (2, 5)
    assert [event.detail.get("skipped", "") for event in world.events if event.kind == "step_completed"] == [
        "",
        "w-1",
    ]


def test_a_full_promotion_passes_over_all_steps_and_names_the_waiver(make_world: Any, version: Any) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.until(lambda world: isinstance(world.state.progress, Stepping) and world.state.progress.index == 1)
    world.do(skipping.promote_full(world.rollout, world.state, "w-1", world.now))
    world.turns()
    assert isinstance(world.state.progress, Settled)
    assert world.state.progress.reason == "Full promotion by waiver w-1"
    skipped = [event.detail["step"] for event in world.events if event.detail.get("skipped") == "w-1"]
    assert skipped == [1, 2, 3, 4, 5]


def test_the_guard_goes_on_after_a_full_promotion(make_world: Any, version: Any) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.until(lambda world: isinstance(world.state.progress, Stepping) and world.state.progress.index == 1)
    world.ready = lambda hash_: hash_ == world.state.stable
    world.do(skipping.promote_full(world.rollout, world.state, "w-1", world.now))
    world.turn()
    world.alarm = "guard"
    world.turns()
    assert isinstance(world.state.progress, Aborted)
    assert world.weight == 0


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.FAILED])
def test_the_background_analysis_goes_on_after_a_full_promotion(
    make_world: Any, version: Any, verdict: Verdict
) -> None:
    world = make_world(canary=BACKGROUND)
    world.apply(version(world, 2))
    world.until(lambda world: bool(world.state.background), seconds=1)
    name = world.state.background
    world.do(skipping.promote_full(world.rollout, world.state, "w-1", world.now))
    world.turns()
    assert isinstance(world.state.progress, Promoting)
    assert name in world.decision.active
    world.runs[name] = RunView(verdict, "x")
    world.turns()
    if verdict is Verdict.FAILED:
        assert isinstance(world.state.progress, Aborted)
    else:
        assert lacks_evidence(world.state.progress)
        with pytest.raises(Refused, match="no waiver passes over its background analysis"):
            skipping.promote_full(world.rollout, world.state, "w-1", world.now)


def test_there_is_nothing_to_pass_over_where_no_update_is_on_a_step(make_world: Any) -> None:
    world = make_world()
    for way in WAYS.values():
        with pytest.raises(Refused, match="no update is under way"):
            way(world.rollout, world.state, "w-1", world.now)


def test_blue_green_is_verified_after_a_switch_that_was_not_asked_for(make_world: Any, version: Any) -> None:
    analysis = {"templates": [{"templateName": "err-rate"}]}
    world = make_world(blue_green={"prePromotionAnalysis": analysis, "postPromotionAnalysis": analysis})
    world.apply(version(world, 2))
    world.until(lambda world: bool(world.state.progress.run))
    with pytest.raises(Refused, match="a blue/green update has no steps"):
        skipping.skip_step(world.rollout, world.state, "w-1", world.now)
    world.do(skipping.promote_full(world.rollout, world.state, "w-1", world.now))
    assert isinstance(world.state.progress, Previewing)
    with pytest.raises(Refused, match="its switch is allowed already"):
        skipping.promote_full(world.rollout, world.state, "w-1", world.now)
    world.turns()
    assert isinstance(world.state.progress, Verifying)
    assert world.state.progress.run
    with pytest.raises(Refused, match="what is measured of its users"):
        skipping.promote_full(world.rollout, world.state, "w-1", world.now)


def test_a_first_version_has_no_steps_to_pass_over(make_world: Any) -> None:
    world = make_world()
    state = msgspec.structs.replace(world.state, progress=Initial(0.0))
    with pytest.raises(Refused, match="no update is under way"):
        skipping.promote_full(world.rollout, state, "w-1", world.now)
