"""Edits in the middle of an update: none of them lets the new version have more than its steps say."""

from collections.abc import Callable
from typing import Any

import msgspec

from davy.model.rollout import RolloutTrafficRouting
from davy.rollout import actions
from davy.rollout.state import Stepping

Make = Callable[..., Any]
Version = Callable[[Any, int], Any]

THOUSAND = {"trafficRouting": {"smi": {}, "maxTrafficWeight": 1000}}


def edited(world: Any, **strategy: Any) -> Any:
    """Return the manifest of a world with another canary strategy."""
    spec = world.rollout.spec
    canary = msgspec.structs.replace(spec.strategy.canary, **strategy)
    changed = msgspec.structs.replace(spec, strategy=msgspec.structs.replace(spec.strategy, canary=canary))
    return msgspec.structs.replace(world.rollout, spec=changed)


def of_hundred(world: Any) -> Any:
    """Return the manifest of a world with weights that are parts of a hundred."""
    routing = world.rollout.spec.strategy.canary.traffic_routing
    return edited(world, traffic_routing=msgspec.structs.replace(routing, max_traffic_weight=None))


def test_other_parts_start_the_steps_again_since_their_weights_mean_something_else(
    make_world: Make, version: Version
) -> None:
    world = make_world([{"setWeight": 50}, {"pause": {"duration": 60}}], canary=THOUSAND)
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 50)
    world.turns(3)
    world.apply(of_hundred(world))
    assert world.state.progress == Stepping(index=0, since=world.now)
    world.turn()
    assert world.weights == {world.state.stable: 100}


def test_replicas_follow_the_weight_as_it_is_meant_now(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 50}, {"pause": {}}], canary={**THOUSAND, "dynamicStableScale": True})
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 50)
    world.apply(of_hundred(world))
    for _ in range(10):
        world.turn()
        assert all(count <= 4 for count in world.pods.values())


def test_the_weight_of_a_router_begins_where_the_pods_left_off(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 25}, {"pause": {}}], routed=False, canary={"maxSurge": 1})
    world.apply(version(world, 2))
    world.turns(8)
    stable = world.state.stable
    assert world.weights == {world.state.current: 1, stable: 3}
    world.apply(edited(world, traffic_routing=msgspec.convert({"smi": {}}, RolloutTrafficRouting)))
    world.ready = lambda hash_: hash_ != stable
    world.turn()
    assert world.weights == {world.state.current: 25, stable: 75}


def test_without_a_router_replicas_that_have_yet_to_go_get_no_more_than_the_step(
    make_world: Make, version: Version
) -> None:
    steps = [{"setWeight": 10}, {"pause": {"duration": 5}}, {"setWeight": 50}, {"pause": {}}]
    world = make_world(steps, routed=False, replicas=10)
    world.apply(version(world, 2))
    world.turns(20, seconds=5)
    assert world.weights == {world.state.current: 5, world.state.stable: 5}
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turn()
    world.do(actions.retry(world.rollout, world.state, world.now))
    for _ in range(6):
        world.turn()
        assert world.weight <= 1
    assert world.state.progress.index == 1


def test_without_a_router_no_more_replicas_go_than_may_be_missing_when_a_newer_version_comes(
    make_world: Make, version: Version
) -> None:
    world = make_world([], routed=False, replicas=10)
    world.apply(version(world, 2))
    world.until(lambda w: w.pods.get(w.state.current, 0) > w.pods[w.state.stable])
    world.turn()
    world.apply(version(world, 3))
    for _ in range(20):
        world.turn()
        assert sum(world.pods.values()) in range(8, 14)  # 10 with the 25 % that may be missing or too many
        assert set(world.weights) <= set(world.pods)
    assert world.pods == {world.state.current: 10}


def test_without_a_router_replicas_that_are_to_go_have_no_users(make_world: Make, version: Version) -> None:
    world = make_world([], routed=False)
    world.apply(version(world, 2))
    for _ in range(10):
        world.turn()
        assert set(world.weights) <= set(world.pods)


def test_without_a_router_stable_has_the_users_when_nothing_is_left_of_the_others(
    make_world: Make, version: Version
) -> None:
    world = make_world([{"setWeight": 50}, {"pause": {}}], routed=False)
    stable = world.state.stable
    world.apply(version(world, 2))
    world.turns(8)
    second = world.state.current
    world.ready = lambda hash_: hash_ == second
    world.turn()
    assert world.weights == {second: 2}
    world.ready = lambda _: False
    world.apply(version(world, 3))
    world.turn()
    assert world.weights == {stable: 100}


def test_a_version_that_goes_is_left_nothing_while_stable_comes_back(
    make_world: Make, version: Version
) -> None:
    steps = [{"setWeight": 100}, {"pause": {}}]
    world = make_world(steps, canary={"dynamicStableScale": True})
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 100)
    world.turns(4)
    second, stable = world.state.current, world.state.stable
    assert world.weights == {second: 100}
    assert world.pods == {second: 4}
    world.apply(version(world, 3))
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turn()
    assert world.weights == {stable: 100}


def test_without_a_router_a_version_that_was_aborted_gets_no_user_from_a_newer_one(
    make_world: Make, version: Version
) -> None:
    bounds = {"maxSurge": 1, "maxUnavailable": 0}
    world = make_world([{"setWeight": 50}, {"pause": {}}], routed=False, replicas=10, canary=bounds)
    world.apply(version(world, 2))
    world.turns(20)
    second = world.state.current
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turn()
    world.apply(version(world, 3))
    for _ in range(8):
        assert second not in world.turn().desired.weights
