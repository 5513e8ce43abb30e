"""The steps beside weight, pause and analysis, and what a canary does with its replicas: Argo's semantics."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from davy.errors import Refused
from davy.model.rollout import Rollout
from davy.model.side_route import HeaderRoute, MirrorRoute
from davy.rollout import actions
from davy.rollout.decision import RunKind, RunView, Verdict
from davy.rollout.state import Aborted, PauseReason, Promoting, Settled, Stepping

Make = Callable[..., Any]
Version = Callable[[Any, int], Rollout]

PASSED = RunView(Verdict.PASSED)
FAILED = RunView(Verdict.FAILED, "bad")
ROUTED: dict[str, Any] = {
    "trafficRouting": {"plugins": {"x": {}}, "managedRoutes": [{"name": "first"}, {"name": "second"}]}
}
HEADER: dict[str, Any] = {
    "setHeaderRoute": {"name": "second", "match": [{"headerName": "x-beta", "headerValue": {"exact": "1"}}]}
}
MIRROR: dict[str, Any] = {
    "setMirrorRoute": {"name": "first", "match": [{"path": {"prefix": "/"}}], "percentage": 30}
}
WAIT: dict[str, Any] = {"pause": {}}


def started(make_world: Make, version: Version, steps: list[dict[str, Any]], **options: Any) -> Any:
    world = make_world(steps, **options)
    world.apply(version(world, 2))
    world.turns(6)
    return world


def promote(world: Any) -> None:
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turns(6)


def abort(world: Any) -> None:
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turn()


def pods(world: Any) -> tuple[int, int]:
    return world.pods.get(world.state.current, 0), world.pods.get(world.state.stable, 0)


# setCanaryScale


def test_a_scale_is_held_apart_from_the_weight_until_it_matches_again(
    make_world: Make, version: Version
) -> None:
    # TestCanarySetCanaryScale of Argo's e2e suite: (0,4) (1,4) (1,4) (3,4) (2,4) (4,4) by step.
    steps: list[dict[str, Any]] = [
        {"pause": {}},
        {"setCanaryScale": {"weight": 25}},
        {"pause": {}},
        {"setCanaryScale": {"replicas": 3}},
        {"pause": {}},
        {"setWeight": 50},
        {"pause": {}},
        {"setCanaryScale": {"matchTrafficWeight": True}},
        {"pause": {}},
    ]
    world = started(make_world, version, steps)
    seen = [(pods(world), world.weight)]
    for _ in range(5):
        promote(world)
        seen.append((pods(world), world.weight))
    assert seen[:-1] == [((0, 4), 0), ((1, 4), 0), ((3, 4), 0), ((3, 4), 50), ((2, 4), 50)]
    assert isinstance(world.state.progress, Settled)


def test_a_scale_waits_for_its_replicas_and_is_bounded_by_the_progress_deadline(
    make_world: Make, version: Version
) -> None:
    world = make_world([{"setCanaryScale": {"replicas": 2}}, WAIT], progressDeadlineAbort=True)
    world.ready = lambda hash_: hash_ == world.state.stable
    world.apply(version(world, 2))
    world.turns(4)
    assert world.state.progress.index == 0
    world.turn(601)
    assert isinstance(world.state.progress, Aborted)
    assert "has timed out progressing" in world.state.progress.cause


# Header and mirror routes


def test_routes_are_in_the_order_of_the_manifest_and_lead_to_the_new_version(
    make_world: Make, version: Version
) -> None:
    steps = [{"setCanaryScale": {"replicas": 1}}, HEADER, MIRROR, WAIT]
    world = started(make_world, version, steps, canary=ROUTED)
    mirror, header = world.routes
    assert isinstance(mirror, MirrorRoute)
    assert isinstance(header, HeaderRoute)
    assert (mirror.name, mirror.percentage, mirror.hash) == ("first", 30, world.state.current)
    assert header.match[0].header_name == "x-beta"
    assert world.state.progress.pause is not None


def test_a_route_without_a_match_is_taken_away(make_world: Make, version: Version) -> None:
    away = {"setHeaderRoute": {"name": "second"}}
    whole = {"setMirrorRoute": {"name": "first", "match": [{"method": {"exact": "GET"}}]}}
    steps = [{"setWeight": 50}, HEADER, WAIT, away, whole, WAIT]
    world = started(make_world, version, steps, canary=ROUTED)
    assert [route.name for route in world.routes] == ["second"]
    promote(world)
    assert [(route.name, route.percentage) for route in world.routes] == [("first", 100)]


def test_a_route_waits_for_the_data_plane(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 50}, HEADER, WAIT], canary=ROUTED)
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 50)
    world.acknowledges = False
    world.turns(4)
    assert world.state.progress.index == 1
    assert not world.routes
    world.acknowledges = True
    world.turns(3)
    assert world.state.progress.index == 2


def test_a_version_without_replicas_gets_no_route_and_the_step_is_done(
    make_world: Make, version: Version
) -> None:
    world = started(make_world, version, [HEADER, WAIT], canary=ROUTED)
    assert world.state.progress.index == 1
    assert not world.routes


@pytest.mark.parametrize("end", ["abort", "promote"])
def test_the_end_of_an_update_takes_the_routes_away_with_the_weight(
    make_world: Make, version: Version, end: str
) -> None:
    world = started(make_world, version, [{"setWeight": 50}, HEADER, WAIT], canary=ROUTED)
    assert world.routes
    if end == "abort":
        abort(world)
    else:
        promote(world)
    assert not world.routes
    assert world.weights == {world.state.stable: 100}


def test_routes_stay_while_the_last_replicas_come_up(make_world: Make, version: Version) -> None:
    world = started(make_world, version, [{"setWeight": 50}, HEADER, WAIT], canary=ROUTED)
    count = {"n": 2}
    world.ready = lambda hash_: hash_ == world.state.stable or count["n"] > 0
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.acknowledges = False
    world.turns(3)
    assert isinstance(world.state.progress, Promoting)
    assert world.decision.desired.routes


def test_a_user_who_comes_by_a_header_has_met_the_new_version_and_a_copy_has_not(
    make_world: Make, version: Version
) -> None:
    world = started(make_world, version, [{"setCanaryScale": {"replicas": 1}}, MIRROR, WAIT], canary=ROUTED)
    world.requests[world.state.current] = 5
    world.turns(2)
    assert "change_exposed" not in world.kinds()
    world = started(make_world, version, [{"setCanaryScale": {"replicas": 1}}, HEADER, WAIT], canary=ROUTED)
    world.requests[world.state.current] = 5
    world.turns(2)
    assert "change_exposed" in world.kinds()


# Replica counts


def test_stable_shrinks_as_the_canary_grows(make_world: Make, version: Version) -> None:
    steps = [{"setWeight": 25}, WAIT, {"setWeight": 75}, WAIT]
    world = started(make_world, version, steps, canary={"dynamicStableScale": True})
    assert pods(world) == (1, 3)
    promote(world)
    assert pods(world) == (3, 1)
    promote(world)
    assert world.pods == {world.state.current: 4}


def test_a_stable_version_that_was_shrunk_takes_the_traffic_back_as_it_grows(
    make_world: Make, version: Version
) -> None:
    steps = [{"setWeight": 75}, WAIT]
    world = started(make_world, version, steps, canary={"dynamicStableScale": True})
    slow = {f"{world.state.stable}-{i}" for i in (1, 2, 3)}
    plain = world._pod
    world._pod = lambda hash_, name: (
        replace(plain(hash_, name), ready=False, available=False) if name in slow else plain(hash_, name)
    )
    abort(world)
    assert world.weights == {world.state.current: 75, world.state.stable: 25}
    assert world.decision.wake_at is not None
    slow.discard(f"{world.state.stable}-1")
    world.turn()
    assert world.weight == 50
    assert pods(world) == (3, 4)
    world.turn()
    assert pods(world) == (2, 4)
    world.turn(31)
    assert world.weights == {world.state.stable: 100}
    world.turns(2)
    assert pods(world) == (0, 4)


def test_nothing_is_left_on_a_canary_that_cannot_answer(make_world: Make, version: Version) -> None:
    world = started(make_world, version, [{"setWeight": 75}, WAIT], canary={"dynamicStableScale": True})
    world.ready = lambda _: False
    abort(world)
    assert world.weights == {world.state.stable: 100}


def test_going_back_to_the_stable_template_lets_it_grow_first_too(make_world: Make, version: Version) -> None:
    world = started(make_world, version, [{"setWeight": 75}, WAIT], canary={"dynamicStableScale": True})
    canary = world.state.current
    world.apply(version(world, 1))
    world.pods = {canary: 3, world.state.stable: 1}
    world.turn()
    assert world.weights == {canary: 75, world.state.stable: 25}
    world.turns(3)
    assert world.weights == {world.state.stable: 100}
    world.turns(2)
    assert world.pods == {world.state.stable: 4}


def test_an_explicit_delay_keeps_an_aborted_canary_whole(make_world: Make, version: Version) -> None:
    canary = {"dynamicStableScale": True, "abortScaleDownDelaySeconds": 60}
    world = started(make_world, version, [{"setWeight": 50}, WAIT], canary=canary)
    abort(world)
    world.turns(5)
    assert pods(world) == (2, 4)
    world.turns(3, seconds=61)
    assert pods(world) == (0, 4)


@pytest.mark.parametrize(
    ("threshold", "reached"),
    [
        ({"type": "Percent", "value": 50}, True),
        ({"type": "Percent", "value": 75}, False),
        ({"type": "Pods", "value": 2}, True),
        ({"type": "Pods", "value": 3}, False),
    ],
)
def test_as_much_of_the_canary_as_the_threshold_says_counts_as_there(
    make_world: Make, version: Version, threshold: dict[str, Any], reached: bool
) -> None:
    world = make_world([{"setWeight": 100}, WAIT], canary={"replicaProgressThreshold": threshold})
    plain = world._pod

    def pod(hash_: str, name: str) -> Any:
        lame = hash_ != world.state.stable and name.endswith(("-2", "-3"))
        return replace(plain(hash_, name), ready=not lame, available=not lame)

    world._pod = pod
    world.apply(version(world, 2))
    world.turns(6)
    assert (world.state.progress.index == 1) is reached


def test_a_threshold_holds_for_stable_and_for_promotion_too(make_world: Make, version: Version) -> None:
    threshold = {"replicaProgressThreshold": {"type": "Percent", "value": 50}}
    world = make_world([{"setWeight": 25}, WAIT], canary=threshold)
    plain = world._pod
    world._pod = lambda hash_, name: replace(
        plain(hash_, name), available=not name.endswith(("-2", "-3")), ready=True
    )
    world.apply(version(world, 2))
    world.turns(6)
    assert world.weight == 25
    promote(world)
    assert isinstance(world.state.progress, Settled)


def test_stable_short_of_its_share_and_of_the_threshold_keeps_the_split(
    make_world: Make, version: Version
) -> None:
    threshold = {"replicaProgressThreshold": {"type": "Percent", "value": 50}}
    world = make_world([{"setWeight": 25}, WAIT], canary=threshold)
    world.ready = lambda hash_: hash_ != world.state.stable
    world.apply(version(world, 2))
    world.turns(6)
    assert world.weight == 0


# Restarts


def restart(world: Any, at: str) -> None:
    world.rollout = replace(world.rollout, spec=replace(world.rollout.spec, restart_at=at))


def test_a_restart_replaces_replicas_a_few_at_a_time_and_says_so(make_world: Make) -> None:
    world = make_world([])
    restart(world, "1970-01-01T00:16:41Z")
    assert world.status.message == "rollout is restarting"
    world.turn()
    assert world.decision.desired.evict == ()
    assert world.decision.wake_at == 1001
    gone = []
    for _ in range(4):
        world.turn(1)
        gone.append(world.decision.desired.evict)
    assert [len(names) for names in gone] == [1, 1, 1, 1]
    world.turn(1)
    assert world.decision.desired.evict == ()
    assert world.state.restarted_at == 1001
    assert world.status.phase == "Healthy"


def test_a_restart_waits_for_what_is_missing_but_not_for_what_is_unwell_itself(make_world: Make) -> None:
    world = make_world([], canary={"maxUnavailable": 2})
    restart(world, "1970-01-01T00:16:40Z")
    lame = {f"{world.state.stable}-0"}
    plain = world._pod
    world._pod = lambda hash_, name: replace(plain(hash_, name), available=name not in lame, ready=True)
    world.turn()
    assert len(world.decision.desired.evict) == 2
    assert f"{world.state.stable}-0" in world.decision.desired.evict
    lame |= set(world.decision.desired.evict)
    world.turn()
    assert world.decision.desired.evict == ()


def test_in_an_update_stable_is_restarted_first(make_world: Make, version: Version) -> None:
    world = started(make_world, version, [{"setWeight": 50}, WAIT])
    restart(world, "1970-01-01T00:16:40Z")
    world.turn()
    assert world.decision.desired.evict[0].startswith(world.state.stable)
    world.turns(8)
    assert world.state.restarted_at == 1000


# Quick ways back


def released(make_world: Make, version: Version, *numbers: int, **options: Any) -> Any:
    """Release one version after another; every one takes its single step at once."""
    world = make_world([{"setWeight": 50}, {"pause": {"duration": 1}}], **options)
    for number in numbers:
        world.turn(1)
        world.apply(version(world, number))
        world.turns(12, seconds=2)
        assert isinstance(world.state.progress, Settled), world.state.progress
    return world


def test_within_the_window_a_version_that_was_stable_comes_back_without_steps(
    make_world: Make, version: Version
) -> None:
    world = released(make_world, version, 2, 3, rollbackWindow={"revisions": 2})
    world.apply(version(world, 1))
    world.turns(2)
    assert isinstance(world.state.progress, Promoting | Settled)
    world.turns(4)
    assert world.state.progress.reason == "Rollback within window"


def test_the_quick_way_back_sets_no_route(make_world: Make, version: Version) -> None:
    mirror = {"name": "a", "match": [{"path": {"prefix": "/"}}]}
    routing = {"trafficRouting": {"plugins": {"x": {}}, "managedRoutes": [{"name": "a"}]}}
    world = make_world([{"setMirrorRoute": mirror}], canary=routing, rollbackWindow={"revisions": 2})
    first = world.rollout
    world.now += 1
    world.apply(version(world, 2))
    world.turns(6)
    world.apply(first)
    while not isinstance(world.state.progress, Settled):
        assert not world.turn().desired.routes


@pytest.mark.parametrize("options", [{}, {"rollbackWindow": {"revisions": 1}}])
def test_outside_of_the_window_it_takes_every_step(
    make_world: Make, version: Version, options: dict[str, Any]
) -> None:
    world = released(make_world, version, 2, 3, **options)
    world.apply(version(world, 1))
    world.turns(2)
    assert isinstance(world.state.progress, Stepping)


def test_a_version_that_was_aborted_never_comes_back_quickly(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 50}, {"pause": {"duration": 1}}], rollbackWindow={"revisions": 5})
    world.turn(1)
    world.apply(version(world, 2))
    world.turns(3)
    abort(world)
    world.turn(1)
    world.apply(version(world, 3))
    world.turns(12, seconds=2)
    assert isinstance(world.state.progress, Settled)
    world.apply(version(world, 2))
    world.turn()
    assert isinstance(world.state.progress, Stepping)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_version_that_was_aborted_on_its_way_back_has_lost_the_quick_way(
    make_world: Make, version: Version, by_hand: bool
) -> None:
    world = make_world([{"setWeight": 25}], rollbackWindow={"revisions": 3})
    first = world.rollout
    world.now += 1
    world.apply(version(world, 2))
    second = world.rollout
    world.turns(8)
    world.apply(first)
    assert isinstance(world.state.progress, Promoting)
    if by_hand:
        world.do(actions.abort(world.rollout, world.state, world.now))
    else:
        world.alarm = "guard"
        world.turn()
        world.alarm = ""
    world.apply(second)
    world.turn()
    world.apply(first)
    assert isinstance(world.state.progress, Stepping)


def test_a_quick_way_forward_does_not_exist(make_world: Make, version: Version) -> None:
    world = released(make_world, version, 2, rollbackWindow={"revisions": 5})
    world.apply(version(world, 1))
    world.turns(6)
    assert world.state.progress.reason == "Rollback within window"
    world.apply(version(world, 2))
    world.turn()
    assert isinstance(world.state.progress, Stepping)


# Experiments

BASE = {"name": "base", "specRef": "stable"}
NEW = {"name": "new", "specRef": "canary", "replicas": 2, "weight": 5, "service": {}}
CHECK = {"name": "check", "templateName": "err-rate"}


def trial(make_world: Make, version: Version, **experiment: Any) -> Any:
    wanted = {"templates": [BASE, NEW], "duration": "5m", **experiment}
    return started(make_world, version, [{"experiment": wanted}, WAIT], canary=ROUTED)


def side(world: Any, name: str) -> Any:
    return next(side for side in world.state.sides if side.name == name)


def test_versions_run_side_by_side_under_hashes_of_their_own(make_world: Make, version: Version) -> None:
    world = trial(make_world, version)
    base, new = side(world, "base"), side(world, "new")
    assert world.pods == {world.state.stable: 4, base.hash: 1, new.hash: 2}
    assert base.template == world.state.revision(world.state.stable).template
    assert new.template == world.state.newest.template
    assert world.weights == {world.state.stable: 95, new.hash: 5}
    assert list(world.decision.desired.services) == [f"payments-{world.state.current}-2-0-new"]
    assert "experiment_started" in world.kinds()
    with pytest.raises(Refused, match="experiment"):
        actions.promote(world.rollout, world.state, world.now)


def test_users_who_meet_the_new_side_have_met_the_new_version(make_world: Make, version: Version) -> None:
    world = trial(make_world, version)
    world.requests[side(world, "base").hash] = 3
    world.turn()
    assert "change_exposed" not in world.kinds()
    world.requests[side(world, "new").hash] = 3
    world.turn()
    assert "change_exposed" in world.kinds()


def test_its_time_counts_from_when_all_sides_are_there(make_world: Make, version: Version) -> None:
    world = trial(make_world, version)
    assert world.decision.wake_at == world.now + 300
    world.turn(299)
    assert world.state.progress.index == 0
    world.turn(1)
    assert world.state.progress.index == 1
    assert "experiment_finished" in world.kinds()
    assert world.weights == {world.state.stable: 100}
    assert len(world.pods) == 3
    world.turn(30)
    world.turn()
    assert world.pods == {world.state.stable: 4}


def test_sides_go_when_they_are_told_to(make_world: Make, version: Version) -> None:
    world = trial(make_world, version, scaleDownDelaySeconds=0)
    world.turn(300)
    world.turn()
    assert world.pods == {world.state.stable: 4}


def test_a_side_that_never_comes_up_ends_in_an_abort(make_world: Make, version: Version) -> None:
    world = make_world([{"experiment": {"templates": [BASE, NEW], "duration": "5m"}}], canary=ROUTED)
    world.ready = lambda hash_: hash_ == world.state.stable
    world.apply(version(world, 2))
    world.turns(4)
    assert world.weights == {world.state.stable: 100}
    world.turn(599)
    assert isinstance(world.state.progress, Stepping)
    world.turn(1)
    assert isinstance(world.state.progress, Aborted)
    assert "base and new did not become available within 600s" in world.state.progress.cause
    assert world.pods == {world.state.stable: 4}


def test_a_side_that_comes_up_at_the_last_moment_is_no_abort(make_world: Make, version: Version) -> None:
    world = make_world([{"experiment": {"templates": [BASE], "duration": "5m"}}], canary=ROUTED)
    world.ready = lambda hash_: hash_ == world.state.stable
    world.apply(version(world, 2))
    world.turns(4)
    world.ready = lambda _: True
    world.turn(600)
    assert isinstance(world.state.progress, Stepping)


def test_a_side_that_falls_ill_later_takes_no_users(make_world: Make, version: Version) -> None:
    world = trial(make_world, version)
    ill = side(world, "new").hash
    world.ready = lambda hash_: hash_ != ill
    world.turn()
    assert world.weights == {world.state.stable: 100}


def test_its_analyses_know_the_sides(make_world: Make, version: Version) -> None:
    args = [
        {"name": "hash", "value": "{{templates.new.podTemplateHash}}"},
        {"name": "set", "value": "{{templates.base.replicaset.name}}"},
        {"name": "from", "value": "{{experiment.availableAt}}"},
        {"name": "to", "value": "{{experiment.finishedAt}}"},
    ]
    world = make_world(
        [{"experiment": {"templates": [BASE, NEW], "duration": "5m", "analyses": [{**CHECK, "args": args}]}}],
        canary=ROUTED,
    )
    world.apply(version(world, 2))
    world.until(lambda w: w.decision.start != ())
    [request] = world.decision.start
    assert request.kind is RunKind.EXPERIMENT
    assert request.name == f"payments-{world.state.current}-2-0-check"
    given = {argument.name: argument.value for argument in request.analysis.args}
    assert given == {
        "hash": side(world, "new").hash,
        "set": f"payments-{side(world, 'base').hash}",
        "from": "1970-01-01T00:16:40Z",
        "to": "1970-01-01T00:21:40Z",
    }
    assert request.name in world.decision.active


def check_run(world: Any, name: str = "check") -> str:
    return f"payments-{world.state.current}-2-0-{name}"


def test_a_failed_analysis_of_an_experiment_aborts(make_world: Make, version: Version) -> None:
    world = trial(make_world, version, analyses=[CHECK])
    world.runs[check_run(world)] = FAILED
    world.turn()
    assert world.state.progress.cause == "Experiment analysis phase is error/failed: bad"
    assert world.weights == {world.state.stable: 100}


def test_an_experiment_without_an_end_is_over_when_its_analyses_have_passed(
    make_world: Make, version: Version
) -> None:
    world = trial(make_world, version, duration="", analyses=[CHECK])
    world.turn(10_000)
    assert world.state.progress.index == 0
    world.runs[check_run(world)] = PASSED
    world.turn()
    assert world.state.progress.index == 1


def test_what_is_required_ends_an_experiment_early(make_world: Make, version: Version) -> None:
    other = {"name": "other", "templateName": "err-rate"}
    world = trial(make_world, version, analyses=[{**CHECK, "requiredForCompletion": True}, other])
    world.runs[check_run(world)] = PASSED
    world.turn()
    assert world.state.progress.index == 1


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (RunView(Verdict.RUNNING), "waits"),
        (RunView(Verdict.RUNNING, finite=False, passing=True), "passes"),
        (RunView(Verdict.RUNNING, finite=False), "holds"),
        (RunView(Verdict.UNKNOWN, "nothing"), "holds"),
    ],
)
def test_an_analysis_that_still_runs_when_the_time_is_over(
    make_world: Make, version: Version, run: RunView, outcome: str
) -> None:
    world = trial(make_world, version, analyses=[CHECK])
    world.runs[check_run(world)] = run
    world.turn(300)
    progress = world.state.progress
    if outcome == "passes":
        assert progress.index == 1
    elif outcome == "waits":
        assert (progress.index, progress.pause) == (0, None)
    else:
        assert progress.pause.reason is PauseReason.INCONCLUSIVE_EXPERIMENT
        assert world.status.message == "InconclusiveExperiment"


def test_a_required_analysis_without_an_end_is_waited_for(make_world: Make, version: Version) -> None:
    world = trial(make_world, version, analyses=[{**CHECK, "requiredForCompletion": True}])
    world.runs[check_run(world)] = RunView(Verdict.RUNNING, finite=False, passing=True)
    world.turn(300)
    assert world.state.progress.index == 0


def test_promote_runs_an_inconclusive_experiment_again(make_world: Make, version: Version) -> None:
    world = trial(make_world, version, analyses=[CHECK])
    world.runs[check_run(world)] = RunView(Verdict.UNKNOWN, "nothing")
    world.turn()
    first = {side.hash for side in world.state.sides}
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turns(3)
    assert world.state.progress.experiment.name.endswith("-0.1")
    assert not first & {side.hash for side in world.state.sides}


def test_background_analysis_goes_on_beside_an_experiment_from_its_first_user(
    make_world: Make, version: Version
) -> None:
    background = {"templates": [{"templateName": "err-rate"}]}
    wanted = {"templates": [NEW], "duration": "5m"}
    steps = [{"experiment": wanted}, WAIT]
    world = started(make_world, version, steps, canary={**ROUTED, "analysis": background})
    assert world.state.background
    assert world.state.background in world.decision.active


def test_what_each_part_carries(make_world: Make, version: Version) -> None:
    canary = {
        "canaryMetadata": {"labels": {"role": "canary"}},
        "stableMetadata": {"labels": {"role": "stable"}},
    }
    world = started(make_world, version, [{"setWeight": 50}, WAIT], canary=canary)
    roles = {each.hash: each.metadata.labels for each in world.decision.desired.replica_sets}
    assert roles == {world.state.current: {"role": "canary"}, world.state.stable: {"role": "stable"}}
    old = world.state.stable
    promote(world)
    roles = {each.hash: dict(each.metadata.labels) for each in world.decision.desired.replica_sets}
    assert roles == {world.state.current: {"role": "stable"}, old: {}}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"setCanaryScale": {"weight": 25}}, "setCanaryScale: 25 %"),
        ({"setCanaryScale": {"replicas": 3}}, "setCanaryScale: 3 replicas"),
        ({"setCanaryScale": {"matchTrafficWeight": True}}, "setCanaryScale: matchTrafficWeight"),
        (HEADER, "setHeaderRoute: second"),
        (MIRROR, "setMirrorRoute: first"),
    ],
)
def test_steps_are_named_in_the_record(
    make_world: Make, version: Version, step: dict[str, Any], said: str
) -> None:
    world = started(make_world, version, [{"setWeight": 50}, step, WAIT], canary=ROUTED)
    assert said in [event.detail.get("what") for event in world.events]


def test_the_sides_lose_their_users_at_the_end_however_stable_is(make_world: Make, version: Version) -> None:
    wanted = {"templates": [{**NEW, "weight": 5}], "duration": "1m"}
    world = started(make_world, version, [{"setWeight": 10}, {"experiment": wanted}, WAIT], canary=ROUTED)
    world.until(lambda w: len(w.weights) == 3)
    stable = world.state.stable
    world.ready = lambda hash_: hash_ != stable
    world.turn(60)
    world.turn()
    assert world.weights == {stable: 90, world.state.current: 10}


def test_a_newer_version_leaves_none_for_the_one_in_the_middle_however_stable_is(
    make_world: Make, version: Version
) -> None:
    world = started(make_world, version, [{"setWeight": 25}, WAIT])
    second = world.rollout
    world.turns(4)
    world.apply(version(world, 3))
    world.turns(1)
    third, stable = world.state.current, world.state.stable
    world.turns(1)
    assert world.weights == {stable: 75, third: 25}
    world.apply(second)
    world.pods |= {world.state.current: 1}
    world.ready = lambda hash_: hash_ != stable
    world.turn()
    assert world.weights == {stable: 100}
