"""What the canary promises, whatever the world does: checked over histories that hypothesis makes up."""

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from davy.errors import Refused
from davy.rollout import actions
from davy.rollout.decision import RunView, Verdict
from davy.rollout.state import Aborted, Previewing, Promoting, Settled, Stepping, Verifying, lacks_evidence

OPERATIONS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 30, 200])),
    st.tuples(st.just("ready"), st.sampled_from(["all", "new", "stable", "none"])),
    st.tuples(st.just("acknowledge"), st.booleans()),
    st.tuples(st.just("verdict"), st.sampled_from(list(Verdict))),
    st.tuples(st.just("alarm"), st.booleans()),
    st.tuples(st.just("act"), st.sampled_from(["promote", "abort", "retry"])),
    st.tuples(st.just("apply"), st.integers(1, 3)),
)


def play(world: Any, version: Callable[[Any, int], Any], operation: tuple[str, Any]) -> None:
    """Do one thing to the world."""
    match operation:
        case ("wait", seconds):
            world.now += seconds
        case ("ready", who):
            current, stable = world.state.current, world.state.stable
            world.ready = {
                "all": lambda _: True,
                "new": lambda hash_: hash_ == current,
                "stable": lambda hash_: hash_ == stable,
                "none": lambda _: False,
            }[who]
        case ("acknowledge", does):
            world.acknowledges = does
        case ("verdict", verdict):
            if run := getattr(world.state.progress, "run", ""):
                world.runs[run] = RunView(verdict, "x")
        case ("alarm", rings):
            world.alarm = "guard" if rings else ""
        case ("act", verb):
            with contextlib.suppress(Refused):
                world.do(getattr(actions, verb)(world.rollout, world.state, world.now))
        case ("apply", number):
            world.apply(version(world, number))


def evidence(world: Any) -> set[tuple[str, int]]:
    """Return the analysis steps of the current attempt that passed, by hash and step."""
    return {
        (world.state.current, index)
        for index in range(len(world.rollout.spec.strategy.canary.steps))
        for name, run in world.runs.items()
        if run.verdict is Verdict.PASSED
        and name.split(".")[0].endswith(f"-{index}")
        and world.state.current in name
    }


@settings(max_examples=150, deadline=None)
@given(operations=st.lists(OPERATIONS, max_size=40))
def test_traffic_grows_only_on_evidence_and_goes_back_on_bad_news(
    make_world: Any, version: Any, operations: list[tuple[str, Any]]
) -> None:
    world = make_world()
    for operation in operations:
        play(world, version, operation)
        before, alarmed = world.state, world.alarm
        verdict = world.runs.get(getattr(before.progress, "run", ""), RunView(Verdict.RUNNING)).verdict
        world.turn()
        after = world.state
        share = after.weights.get(after.current, 0)
        if isinstance(before.progress, Stepping | Promoting) and (alarmed or verdict is Verdict.FAILED):
            assert isinstance(after.progress, Aborted)
        if isinstance(after.progress, Aborted):
            assert after.weights == {after.stable: 100}
        if isinstance(after.progress, Stepping):
            plan = world.rollout.spec.strategy.canary.steps
            gates = [index for index in range(after.progress.index) if plan[index].analysis]
            assert {(after.current, gate) for gate in gates} <= evidence(world)
            assert share in (0, 5, 25)
        if share == 100 and after.current != after.stable:
            assert isinstance(after.progress, Promoting)
        assert sum(after.weights.values()) in (0, 100)


@settings(max_examples=60, deadline=None)
@given(operations=st.lists(OPERATIONS, max_size=30))
def test_a_world_that_behaves_again_always_comes_to_rest(
    make_world: Any, version: Any, operations: list[tuple[str, Any]]
) -> None:
    world = make_world()
    for operation in operations:
        play(world, version, operation)
        world.turn()
    world.ready, world.acknowledges, world.alarm = (lambda _: True), True, ""
    for _ in range(60):
        run = getattr(world.state.progress, "run", "")
        if run:
            world.runs[run] = RunView(Verdict.PASSED)
        world.turn(200)
    assert isinstance(world.state.progress, Settled | Aborted), world.state.progress
    serving = world.state.stable
    assert world.weights == {serving: 100}
    assert world.pods == {serving: 4}


ANALYSIS = {"templates": [{"templateName": "err-rate"}]}
HEADER = {"name": "a", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}
SIDES = [{"name": "base", "specRef": "stable"}, {"name": "new", "specRef": "canary", "weight": 5}]
STEPS = st.lists(
    st.one_of(
        st.builds(lambda weight: {"setWeight": weight}, st.sampled_from([0, 10, 50, 95])),
        st.builds(lambda count: {"setCanaryScale": {"replicas": count}}, st.integers(0, 4)),
        st.sampled_from(
            [
                {"pause": {"duration": 30}},
                {"pause": {}},
                {"analysis": ANALYSIS},
                {"setCanaryScale": {"matchTrafficWeight": True}},
                {"setHeaderRoute": HEADER},
                {"setHeaderRoute": {"name": "a"}},
                {"experiment": {"templates": SIDES, "duration": "1m"}},
                {
                    "experiment": {
                        "templates": SIDES,
                        "analyses": [{"name": "check", "templateName": "err-rate"}],
                    }
                },
            ]
        ),
    ),
    max_size=6,
)
CANARY = st.fixed_dictionaries(
    {"trafficRouting": st.just({"plugins": {"x": {}}, "managedRoutes": [{"name": "a"}]})},
    optional={
        "dynamicStableScale": st.just(True),
        "minPodsPerReplicaSet": st.integers(1, 3),
        "abortScaleDownDelaySeconds": st.sampled_from([0, 60]),
        "replicaProgressThreshold": st.just({"type": "Percent", "value": 50}),
    },
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, canary=CANARY, operations=st.lists(OPERATIONS, max_size=30))
def test_whatever_the_plan_an_abort_ends_it_and_traffic_is_never_lost(
    make_world: Any, version: Any, steps: list[Any], canary: dict[str, Any], operations: list[tuple[str, Any]]
) -> None:
    world = make_world(steps, canary=canary)
    for operation in operations:
        play(world, version, operation)
        trial = getattr(world.state.progress, "experiment", None)
        if trial is not None and operation[0] == "verdict":
            world.runs |= dict.fromkeys(trial.runs, RunView(operation[1], "x"))
        world.turn()
        state = world.state
        assert sum(state.weights.values()) in (0, 100)
        assert all(weight > 0 for weight in state.weights.values())
        known = {each.hash for each in state.revisions} | {side.hash for side in state.sides}
        assert set(state.weights) <= known
        if not isinstance(state.progress, Stepping | Promoting):
            assert not world.decision.desired.routes
        if isinstance(state.progress, Aborted):
            assert set(state.weights) <= {state.stable, state.current}
            assert not state.sides
    world.acknowledges, world.alarm = True, "guard"
    world.ready = lambda _: False
    world.turns(3, seconds=20)
    if isinstance(world.state.progress, Aborted):
        assert world.weights == {world.state.stable: 100}


BACKGROUND = st.tuples(st.just("background"), st.sampled_from(list(Verdict)), st.booleans())
MEANWHILE = st.sampled_from(
    [("wait", 30), ("verdict", Verdict.PASSED), ("act", "promote"), ("ready", "all"), ("ready", "stable")]
)


@settings(max_examples=300, deadline=None)
@given(
    steps=STEPS,
    canary=CANARY,
    before=st.lists(MEANWHILE, max_size=8),
    operations=st.lists(st.one_of(BACKGROUND, MEANWHILE), max_size=20),
)
def test_what_nobody_knows_moves_nothing_up(
    make_world: Any,
    version: Any,
    steps: list[Any],
    canary: dict[str, Any],
    before: list[Any],
    operations: list[Any],
) -> None:
    world = make_world([{"setWeight": 5}, *steps], canary={**canary, "analysis": ANALYSIS})
    world.apply(version(world, 2))
    world.until(lambda world: world.state.background != "")
    for operation in (*before, ("background", Verdict.UNKNOWN, False), *operations):
        match operation:
            case ("background", verdict, passing):
                run = world.state.background
                world.runs |= {run: RunView(verdict, "x", finite=False, passing=passing)} if run else {}
            case _:
                play(world, version, operation)
        then, routes = world.state, world.decision.desired.routes
        run_now = world.runs.get(then.background, RunView(Verdict.RUNNING))
        unknown = isinstance(then.progress, Stepping | Promoting) and run_now.verdict is Verdict.UNKNOWN
        world.turn()
        now = world.state
        if unknown or lacks_evidence(then.progress):
            assert not isinstance(now.progress, Settled)
            assert now.weights.get(now.current, 0) <= then.weights.get(now.current, 0)
            assert set(world.decision.desired.routes) <= set(routes)
        if isinstance(then.progress, Promoting) and isinstance(now.progress, Settled):
            assert run_now.verdict is Verdict.PASSED or run_now.passing


BLUE_GREEN = st.fixed_dictionaries(
    {},
    optional={
        "autoPromotionEnabled": st.booleans(),
        "autoPromotionSeconds": st.sampled_from([0, 30]),
        "previewReplicaCount": st.sampled_from([1, 4]),
        "prePromotionAnalysis": st.just(ANALYSIS),
        "postPromotionAnalysis": st.just(ANALYSIS),
        "scaleDownDelaySeconds": st.sampled_from([0, 100]),
    },
)


@settings(max_examples=150, deadline=None)
@given(blue_green=BLUE_GREEN, operations=st.lists(OPERATIONS, max_size=40))
def test_blue_green_switches_only_on_evidence_and_back_on_a_word(
    make_world: Any, version: Any, blue_green: dict[str, Any], operations: list[tuple[str, Any]]
) -> None:
    world = make_world([], blue_green=blue_green)
    allowed: set[str] = {world.state.current}  # hashes that a person or the manifest let through
    for operation in operations:
        before = world.state
        play(world, version, operation)
        if operation == ("act", "promote") and world.state.progress != before.progress:
            allowed.add(world.state.current)
        before, alarmed = world.state, world.alarm
        verdict = world.runs.get(getattr(before.progress, "run", ""), RunView(Verdict.RUNNING)).verdict
        world.turn()
        after = world.state
        assert after.weights in ({after.stable: 100}, {after.current: 100}, {})
        if isinstance(before.progress, Previewing | Verifying) and (alarmed or verdict is Verdict.FAILED):
            assert isinstance(after.progress, Aborted)
        if isinstance(after.progress, Aborted | Previewing):
            assert after.weights == {after.stable: 100}
        if isinstance(before.progress, Previewing) and isinstance(after.progress, Verifying):
            assert_switch_was_allowed(world, blue_green, allowed, quick=after.progress.quick)
        if isinstance(after.progress, Verifying):
            assert {each.hash for each in world.decision.desired.replica_sets} >= {after.stable, after.current}


def assert_switch_was_allowed(
    world: Any, blue_green: dict[str, Any], allowed: set[str], *, quick: bool
) -> None:
    """Hold a switch against what the manifest asks for before it."""
    state = world.state
    assert world.seen.count(state.current).available >= 4
    if quick:
        assert state.newest.promoted_at is not None
        return
    if "prePromotionAnalysis" in blue_green:
        names = [name for name, run in world.runs.items() if run.verdict is Verdict.PASSED]
        assert any(f"-{state.current}-{state.newest.number}-pre" in name for name in names)
    if blue_green.get("autoPromotionEnabled") is False:
        assert state.current in allowed
