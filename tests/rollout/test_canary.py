"""The canary goes its steps on evidence, and goes back on bad news: Argo's semantics, state by state."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from davy.errors import Refused
from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.carry import uncarried
from davy.rollout.decide import decide
from davy.rollout.decision import RunView, Verdict
from davy.rollout.platform import Launch
from davy.rollout.state import Aborted, Initial, PauseReason, Promoting, Settled, Stepping
from davy.rollout.status import status

Make = Callable[..., Any]
Version = Callable[[Any, int], Rollout]

PASSED = RunView(Verdict.PASSED)
FAILED = RunView(Verdict.FAILED, 'Metric "x" assessed Failed due to failed (1) > failureLimit (0)')


def step_run(world: Any) -> str:
    return str(world.state.progress.run)


def to_analysis(world: Any) -> None:
    world.until(lambda w: isinstance(w.state.progress, Stepping) and w.state.progress.run != "", seconds=30)


def test_the_first_version_goes_live_without_steps(make_world: Make) -> None:
    world = make_world()
    assert isinstance(world.state.progress, Settled)
    assert world.state.progress.reason == "Initial deploy"
    assert world.weights == {world.state.stable: 100}
    assert world.kinds() == ["update_started", "weight_set", "change_promoted"]


def test_a_first_version_that_never_comes_up_is_degraded_and_cannot_be_aborted(make_world: Make) -> None:
    world = make_world()
    fresh = type(world)(world.rollout)
    fresh.ready = lambda _: False
    fresh.turns(8, seconds=100)
    assert isinstance(fresh.state.progress, Initial)
    assert fresh.status.phase == "Degraded"
    assert fresh.status.message.startswith("ProgressDeadlineExceeded: ReplicaSet")
    with pytest.raises(Refused, match="no stable version"):
        actions.abort(fresh.rollout, fresh.state, fresh.now)


def test_a_good_version_takes_every_step_and_is_promoted(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    weights = []
    for _ in range(100):
        events = world.turn(30).events
        assert [event.kind for event in events].count("step_completed") <= 1
        weights.append(world.weight)
        if isinstance(world.state.progress, Stepping) and world.state.progress.run:
            world.runs[world.state.progress.run] = PASSED
    assert sorted(set(weights)) == [0, 5, 25, 100]
    assert weights == sorted(weights)
    assert world.status.phase == "Healthy"
    assert world.state.progress.reason == "Completed all 6 canary steps"
    assert world.kinds().count("step_completed") == 6
    assert world.kinds()[-1] == "change_promoted" or "weight_set" in world.kinds()


def test_weight_waits_for_replicas_and_for_the_data_plane(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.ready = lambda hash_: hash_ != world.state.current
    world.turns(5)
    assert world.weight == 0
    assert world.status.message == "more replicas need to be updated"
    world.ready, world.acknowledges = (lambda _: True), False
    world.turns(5)
    assert world.state.progress.index == 0
    world.acknowledges = True
    world.turns(3)
    assert (world.weight, world.state.progress.index) == (5, 1)


def test_stable_keeps_traffic_that_it_cannot_give_away_safely(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.ready = lambda hash_: hash_ == world.state.current
    world.turns(5)
    assert world.weight == 0, "stable has nothing available for its 95 %"


@pytest.mark.parametrize(
    ("verdict", "cause"),
    [
        (FAILED, f"Step-based analysis phase error/failed: {FAILED.message}"),
        (RunView(Verdict.ERROR, "x"), "Step-based analysis phase error/failed: x"),
    ],
)
def test_a_failed_analysis_takes_the_traffic_back(
    make_world: Make, version: Version, verdict: RunView, cause: str
) -> None:
    world = make_world()
    world.apply(version(world, 2))
    to_analysis(world)
    assert world.weight == 5
    world.requests[world.state.current] = 10
    world.runs[step_run(world)] = verdict
    world.turn()
    assert world.weight == 0
    assert world.weights == {world.state.stable: 100}
    assert world.status.phase == "Degraded"
    assert world.status.message == f"RolloutAborted: Rollout aborted update to revision 2: {cause}"
    last = [event for event in world.events if event.kind == "change_rolled_back"][-1]
    assert last.detail["weight"] == 5
    assert last.detail["cause"] == cause
    assert not world.decision.active


def test_an_unmet_version_that_is_aborted_is_not_a_change_that_failed(
    make_world: Make, version: Version
) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.turns(4)
    world.do(actions.abort(world.rollout, world.state, world.now))
    assert world.kinds()[-1] == "change_aborted_unexposed"
    world.turn()
    assert world.weight == 0
    assert world.status.message == "RolloutAborted: Rollout aborted update to revision 2"
    again = actions.abort(world.rollout, world.state, world.now)
    assert again == (world.state, ())


def test_a_request_that_comes_to_light_after_the_abort_still_counts(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 5)
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.requests[world.state.current] = 3
    world.turn()
    assert world.kinds()[-3:] == ["change_exposed", "change_rolled_back", "weight_set"]


def test_exposure_is_the_first_request_that_was_seen(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.turns(4)
    assert "change_exposed" not in world.kinds()[3:]
    world.requests[world.state.current] = 1
    world.turn(1)
    assert world.state.newest.exposed_at == world.now
    world.turn(1)
    assert world.kinds()[3:].count("change_exposed") == 1


def test_the_guard_aborts_whatever_else_goes_on(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.turns(4)
    world.ready = lambda _: False
    world.alarm = "guard: 5xx ratio"
    world.turn()
    assert world.weights == {world.state.stable: 100}, "stable takes the traffic even if it looks unwell"
    assert "guard: 5xx ratio" in world.status.message


def test_an_aborted_canary_stays_for_its_delay_and_then_goes(make_world: Make, version: Version) -> None:
    world = make_world(canary={"abortScaleDownDelaySeconds": 40})
    world.apply(version(world, 2))
    world.turns(4)
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turn()
    assert world.pods[world.state.current] == 1
    assert world.decision.wake_at == world.now + 40
    world.turn(39)
    assert world.pods[world.state.current] == 1
    world.turn(1)
    assert world.state.current not in world.pods


def test_an_aborted_canary_stays_for_ever_with_a_delay_of_zero(make_world: Make, version: Version) -> None:
    world = make_world(canary={"abortScaleDownDelaySeconds": 0})
    world.apply(version(world, 2))
    world.turns(4)
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turns(5, seconds=1000)
    assert world.pods[world.state.current] == 1


def test_the_delay_of_an_abort_runs_only_once_stable_is_whole(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    world.turns(4)
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.ready = lambda hash_: hash_ != world.state.stable
    world.turns(4, seconds=100)
    assert world.pods[world.state.current] == 1
    world.ready = lambda _: True
    world.turn()
    world.turn(30)
    assert world.state.current not in world.pods


def test_inconclusive_evidence_holds_and_a_person_can_only_ask_again(
    make_world: Make, version: Version
) -> None:
    world = make_world()
    world.apply(version(world, 2))
    to_analysis(world)
    first = step_run(world)
    world.runs[first] = RunView(Verdict.UNKNOWN, "no data")
    world.turn()
    assert world.status == type(world.status)(world.status.phase, PauseReason.INCONCLUSIVE)
    world.turns(3, seconds=10)
    assert world.weight == 5
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turn()
    assert world.state.progress.index == 2
    assert step_run(world) == f"{first}.1"
    world.runs[f"{first}.1"] = PASSED
    world.turn()
    assert world.state.progress.index == 3


def test_inconclusive_evidence_that_nobody_resolves_ends_in_an_abort(
    make_world: Make, version: Version
) -> None:
    world = make_world(progressDeadlineSeconds=300)
    world.apply(version(world, 2))
    to_analysis(world)
    world.runs[step_run(world)] = RunView(Verdict.UNKNOWN, "no data")
    world.turn()
    world.turn(299)
    assert world.weight == 5
    world.turn(1)
    assert isinstance(world.state.progress, Aborted)
    assert "nobody resolved it within 300s" in world.state.progress.cause


def test_a_background_analysis_starts_with_traffic_and_aborts(make_world: Make, version: Version) -> None:
    world = make_world(
        [{"setWeight": 20}, {"pause": {}}], canary={"analysis": {"templates": [{"templateName": "t"}]}}
    )
    world.apply(version(world, 2))
    started = []
    for _ in range(6):
        started += [(request.kind, world.weight) for request in world.turn().start]
    assert started == [("Background", 20)]
    assert world.decision.active == {world.state.background}
    assert world.state.background == f"payments-{world.state.current}-2"
    world.runs[world.state.background] = FAILED
    world.turn()
    assert world.state.progress.cause.startswith("Background analysis phase error/failed")


def test_a_background_analysis_waits_for_its_starting_step(make_world: Make, version: Version) -> None:
    analysis = {"templates": [{"templateName": "t"}], "startingStep": 2}
    world = make_world(
        [{"setWeight": 20}, {"pause": {"duration": 10}}, {"setWeight": 40}], canary={"analysis": analysis}
    )
    world.apply(version(world, 2))
    world.turns(6)
    assert not world.state.background
    world.turns(2, seconds=10)
    assert world.state.background


def test_an_inconclusive_background_holds_too(make_world: Make, version: Version) -> None:
    world = make_world(
        [{"setWeight": 20}, {"pause": {}}], canary={"analysis": {"templates": [{"templateName": "t"}]}}
    )
    world.apply(version(world, 2))
    world.turns(6)
    world.runs[world.state.background] = RunView(Verdict.UNKNOWN, "nothing")
    world.turn()
    assert world.state.progress.pause.reason is PauseReason.INCONCLUSIVE


def test_a_pause_without_a_duration_ends_only_by_hand(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}])
    world.apply(version(world, 2))
    world.turns(10, seconds=10_000)
    assert world.status.message == "CanaryPauseStep"
    assert world.status.phase == "Paused"
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turn()
    assert world.kinds()[-1] == "step_completed"
    world.turns(2)
    assert world.weight == 40


@pytest.mark.parametrize("steps", [[{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "t"}]}}]])
def test_nothing_skips_an_analysis_that_runs(make_world: Make, version: Version, steps: list[Any]) -> None:
    world = make_world(steps)
    world.apply(version(world, 2))
    to_analysis(world)
    with pytest.raises(Refused, match=r"step 2/2 \(analysis\) is under way"):
        actions.promote(world.rollout, world.state, world.now)


def test_what_cannot_be_done_is_refused_and_says_why(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 20}])
    with pytest.raises(Refused, match="nothing to promote"):
        actions.promote(world.rollout, world.state, world.now)
    with pytest.raises(Refused, match="fully promoted"):
        actions.abort(world.rollout, world.state, world.now)
    with pytest.raises(Refused, match="not aborted"):
        actions.retry(world.rollout, world.state, world.now)
    world.apply(version(world, 2))
    world.ready = lambda hash_: hash_ == world.state.stable
    world.state = msgspec.structs.replace(world.state, progress=Stepping(index=1, since=0.0))
    with pytest.raises(Refused, match="measured nothing good yet"):
        actions.promote(world.rollout, world.state, world.now)
    world.do(actions.abort(world.rollout, world.state, world.now))
    with pytest.raises(Refused, match="was aborted"):
        actions.promote(world.rollout, world.state, world.now)


def test_retry_starts_at_the_first_step_with_evidence_of_its_own(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    to_analysis(world)
    first = step_run(world)
    world.runs[first] = FAILED
    world.turn()
    world.do(actions.retry(world.rollout, world.state, world.now))
    world.turn()
    assert world.status.phase == "Progressing"
    to_analysis(world)
    assert step_run(world) == f"{first}.1"
    assert world.weight == 5


def test_a_new_version_in_the_middle_starts_again_and_the_old_one_goes(
    make_world: Make, version: Version
) -> None:
    world = make_world()
    world.apply(version(world, 2))
    to_analysis(world)
    second = world.state.current
    world.apply(version(world, 3))
    assert world.kinds()[-2:] == ["change_superseded", "update_started"]
    world.turn()
    assert world.weights is not None
    assert world.weights.get(second, 0) == 0
    assert second not in world.pods
    assert world.state.newest.number == 3
    to_analysis(world)
    assert world.weight == 5


def test_going_back_to_stable_takes_no_steps(make_world: Make, version: Version) -> None:
    world = make_world()
    first = world.rollout
    world.apply(version(world, 2))
    to_analysis(world)
    world.apply(first)
    world.turn()
    assert world.state.progress.reason == "Rollback to stable ReplicaSets"
    assert world.weights == {world.state.stable: 100}
    world.turns(3, seconds=40)
    assert world.status.phase == "Healthy"
    assert list(world.pods) == [world.state.stable]


def test_a_new_version_before_the_first_is_live_keeps_what_serves(make_world: Make, version: Version) -> None:
    world = make_world()
    fresh = type(world)(world.rollout)
    fresh.turn()
    fresh.turn()
    old = fresh.state.current
    assert fresh.weights == {old: 100}
    fresh.apply(version(fresh, 2))
    fresh.ready = lambda hash_: hash_ == old
    fresh.turn()
    assert fresh.weights == {old: 100}
    fresh.ready = lambda _: True
    fresh.turns(4, seconds=20)
    assert fresh.weights == {fresh.state.current: 100}
    assert fresh.status.phase == "Healthy"


def test_edited_steps_start_again_and_clear_an_abort(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 20}, {"pause": {}}])
    world.apply(version(world, 2))
    world.turns(4)
    world.do(actions.abort(world.rollout, world.state, world.now))
    canary = msgspec.structs.replace(
        world.rollout.spec.strategy.canary, steps=world.rollout.spec.strategy.canary.steps[:1]
    )
    strategy = msgspec.structs.replace(world.rollout.spec.strategy, canary=canary)
    edited = msgspec.structs.replace(
        world.rollout, spec=msgspec.structs.replace(world.rollout.spec, strategy=strategy)
    )
    world.apply(edited)
    assert world.state.progress == Stepping(index=0, since=world.now)
    unchanged = world.state
    world.apply(edited)
    assert world.state == unchanged


def test_a_manifest_that_is_paused_freezes_everything_but_an_abort(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 20}, {"setWeight": 60}])
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 20)
    spec = msgspec.structs.replace(world.rollout.spec, paused=True)
    world.rollout = msgspec.structs.replace(world.rollout, spec=spec)
    before = dict(world.pods)
    world.turns(5, seconds=1000)
    assert (world.weight, world.pods) == (20, before)
    assert world.status.message == "manually paused"
    world.alarm = "guard"
    world.turn()
    assert world.weight == 0


def test_the_progress_deadline_degrades_and_aborts_only_where_it_is_asked_to(
    make_world: Make, version: Version
) -> None:
    for aborts in (False, True):
        world = make_world(progressDeadlineSeconds=60, progressDeadlineAbort=aborts)
        world.apply(version(world, 2))
        world.ready = lambda hash_, world=world: hash_ != world.state.current
        world.turns(4, seconds=30)
        assert world.status.phase == "Degraded"
        assert isinstance(world.state.progress, Aborted) is aborts
        assert "has timed out progressing." in world.status.message


@pytest.mark.parametrize(
    "step",
    [
        {"pause": {}},
        {"analysis": {"templates": [{"templateName": "err-rate"}]}},
        {"experiment": {"templates": [{"name": "base", "specRef": "stable"}], "duration": "1h"}},
    ],
    ids=["pause", "analysis", "experiment"],
)
def test_no_progress_deadline_runs_while_it_waits_on_purpose(
    make_world: Make, version: Version, step: dict[str, Any]
) -> None:
    world = make_world([{"setWeight": 20}, step], progressDeadlineSeconds=60, progressDeadlineAbort=True)
    world.apply(version(world, 2))
    world.until(lambda w: w.state.progress.index == 1)
    world.turns(5, seconds=100)
    assert world.status.phase in ("Paused", "Progressing")


def test_without_a_router_traffic_follows_the_pods(make_world: Make, version: Version) -> None:
    world = make_world(
        [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}], routed=False, canary={"maxSurge": 1}
    )
    world.apply(version(world, 2))
    world.turns(8)
    assert world.weights == {world.state.current: 1, world.state.stable: 3}
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turns(30)
    assert world.status.phase == "Healthy"
    assert world.pods == {world.state.current: 4}


def test_without_a_router_the_weight_of_an_abort_is_a_percentage(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 50}, {"pause": {}}], routed=False)
    world.apply(version(world, 2))
    world.until(lambda w: w.weight == 2)
    world.do(actions.abort(world.rollout, world.state, world.now))
    assert world.state.progress.weight == 50
    assert world.events[-1].detail["weight"] == 50


def test_without_a_router_an_abort_gives_the_traffic_back_before_the_pods_are(
    make_world: Make, version: Version
) -> None:
    world = make_world([{"setWeight": 50}, {"pause": {}}], routed=False)
    world.apply(version(world, 2))
    world.turns(8)
    world.apply(version(world, 3))
    world.turn()
    assert world.status.phase == "Progressing"
    world.turns(8)
    world.do(actions.abort(world.rollout, world.state, world.now))
    world.turn()
    assert world.weights == {world.state.stable: 100}
    world.turns(10)
    assert world.pods == {world.state.stable: 4}


def test_a_ratio_split_with_nothing_available_stays_as_it_is(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 50}, {"pause": {}}], routed=False)
    world.apply(version(world, 2))
    world.turns(8)
    before = world.weights
    world.ready = lambda _: False
    world.turn()
    assert world.weights == before


def test_old_revisions_are_kept_up_to_the_limit(make_world: Make, version: Version) -> None:
    world = make_world([], revisionHistoryLimit=1)
    for number in range(2, 6):
        world.apply(version(world, number))
        world.turns(12, seconds=20)
        assert world.status.phase == "Healthy"
    assert [revision.number for revision in world.state.revisions] == [4, 5]


def test_going_back_to_an_older_version_is_an_update_like_any_other(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 20}, {"pause": {}}])
    first = world.rollout
    world.requests[world.state.current] = 500
    world.apply(version(world, 2))
    world.turns(6)
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turns(12, seconds=20)
    assert world.status.phase == "Healthy"
    exposures = world.kinds().count("change_exposed")
    world.apply(first)
    world.turns(4)
    assert (world.weight, world.state.newest.number) == (20, 3)
    assert world.kinds().count("change_exposed") == exposures, "requests of its earlier life are not exposure"


def test_deciding_again_changes_nothing(make_world: Make, version: Version) -> None:
    world = make_world()
    world.apply(version(world, 2))
    for _ in range(20):
        look, state = world.look(), world.state
        first = decide(world.rollout, state, look, world.now)
        assert decide(world.rollout, state, look, world.now) == first
        world.turn(30)


def test_a_weight_that_no_replica_can_carry_is_found(make_world: Make) -> None:
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]
    alone = make_world(steps, routed=False, replicas=1, canary={"maxSurge": 0})
    assert uncarried(alone.rollout) == (
        (0, "setWeight: 20: 20 % of 1 replicas with maxSurge 0 is no replica at all"),
    )
    assert uncarried(make_world(steps, routed=False, replicas=1).rollout) == ()
    assert uncarried(make_world(steps, replicas=1, canary={"maxSurge": 0}).rollout) == ()
    assert uncarried(make_world(steps, routed=False, replicas=0).rollout) == ()


def test_while_old_pods_are_still_going_a_ratio_canary_is_progressing(make_world: Make) -> None:
    world = make_world()
    rollout = world.rollout
    canary = msgspec.structs.replace(rollout.spec.strategy.canary, traffic_routing=None)
    strategy = msgspec.structs.replace(rollout.spec.strategy, canary=canary)
    rollout = msgspec.structs.replace(rollout, spec=msgspec.structs.replace(rollout.spec, strategy=strategy))
    world.pods["older"] = 2
    assert status(rollout, world.state, world.seen).message == "old replicas are pending termination"
    del world.pods["older"]
    world.ready = lambda _: False
    assert status(rollout, world.state, world.seen).message == "updated replicas are still becoming available"
    world.state = msgspec.structs.replace(world.state, progress=Promoting("all steps", since=0.0))
    world.ready = lambda _: True
    assert status(rollout, world.state, world.seen).message == "waiting for all steps to complete"


def test_a_digest_is_part_of_what_a_version_is(make_world: Make) -> None:
    world = make_world()
    template = world.rollout.spec.template
    outcome = actions.revise(world.rollout, world.state, template, Launch((), "/", digest="abc"), world.now)
    assert outcome[0].current != world.state.current
    assert outcome[1][-1].detail["digest"] == "abc"
