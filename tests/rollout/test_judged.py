"""The judge's word: a canary gets more traffic only on it, and becomes stable only once it has baked."""

from collections.abc import Callable
from typing import Any

import pytest

from davy.errors import Refused
from davy.model.rollout import Rollout
from davy.rollout import actions, skipping
from davy.rollout.decision import RunView, Verdict, Word
from davy.rollout.state import Aborted, Promoting, Settled, Stepping, lacks_evidence

Make = Callable[..., Any]
Version = Callable[[Any, int], Rollout]

UNSURE = Word(may_grow=False, reason="not yet")
MORE = Word(may_grow=True, reason="it may cost less than 1 request")
BLIND = Word(may_grow=False, reason="no news of the counters for 20 s", blind=True)
WATCHED = Word(may_grow=False, reason="promoted; watched for another 780 s")
DOUBTED = Word(may_grow=False, reason="halves tell", doubted=True)
BAKED = Word(may_grow=False, reason="promoted, and watched to the end", baked=True)

ANALYSIS = {"templates": [{"templateName": "err-rate"}]}
HEADER = {"name": "a", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}
ROUTED = {"trafficRouting": {"smi": {}, "managedRoutes": [{"name": "a"}]}}


def sides(*weights: int | None, of: str = "canary") -> dict[str, Any]:
    """Make an experiment step with a version for each weight."""
    versions = [{"name": f"v{i}", "specRef": of, "weight": each} for i, each in enumerate(weights)]
    return {"experiment": {"duration": "1m", "templates": versions}}


def begun(make_world: Make, version: Version, steps: list[dict[str, Any]], word: Word, **options: Any) -> Any:
    """Return a world that has begun to update, and settles down under a word."""
    world = make_world(steps, **options)
    world.word = word
    world.apply(version(world, 2))
    world.turns()
    return world


@pytest.mark.parametrize("routed", [True, False])
def test_a_greater_weight_waits_for_the_judge(make_world: Make, version: Version, routed: bool) -> None:
    world = begun(make_world, version, [{"setWeight": 25}, {"setWeight": 50}], UNSURE, routed=routed)
    assert (world.state.progress.index, world.state.percent(world.state.current)) == (0, 25)
    assert world.pods[world.state.current] == 1
    assert (world.status.phase, world.status.message) == ("Progressing", "Judge: not yet")
    assert world.kinds().count("judge_awaited") == 1
    assert world.events[-1].detail["step"] == 0
    world.word = MORE
    world.turn()
    world.word = UNSURE
    world.turns()
    assert (world.state.progress.index, world.state.percent(world.state.current)) == (2, 50)
    assert world.kinds().count("judge_awaited") == 2
    world.word = BAKED if routed else MORE
    world.turns()
    assert isinstance(world.state.progress, Stepping if routed else Settled)


def test_only_more_traffic_waits_for_the_judge(make_world: Make, version: Version) -> None:
    steps = [
        {"setWeight": 50},
        {"pause": {"duration": 10}},
        {"analysis": ANALYSIS},
        {"setWeight": 25},
        {"pause": {}},
    ]
    world = begun(make_world, version, steps, UNSURE)
    world.turn(10)
    world.turns(3)
    world.runs[world.state.progress.run] = RunView(Verdict.PASSED)
    world.turns()
    assert (world.state.progress.index, world.weight) == (4, 25)
    assert "judge_awaited" not in world.kinds()
