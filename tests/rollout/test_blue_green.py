"""Blue/green: a preview that users do not meet, one switch on evidence and a word, and a way back."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from davy.errors import Refused
from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.decision import RunKind, RunView, Verdict
from davy.rollout.state import Aborted, PauseReason, Previewing, Settled, Stepping, Verifying, pause_of

Make = Callable[..., Any]
Version = Callable[[Any, int], Rollout]

ANALYSIS = {"templates": [{"templateName": "err-rate"}]}
SEED = {"autoPromotionEnabled": False, "prePromotionAnalysis": ANALYSIS}
PASSED = RunView(Verdict.PASSED)
FAILED = RunView(Verdict.FAILED, 'Metric "x" assessed Failed due to failed (1) > failureLimit (0)')
UNKNOWN = RunView(Verdict.UNKNOWN, "nothing was measured")


def runs(world: Any) -> str:
    return str(getattr(world.state.progress, "run", ""))


def to_run(world: Any) -> str:
    world.until(lambda w: runs(w) != "")
    return runs(world)


def promote(world: Any) -> None:
    world.do(actions.promote(world.rollout, world.state, world.now))


def abort(world: Any) -> None:
    world.do(actions.abort(world.rollout, world.state, world.now))


def updated(make_world: Make, version: Version, **blue_green: Any) -> Any:
    world = make_world([], blue_green=blue_green)
    world.turn(1)
    world.apply(version(world, 2))
    world.turn()
    return world


def test_the_first_version_has_no_preview_and_no_analysis(make_world: Make) -> None:
    world = make_world([], blue_green=SEED)
    assert world.state.progress.reason == "Initial deploy"
    assert world.weights == {world.state.stable: 100}
    assert not world.runs
    assert world.decision.desired.services["p"].hash == world.state.current


def test_the_preview_is_whole_and_has_no_user(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, **SEED)
    world.turns(4)
    old, new = world.state.stable, world.state.current
    assert world.pods == {old: 4, new: 4}
    assert world.weights == {old: 100}
    assert world.decision.desired.services["p"].hash == new
    assert world.status.phase == "Progressing"
    assert world.status.message == "active service cutover pending"


def test_the_seed_waits_for_its_analysis_then_for_a_person_then_switches_at_once(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, **SEED)
    run = to_run(world)
    assert run == f"payments-{world.state.current}-2-pre"
    assert world.decision.start[0].kind is RunKind.PRE_PROMOTION
    assert world.decision.active == {run}
    with pytest.raises(Refused, match="its pre-promotion analysis is under way"):
        promote(world)
    world.runs[run] = PASSED
    world.turns(5, seconds=1000)
    assert world.status.phase == "Paused"
    assert world.status.message == PauseReason.BLUE_GREEN
    assert world.weights == {world.state.stable: 100}
    promote(world)
    world.turn()
    assert world.weights == {world.state.current: 100}
    assert isinstance(world.state.progress, Verifying)
    world.turn()
    assert world.state.progress.reason == "Completed blue-green update"
    assert world.status.phase == "Healthy"


def test_without_a_wish_to_wait_it_switches_by_itself(make_world: Make, version: Version) -> None:
    world = updated(make_world, version)
    world.turns(4)
    assert isinstance(world.state.progress, Settled)
    assert world.weights == {world.state.current: 100}


def test_it_switches_by_itself_after_the_seconds_that_are_written(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, autoPromotionSeconds=60)
    world.turns(3)
    pause = pause_of(world.state.progress)
    assert pause is not None
    assert pause.duration_s == 60
    assert world.decision.wake_at == pause.since + 60
    world.turn(59)
    assert world.weights == {world.state.stable: 100}
    world.turn(1)
    world.turns(2)
    assert isinstance(world.state.progress, Settled)


def test_a_person_may_end_the_wait_for_the_seconds(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, autoPromotionSeconds=60)
    world.turns(3)
    promote(world)
    world.turns(3)
    assert isinstance(world.state.progress, Settled)


def test_a_small_preview_grows_before_the_switch(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, previewReplicaCount=1, **SEED)
    assert world.pods[world.state.current] == 1
    world.runs[to_run(world)] = PASSED
    world.turns(3)
    assert world.pods[world.state.current] == 1
    world.ready = lambda hash_: hash_ == world.state.stable
    promote(world)
    world.turns(3)
    assert world.pods[world.state.current] == 4
    assert world.weights == {world.state.stable: 100}
    with pytest.raises(Refused, match="the switch is allowed, and the last replicas"):
        promote(world)
    world.ready = lambda _: True
    world.turns(3)
    assert isinstance(world.state.progress, Settled)


def test_a_preview_that_is_not_up_is_not_judged(make_world: Make, version: Version) -> None:
    world = make_world([], blue_green=SEED)
    world.ready = lambda hash_: hash_ == world.state.stable
    world.apply(version(world, 2))
    world.turns(4)
    assert runs(world) == ""
    with pytest.raises(Refused, match="its replicas are becoming available"):
        promote(world)
    world.turn(700)
    assert world.status.message.startswith("ProgressDeadlineExceeded")
    assert isinstance(world.state.progress, Previewing)


def test_a_failed_pre_promotion_analysis_aborts_before_anybody_met_it(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, **SEED)
    world.runs[to_run(world)] = FAILED
    world.turn()
    assert isinstance(world.state.progress, Aborted)
    assert (
        world.state.progress.cause == f"Blue/green pre-promotion analysis phase error/failed: {FAILED.message}"
    )
    assert world.weights == {world.state.stable: 100}
    assert world.kinds()[-1] == "change_aborted_unexposed"
    assert world.pods[world.state.current] == 4
    world.turns(4, seconds=10)
    assert world.pods == {world.state.stable: 4}


@pytest.mark.parametrize(("delay", "stays"), [(0, True), (5, False)])
def test_an_aborted_preview_stays_as_long_as_is_written(
    make_world: Make, version: Version, delay: int, stays: bool
) -> None:
    world = updated(make_world, version, abortScaleDownDelaySeconds=delay, **SEED)
    to_run(world)
    abort(world)
    world.turns(6, seconds=600)
    assert (world.state.current in world.pods) is stays


def test_the_new_version_is_judged_again_by_what_its_users_get(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, postPromotionAnalysis=ANALYSIS)
    run = to_run(world)
    assert run.endswith("-2-post")
    assert world.weights == {world.state.current: 100}
    assert world.status.message == "waiting for post-promotion verification to complete"
    assert world.pods == {world.state.stable: 4, world.state.current: 4}
    with pytest.raises(Refused, match="its post-promotion analysis is under way"):
        promote(world)
    world.turns(5, seconds=600)
    assert isinstance(world.state.progress, Verifying)
    world.runs[run] = PASSED
    world.turn()
    assert isinstance(world.state.progress, Settled)


def test_a_failed_post_promotion_analysis_switches_back_at_once(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, postPromotionAnalysis=ANALYSIS)
    run = to_run(world)
    world.requests[world.state.current] = 10
    world.turn()
    world.runs[run] = FAILED
    world.turn()
    assert world.weights == {world.state.stable: 100}
    assert world.state.progress.cause.startswith("Blue/green post-promotion analysis phase error/failed")
    assert "change_rolled_back" in world.kinds()


@pytest.mark.parametrize("well", [True, False])
def test_an_abort_after_the_switch_never_asks_how_any_version_is(
    make_world: Make, version: Version, well: bool
) -> None:
    world = updated(make_world, version, postPromotionAnalysis=ANALYSIS)
    to_run(world)
    world.ready = lambda _: well
    abort(world)
    world.turn()
    assert world.weights == {world.state.stable: 100}


def test_the_switch_waits_for_the_data_plane_and_so_does_what_follows(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, postPromotionAnalysis=ANALYSIS)
    world.acknowledges = False
    world.turns(4)
    assert world.state.weights == {world.state.current: 100}
    assert runs(world) == ""
    world.acknowledges = True
    assert to_run(world)


def test_evidence_that_is_missing_holds_and_is_gathered_again_by_promote(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, **SEED)
    world.runs[to_run(world)] = UNKNOWN
    world.turn()
    assert world.status.message == PauseReason.INCONCLUSIVE
    promote(world)
    assert to_run(world).endswith("-pre.1")
    assert world.weights == {world.state.stable: 100}


def test_evidence_that_stays_missing_after_the_switch_ends_in_an_abort(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, postPromotionAnalysis=ANALYSIS)
    world.runs[to_run(world)] = UNKNOWN
    world.turn()
    assert world.decision.wake_at == world.now + 600
    world.turn(599)
    assert world.weights == {world.state.current: 100}
    world.turn(1)
    assert world.weights == {world.state.stable: 100}
    assert "nobody resolved it within 600s" in world.state.progress.cause


def test_an_abort_can_be_tried_again_from_the_preview_on(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, **SEED)
    to_run(world)
    abort(world)
    world.turn()
    world.do(actions.retry(world.rollout, world.state, world.now))
    assert to_run(world).endswith("-pre.1")


def test_a_newer_version_in_the_middle_takes_the_traffic_back_to_the_verified_one(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, postPromotionAnalysis=ANALYSIS)
    to_run(world)
    middle = world.state.current
    assert world.weights == {middle: 100}
    world.apply(version(world, 3))
    world.turn()
    assert world.weights == {world.state.stable: 100}
    assert "change_superseded" in world.kinds()
    world.turns(2)
    assert middle not in world.pods


def test_the_old_version_waits_and_is_gone_back_to_without_asking_again(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, **SEED)
    old = world.state.stable
    world.runs[to_run(world)] = PASSED
    world.turns(2)
    promote(world)
    world.turns(3)
    assert world.pods == {old: 4, world.state.current: 4}
    world.turn(20)
    world.apply(version(world, 1))
    world.turn()
    assert world.state.current == old
    assert world.weights == {old: 100}
    world.turn()
    assert world.state.progress.reason == "Fast rollback"
    assert any(event.detail.get("quick") == "Fast rollback" for event in world.events)


def test_a_newer_version_does_not_cut_the_delay_of_an_old_one_short(make_world: Make, version: Version) -> None:
    world = make_world([], blue_green={"scaleDownDelaySeconds": 60, "autoPromotionEnabled": False})
    first, oldest = world.rollout, world.state.current
    world.now += 1
    world.apply(version(world, 2))
    world.turns(4)
    world.do(actions.promote(world.rollout, world.state, world.now))
    world.turns(4)
    world.apply(version(world, 3))
    world.turns(2)
    assert world.pods[oldest] == 4
    assert world.decision.wake_at == world.state.revision(oldest).scale_down_at
    ahead = world.state
    world.apply(first)
    assert world.state.progress.approved == "Fast rollback"
    world.rollout, world.state = version(world, 3), ahead
    world.turn(60)
    assert oldest not in world.pods


def test_the_old_version_goes_after_its_delay_and_then_comes_back_the_long_way(
    make_world: Make, version: Version
) -> None:
    world = updated(make_world, version, scaleDownDelaySeconds=10, **SEED)
    world.runs[to_run(world)] = PASSED
    world.turns(2)
    promote(world)
    world.turns(3)
    world.turn(10)
    world.turn()
    assert world.pods == {world.state.current: 4}
    world.apply(version(world, 1))
    world.turns(3)
    assert isinstance(world.state.progress, Previewing)
    assert to_run(world).endswith("-3-pre")


def test_no_more_old_versions_wait_than_the_limit_says(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, scaleDownDelaySeconds=1000, scaleDownDelayRevisionLimit=1)
    world.turns(4)
    for number in (3, 4):
        world.apply(version(world, number))
        world.turns(6)
    assert len(world.pods) == 2


def test_the_stable_version_again_ends_a_preview(make_world: Make, version: Version) -> None:
    world = updated(make_world, version, **SEED)
    to_run(world)
    world.apply(version(world, 1))
    world.turn()
    assert world.state.progress.reason == "Rollback to stable ReplicaSets"
    assert world.weights == {world.state.stable: 100}


def test_a_manifest_that_is_paused_keeps_the_preview_waiting_and_an_abort_not(
    make_world: Make, version: Version
) -> None:
    world = make_world([], blue_green={"postPromotionAnalysis": ANALYSIS})
    paused = version(world, 2)
    world.apply(paused)
    world.turns(1)
    world.rollout = replace(paused, spec=replace(paused.spec, paused=True))
    world.turns(4)
    assert isinstance(world.state.progress, Previewing)
    assert world.status.message == "manually paused"
    abort(world)
    world.turn()
    assert isinstance(world.state.progress, Aborted)


def test_another_strategy_in_the_middle_starts_again_in_its_way(make_world: Make, version: Version) -> None:
    world = make_world([{"setWeight": 20}, {"pause": {}}])
    world.apply(version(world, 2))
    world.turns(4)
    assert isinstance(world.state.progress, Stepping)
    blue_green = make_world([], blue_green=SEED).rollout.spec.strategy
    world.apply(replace(world.rollout, spec=replace(world.rollout.spec, strategy=blue_green)))
    world.turns(2)
    assert isinstance(world.state.progress, Previewing)
    assert world.weights == {world.state.stable: 100}


def test_what_each_side_carries_follows_its_part(make_world: Make, version: Version) -> None:
    world = updated(
        make_world,
        version,
        previewMetadata={"labels": {"role": "preview"}},
        activeMetadata={"labels": {"role": "active"}},
        **SEED,
    )
    roles = {each.hash: each.metadata.labels for each in world.decision.desired.replica_sets}
    assert roles == {world.state.stable: {"role": "active"}, world.state.current: {"role": "preview"}}
    world.runs[to_run(world)] = PASSED
    world.turns(2)
    promote(world)
    world.turns(3)
    roles = {each.hash: each.metadata.labels for each in world.decision.desired.replica_sets}
    assert roles[world.state.current] == {"role": "active"}
