"""The judge's word: a canary gets more traffic only on it, and becomes stable only once it has baked."""

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rollout.test_promises import OPERATIONS, play

from davy.errors import Refused
from davy.model.rollout import Rollout
from davy.rollout import actions, skipping
from davy.rollout.decision import RunView, Verdict, Word
from davy.rollout.state import Aborted, Promoting, RolloutState, Settled, Stepping, lacks_evidence

Make = Callable[..., Any]
Version = Callable[[Any, int], Rollout]
Steps = list[dict[str, Any]]

UNSURE = Word(may_grow=False, reason="not yet")
MORE = Word(may_grow=True, reason="it may cost less than 1 request")
BLIND = Word(may_grow=False, reason="no news of the counters for 20 s", blind=True)
WATCHED = Word(may_grow=False, reason="promoted; watched for another 780 s")
DOUBTED = Word(may_grow=False, reason="halves tell", doubted=True)
BAKED = Word(may_grow=True, reason="promoted, and watched to the end", baked=True)

ANALYSIS = {"templates": [{"templateName": "err-rate"}]}
HEADER = {"name": "a", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}
MANAGED = {"trafficRouting": {"smi": {}, "managedRoutes": [{"name": "a"}]}}
HALF: Steps = [{"setWeight": 50}]


def experiment(weight: int | None, of: str = "canary") -> dict[str, Any]:
    """Make a step that runs a version beside the two for a minute."""
    return {"experiment": {"duration": "1m", "templates": [{"name": "v", "specRef": of, "weight": weight}]}}


def begun(make_world: Make, version: Version, steps: Steps, word: Word | None, **options: Any) -> Any:
    """Return a world that has begun to update, and has gone as far as it goes under a word."""
    world = make_world(steps, **options)
    world.word = word
    world.apply(version(world, 2))
    world.turns()
    return world


def baking(make_world: Make, version: Version, steps: Steps = HALF, **options: Any) -> Any:
    """Return a world in which the new version has all the traffic and is watched."""
    world = begun(make_world, version, steps, MORE, **options)
    world.word = WATCHED
    world.turns()
    assert world.state.is_baking
    assert world.weights == {world.state.current: 100}
    return world


@pytest.mark.parametrize("routed", [True, False])
def test_a_greater_weight_waits_for_the_judge(make_world: Make, version: Version, routed: bool) -> None:
    world = begun(make_world, version, [{"setWeight": 25}, {"setWeight": 50}], UNSURE, routed=routed)
    assert (world.state.progress.index, world.state.percent(world.state.current)) == (0, 25)
    assert world.pods[world.state.current] == 1
    assert (world.status.phase, world.status.message) == ("Progressing", "Judge: not yet")
    assert world.kinds()[-1] == "judge_awaited"
    assert world.events[-1].detail | {"hash": ""} == {"revision": 2, "hash": "", "step": 0, "reason": "not yet"}
    world.word = MORE
    world.turn()
    world.word = UNSURE
    world.turns()
    if routed:  # it has taken its word back while the replicas came up
        assert (world.state.progress.index, world.state.percent(world.state.current)) == (1, 25)
        assert world.pods[world.state.current] == 2
        assert (world.status.phase, world.status.message) == ("Progressing", "Judge: not yet")
        world.word = MORE
        world.turn()
        world.word = UNSURE
        world.turns()
    assert (world.state.progress.index, world.state.percent(world.state.current)) == (2, 50)
    assert world.kinds().count("judge_awaited") == 2
    world.word = MORE
    world.turns(20)
    assert isinstance(world.state.progress, Promoting if routed else Settled)


def test_all_the_traffic_waits_for_a_judge_that_took_its_word_back_as_replicas_came_up(
    make_world: Make, version: Version
) -> None:
    world = make_world(HALF)
    world.word = MORE
    world.apply(version(world, 2))
    while not isinstance(world.state.progress, Promoting):
        world.turn()
        world.pods[world.state.current] = 2  # the others take their time
    world.word = UNSURE
    world.turns()
    assert world.state.percent(world.state.current) == 50
    assert (world.status.phase, world.status.message) == ("Progressing", "Judge: not yet")
    world.turns(seconds=1000.0)
    assert isinstance(world.state.progress, Promoting), "a judge that is not sure is no deadline"
    world.word = MORE
    world.turns()
    assert world.state.percent(world.state.current) == 100
    assert world.state.is_baking


def test_only_more_traffic_waits_for_the_judge(make_world: Make, version: Version) -> None:
    steps: Steps = [{"setWeight": 50}, {"pause": {"duration": 10}}, {"analysis": ANALYSIS}, {"setWeight": 25}]
    world = begun(make_world, version, [*steps, {"pause": {}}], UNSURE)
    world.turn(10)
    world.turns(3)
    world.runs[world.state.progress.run] = RunView(Verdict.PASSED)
    world.turns()
    assert (world.state.progress.index, world.weight) == (4, 25)
    assert "judge_awaited" not in world.kinds()


def test_without_replicas_there_is_nobody_to_be_asked_about(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 25}, *HALF], UNSURE, replicas=0, routed=False)
    assert isinstance(world.state.progress, Settled)


@pytest.mark.parametrize(
    ("following", "waits"),
    [
        ({"setHeaderRoute": HEADER}, True),
        ({"setHeaderRoute": {"name": "a"}}, False),
        ({"setMirrorRoute": {"name": "a", "match": [{"method": {"exact": "GET"}}]}}, False),
        ({"setCanaryScale": {"replicas": 3}}, False),
        (experiment(10), True),
        (experiment(10, of="stable"), False),
        (experiment(None), False),
    ],
)
def test_more_users_are_more_traffic_by_whatever_way(
    make_world: Make, version: Version, following: dict[str, Any], waits: bool
) -> None:
    later = begun(make_world, version, [{"setWeight": 25}, following, {"pause": {}}], UNSURE, canary=MANAGED)
    assert (later.state.progress.index == 0) == waits
    first = begun(make_world, version, [{"pause": {"duration": 1}}, following], UNSURE, canary=MANAGED)
    first.turn(1)
    first.turns()
    assert "judge_awaited" not in first.kinds()


def test_a_step_that_is_done_stays_done_while_it_waits(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 5}, {"pause": {"duration": 10}}, *HALF], UNSURE)
    world.turn(10)
    world.turns(3, seconds=60)
    assert (world.state.progress.index, world.state.progress.pause) == (1, None)
    assert world.kinds().count("paused") == 1
    world.word = MORE
    world.turn()
    done = [event.detail for event in world.events if event.kind == "step_completed"]
    assert (done[-1]["step"], done[-1]["seconds"]) == (1, 190.0)


def test_an_experiment_ends_before_it_waits(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 5}, experiment(10), *HALF], MORE)
    world.word = UNSURE
    world.turn(60)
    world.turns()
    assert world.kinds()[-3:] == ["experiment_finished", "judge_awaited", "weight_set"]
    assert (world.state.progress.index, world.weights) == (1, {world.state.current: 5, world.state.stable: 95})
    world.word = MORE
    world.turns(2)
    assert world.weight == 50


def test_a_person_ends_a_pause_and_not_what_the_judge_waits_for(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 5}, {"pause": {}}, *HALF], UNSURE)
    world.do(actions.promote(world.rollout, world.state, world.now))
    with pytest.raises(Refused, match="waits for the word of its judge"):
        actions.promote(world.rollout, world.state, world.now)
    with pytest.raises(Refused, match="no waiver passes over the judge"):
        skipping.skip_step(world.rollout, world.state, "w-1", world.now)
    world.turns()
    assert (world.state.progress.index, world.weight) == (1, 5)
    assert "judge_awaited" in world.kinds()
    world.word = MORE
    world.turns(2)
    assert world.weight == 50


def test_a_waiver_passes_over_a_step_and_not_over_the_judge(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 5}, {"analysis": ANALYSIS}, *HALF], UNSURE)
    world.do(skipping.skip_step(world.rollout, world.state, "w-1", world.now))
    world.turns()
    assert (world.state.progress.index, world.weight) == (1, 5)
    assert not any("skipped" in event.detail for event in world.events)
    world.word = MORE
    world.turns(2)
    assert world.weight == 50
    assert [event.detail["step"] for event in world.events if event.detail.get("skipped") == "w-1"] == [1]


@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize(("at", "weight"), [(0, 25), (1, 25), (3, 50)])
def test_a_full_promotion_waits_for_the_judge(
    make_world: Make, version: Version, routed: bool, at: int, weight: int
) -> None:
    steps: Steps = [{"pause": {}}, {"setWeight": 25}, {"setWeight": 50}, {"pause": {}}]
    world = begun(make_world, version, steps, MORE, routed=routed)
    if at:
        world.word = UNSURE if at == 1 else MORE
        world.do(actions.promote(world.rollout, world.state, world.now))
        world.turns()
        world.word = UNSURE
    world.word = UNSURE
    assert world.state.progress.index == at
    world.do(skipping.promote_full(world.rollout, world.state, "w-1", world.now))
    world.turns()
    assert isinstance(world.state.progress, Promoting)
    assert world.state.percent(world.state.current) == weight
    assert world.status.message == "Judge: not yet"
    assert "step" not in next(event.detail for event in reversed(world.events) if event.kind == "judge_awaited")
    world.word = MORE
    world.turns()
    world.word = BAKED
    world.turns()
    assert isinstance(world.state.progress, Settled)


def test_a_full_promotion_without_a_judge_waits_for_nobody(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"pause": {}}, {"setWeight": 25}], None)
    world.do(skipping.promote_full(world.rollout, world.state, "w-1", world.now))
    world.turn()
    assert world.weight == 0
    world.turn()
    assert world.weight == 100
    assert "judge_awaited" not in world.kinds()


def test_going_back_does_not_ask_the_judge(make_world: Make, version: Version) -> None:
    world = make_world(HALF, rollbackWindow={"revisions": 3})
    world.turn(1)
    world.apply(version(world, 2))
    world.turns()
    assert isinstance(world.state.progress, Settled)
    world.word = UNSURE
    world.apply(version(world, 1))
    world.turns()
    assert isinstance(world.state.progress, Settled)
    assert world.state.progress.reason == "Rollback within window"
    world.apply(version(world, 3))
    world.turns()
    world.apply(version(world, 1))
    world.turns()
    assert world.state.progress == Settled("Rollback to stable ReplicaSets", world.state.progress.at)
    assert world.state.bake is None


@pytest.mark.parametrize("last", [50, 100])
@pytest.mark.parametrize("shrinks", [True, False])
def test_a_version_bakes_with_all_the_traffic_and_stable_whole(
    make_world: Make, version: Version, last: int, shrinks: bool
) -> None:
    world = baking(make_world, version, [{"setWeight": last}], canary={"dynamicStableScale": shrinks})
    world.turns(10, seconds=100)
    assert isinstance(world.state.progress, Promoting)
    assert world.pods == {world.state.stable: 4, world.state.current: 4}
    assert world.status.phase == "Progressing"
    assert world.status.message == "Judge: promoted; watched for another 780 s"
    assert world.kinds().count("bake_started") == 1
    assert "change_promoted" not in [event.kind for event in world.events if event.detail["revision"] == 2]
    world.word = BAKED
    world.turn()
    assert isinstance(world.state.progress, Settled)
    assert world.kinds()[-1] == "change_promoted"
    assert world.state.bake is None


def test_stable_is_kept_whole_from_the_moment_that_the_canary_is_to_have_everything(
    make_world: Make, version: Version
) -> None:
    world = begun(make_world, version, HALF, UNSURE, canary={"dynamicStableScale": True})
    assert world.pods[world.state.stable] == 2
    world.acknowledges, world.word = False, MORE
    world.turns()
    assert world.pods[world.state.stable] == 4
    assert not world.state.is_baking


def test_without_a_router_there_is_no_bake(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, HALF, MORE, routed=False)
    world.turns()
    assert isinstance(world.state.progress, Settled)
    assert not any(kind.startswith("bake") for kind in world.kinds())


def test_a_version_without_steps_bakes_too(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [], UNSURE)
    assert world.state.is_baking
    assert world.weight == 100


@pytest.mark.parametrize("steps", [HALF, [{"setWeight": 100}, {"pause": {}}]])
def test_what_is_doubted_has_half_until_it_is_cleared(make_world: Make, version: Version, steps: Steps) -> None:
    world = baking(make_world, version, steps)
    world.word = DOUBTED
    world.turns()
    assert world.weights == {world.state.current: 50, world.state.stable: 50}
    assert world.kinds()[-2:] == ["bake_doubted", "weight_set"]
    world.word = msgspec.structs.replace(BAKED, doubted=True)
    world.turns()
    assert world.weight == 50
    world.word = WATCHED
    world.turns()
    assert world.weights == {world.state.current: 100}
    assert world.kinds()[-2:] == ["bake_cleared", "weight_set"]


def test_what_is_not_back_to_everything_is_not_promoted(make_world: Make, version: Version) -> None:
    world = baking(make_world, version)
    world.word = DOUBTED
    world.turns()
    world.word, world.acknowledges = BAKED, False
    world.turns()
    assert isinstance(world.state.progress, Promoting)
    world.acknowledges = True
    world.turns()
    assert isinstance(world.state.progress, Settled)


def test_halves_wait_for_a_stable_that_can_carry_its_own(make_world: Make, version: Version) -> None:
    world = baking(make_world, version)
    world.ready, world.word = (lambda hash_: hash_ == world.state.current), DOUBTED
    world.turns()
    assert world.weight == 100
    world.ready = lambda _: True
    world.turns()
    assert world.weight == 50


@pytest.mark.parametrize("word", [WATCHED, DOUBTED])
@pytest.mark.parametrize("how", ["alarm", "person", "analysis"])
def test_an_abort_out_of_the_bake_gives_everything_back(
    make_world: Make, version: Version, word: Word, how: str
) -> None:
    world = begun(make_world, version, HALF, MORE, canary={"analysis": ANALYSIS})
    world.runs[world.state.background] = RunView(Verdict.RUNNING, passing=True)
    world.turns()
    world.requests[world.state.current] = 9
    world.word = word
    world.turns()
    assert world.state.is_baking
    assert world.decision.active == {world.state.background}
    if how == "alarm":
        world.alarm = "judge: worse"
    elif how == "person":
        world.do(actions.abort(world.rollout, world.state, world.now))
    else:
        world.runs[world.state.background] = RunView(Verdict.FAILED, "bad")
    world.turn()
    assert world.weights == {world.state.stable: 100}
    assert world.state.bake is None
    ended = world.state.progress
    assert isinstance(ended, Aborted)
    assert ended.weight == 100
    assert "change_rolled_back" in world.kinds()
    world.alarm = ""
    world.do(actions.retry(world.rollout, world.state, world.now))
    world.turn()
    assert world.state.progress == Stepping(index=0, since=world.now)
    assert world.state.bake is None


@pytest.mark.parametrize("doubted", [True, False])
def test_missing_evidence_in_the_bake_moves_no_traffic_up(
    make_world: Make, version: Version, doubted: bool
) -> None:
    world = begun(make_world, version, HALF, MORE, canary={"analysis": ANALYSIS})
    world.runs[world.state.background] = RunView(Verdict.RUNNING, passing=True)
    world.turns()
    world.word = DOUBTED if doubted else WATCHED
    world.turns()
    world.runs[world.state.background] = RunView(Verdict.UNKNOWN, "cannot tell")
    world.turns(2)
    assert lacks_evidence(world.state.progress)
    world.word = WATCHED
    world.turns()
    assert world.weight == (50 if doubted else 100)
    world.word = DOUBTED
    world.turns()
    assert world.weight == 50
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.word = WATCHED
    world.turns(3)
    world.runs[world.state.background] = RunView(Verdict.RUNNING, passing=True)
    world.turns()
    assert isinstance(world.state.progress, Promoting)
    assert world.weights == {world.state.current: 100}
    assert world.kinds().count("bake_started") == 1


def test_a_newer_version_ends_the_bake(make_world: Make, version: Version) -> None:
    world = baking(make_world, version)
    stable = world.state.stable
    world.apply(version(world, 3))
    world.turns()
    assert world.kinds().count("change_superseded") == 1
    assert (world.state.stable, world.state.bake) == (stable, None)
    assert world.weights == {world.state.current: 50, stable: 50}


def test_a_judge_that_is_taken_away_ends_the_bake(make_world: Make, version: Version) -> None:
    world = baking(make_world, version, progressDeadlineSeconds=60, progressDeadlineAbort=True)
    world.word = DOUBTED
    world.turns(3, seconds=100)
    world.word = None
    world.turns()
    assert isinstance(world.state.progress, Settled)


def test_replicas_are_restarted_in_the_bake(make_world: Make, version: Version) -> None:
    world = baking(make_world, version)
    spec = msgspec.structs.replace(world.rollout.spec, restart_at="1970-01-01T00:16:40Z")
    world.apply(msgspec.structs.replace(world.rollout, spec=spec))
    evicted: list[str] = []
    for _ in range(12):
        evicted += world.turn(1).desired.evict
    assert len(set(evicted)) == 8
    assert world.state.is_baking
    assert world.weights == {world.state.current: 100}


def paused(world: Any, paused: bool) -> Rollout:
    """Return the manifest, paused by hand or not."""
    rollout: Rollout = world.rollout
    return msgspec.structs.replace(rollout, spec=msgspec.structs.replace(rollout.spec, paused=paused))


def test_a_judge_that_is_not_sure_is_waited_for_without_a_deadline(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 5}, *HALF], UNSURE, progressDeadlineAbort=True)
    world.turns(20, seconds=100)
    assert world.status.message == "Judge: not yet"


@pytest.mark.parametrize("steps", [HALF, [{"setWeight": 5}, *HALF], [*HALF, {"pause": {"duration": 10}}]])
def test_a_canary_whose_replicas_were_gone_gets_back_what_it_had_while_it_waits(
    make_world: Make, version: Version, steps: Steps
) -> None:
    world = begun(make_world, version, steps, UNSURE)
    world.turns(3, seconds=10)
    had, canary = world.weight, world.state.current
    assert had
    world.ready = lambda hash_: hash_ != canary
    world.turns()
    assert world.weights == {world.state.stable: 100}
    world.ready = lambda _: True
    world.turns()
    assert world.weight == had
    assert world.status.message == "Judge: not yet"


@pytest.mark.parametrize("bakes", [True, False])
def test_a_judge_that_knows_nothing_is_waited_for_until_the_deadline(
    make_world: Make, version: Version, bakes: bool
) -> None:
    if bakes:
        world = baking(make_world, version)
    else:
        world = begun(make_world, version, [{"setWeight": 5}, *HALF], UNSURE)
    world.turn(10_000)
    world.word = BLIND
    world.turn(10)
    assert world.decision.wake_at == world.now + 600
    world.turn(599)
    world.word = WATCHED
    world.turn()
    assert world.state.blind_since is None
    world.word = BLIND
    world.turn()
    world.turn(599)
    assert not isinstance(world.state.progress, Aborted)
    world.apply(paused(world, True))
    world.turn(10)
    assert not isinstance(world.state.progress, Aborted)
    world.apply(paused(world, False))
    world.turn()
    assert isinstance(world.state.progress, Aborted)
    why = "the judge has known nothing of what users get for 600s: no news of the counters for 20 s"
    assert world.state.progress.cause == why
    assert world.weights == {world.state.stable: 100}


def test_a_judge_that_knows_nothing_holds_up_no_pause(make_world: Make, version: Version) -> None:
    world = begun(make_world, version, [{"setWeight": 5}, {"pause": {}}, *HALF], BLIND)
    world.turns(3, seconds=1000)
    assert world.status.message == "CanaryPauseStep"
    assert world.state.blind_since is None


WORDS = st.sampled_from([UNSURE, MORE, MORE, BLIND, WATCHED, DOUBTED, BAKED])
JUDGED = st.one_of(
    OPERATIONS, st.tuples(st.just("word"), WORDS), st.tuples(st.just("skip"), st.sampled_from(["step", "full"]))
)
WAYS = {"step": skipping.skip_step, "full": skipping.promote_full}


def does(world: Any, version: Version, operation: tuple[str, Any]) -> None:
    """Do one thing to a world that has a judge."""
    match operation:
        case ("word", word):
            world.word = word
        case ("skip", way):
            with contextlib.suppress(Refused):
                world.do(WAYS[way](world.rollout, world.state, "w-1", world.now))
        case _:
            play(world, version, operation)


@settings(max_examples=200, deadline=None)
@given(operations=st.lists(JUDGED, max_size=50), shrinks=st.booleans())
def test_no_traffic_grows_and_nothing_becomes_stable_without_the_word(
    make_world: Make, version: Version, operations: list[tuple[str, Any]], shrinks: bool
) -> None:
    world = make_world(canary={"dynamicStableScale": shrinks})
    world.word = UNSURE
    agreed: dict[tuple[str, int], int] = {}
    hurried: set[tuple[str, int]] = set()  # whose steps were passed over: one word gives them everything
    for operation in operations:
        does(world, version, operation)
        told = len(world.events)
        world.turn()
        state = world.state
        attempt = (state.current, state.attempt)
        agreed[attempt] = agreed.get(attempt, 0) + world.word.may_grow
        if operation == ("skip", "full"):
            hurried.add(attempt)
        under_way = state.current != state.stable and not isinstance(state.progress, Aborted)
        share = state.percent(state.current)
        if under_way:
            assert share <= 5 or agreed[attempt] >= (1 if share <= 25 or attempt in hurried else 2)
        if share == 100 and under_way and state.is_baking:
            assert state.revision(state.stable).replicas == 4
        if any(event.kind == "change_promoted" for event in world.events[told:]):
            assert world.word.baked
        assert msgspec.json.decode(msgspec.json.encode(state), type=RolloutState) == state


@settings(max_examples=100, deadline=None)
@given(
    operations=st.lists(JUDGED, max_size=30),
    routed=st.booleans(),
    last=st.sampled_from([BAKED, BLIND, DOUBTED]),
)
def test_a_judged_world_comes_to_rest_unless_its_judge_keeps_doubting(
    make_world: Make, version: Version, operations: list[tuple[str, Any]], routed: bool, last: Word
) -> None:
    world = make_world(routed=routed, replicas=20)
    world.word = UNSURE
    for operation in operations:
        does(world, version, operation)
        world.turn()
    world.ready, world.acknowledges, world.alarm, world.word = (lambda _: True), True, "", last
    for _ in range(60):
        run = getattr(world.state.progress, "run", "")
        if run:
            world.runs[run] = RunView(Verdict.PASSED)
        world.turn(200)
    if last.doubted:
        assert not isinstance(world.state.progress, Stepping) or world.state.progress.waits
    else:
        assert isinstance(world.state.progress, Settled | Aborted), world.state.progress
        assert world.weights == {world.state.stable: 100}
