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
