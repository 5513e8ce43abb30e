"""The embedded platform beside the split: what users, testers and those who preview feel of it."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.live.test_envoy_platform import BESIDE, KEY, SHADOW, TESTERS, EmbeddedBench, Users, failed

from davy.adapters import ports
from davy.adapters.envoy_admin import Admin
from davy.adapters.http import request
from davy.adapters.load import Load
from davy.model.key import Key
from davy.model.side_route import SideRoute
from davy.model.steps import PodTemplateMetadata
from davy.rollout.platform import Desired, Seen, ServicePoint
from davy.testing.patience import until
from davy.traffic.names import cluster_name, side_cluster_name

pytestmark = pytest.mark.live

SWITCHES = 50


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[EmbeddedBench]:
    bench = EmbeddedBench(tmp_path / "state")
    yield bench
    bench.platform.shutdown()


@pytest.fixture
def users(bench: EmbeddedBench) -> Iterator[Users]:
    users = Users()
    yield users
    users.leave()


def who(port: int | None, **headers: str) -> str:
    """Ask once, and say which version answered."""
    assert port is not None
    answer = request("GET", f"http://127.0.0.1:{port}/", headers=headers)
    return answer.headers.get("x-davy-version", str(answer.status))


def preview(bench: EmbeddedBench, hash_: str = "b") -> int:
    """Wait until the preview leads somewhere, and return its port."""
    seen = bench.until(lambda seen: "preview" in seen.services and seen.services["preview"].hash == hash_)
    port = seen.services["preview"].port
    assert port is not None
    return port


def clusters(bench: EmbeddedBench) -> set[str]:
    return set(bench.platform._envoy.clusters())


def with_preview(bench: EmbeddedBench, weights: dict[str, int], hash_: str = "b") -> Desired:
    return replace(bench.desired(weights), services={"preview": ServicePoint(hash_)})


def test_no_request_fails_while_all_users_are_switched_to_and_fro(bench: EmbeddedBench) -> None:
    """As blue/green does: everybody at once, whatever is under way; nobody meets the old side afterwards."""
    bench.steer({"a": 100, "b": 0}, replicas=2)
    load = Load(bench.port, rate_hz=300).start()
    slow = Load(bench.port, rate_hz=20, path="/slow?ms=200").start()
    until(load.exchanges)
    sides, switched = ("a", "b"), []
    for turn in range(SWITCHES):
        new, old = sides[(turn + 1) % 2], sides[turn % 2]
        bench.platform.steer(KEY, bench.desired({new: 100, old: 0}, replicas=2))
        switched.append((len(load.exchanges()), new))
        until(lambda: len(load.exchanges()) > switched[-1][0] + 10)
        assert {who(bench.port) for _ in range(3)} == {new}
    everything = [*load.stop(), *slow.stop()]
    assert not failed(everything)
    assert Counter(each.version for each in everything).keys() == {"a", "b"}


def test_a_preview_is_independent_of_the_users(bench: EmbeddedBench, users: Users) -> None:
    bench.steer({"a": 100, "b": 0})
    users.come(bench.port)
    bench.platform.steer(KEY, with_preview(bench, {"a": 100, "b": 0}))
    port = preview(bench)
    for _ in range(5):
        assert {who(port) for _ in range(10)} == {"b"}
        users.more()
    assert counted(bench, side_cluster_name(KEY, "b")) == 50
    bench.platform.steer(KEY, with_preview(bench, {"a": 0, "b": 100}, "a"))
    assert preview(bench, "a") == port
    assert {who(port) for _ in range(10)} == {"a"}
    users.more()
    exchanges = users.leave()
    assert not failed(exchanges)
    assert counted(bench, cluster_name(KEY, "a")) + counted(bench, cluster_name(KEY, "b")) == len(exchanges)


def counted(bench: EmbeddedBench, cluster: str) -> int:
    with Admin(bench.platform._envoy._directory) as admin:
        counts = admin.values(r"^cluster\..*\.upstream_rq_\d\d\d$")
    return sum(int(count) for name, count in counts.items() if name.startswith(f"cluster.{cluster}.upstream"))


def test_what_is_beside_the_split_outlives_davy_and_envoy(bench: EmbeddedBench) -> None:
    bench.steer({"a": 100, "b": 0})
    desired = replace(with_preview(bench, {"a": 100, "b": 0}), routes=BESIDE)
    bench.platform.steer(KEY, desired)
    port = preview(bench)
    before = bench.platform.look(KEY)
    bench.restart()
    assert bench.platform.look(KEY) == before
    bench.platform.steer(KEY, desired)
    assert bench.platform.look(KEY) == before
    process = bench.platform._envoy.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.alive)
    bench.platform.steer(KEY, replace(desired, weights={"a": 1, "b": 0}))
    assert (who(port), who(bench.port), who(bench.port, **{"x-tester": "yes"})) == ("b", "a", "b")


def test_everything_comes_back_after_davy_down(bench: EmbeddedBench) -> None:
    bench.steer({"a": 100, "b": 0})
    desired = replace(with_preview(bench, {"a": 100, "b": 0}), routes=BESIDE)
    bench.platform.steer(KEY, desired)
    port = preview(bench)
    bench.platform.shutdown()
    until(lambda: ports.is_free(port))
    bench.platform = bench._open()
    bench.platform.steer(KEY, desired)
    bench.until(
        lambda seen: seen.count("b").ready and seen.routes == BESIDE and seen.weights == {"a": 100, "b": 0}
    )
    assert preview(bench) == port
    until(lambda: who(port) == "b")


def test_a_service_that_moves_in_the_background_is_told(bench: EmbeddedBench) -> None:
    bench.steer({"a": 100, "b": 0})
    told: list[Key] = []
    bench.platform._changed = told.append
    for desired in (with_preview(bench, {"a": 100, "b": 0}), bench.desired({"a": 100, "b": 0})):
        told.clear()
        bench.platform.steer(KEY, desired)
        if desired.services:
            preview(bench)
        until(lambda: told)


def test_nothing_is_left_of_what_was_beside_the_split(bench: EmbeddedBench) -> None:
    bench.steer({"a": 100, "b": 0})
    bench.platform.steer(KEY, replace(with_preview(bench, {"a": 100, "b": 0}), routes=BESIDE))
    port = preview(bench)
    assert side_cluster_name(KEY, "b") in clusters(bench)
    bench.steer({"a": 100})
    bench.until(lambda seen: not seen.services and len(seen.pods) == 1)
    until(lambda: clusters(bench) == {cluster_name(KEY, "a")}, why=lambda: clusters(bench))
    until(lambda: ports.is_free(port))
    bench.platform.steer(KEY, with_preview(bench, {"a": 100}, "a"))
    preview(bench, "a")
    bench.platform.forget(KEY)
    until(lambda: clusters(bench) == set())


@pytest.mark.parametrize(("routes", "kept"), [((TESTERS,), (TESTERS,)), ((SHADOW,), ()), (BESIDE, BESIDE)])
def test_testers_stay_with_a_version_that_is_unwell_and_copies_do_not(
    bench: EmbeddedBench, routes: tuple[SideRoute, ...], kept: tuple[SideRoute, ...]
) -> None:
    """What testers get there is evidence; of a copy that nobody takes nobody would learn anything."""
    seen = bench.steer({"a": 100, "b": 0})
    desired = bench.desired({"a": 100, "b": 0})
    (pod,) = [pod for pod in seen.pods if pod.hash == "b"]
    bench.platform.steer(KEY, replace(desired, routes=routes))
    request("GET", f"http://127.0.0.1:{pod.port}/break")
    bench.until(lambda seen: seen.count("b").ready == 0 and seen.routes == kept)
    assert {who(bench.port) for _ in range(10)} == {"a"}
    assert who(bench.port, **{"x-tester": "yes"}) == ("b" if kept else "a")
    request("GET", f"http://127.0.0.1:{pod.port}/mend")
    bench.until(lambda seen: seen.count("b").ready == 1 and seen.routes == routes)
    bench.platform.steer(KEY, desired)
    assert who(bench.port, **{"x-tester": "yes"}) == "a"


def test_evicting_the_only_replica_costs_nobody_anything(bench: EmbeddedBench, users: Users) -> None:
    seen = bench.steer({"a": 100})
    users.come(bench.port)
    for _ in range(3):
        seen = evict(bench, seen.pods[0].name)
        users.more()
    assert not failed(users.leave())


def evict(bench: EmbeddedBench, name: str) -> Seen:
    """Have a replica replaced, and wait until another is there in its place."""
    bench.platform.steer(KEY, replace(bench.desired({"a": 100}), evict=(name,)))
    return bench.until(lambda seen: [pod.ready and pod.name != name for pod in seen.pods] == [True])


def test_what_a_replica_carries_is_kept_and_no_process_notices(bench: EmbeddedBench) -> None:
    desired = bench.desired({"a": 100})
    seen = bench.steer({"a": 100})
    process = bench.pid(seen.pods[0])
    stable = PodTemplateMetadata(labels={"role": "stable"}, annotations={"since": "now"})
    bench.platform.steer(
        KEY, replace(desired, replica_sets=(replace(desired.replica_sets[0], metadata=stable),))
    )
    bench.until(lambda seen: seen.pods[0].metadata == stable)
    until(lambda: "stable" in (bench._directory / "rollouts" / "default+payments.json").read_text())
    bench.restart()
    (pod,) = bench.platform.look(KEY).pods
    assert (pod.metadata, bench.pid(pod)) == (stable, process)


def test_a_service_whose_port_is_taken_says_so_and_gets_it_later(bench: EmbeddedBench) -> None:
    bench.steer({"a": 100})
    wanted = ports.free_port()
    with socket.create_server(("127.0.0.1", wanted)):
        desired = replace(bench.desired({"a": 100}), services={"preview": ServicePoint("a", wanted)})
        bench.platform.steer(KEY, desired)
        bench.until(lambda seen: f"port {wanted} is taken by another program" in seen.trouble)
        assert bench.platform.look(KEY).services == {}
        assert who(bench.port) == "a"
    bench.until(lambda seen: seen.services == {"preview": ServicePoint("a", wanted)} and not seen.trouble)
    assert who(wanted) == "a"
