"""Which part each version plays, in Argo's words, as an update goes on."""

from collections.abc import Callable
from typing import Any

from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.parts import active_hash, roles

Make = Callable[..., Any]
Version = Callable[[Any, int], Rollout]


def parts(world: Any) -> dict[int, tuple[str, ...]]:
    return {
        revision.number: roles(world.rollout, world.state, revision.hash) for revision in world.state.revisions
    }


def test_a_canary_is_one_until_it_is_stable(make_world: Make, version: Version) -> None:
    world = make_world()
    assert parts(world) == {1: ("stable",)}
    world.apply(version(world, 2))
    assert parts(world) == {1: ("stable",), 2: ("canary",)}
    world.apply(version(world, 3))
    assert parts(world) == {1: ("stable",), 2: (), 3: ("canary",)}


def test_active_follows_the_switch_and_stable_the_verification(make_world: Make, version: Version) -> None:
    strategy = {"autoPromotionEnabled": False, "postPromotionAnalysis": {"templates": [{"templateName": "a"}]}}
    world = make_world([], blue_green=strategy)
    first = world.state.stable
    assert parts(world) == {1: ("stable", "active")}
    world.apply(version(world, 2))
    world.turns(4)
    assert (parts(world), active_hash(world.state)) == ({1: ("stable", "active"), 2: ("preview",)}, first)
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turns(2)
    assert (parts(world), active_hash(world.state)) == ({1: ("stable",), 2: ("active",)}, world.state.current)
    world.do(actions.abort(world.rollout, world.state, world.now))
    assert (parts(world), active_hash(world.state)) == ({1: ("stable", "active"), 2: ("preview",)}, first)
