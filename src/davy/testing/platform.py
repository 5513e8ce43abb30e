"""What every platform promises, as checks that any of them has to pass.

Whoever implements `davy.rollout.platform.Platform` runs each of `PROMISES` on a fresh `Bench` of theirs:

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
    def test_platform(promise: Promise, bench: Bench) -> None:
        promise(bench)
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from msgspec.structs import replace

from davy.model.key import Key
from davy.model.pod import PodTemplateSpec
from davy.model.side_route import HeaderRoute, MirrorRoute
from davy.model.steps import HeaderRoutingMatch, PodTemplateMetadata, RouteMatch, StringMatch
from davy.rollout.platform import Desired, Platform, ReplicaSet, Seen, ServicePoint
from davy.testing.patience import until

KEY = Key("default", "payments")
OTHER = Key("default", "cart")

_TESTERS = HeaderRoute("testers", (HeaderRoutingMatch("x-tester", StringMatch(exact="yes")),), "b")
_SHADOW = MirrorRoute("shadow", (RouteMatch(method=StringMatch(exact="GET")),), 50, "b")


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


def a_route_is_in_force_when_steering_returns(bench: Bench) -> None:
    """Beside the split, in the order that was said; and it goes in the same way."""
    desired = _two_versions(bench)
    for routes in ((_TESTERS,), (_SHADOW, _TESTERS), (_TESTERS, _SHADOW), (_SHADOW,), ()):
        bench.platform.steer(KEY, replace(desired, routes=routes))
        assert bench.platform.look(KEY).routes == routes
        assert bench.platform.look(KEY).weights == desired.weights


def a_route_waits_for_a_ready_replica(bench: Bench) -> None:
    """It is left out until its revision can answer; the split and the other routes do not wait for it."""
    _one_version(bench)
    sick = _desired(bench, {"a": 1, "b": 1}, {"a": 100, "b": 0}, sick="b")
    to_stable = replace(_TESTERS, name="old", hash="a")
    bench.platform.steer(KEY, replace(sick, routes=(_TESTERS, to_stable, _SHADOW)))
    seen = bench.platform.look(KEY)
    assert (seen.routes, seen.weights) == ((to_stable,), {"a": 100, "b": 0})
    assert seen.trouble == "no replica of b is ready to take traffic"
    well = _desired(bench, {"a": 1, "c": 1}, {"a": 100, "c": 0})
    routes = tuple(replace(route, hash="c") for route in (_TESTERS, _SHADOW))
    bench.platform.steer(KEY, replace(well, routes=routes))
    _until(bench, lambda seen: seen.routes == routes and not seen.trouble)


def an_abort_takes_routes_away_with_the_weight(bench: Bench) -> None:
    """Both are gone when steering returns, however the new version is."""
    desired = _two_versions(bench)
    bench.platform.steer(KEY, replace(desired, routes=(_TESTERS, _SHADOW)))
    bench.platform.steer(KEY, replace(desired, weights={"a": 100, "b": 0}))
    seen = bench.platform.look(KEY)
    assert (seen.routes, seen.weights, seen.trouble) == ((), {"a": 100, "b": 0}, "")


def a_service_leads_to_one_revision(bench: Bench) -> None:
    """On a port of its own, that stays, whatever users get; one that is not asked for any more goes."""
    desired = _two_versions(bench)
    services = {"preview": ServicePoint("b"), "active": ServicePoint("a")}
    bench.platform.steer(KEY, replace(desired, services=services))
    _until(bench, lambda seen: _leads(seen, preview="b", active="a"))
    before = bench.platform.look(KEY)
    ports = {before.port, *(point.port for point in before.services.values())}
    assert len(ports) == 3
    assert None not in ports
    bench.platform.steer(KEY, replace(desired, weights={"b": 1}, services={"preview": ServicePoint("a")}))
    _until(bench, lambda seen: _leads(seen, preview="a"))
    seen = bench.platform.look(KEY)
    assert seen.services["preview"].port == before.services["preview"].port
    assert (seen.port, seen.weights) == (before.port, {"b": 1})
    bench.platform.steer(KEY, desired)
    _until(bench, lambda seen: not seen.services)


def a_service_moves_when_the_other_revision_is_ready(bench: Bench) -> None:
    """Until then whoever calls it is answered by the one before."""
    desired = replace(_two_versions(bench), services={"preview": ServicePoint("b")})
    bench.platform.steer(KEY, desired)
    _until(bench, lambda seen: _leads(seen, preview="b"))
    port = bench.platform.look(KEY).services["preview"].port
    sick = _desired(bench, {"a": 1, "b": 1, "c": 1}, {"a": 90, "b": 10}, sick="c")
    bench.platform.steer(KEY, replace(sick, services={"preview": ServicePoint("c")}))
    _until(bench, lambda seen: any(pod.message for pod in seen.pods if pod.hash == "c"))
    seen = bench.platform.look(KEY)
    assert seen.services == {"preview": ServicePoint("b", port)}
    assert seen.trouble == "no replica of c is ready to take traffic"
    well = _desired(bench, {"a": 1, "b": 1, "d": 1}, {"a": 90, "b": 10})
    bench.platform.steer(KEY, replace(well, services={"preview": ServicePoint("d")}))
    _until(bench, lambda seen: seen.services == {"preview": ServicePoint("d", port)} and not seen.trouble)


def a_service_has_the_port_that_was_asked_for(bench: Bench) -> None:
    """Another one when that changes, and the one it has when none is said."""
    desired = _two_versions(bench)
    bench.platform.steer(KEY, replace(desired, services={"one": ServicePoint("b"), "two": ServicePoint("b")}))
    _until(bench, lambda seen: _leads(seen, one="b", two="b"))
    taken = bench.platform.look(KEY).services["two"]
    bench.platform.steer(KEY, replace(desired, services={"one": ServicePoint("b")}))
    _until(bench, lambda seen: _leads(seen, one="b"))
    for point in (taken, ServicePoint("b")):
        bench.platform.steer(KEY, replace(desired, services={"one": point}))
        _until(bench, lambda seen: seen.services == {"one": taken} and not seen.trouble)


def a_forgotten_rollout_has_neither_routes_nor_services(bench: Bench) -> None:
    """And when it comes back it has those that are asked for then."""
    desired = replace(_two_versions(bench), routes=(_TESTERS,), services={"preview": ServicePoint("b")})
    bench.platform.steer(KEY, desired)
    _until(bench, lambda seen: _leads(seen, preview="b"))
    bench.platform.forget(KEY)
    assert bench.platform.look(KEY).routes == ()
    until(lambda: bench.platform.look(KEY) == Seen())
    bench.platform.steer(KEY, desired)
    _until(bench, lambda seen: _leads(seen, preview="b") and seen.routes == (_TESTERS,))


def a_replica_to_evict_is_replaced(bench: Bench) -> None:
    """Another one takes its place, and only its; what is gone already is no mistake."""
    desired = _desired(bench, {"a": 2}, {"a": 100})
    bench.platform.steer(KEY, desired)
    _until_available(bench, a=2)
    first, second = sorted(pod.name for pod in bench.platform.look(KEY).pods)
    evicting = replace(desired, evict=(first, "long-gone"))
    bench.platform.steer(KEY, evicting)
    _until(bench, lambda seen: len(seen.pods) == 2 and first not in {pod.name for pod in seen.pods})
    _until_available(bench, a=2)
    before = bench.platform.look(KEY)
    assert second in {pod.name for pod in before.pods}
    assert before.weights == {"a": 100}
    bench.platform.steer(KEY, evicting)
    assert bench.platform.look(KEY) == before
    bench.platform.steer(KEY, replace(desired, evict=tuple(pod.name for pod in before.pods)))
    names = {pod.name for pod in before.pods}
    _until(bench, lambda seen: len(seen.pods) == 2 and not names & {pod.name for pod in seen.pods})
    _until_available(bench, a=2)


def a_replica_has_an_age_from_its_making_on(bench: Bench) -> None:
    """One that has not started yet is not older than everything, and so no restart takes it for old."""
    bench.platform.steer(KEY, _desired(bench, {"a": 2}, {"a": 100}))

    def young_and_there(seen: Seen) -> bool:
        assert all(pod.started_at > 0 for pod in seen.pods), seen.pods
        return seen.count("a").available == 2

    _until(bench, young_and_there)


def what_replicas_carry_changes_without_a_restart(bench: Bench) -> None:
    """It is said for each set of replicas, and goes with the part that they play."""
    desired = _two_versions(bench)
    before = bench.platform.look(KEY)
    roles = {"a": {"role": "stable"}, "b": {"role": "canary"}}
    for said in (roles, {"a": {}, "b": {"role": "stable"}}):
        sets = tuple(
            replace(each, metadata=PodTemplateMetadata(labels=said[each.hash])) for each in desired.replica_sets
        )
        bench.platform.steer(KEY, replace(desired, replica_sets=sets))
        pods = bench.platform.look(KEY).pods
        assert {pod.hash: pod.metadata.labels for pod in pods} == said
        assert tuple(replace(pod, metadata=PodTemplateMetadata()) for pod in pods) == before.pods


def saying_all_of_it_again_changes_nothing(bench: Bench) -> None:
    """Routes, services, what replicas carry and who has to go included."""
    desired = _two_versions(bench)
    everything = replace(
        desired,
        replica_sets=tuple(
            replace(each, metadata=PodTemplateMetadata(labels={"role": each.hash}))
            for each in desired.replica_sets
        ),
        routes=(_TESTERS, _SHADOW),
        services={"preview": ServicePoint("b")},
        evict=("long-gone",),
    )
    bench.platform.steer(KEY, everything)
    _until(bench, lambda seen: _leads(seen, preview="b"))
    before = bench.platform.look(KEY)
    for _ in range(3):
        bench.platform.steer(KEY, everything)
    assert bench.platform.look(KEY) == before


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
    a_route_is_in_force_when_steering_returns,
    a_route_waits_for_a_ready_replica,
    an_abort_takes_routes_away_with_the_weight,
    a_service_leads_to_one_revision,
    a_service_moves_when_the_other_revision_is_ready,
    a_service_has_the_port_that_was_asked_for,
    a_forgotten_rollout_has_neither_routes_nor_services,
    a_replica_to_evict_is_replaced,
    a_replica_has_an_age_from_its_making_on,
    what_replicas_carry_changes_without_a_restart,
    saying_all_of_it_again_changes_nothing,
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


def _leads(seen: Seen, **services: str) -> bool:
    return {name: point.hash for name, point in seen.services.items()} == services
