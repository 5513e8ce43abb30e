"""Replicas as processes, without a data plane: what is told to it is seen here."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import msgspec
import pytest

from davy.adapters import pid, ports
from davy.adapters.builds import Builds, Recipe
from davy.adapters.clock import Clock
from davy.adapters.fence import Fence
from davy.adapters.http import Unreachable, request
from davy.adapters.processes import Record, Replica, Surroundings
from davy.model.key import Key
from davy.model.meta import PodMeta
from davy.model.pod import (
    Container,
    ContainerPort,
    EnvVar,
    EnvVarSource,
    ExecAction,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    ObjectFieldSelector,
    PodSpec,
    PodTemplateSpec,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from davy.model.steps import PodTemplateMetadata
from davy.rollout.platform import Launch, Pod, ReplicaSet
from davy.testing.patience import until

UPSTREAM = Path(__file__).parent.parent / "apps" / "upstream.py"
KEY = Key("shop", "payments")
SERVE = (sys.executable, str(UPSTREAM))
ALIVE = Probe(http_get=HTTPGetAction(port=8080, path="/healthz"), period_seconds=1, failure_threshold=5)
WELL = Probe(http_get=HTTPGetAction(port=8080, path="/healthz"), period_seconds=1)


class World:
    """Where replicas run, and what they told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("records", "logs"):
            (directory / name).mkdir()
        environment = {"PATH": os.environ["PATH"]}
        self.around = Surroundings(
            clock=Clock.at_speed(10),
            fence=Fence.take(directory / "terms"),
            records=directory / "records",
            logs=directory / "logs",
            environment=environment,
            builds=Builds(directory / "builds", environment=environment),
            back_off_s=1.0,
        )
        self.told: list[tuple[str, bool]] = []
        self.may_go = True
        self.replicas: list[Replica] = []

    def changed(self, replica: Replica) -> bool:
        self.told.append((replica.record.phase, replica.ready))
        return replica.ready or self.may_go

    def run(self, container: Container, *argv: str, grace_s: int = 5, digest: str = "") -> Replica:
        template = PodTemplateSpec(
            metadata=PodMeta(labels={"app": "payments"}),
            spec=PodSpec(containers=(container,), termination_grace_period_seconds=grace_s),
        )
        launch = Launch(argv or SERVE, str(self.directory), digest)
        return self.start(
            Replica.create(KEY, ReplicaSet("5d9", 1, template, launch, 1), self.around, self.changed)
        )

    def start(self, replica: Replica) -> Replica:
        self.replicas.append(replica)
        replica.start()
        return replica

    def record(self, replica: Replica) -> Record:
        path = self.directory / "records" / f"{replica.record.uid}.json"
        return msgspec.json.decode(path.read_bytes(), type=Record)

    def end(self) -> None:
        for replica in self.replicas:
            if replica._thread.is_alive():
                self.may_go = True
                replica.leave(hurry=True)
                replica.join()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.end()


def app(*, env: dict[str, str] | None = None, readiness: Probe | None = None, **parts: object) -> Container:
    variables = tuple(EnvVar(name, value) for name, value in (env or {}).items())
    ports = (ContainerPort(8080, name="http"), ContainerPort(9090, name="metrics-x"))
    return msgspec.structs.replace(
        Container("app", ports=ports, env=variables, readiness_probe=readiness), **parts
    )


def pod(replica: Replica) -> Pod:
    return replica.pod(replica._around.clock.now(), 0.0, PodTemplateMetadata())


def until_ready(replica: Replica) -> Replica:
    until(lambda: replica.ready, why=lambda: pod(replica))
    return replica


def get(replica: Replica, path: str) -> str:
    return request("GET", f"http://127.0.0.1:{replica.record.port}{path}").body.decode()


def process_of(replica: Replica) -> pid.Process:
    assert replica.record.process is not None
    return replica.record.process


def test_a_replica_is_told_who_and_where_it_is(world: World) -> None:
    own = EnvVar("ME", value_from=EnvVarSource(field_ref=ObjectFieldSelector("metadata.labels['app']")))
    container = app(readiness=WELL, env={"GREETING": "on $(PORT_HTTP)"})
    replica = until_ready(
        world.run(msgspec.structs.replace(container, env=(*container.env, own)), *SERVE, "--at=$(PORT)")
    )
    seen = json.loads(get(replica, "/environment"))
    record = replica.record
    assert record.name.startswith("payments-5d9-")
    assert seen["argv"][1:] == [f"--at={record.port}"]
    wanted = {
        "PORT": str(record.port),
        "PORT_HTTP": str(record.port),
        "PORT_METRICS_X": str(record.ports["9090"]),
        "POD_NAME": record.name,
        "GREETING": f"on {record.port}",
        "ME": "payments",
    }
    assert wanted.items() <= seen["environment"].items()
    assert pod(replica).phase == "Running"
    assert (world.directory / "logs" / f"{record.name}.log").read_text().startswith("version 1 on port")


@pytest.mark.parametrize(
    "probe",
    [
        None,
        Probe(http_get=HTTPGetAction(port="http", path="healthz")),
        Probe(tcp_socket=TCPSocketAction("http")),
        Probe(exec=ExecAction(("sh", "-c", "test -n $POD_NAME"))),
    ],
    ids=["none", "http", "tcp", "exec"],
)
def test_it_is_ready_when_its_probe_says_so(world: World, probe: Probe | None) -> None:
    until_ready(world.run(app(readiness=probe)))
    until(lambda: world.told[-1] == ("Running", True))


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        (
            Probe(http_get=HTTPGetAction(port="http", path="/nowhere")),
            "GET /nowhere on port {port} answers 404",
        ),
        (Probe(tcp_socket=TCPSocketAction("metrics-x")), "port {other} does not accept connections"),
        (Probe(exec=ExecAction(("false",))), "the command false ended with 1"),
        (Probe(exec=ExecAction(("./no-such",))), "cannot be run"),
        (Probe(exec=ExecAction(())), "cannot be run"),
        (Probe(exec=ExecAction(("sleep", "100"))), "the command sleep had not ended after 1 s"),
        (
            Probe(http_get=HTTPGetAction(port="http", path="/slow?ms=5000")),
            "had not answered in full after 1 s",
        ),
    ],
)
def test_a_probe_that_fails_says_why(world: World, probe: Probe, why: str) -> None:
    replica = world.run(app(readiness=probe))
    wanted = why.format(port=replica.record.port, other=replica.record.ports["9090"])
    until(lambda: wanted in pod(replica).message, why=lambda: pod(replica))
    assert not replica.ready


def test_it_says_that_it_is_not_ready_any_more_and_that_it_is_again(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL)))
    get(replica, "/break")
    until(lambda: world.told[-1] == ("Running", False))
    get(replica, "/mend")
    until_ready(replica)
    assert replica.record.restarts == 0


def test_one_that_is_not_alive_is_started_again(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL, liveness_probe=ALIVE)))
    first = process_of(replica)
    get(replica, "/break")
    until(lambda: replica.record.restarts == 1 and replica.ready, why=lambda: pod(replica))
    assert process_of(replica) != first
    assert not first.alive


def test_one_that_does_not_start_in_time_is_started_again(world: World) -> None:
    slow = Probe(http_get=HTTPGetAction(port="http", path="/nowhere"), period_seconds=1, failure_threshold=1)
    replica = world.run(app(startup_probe=slow))
    until(lambda: replica.record.restarts >= 1)
    until(lambda: "startup probe failed: GET /nowhere" in pod(replica).message, why=lambda: pod(replica))


def test_a_crash_says_how_and_is_followed_by_a_start_at_once_and_then_by_longer_and_longer_pauses(
    world: World,
) -> None:
    replica = until_ready(world.run(app()))
    for restarts in (1, 2, 3):
        with pytest.raises(Unreachable):
            get(replica, "/crash?42")
        until(lambda restarts=restarts: replica.record.restarts == restarts and replica.ready)  # type: ignore[misc]
    looping = [phase for phase, _ in world.told if phase == "CrashLoopBackOff"]
    assert len(looping) == 2
    assert replica.record.crashes == 3


def test_a_replica_that_is_killed_says_by_what(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL)))
    messages: list[str] = []

    def changed(replica: Replica) -> bool:
        messages.append(pod(replica).message)
        return True

    replica._changed = changed
    os.kill(process_of(replica).pid, SIGKILL)
    until(lambda: replica.record.restarts == 1)
    assert any(message.startswith("was killed by SIGKILL: version 1 on port") for message in messages)


def test_what_a_crashed_process_left_running_is_ended(world: World) -> None:
    replica = world.run(
        app(), "sh", "-c", f"{sys.executable} -c 'import time; time.sleep(100)' & echo $!; exit 1"
    )
    log = world.directory / "logs" / f"{replica.record.name}.log"
    until(lambda: log.exists() and log.read_text().splitlines())
    straggler = int(log.read_text().splitlines()[0])
    until(lambda: not Path(f"/proc/{straggler}").exists() or "Z" in Path(f"/proc/{straggler}/stat").read_text())


def test_a_program_that_cannot_be_started_says_so_and_is_tried_again(world: World) -> None:
    program = world.directory / "late"
    replica = world.run(app(), "./late")
    until(lambda: "No such file" in pod(replica).message)
    assert (pod(replica).phase, pod(replica).restarts) == ("Pending", 0)
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {UPSTREAM}\n")
    program.chmod(0o700)
    until_ready(replica)


def test_a_template_that_cannot_be_built_says_so(world: World) -> None:
    recipe = Recipe(str(world.directory / "nowhere"), "0" * 40)
    launch = Launch(("a",), world.around.builds.directory(recipe), recipe.digest)
    template = PodTemplateSpec(spec=PodSpec(containers=(app(),)))
    replica = world.start(
        Replica.create(KEY, ReplicaSet("5d9", 1, template, launch, 1), world.around, world.changed)
    )
    until(lambda: "cannot be built: git ended with 128" in pod(replica).message, why=lambda: pod(replica))
    assert pod(replica).phase == "Pending"


def test_it_goes_only_when_nobody_sends_it_anything(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL)))
    world.may_go = False
    replica.leave()
    until(lambda: len(world.told) > 5)
    assert pod(replica).phase == "Terminating"
    assert get(replica, "/") == "1"
    process = process_of(replica)
    world.may_go = True
    replica.join()
    assert replica.gone
    assert not process.alive
    assert not list((world.directory / "records").iterdir())


def test_what_is_under_way_is_finished_even_by_a_program_that_just_dies(world: World) -> None:
    """The connection is the evidence; SIGTERM comes when it is closed."""
    code = (
        "import http.server, os, time\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        time.sleep(0.5); self.send_response(200); self.end_headers(); self.wfile.write(b'done')\n"
        "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n"
    )
    replica = until_ready(world.run(app(), sys.executable, "-c", code))
    answers: list[str] = []
    user = threading.Thread(target=lambda: answers.append(get(replica, "/")))
    user.start()
    until(lambda: ports.connections(replica.record.port))
    replica.leave()
    replica.join()
    user.join()
    assert answers == ["done"]


def test_the_hook_runs_first_and_then_the_signal_comes(world: World) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open('order', 'a').write('term '), sys.exit()))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(100)\n"
    )
    hook = LifecycleHandler(exec=ExecAction(("sh", "-c", "printf 'hook ' >> order")))
    replica = world.run(app(lifecycle=Lifecycle(pre_stop=hook)), sys.executable, "-c", code)
    log = world.directory / "logs" / f"{replica.record.name}.log"
    until(lambda: log.exists() and log.read_text() and replica.record.process)
    replica.leave()
    replica.join()
    assert (world.directory / "order").read_text() == "hook term "


def test_one_that_does_not_listen_is_killed_after_its_grace(world: World) -> None:
    code = "trap '' TERM; echo up; while true; do sleep 0.1; done"
    hook = Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction(0)), stop_signal="SIGTERM")
    replica = world.run(app(lifecycle=hook), "sh", "-c", code, grace_s=1)
    log = world.directory / "logs" / f"{replica.record.name}.log"
    until(lambda: log.exists() and log.read_text() and replica.record.process)
    process = process_of(replica)
    replica.leave()
    replica.join()
    assert not process.alive
    assert not pid.group(process)


def test_a_new_davy_goes_on_with_what_there_is(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL)))
    process = process_of(replica)
    replica.close()
    replica.join()
    assert process.alive
    other = Replica(world.record(replica), world.around, world.changed)
    assert other.ready
    world.start(other)
    get(other, "/break")
    until(lambda: not other.ready)
    assert other.record.process == process
    other.leave()
    other.join()
    assert not process.alive


def test_a_process_that_was_not_written_down_is_found(world: World) -> None:
    """Davy dies between starting a process and noting its number."""
    replica = until_ready(world.run(app(readiness=WELL)))
    process = process_of(replica)
    replica.close()
    replica.join()
    forgetful = msgspec.structs.replace(world.record(replica), process=None, phase="Pending", ready_since=None)
    other = until_ready(world.start(Replica(forgetful, world.around, world.changed)))
    assert other.record.process == process


def test_a_process_that_died_while_nobody_looked_is_started_again(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL)))
    replica.close()
    replica.join()
    os.kill(process_of(replica).pid, SIGKILL)
    until(lambda: not process_of(replica).alive)
    other = world.start(Replica(world.record(replica), world.around, world.changed))
    until(lambda: other.record.restarts == 1 and other.ready)
    assert ("Running", False) in world.told


def test_one_that_was_on_its_way_out_goes(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL)))
    world.may_go = False
    replica.leave()
    until(lambda: world.record(replica).phase == "Terminating")
    replica.close()
    replica.join()
    assert process_of(replica).alive
    world.may_go = True
    other = world.start(Replica(world.record(replica), world.around, world.changed))
    other.join()
    assert other.gone
    assert not process_of(replica).alive


def test_letting_go_does_not_wait_for_the_grace_period(world: World) -> None:
    code = "trap '' TERM; echo up; while true; do sleep 0.1; done"
    replica = world.run(app(), "sh", "-c", code, grace_s=1000)
    log = world.directory / "logs" / f"{replica.record.name}.log"
    until(lambda: log.exists() and log.read_text() and replica.record.process)
    replica.leave()
    until(lambda: world.record(replica).phase == "Terminating")
    replica.close()
    replica.join()
    assert process_of(replica).alive
    assert not replica.gone
    other = Replica(world.record(replica), world.around, world.changed)
    other.leave(hurry=True)
    world.start(other).join()
    assert other.gone


def test_a_port_that_somebody_took_is_not_insisted_on(world: World) -> None:
    template = PodTemplateSpec(spec=PodSpec(containers=(app(readiness=WELL),)))
    revision = ReplicaSet("5d9", 1, template, Launch(SERVE, str(world.directory)), 1)
    replica = Replica.create(KEY, revision, world.around, world.changed)
    taken = replica.record.port
    with socket.create_server(("127.0.0.1", taken)):
        until_ready(world.start(replica))
    assert replica.record.port != taken


def test_a_long_log_is_set_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davy.adapters.processes._LOG_LIMIT_BYTES", 10)
    replica = until_ready(world.run(app(readiness=WELL)))
    os.kill(process_of(replica).pid, SIGKILL)
    until(lambda: replica.record.restarts == 1 and replica.ready)
    logs = sorted(path.name for path in (world.directory / "logs").iterdir())
    assert logs == [f"{replica.record.name}.log", f"{replica.record.name}.log.1"]


def test_a_full_disk_is_said_and_stops_nothing(world: World) -> None:
    replica = until_ready(world.run(app(readiness=WELL)))
    records = world.directory / "records"
    subprocess.run(["mv", records, world.directory / "away"], check=True)
    get(replica, "/break")
    until(
        lambda: not replica.ready and "cannot be written down" in replica.trouble, why=lambda: replica.trouble
    )
    subprocess.run(["mv", world.directory / "away", records], check=True)
    get(replica, "/mend")
    until_ready(replica)
    until(lambda: not replica.trouble)
