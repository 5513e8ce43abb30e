"""What nobody knows moves nothing up: an update that waits for evidence stays where it is."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from davy.errors import Refused
from davy.rollout import actions
from davy.rollout.decision import RunView, Verdict
from davy.rollout.state import Aborted, PauseReason, Promoting, Settled, Stepping

Make = Callable[..., Any]
Version = Callable[[Any, int], Any]

TEMPLATES = {"templates": [{"templateName": "err-rate"}]}
BACKGROUND = {"analysis": TEMPLATES}
UNKNOWN = RunView(Verdict.UNKNOWN, "no requests")
SILENT = RunView(Verdict.RUNNING, finite=False)
GOOD = RunView(Verdict.RUNNING, finite=False, passing=True)


def begun(make_world: Make, version: Version, steps: list[dict[str, Any]], **options: Any) -> Any:
    """Begin an update to version 2 whose background analysis sees nothing, and wait for its first users."""
    world = make_world(steps, canary={**BACKGROUND, **options.pop("canary", {})}, **options)
    world.apply(version(world, 2))
    world.until(lambda w: w.state.background != "")
    world.runs[world.state.background] = SILENT
    return world


@pytest.mark.parametrize("arrives", [True, False], ids=["replicas-are-there", "replicas-come-later"])
def test_a_step_that_is_under_way_goes_no_further(make_world: Make, version: Version, arrives: bool) -> None:
    world = begun(make_world, version, [{"setWeight": 25}, {"pause": {"duration": 10}}, {"setWeight": 50}])
    world.turns(2)
    world.turn(10)
    if arrives:
        world.pods = dict.fromkeys(world.pods, 4)
    world.runs[world.state.background] = UNKNOWN
    world.turns(5)
    assert world.state.progress.pause.reason == PauseReason.INCONCLUSIVE
    assert (world.state.progress.index, world.weight) == (2, 25)


def test_no_replica_is_added_meanwhile(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 25}, {"pause": {"duration": 10}}])
    world.runs[world.state.background] = UNKNOWN
    world.turn()
    before = world.pods
    spec = msgspec.structs.replace(world.rollout.spec, replicas=8)
    world.rollout = msgspec.structs.replace(world.rollout, spec=spec)
    world.turns(4)
    assert world.pods == before


def test_without_a_router_replicas_that_come_up_late_get_no_more(make_world: Make, version: Version) -> None:
    steps: list[dict[str, Any]] = [{"setWeight": 25}, {"pause": {"duration": 10}}, {"setWeight": 50}]
    world = begun(make_world, version, steps, routed=False, replicas=8)
    world.until(lambda w: w.state.progress.index == 2, seconds=10)
    before = dict(world.weights)
    world.runs[world.state.background] = UNKNOWN
    world.turns(5)
    assert world.weights == before
    canary = world.state.current
    world.ready = lambda hash_: hash_ != canary
    world.turn()
    assert list(world.weights) == [world.state.stable]


def test_no_route_comes_into_force_meanwhile(make_world: Make, version: Version) -> None:
    header = {"name": "a", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}
    routing = {"plugins": {"x": {}}, "managedRoutes": [{"name": "a"}]}
    steps: list[dict[str, Any]] = [
        {"setWeight": 25},
        {"pause": {"duration": 10}},
        {"setHeaderRoute": header},
        {"pause": {}},
    ]
    world = begun(make_world, version, steps, canary={"trafficRouting": routing})
    world.acknowledges = False
    world.until(lambda w: w.state.progress.index == 2, seconds=10)
    assert world.decision.desired.routes
    world.runs[world.state.background] = UNKNOWN
    world.turn()
    world.acknowledges = True
    world.turn()
    assert world.state.progress.pause is not None
    assert world.routes == ()


def test_the_end_of_the_steps_waits_for_something_good(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 25}])
    world.turns(8)
    assert (world.state.progress.index, world.weight) == (1, 25)
    with pytest.raises(Refused) as caught:
        actions.promote(world.rollout, world.state, world.now)
    assert "its background analysis has measured nothing good yet" in caught.value.message
    world.runs[world.state.background] = GOOD
    world.turns(4)
    assert isinstance(world.state.progress, Settled)


def test_a_background_analysis_that_has_passed_is_good_enough(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 25}])
    world.runs[world.state.background] = RunView(Verdict.PASSED)
    world.turns(6)
    assert isinstance(world.state.progress, Settled)


def test_the_wait_for_something_good_has_an_end(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 25}], progressDeadlineSeconds=60)
    world.until(lambda w: w.state.progress.index == 1)
    assert world.turn().wake_at == world.state.progress.since + 60
    world.turn(60)
    assert world.state.progress.pause.reason == PauseReason.INCONCLUSIVE
    assert world.events[-1].detail["reason"] == "the background analysis has measured nothing good within 60s"
    world.turn(60)
    assert isinstance(world.state.progress, Aborted)


@pytest.mark.parametrize("late", [False, True], ids=["after-the-last-step", "while-it-takes-everything"])
def test_what_comes_to_be_unknown_at_the_end_holds_and_is_measured_again(
    make_world: Make, version: Version, late: bool
) -> None:
    world = begun(make_world, version, [{"setWeight": 25}])
    world.until(lambda w: w.state.progress.index == 1)
    if late:
        world.runs[world.state.background] = GOOD
        world.until(lambda w: isinstance(w.state.progress, Promoting))
    before, run = dict(world.weights), world.state.background
    world.runs[run] = UNKNOWN
    world.turns(6)
    assert world.state.progress.pause.reason == PauseReason.INCONCLUSIVE
    assert world.weights == before
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turns(6)
    assert world.state.progress == Stepping(index=1, since=world.now)
    assert world.state.background not in ("", run)
    world.runs[world.state.background] = GOOD
    world.turns(5)
    assert isinstance(world.state.progress, Settled)


@pytest.mark.parametrize("routed", [True, False])
def test_where_no_step_sends_users_something_good_is_measured_before_it_is_stable(
    make_world: Make, version: Version, routed: bool
) -> None:
    world = begun(make_world, version, [], routed=routed)
    world.turns(20)
    assert isinstance(world.state.progress, Promoting)
    world.runs[world.state.background] = RunView(Verdict.FAILED, "bad")
    world.turn()
    assert world.weights == {world.state.stable: 100}
    world.do(actions.retry(world.rollout, world.state, world.now))
    world.turns(20)
    world.runs[world.state.background] = GOOD
    world.turns(20)
    assert isinstance(world.state.progress, Settled)


def test_without_a_router_the_end_of_the_steps_adds_no_replica_before_that(
    make_world: Make, version: Version
) -> None:
    world = begun(make_world, version, [{"setWeight": 25}], routed=False)
    world.until(lambda w: w.state.progress.index == 1)
    before = dict(world.pods)
    world.turns(5)
    assert (world.pods, world.state.progress.index) == (before, 1)


def test_a_rollout_that_is_scaled_to_zero_meanwhile_waits_for_nothing(
    make_world: Make, version: Version
) -> None:
    world = begun(make_world, version, [])
    spec = msgspec.structs.replace(world.rollout.spec, replicas=0)
    world.rollout = msgspec.structs.replace(world.rollout, spec=spec)
    world.turns(3)
    assert isinstance(world.state.progress, Settled)


def test_a_background_analysis_that_would_begin_after_the_last_step_is_none(
    make_world: Make, version: Version
) -> None:
    world = make_world([{"setWeight": 25}], canary={"analysis": {**TEMPLATES, "startingStep": 2}})
    world.apply(version(world, 2))
    world.turns(8)
    assert isinstance(world.state.progress, Settled)


def test_the_quick_way_back_has_no_analysis(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 25}], canary=BACKGROUND, rollbackWindow={"revisions": 2})
    first = world.rollout
    world.now += 1
    world.apply(version(world, 2))
    world.until(lambda w: w.state.background != "")
    world.runs[world.state.background] = GOOD
    world.turns(6)
    world.apply(first)
    assert isinstance(world.state.progress, Promoting)
    while not isinstance(world.state.progress, Settled):
        world.turn()
        assert not world.state.background
