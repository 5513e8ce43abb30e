"""The embedded platform: what every platform promises, and what only one with users can be held to."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from davy.adapters import pid, ports
from davy.adapters.clock import Clock
from davy.adapters.embedded import EmbeddedPlatform
from davy.adapters.http import request
from davy.adapters.load import Exchange, Load
from davy.adapters.processes import Record
from davy.errors import Undecided
from davy.ledger.lease import Fenced
from davy.model.key import Key
from davy.model.pod import Container, ContainerPort, EnvVar, HTTPGetAction, PodSpec, PodTemplateSpec, Probe
from davy.model.side_route import HeaderRoute, MirrorRoute
from davy.model.steps import HeaderRoutingMatch, RouteMatch, StringMatch
from davy.rollout.platform import Desired, Pod, ReplicaSet, Seen
from davy.testing.patience import until
from davy.testing.platform import PROMISES, Promise

pytestmark = pytest.mark.live

APPS = Path(__file__).parent.parent / "apps"
KEY = Key("default", "payments")
TESTERS = HeaderRoute("testers", (HeaderRoutingMatch("x-tester", StringMatch(exact="yes")),), "b")
SHADOW = MirrorRoute("shadow", (RouteMatch(),), 50, "b")
BESIDE = (TESTERS, SHADOW)


def template(version: str, *, probe: str = "/healthz", **environment: str) -> PodTemplateSpec:
    container = Container(
        "app",
        command=(sys.executable, "upstream.py"),
        ports=(ContainerPort(8080, name="http"),),
        env=tuple(EnvVar(name, value) for name, value in {"VERSION": version, **environment}.items()),
        readiness_probe=Probe(http_get=HTTPGetAction(port="http", path=probe), period_seconds=1),
    )
    return PodTemplateSpec(spec=PodSpec(containers=(container,), termination_grace_period_seconds=5))


class EmbeddedBench:
    """A platform on which real processes run, and the means to replace it as a restarted Davy would."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.platform = self._open()

    def template(self, version: str, *, well: bool = True) -> PodTemplateSpec:
        return template(version, probe="/healthz" if well else "/nowhere")

    def _open(self) -> EmbeddedPlatform:
        environment = {"PATH": os.environ["PATH"]}
        platform = EmbeddedPlatform(
            self._directory, Clock.at_speed(1), environment=environment, base=APPS, back_off_s=0.2
        )
        return platform.start()

    def restart(self) -> None:
        """End Davy and start it again."""
        self.platform.close()
        self.platform = self._open()

    def desired(self, weights: dict[str, int], *, replicas: int = 1, **environment: str) -> Desired:
        sets = []
        for hash_ in weights:
            spec = template(hash_, **environment)
            sets.append(ReplicaSet(hash_, 1, spec, self.platform.resolve(KEY, spec), replicas))
        return Desired(tuple(sets), weights)

    def steer(self, weights: dict[str, int], **how: object) -> Seen:
        """Steer, and wait until all of it is so."""
        desired = self.desired(weights, **how)  # type: ignore[arg-type]
        self.platform.steer(KEY, desired)
        wanted = {each.hash: each.replicas for each in desired.replica_sets}
        return self.until(
            lambda seen: (
                seen.weights == weights
                and Counter(pod.hash for pod in seen.pods) == wanted
                and all(pod.ready for pod in seen.pods)
            )
        )

    def until(self, holds: Callable[[Seen], object]) -> Seen:
        until(lambda: holds(self.platform.look(KEY)), why=lambda: self.platform.look(KEY))
        return self.platform.look(KEY)

    @property
    def port(self) -> int:
        port = self.platform.look(KEY).port
        assert port is not None
        return port

    def pid(self, pod: Pod) -> int:
        """Ask a replica for the number of its process."""
        return int(request("GET", f"http://127.0.0.1:{pod.port}/pid").body)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[EmbeddedBench]:
    bench = EmbeddedBench(tmp_path / "state")
    yield bench
    bench.platform.shutdown()


@pytest.fixture
def users(bench: EmbeddedBench) -> Iterator["Users"]:
    users = Users()
    yield users
    users.leave()


class Users:
    """Some in a hurry, some that ask for what takes a while."""

    def __init__(self) -> None:
        self._loads: list[Load] = []

    def come(self, port: int) -> None:
        self._loads = [Load(port, rate_hz=150).start(), Load(port, rate_hz=20, path="/slow?ms=200").start()]
        self.more()

    def more(self, count: int = 10) -> None:
        """Wait until each of them got more answers."""
        seen = [len(load.exchanges()) for load in self._loads]
        until(
            lambda: all(
                len(load.exchanges()) >= old + count for load, old in zip(self._loads, seen, strict=True)
            )
        )

    def leave(self) -> list[Exchange]:
        """Return what they got."""
        loads, self._loads = self._loads, []
        return [exchange for load in loads for exchange in load.stop()]


def failed(exchanges: list[Exchange]) -> Counter[int]:
    return Counter(each.status for each in exchanges if each.status != 200)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_embedded_platform(promise: Promise, bench: EmbeddedBench) -> None:
    promise(bench)


def test_no_request_fails_while_everything_changes(bench: EmbeddedBench, users: Users) -> None:
    bench.steer({"a": 100}, replicas=2)
    users.come(bench.port)
    bench.steer({"a": 80, "b": 20}, replicas=2)
    users.more()
    bench.steer({"a": 20, "b": 80}, replicas=4)
    users.more()
    bench.steer({"b": 100}, replicas=1)
    users.more()
    bench.steer({"c": 100}, replicas=2)
    users.more()
    exchanges = users.leave()
    assert not failed(exchanges)
    assert {each.version for each in exchanges} == {"a", "b", "c"}


def test_no_request_fails_when_davy_ends_and_another_takes_over(bench: EmbeddedBench, users: Users) -> None:
    before = bench.steer({"a": 50, "b": 50}, replicas=2)
    users.come(bench.port)
    bench.restart()
    assert bench.platform.look(KEY) == before
    users.more()
    bench.steer({"b": 100}, replicas=1)
    users.more()
    assert not failed(users.leave())


def test_a_replica_that_dies_costs_no_more_than_what_it_had_begun(bench: EmbeddedBench, users: Users) -> None:
    seen = bench.steer({"a": 100}, replicas=2)
    users.come(bench.port)
    os.kill(bench.pid(seen.pods[0]), signal.SIGKILL)
    again = bench.until(lambda seen: seen.count("a").ready == 2 and any(pod.restarts for pod in seen.pods))
    assert {pod.name for pod in again.pods} == {pod.name for pod in seen.pods}
    users.more()
    begun = 16  # both loads together never have more under way at one replica than this
    assert failed(users.leave()).total() <= begun


def test_a_replica_that_is_not_ready_gets_nothing_until_it_is(bench: EmbeddedBench) -> None:
    seen = bench.steer({"a": 100}, replicas=2)
    sick = seen.pods[0]
    request("GET", f"http://127.0.0.1:{sick.port}/break")
    bench.until(lambda seen: seen.count("a").ready == 1)
    (pod,) = [pod for pod in bench.platform.look(KEY).pods if pod.name == sick.name]
    assert pod.message == "GET /healthz on port " + str(sick.port) + " answers 503"
    until(lambda: passed_by(sick, bench.port))
    request("GET", f"http://127.0.0.1:{sick.port}/mend")
    bench.until(lambda seen: seen.count("a").ready == 2)


def passed_by(pod: Pod, port: int) -> bool:
    """Say whether a replica got nothing of a few requests, all of which were answered."""
    before = served(pod)
    assert {request("GET", f"http://127.0.0.1:{port}/").status for _ in range(20)} == {200}
    return served(pod) == before


def served(pod: Pod) -> str:
    body = request("GET", f"http://127.0.0.1:{pod.port}/metrics").body.decode()
    return next((line for line in body.splitlines() if 'total{status="200"}' in line), "")


def test_the_last_replica_keeps_its_traffic_even_when_it_is_dead(bench: EmbeddedBench) -> None:
    """What users get of it are failures, and those are what an analysis has to see."""
    seen = bench.steer({"a": 50, "b": 50})
    (pod,) = [pod for pod in seen.pods if pod.hash == "b"]
    for _ in range(3):
        bench.until(lambda seen: seen.count("b").ready == 1)
        (pod,) = [pod for pod in bench.platform.look(KEY).pods if pod.hash == "b"]
        os.kill(bench.pid(pod), signal.SIGKILL)
        bench.until(lambda seen: seen.count("b").ready == 0)
    assert bench.platform.look(KEY).weights == {"a": 50, "b": 50}
    bench.platform.steer(KEY, bench.desired({"a": 100, "b": 0}))
    answers = [request("GET", f"http://127.0.0.1:{bench.port}/") for _ in range(20)]
    assert {answer.headers["x-davy-version"] for answer in answers} == {"a"}
    assert {answer.status for answer in answers} == {200}


def test_a_replica_that_goes_stays_until_its_traffic_has_gone(bench: EmbeddedBench, users: Users) -> None:
    """Asking for none of a revision that has all the traffic is a mistake that users must not feel."""
    bench.steer({"a": 100})
    users.come(bench.port)
    desired = bench.desired({"a": 100}, replicas=0)
    bench.platform.steer(KEY, desired)
    bench.until(lambda seen: seen.count("a").created == 0)
    users.more()
    bench.steer({"b": 100})
    bench.until(lambda seen: {pod.hash for pod in seen.pods} == {"b"})
    users.more()
    assert not failed(users.leave())


def test_replicas_stay_for_as_long_as_their_traffic_has_nowhere_to_go(bench: EmbeddedBench) -> None:
    bench.steer({"a": 100}, replicas=2)
    sick = bench.template("b", well=False)
    nowhere = ReplicaSet("b", 2, sick, bench.platform.resolve(KEY, sick), 1)
    bench.platform.steer(KEY, Desired((nowhere,), {"b": 100}))
    bench.until(lambda seen: any(pod.message for pod in seen.pods if pod.hash == "b"))
    seen = bench.platform.look(KEY)
    assert (seen.count("a").ready, seen.weights) == (2, {"a": 100})
    assert seen.trouble == "no replica of b is ready to take traffic"


def test_a_crash_loop_is_slowed_down_and_says_why(bench: EmbeddedBench) -> None:
    bench.platform.steer(KEY, bench.desired({"a": 100}, EXIT_AFTER_MS="1", EXIT_CODE="7"))
    seen = bench.until(lambda seen: seen.pods and seen.pods[0].restarts >= 2)
    assert seen.pods[0].message.startswith("exited with code 7: version a on port ")
    bench.until(lambda seen: seen.pods[0].phase == "CrashLoopBackOff")


def test_a_program_that_is_not_there_says_so(bench: EmbeddedBench) -> None:
    desired = bench.desired({"a": 100})
    (revision,) = desired.replica_sets
    launch = type(revision.launch)(("./no-such-program",), revision.launch.directory)
    broken = ReplicaSet("a", 1, revision.template, launch, 1)
    bench.platform.steer(KEY, Desired((broken,), {"a": 100}))
    seen = bench.until(lambda seen: seen.pods and seen.pods[0].message)
    assert "No such file or directory" in seen.pods[0].message
    assert seen.pods[0].restarts == 0


def test_a_taken_port_is_said_and_nothing_is_started(bench: EmbeddedBench) -> None:
    taken = ports.free_port()
    with socket.create_server(("127.0.0.1", taken)):
        desired = bench.desired({"a": 100})
        wanted = Desired(desired.replica_sets, desired.weights, port=taken)
        with pytest.raises(Undecided, match=f"port {taken} is taken by another program"):
            bench.platform.steer(KEY, wanted)
        assert bench.platform.look(KEY) == Seen()
    bench.platform.steer(KEY, wanted)
    assert bench.port == taken


def test_what_a_power_failure_spoilt_is_left_behind(bench: EmbeddedBench, tmp_path: Path) -> None:
    bench.steer({"a": 100})
    port = bench.port
    bench.platform.shutdown()
    state = tmp_path / "state"
    for name in ("replicas/x.json", "rollouts/y.json", "gateway/clusters.json", "gateway/envoy-process.json"):
        (state / name).write_bytes(b"")
    bench.platform = bench._open()
    assert not (state / "replicas" / "x.json").exists()
    bench.steer({"a": 100})
    assert bench.port == port
    assert request("GET", f"http://127.0.0.1:{port}/").status == 200


def test_what_this_davy_would_refuse_to_run_is_said_and_stops_nothing(
    bench: EmbeddedBench, tmp_path: Path
) -> None:
    """Rules grow stricter from one Davy to the next, and the next has to start all the same."""
    bench.steer({"a": 100})
    bench.platform.close()
    (record,) = (tmp_path / "state" / "replicas").iterdir()
    older = msgspec.json.decode(record.read_bytes(), type=Record)
    with_init = PodSpec(
        containers=older.revision.template.spec.containers, init_containers=(Container("migrate"),)
    )
    revision = msgspec.structs.replace(older.revision, template=PodTemplateSpec(spec=with_init))
    record.write_bytes(msgspec.json.encode(msgspec.structs.replace(older, revision=revision)))
    bench.platform = bench._open()
    bench.until(lambda seen: "runs on, but cannot be looked after" in seen.trouble)
    assert older.process is not None
    pid.signal_group(older.process, signal.SIGKILL)


def test_of_two_davys_on_a_directory_the_later_one_steers(bench: EmbeddedBench) -> None:
    """The earlier one is not even told; whatever it does from then on comes to nothing."""
    bench.steer({"a": 100}, replicas=2)
    earlier = bench.platform
    bench.platform = bench._open()
    with pytest.raises(Fenced):
        earlier.steer(KEY, bench.desired({"a": 0, "b": 100}))
    bench.steer({"a": 100}, replicas=1)
    assert request("GET", f"http://127.0.0.1:{bench.port}/").headers["x-davy-version"] == "a"
    earlier.close()
    assert len(bench.platform.look(KEY).pods) == 1


def test_envoy_may_be_killed(bench: EmbeddedBench) -> None:
    bench.steer({"a": 100, "b": 0})
    process = bench.platform._envoy.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.alive)
    bench.platform.steer(KEY, bench.desired({"a": 0, "b": 100}))
    assert request("GET", f"http://127.0.0.1:{bench.port}/").headers["x-davy-version"] == "b"


_DAVY = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from msgspec.structs import replace
from davy.rollout.platform import ServicePoint
from test_envoy_platform import BESIDE, KEY, EmbeddedBench
bench = EmbeddedBench(pathlib.Path(sys.argv[2]))
bench.steer({"a": 100}, replicas=2)
print("up", flush=True)
weights = 0
while True:
    weights = 50 - weights
    desired = bench.desired({"a": 100 - weights, "b": weights}, replicas=1 + weights // 50)
    beside = {} if weights else {"routes": BESIDE, "services": {"preview": ServicePoint("b")}}
    bench.platform.steer(KEY, replace(desired, **beside))
"""


def test_davy_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    """A real Davy changes everything without pause and is killed; the next one goes on, and no user notices."""
    state, users = tmp_path / "state", Users()
    arguments = [sys.executable, "-c", _DAVY, str(Path(__file__).parent), str(state)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as davy:
        assert davy.stdout is not None
        assert davy.stdout.readline() == b"up\n"
        davy.kill()
    bench = EmbeddedBench(state)
    try:
        users.come(bench.port)
        for _ in range(3):
            bench.platform.close()
            with subprocess.Popen(arguments, stdout=subprocess.PIPE) as davy:
                assert davy.stdout is not None
                davy.stdout.readline()
                users.more()
                davy.kill()
            users.more()
            bench.platform = bench._open()
        bench.steer({"b": 100}, replicas=2)
        bench.until(
            lambda seen: {pod.hash for pod in seen.pods} == {"b"} and not (seen.routes or seen.services)
        )
        users.more()
        assert not failed(users.leave())
    finally:
        users.leave()
        bench.platform.shutdown()
    until(lambda: not leftovers(state))


def leftovers(state: Path) -> list[str]:
    """Find processes that still run for a state directory, by where their output goes."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found += [process.name] if str(state) in str((process / "fd" / "1").readlink()) else []
            except OSError:
                continue
    return found
