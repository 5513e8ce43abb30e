"""What the record is told of a change: nothing that users or people met goes untold."""

from collections.abc import Callable
from typing import Any

import pytest

from davy.rollout import actions

Make = Callable[..., Any]
Version = Callable[[Any, int], Any]


@pytest.mark.parametrize("aborted", [False, True])
def test_going_back_to_stable_is_told_from_wherever_it_is(
    make_world: Make, version: Version, aborted: bool
) -> None:
    world = make_world()
    first = world.rollout
    world.apply(version(world, 2))
    world.turns(4)
    if aborted:
        world.do(actions.abort(world.rollout, world.state, world.now))
    world.apply(first)
    assert world.events[-1].kind == "stable_restored"
    assert world.events[-1].detail == {"revision": 3, "hash": world.state.stable}


def test_who_met_a_version_is_told_even_if_it_lost_its_traffic_before_anybody_counted(
    make_world: Make, version: Version
) -> None:
    world = make_world([{"setWeight": 25}, {"pause": {}}], routed=False)
    world.apply(version(world, 2))
    world.until(lambda w: w.weight > 0)
    canary = world.state.current
    world.ready = lambda hash_: hash_ != canary
    world.turns(3)
    assert world.weight == 0
    world.requests[canary] = 7
    world.turn()
    assert world.events[-1].kind == "change_exposed"


def test_who_met_a_version_is_told_even_if_a_newer_one_took_its_place(
    make_world: Make, version: Version
) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 5)
    second = world.state.current
    world.apply(version(world, 3))
    world.requests[second] = 7
    world.turn()
    [exposed] = [event for event in world.events if event.kind == "change_exposed"]
    assert (exposed.detail["revision"], exposed.detail["hash"]) == (2, second)


def test_who_met_a_version_is_told_even_if_it_was_tried_again_meanwhile(
    make_world: Make, version: Version
) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 5)
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turn()
    canary = world.state.current
    world.ready = lambda hash_: hash_ != canary
    world.do(actions.retry(world.rollout, world.state, world.now))
    world.turn()
    assert world.weight == 0
    world.requests[canary] = 7
    world.turn()
    assert "change_exposed" in world.kinds()


def test_who_met_a_version_is_told_even_if_it_comes_back_before_anybody_counted(
    make_world: Make, version: Version
) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 5)
    second = world.rollout
    world.apply(version(world, 3))
    world.turns(2)
    world.apply(second)
    world.requests[world.state.current] = 7
    world.turn()
    [exposed] = [event for event in world.events if event.kind == "change_exposed"]
    assert exposed.detail["revision"] == 4
