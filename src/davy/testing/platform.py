"""What every platform promises, as checks that any of them has to pass.

Whoever implements `davy.rollout.platform.Platform` runs each of `PROMISES` on a fresh `Bench` of theirs:

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
    def test_platform(promise: Promise, bench: Bench) -> None:
        promise(bench)
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from davy.model.key import Key
from davy.model.pod import PodTemplateSpec
from davy.rollout.platform import Desired, Platform, ReplicaSet, Seen
from davy.testing.patience import until

KEY = Key("default", "payments")
OTHER = Key("default", "cart")


class Bench(Protocol):
    """A platform, and something to run on it."""

    @property
    def platform(self) -> Platform:
        """The platform, with nothing on it."""
        ...

    def template(self, version: str, *, well: bool = True) -> PodTemplateSpec:
        """Make a pod template whose replicas get ready, or one whose replicas run and never do."""
        ...


Promise: TypeAlias = Callable[[Bench], None]


def an_unknown_rollout_has_nothing(bench: Bench) -> None:
    """Looking at what was never steered shows nothing and fails at nothing."""
    assert bench.platform.look(KEY) == Seen()
    bench.platform.forget(KEY)


def a_first_version_comes_up_and_takes_all_traffic(bench: Bench) -> None:
    """Its port is known from the start, its replicas are counted, its weight follows when one is ready."""
    bench.platform.steer(KEY, _desired(bench, {"a": 3}, {"a": 100}))
    assert bench.platform.look(KEY).port is not None
    _until_available(bench, a=3)
    _until(bench, lambda seen: seen.weights == {"a": 100} and not seen.trouble)
    names = {pod.name for pod in bench.platform.look(KEY).pods}
    assert len(names) == 3
    assert {pod.phase for pod in bench.platform.look(KEY).pods} == {"Running"}


def a_split_is_in_force_when_steering_returns(bench: Bench) -> None:
    """No look is needed to know; and zero is as good as anything."""
    _two_versions(bench)
    for weight in (5, 50, 100, 0):
        weights = {"a": 100 - weight, "b": weight}
        bench.platform.steer(KEY, _desired(bench, {"a": 1, "b": 1}, weights))
        assert bench.platform.look(KEY).weights == weights


def who_is_seen_to_be_ready_can_be_given_traffic(bench: Bench) -> None:
    """What a look shows can be acted on at once."""
    _one_version(bench)
    bench.platform.steer(KEY, _desired(bench, {"a": 1, "b": 1}, {"a": 100, "b": 0}))
    _until(bench, lambda seen: seen.count("b").ready == 1)
    bench.platform.steer(KEY, _desired(bench, {"a": 1, "b": 1}, {"a": 95, "b": 5}))
    assert bench.platform.look(KEY).weights == {"a": 95, "b": 5}


def saying_the_same_again_changes_nothing(bench: Bench) -> None:
    """The loop may crash after any call and repeat it."""
    desired = _two_versions(bench)
    before = bench.platform.look(KEY)
    for _ in range(3):
        bench.platform.steer(KEY, desired)
    assert bench.platform.look(KEY) == before


def weight_waits_for_a_ready_replica(bench: Bench) -> None:
    """Nobody is sent to a version that cannot answer, and the rest goes on as it was."""
    _one_version(bench)
    bench.platform.steer(KEY, _desired(bench, {"a": 1, "b": 1}, {"a": 80, "b": 20}, sick="b"))
    _until(bench, lambda seen: seen.count("b").created == 1 and seen.trouble)
    seen = bench.platform.look(KEY)
    assert {hash_ for hash_, weight in (seen.weights or {}).items() if weight} == {"a"}
    assert seen.count("b").ready == 0
    _until(bench, lambda seen: any(pod.message for pod in seen.pods if pod.hash == "b"))


def taking_weight_away_waits_for_nobody(bench: Bench) -> None:
    """An abort is in force at once, however the canary is."""
    _one_version(bench)
    bench.platform.steer(KEY, _desired(bench, {"a": 1, "b": 1}, {"a": 80, "b": 20}, sick="b"))
    bench.platform.steer(KEY, _desired(bench, {"a": 1, "b": 1}, {"a": 100, "b": 0}, sick="b"))
    seen = bench.platform.look(KEY)
    assert seen.weights == {"a": 100, "b": 0}
    assert not seen.trouble


def nobody_gets_everything_since_another_is_not_there(bench: Bench) -> None:
    """Until stable is up, a canary of five percent gets nothing rather than all of it."""
    bench.platform.steer(KEY, _desired(bench, {"a": 1, "b": 1}, {"a": 95, "b": 5}, sick="a"))
    _until_available(bench, b=1)
    assert not any((bench.platform.look(KEY).weights or {}).values())


def replicas_follow_the_number_asked_for(bench: Bench) -> None:
    """More are added to those there are, and fewer leave some of them as they were."""
    _one_version(bench)
    first = {pod.name for pod in bench.platform.look(KEY).pods}
    bench.platform.steer(KEY, _desired(bench, {"a": 3}, {"a": 100}))
    _until_available(bench, a=3)
    three = {pod.name for pod in bench.platform.look(KEY).pods}
    assert first < three
    bench.platform.steer(KEY, _desired(bench, {"a": 1}, {"a": 100}))
    _until(bench, lambda seen: len(seen.pods) == 1)
    seen = bench.platform.look(KEY)
    assert seen.pods[0].name in three
    assert (seen.count("a").available, seen.weights) == (1, {"a": 100})


def a_revision_that_is_not_asked_for_goes(bench: Bench) -> None:
    """And with it everything of it, after its traffic has gone elsewhere."""
    _two_versions(bench)
    bench.platform.steer(KEY, _desired(bench, {"b": 2}, {"b": 100}))
    assert bench.platform.look(KEY).weights == {"b": 100}
    _until(bench, lambda seen: {pod.hash for pod in seen.pods} == {"b"} and len(seen.pods) == 2)


def the_port_stays(bench: Bench) -> None:
    """Users keep the address that they know."""
    desired = _one_version(bench)
    port = bench.platform.look(KEY).port
    bench.platform.steer(KEY, desired)
    bench.platform.steer(KEY, _desired(bench, {"a": 2}, {"a": 1}))
    assert bench.platform.look(KEY).port == port


def rollouts_do_not_touch_each_other(bench: Bench) -> None:
    """Neither in what they run nor where they are reached, and forgetting one leaves the other."""
    _one_version(bench)
    bench.platform.steer(OTHER, _desired(bench, {"a": 1}, {"a": 7}, key=OTHER))
    until(lambda: bench.platform.look(OTHER).weights == {"a": 7})
    one, other = bench.platform.look(KEY), bench.platform.look(OTHER)
    assert one.port != other.port
    assert not {pod.name for pod in one.pods} & {pod.name for pod in other.pods}
    bench.platform.forget(OTHER)
    until(lambda: bench.platform.look(OTHER) == Seen())
    assert bench.platform.look(KEY) == one


def a_forgotten_rollout_can_come_back(bench: Bench) -> None:
    """As if it had never been there, be it that its replicas are still on their way out."""
    _one_version(bench)
    bench.platform.forget(KEY)
    bench.platform.forget(KEY)
    assert bench.platform.look(KEY).weights is None
    _one_version(bench)


def ready_is_not_available_before_its_time(bench: Bench) -> None:
    """A replica counts as available when it has been ready for as long as was asked."""
    desired = _desired(bench, {"a": 1}, {"a": 100}, min_ready_s=1e6)
    bench.platform.steer(KEY, desired)
    _until(bench, lambda seen: seen.count("a").ready == 1)
    assert bench.platform.look(KEY).count("a").available == 0
    bench.platform.steer(KEY, _desired(bench, {"a": 1}, {"a": 100}))
    assert bench.platform.look(KEY).count("a").available == 1


PROMISES: tuple[Promise, ...] = (
    an_unknown_rollout_has_nothing,
    a_first_version_comes_up_and_takes_all_traffic,
    a_split_is_in_force_when_steering_returns,
    who_is_seen_to_be_ready_can_be_given_traffic,
    saying_the_same_again_changes_nothing,
    weight_waits_for_a_ready_replica,
    taking_weight_away_waits_for_nobody,
    nobody_gets_everything_since_another_is_not_there,
    replicas_follow_the_number_asked_for,
    a_revision_that_is_not_asked_for_goes,
    the_port_stays,
    rollouts_do_not_touch_each_other,
    a_forgotten_rollout_can_come_back,
    ready_is_not_available_before_its_time,
)


def _desired(
    bench: Bench,
    replicas: dict[str, int],
    weights: dict[str, int],
    *,
    sick: str = "",
    min_ready_s: float = 0.0,
    key: Key = KEY,
) -> Desired:
    sets = []
    for revision, (hash_, count) in enumerate(replicas.items(), start=1):
        template = bench.template(hash_, well=hash_ != sick)
        sets.append(ReplicaSet(hash_, revision, template, bench.platform.resolve(key, template), count))
    return Desired(tuple(sets), weights, min_ready_s)


def _one_version(bench: Bench) -> Desired:
    desired = _desired(bench, {"a": 1}, {"a": 100})
    bench.platform.steer(KEY, desired)
    _until_available(bench, a=1)
    _until(bench, lambda seen: seen.weights == {"a": 100})
    return desired


def _two_versions(bench: Bench) -> Desired:
    desired = _desired(bench, {"a": 1, "b": 1}, {"a": 90, "b": 10})
    bench.platform.steer(KEY, desired)
    _until_available(bench, a=1, b=1)
    _until(bench, lambda seen: seen.weights == {"a": 90, "b": 10})
    return desired


def _until_available(bench: Bench, **wanted: int) -> None:
    _until(bench, lambda seen: all(seen.count(hash_).available == count for hash_, count in wanted.items()))


def _until(bench: Bench, holds: Callable[[Seen], object]) -> None:
    until(lambda: holds(bench.platform.look(KEY)), why=lambda: bench.platform.look(KEY))
