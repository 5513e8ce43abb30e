"""The data plane's promises, held by a real Envoy."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import pytest

from davy.adapters import ports
from davy.adapters.envoy import Envoy
from davy.adapters.envoy_admin import Admin
from davy.adapters.fence import Fence
from davy.adapters.http import Response, request
from davy.adapters.load import Exchange, Load
from davy.errors import Undecided
from davy.model.key import Key
from davy.testing.patience import until
from davy.traffic.names import cluster_name
from davy.traffic.route import Endpoint, Route

pytestmark = pytest.mark.live

Upstream = Callable[..., tuple[int, subprocess.Popen[bytes]]]

KEY = Key("default", "pay.ments")
STABLE, CANARY = cluster_name(KEY, "stable"), cluster_name(KEY, "canary")


def ask(port: int, path: str = "/") -> Response:
    return request("GET", f"http://127.0.0.1:{port}{path}")


def failed(exchanges: list[Exchange]) -> Counter[int]:
    return Counter(each.status for each in exchanges if each.status != 200)


def more(load: Load, count: int) -> None:
    seen = len(load.exchanges())
    until(lambda: len(load.exchanges()) > seen + count)


def serve(envoy: Envoy, upstream: Upstream) -> int:
    """Put one stable replica behind a listener and return its port."""
    port = ports.free_port()
    envoy.split(Route(KEY, {}))
    envoy.listen(KEY, port)
    envoy.place(STABLE, [Endpoint(upstream(VERSION="stable")[0])])
    envoy.split(Route(KEY, {"stable": 100}))
    return port


def test_users_are_told_that_nobody_answers_before_anybody_does(envoy: Envoy) -> None:
    port = ports.free_port()
    envoy.split(Route(KEY, {"stable": 0}))
    envoy.listen(KEY, port)
    answer = ask(port)
    assert (answer.status, answer.body) == (503, b"no revision of default/pay.ments takes traffic\n")


def test_an_answer_says_which_revision_gave_it(envoy: Envoy, upstream: Upstream) -> None:
    answer = ask(serve(envoy, upstream))
    assert answer.headers["x-davy-version"] == "stable"
    assert answer.headers["x-app-version"] == "stable"


def test_no_request_fails_while_the_weights_move(envoy: Envoy, upstream: Upstream) -> None:
    port = serve(envoy, upstream)
    envoy.place(CANARY, [Endpoint(upstream(VERSION="canary")[0])])
    load = Load(port, rate_hz=200).start()
    slow = Load(port, rate_hz=20, path="/slow?ms=300").start()
    until(load.exchanges)
    for turn in range(60):
        envoy.split(Route(KEY, {"stable": 100 * (turn % 2), "canary": 100 - 100 * (turn % 2)}))
        more(load, 5)
    exchanges = load.stop()
    assert not failed(exchanges)
    assert not failed(slow.stop())
    assert {each.version for each in exchanges} == {"stable", "canary"}


def test_after_a_split_is_acknowledged_nobody_meets_what_was_taken_off(
    envoy: Envoy, upstream: Upstream
) -> None:
    port = serve(envoy, upstream)
    envoy.place(CANARY, [Endpoint(upstream(VERSION="canary")[0])])
    for _ in range(10):
        envoy.split(Route(KEY, {"stable": 50, "canary": 50}))
        until(lambda: ask(port).headers["x-davy-version"] == "canary")
        envoy.split(Route(KEY, {"stable": 100, "canary": 0}))
        assert {ask(port).headers["x-davy-version"] for _ in range(20)} == {"stable"}


def test_a_replica_that_is_taken_off_first_can_be_ended_without_anyone_noticing(
    envoy: Envoy, upstream: Upstream
) -> None:
    port = serve(envoy, upstream)
    load = Load(port, rate_hz=200).start()
    slow = Load(port, rate_hz=20, path="/slow?ms=200").start()
    for _ in range(4):
        (new, _), old = upstream(VERSION="stable"), envoy.endpoints(STABLE)
        envoy.place(STABLE, [*old, Endpoint(new)])
        leaver, child = upstream(VERSION="stable")
        envoy.place(STABLE, [Endpoint(leaver), Endpoint(new)])
        more(slow, 5)
        envoy.place(STABLE, [Endpoint(new)])
        child.terminate()
        child.wait()
    assert not failed(load.stop())
    assert not failed(slow.stop())


def test_a_dead_replica_beside_a_live_one_costs_only_what_it_had_begun(
    envoy: Envoy, upstream: Upstream
) -> None:
    port = serve(envoy, upstream)
    dead, child = upstream(VERSION="stable")
    envoy.place(STABLE, [*envoy.endpoints(STABLE), Endpoint(dead)])
    child.kill()
    child.wait()
    assert {ask(port).status for _ in range(50)} == {200}


def test_a_refused_split_leaves_the_old_one_in_force_and_says_why(envoy: Envoy, upstream: Upstream) -> None:
    port = serve(envoy, upstream)
    with pytest.raises(Undecided, match="unknown weighted cluster 'default/pay~2e~ments\\|nobody'"):
        envoy.split(Route(KEY, {"nobody": 100}))
    assert envoy.weights(KEY) == {"stable": 100}
    assert ask(port).headers["x-davy-version"] == "stable"
    envoy.split(Route(KEY, {"stable": 1}))
    assert envoy.weights(KEY) == {"stable": 1}


def test_envoy_comes_back_from_a_kill_with_the_same_split(envoy: Envoy, upstream: Upstream) -> None:
    port = serve(envoy, upstream)
    first = envoy.process
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not first.alive)
    envoy.split(Route(KEY, {"stable": 2}))  # waits for the new one
    assert envoy.process != first
    assert ask(port).headers["x-davy-version"] == "stable"
    assert envoy.trouble == ""


def test_a_taken_port_is_a_clear_error_and_nothing_else_is_touched(envoy: Envoy, upstream: Upstream) -> None:
    port = serve(envoy, upstream)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(Undecided, match=f"port {taken} is taken by another program"):
            envoy.listen(KEY, taken)
    other_key = Key("default", "cart")
    envoy.split(Route(other_key, {}))
    with pytest.raises(Undecided, match=f"port {port} is taken by rollout default/pay"):
        envoy.listen(other_key, port)
    assert envoy.port(other_key) is None
    assert envoy.port(KEY) == port
    assert ask(port).status == 200


def test_a_port_that_was_taken_while_envoy_was_down_is_said_and_mended(
    envoy: Envoy, upstream: Upstream, tmp_path: Path
) -> None:
    port = serve(envoy, upstream)
    envoy.stop()
    assert not (tmp_path / "gateway" / "admin.sock").exists()
    other = Envoy(tmp_path / "gateway", Fence.take(tmp_path / "terms"))
    try:
        with socket.create_server(("127.0.0.1", port)):
            other.start()
            assert "Address already in use" in other.trouble
        other.mend()
        assert other.trouble == ""
        assert ask(port).headers["x-davy-version"] == "stable"
    finally:
        other.stop()


def test_a_rollout_can_move_to_another_port_and_back(envoy: Envoy, upstream: Upstream) -> None:
    first, second = serve(envoy, upstream), ports.free_port()
    for port in (second, first, second):
        envoy.listen(KEY, port)
        assert ask(port).status == 200
        assert envoy.port(KEY) == port


def test_a_forgotten_rollout_answers_nobody_and_its_port_is_free_for_the_next(
    envoy: Envoy, upstream: Upstream
) -> None:
    port = serve(envoy, upstream)
    envoy.forget(KEY)
    envoy.remove(STABLE)
    assert envoy.port(KEY) is None
    assert envoy.clusters() == []
    until(lambda: ports.is_free(port))
    assert ask(serve_again(envoy, upstream, port)).status == 200


def serve_again(envoy: Envoy, upstream: Upstream, port: int) -> int:
    key = Key("default", "cart")
    envoy.place(cluster_name(key, "a"), [Endpoint(upstream()[0])])
    envoy.split(Route(key, {"a": 1}))
    envoy.listen(key, port)
    return port


def test_another_davy_adopts_what_the_first_one_left(envoy: Envoy, upstream: Upstream, tmp_path: Path) -> None:
    port = serve(envoy, upstream)
    process = envoy.process
    envoy.close()
    other = Envoy(tmp_path / "gateway", Fence.take(tmp_path / "terms"))
    other.start()
    try:
        assert other.process == process
        assert other.port(KEY) == port
        assert other.weights(KEY) == {"stable": 100}
        other.split(Route(KEY, {"stable": 7}))
        assert ask(port).status == 200
    finally:
        other.close()


def test_adoption_mends_what_a_killed_davy_left_half_done(
    envoy: Envoy, upstream: Upstream, tmp_path: Path
) -> None:
    """Between a rename and its acknowledgement anything may be killed, Envoy not having read the file yet."""
    port = serve(envoy, upstream)
    envoy.close()
    (route,) = (tmp_path / "gateway" / "routes").iterdir()
    os.kill(envoy.process.pid if envoy.process else 0, signal.SIGSTOP)
    renamed = route.read_text().replace('"weights":{"stable":100}', '"weights":{"stable":42}')
    route.with_suffix(".new").write_text(renamed.replace('"version_info":"', '"version_info":"9'))
    route.with_suffix(".new").replace(route)
    os.kill(envoy.process.pid if envoy.process else 0, signal.SIGCONT)
    other = Envoy(tmp_path / "gateway", Fence.take(tmp_path / "terms"))
    other.start()
    try:
        assert other.trouble == ""
        assert other.weights(KEY) == {"stable": 42}
        assert ask(port).status == 200
    finally:
        other.close()


def test_davy_can_be_killed_while_users_are_served(upstream: Upstream, tmp_path: Path) -> None:
    """The controlling process is a real one here, and is killed with SIGKILL."""
    backend, port = upstream(VERSION="stable")[0], ports.free_port()
    davy = subprocess.Popen(
        [sys.executable, "-c", _CONTROLLER, str(tmp_path / "gateway"), str(backend), str(port)]
    )
    until(lambda: not ports.is_free(port))
    load = Load(port, rate_hz=200).start()
    until(load.exchanges)
    davy.kill()
    davy.wait()
    more(load, 50)
    successor = Envoy(tmp_path / "gateway", Fence.take(tmp_path / "terms"))
    successor.start()
    try:
        successor.split(Route(KEY, {"stable": 1}))
        more(load, 50)
        assert not failed(load.stop())
    finally:
        successor.stop()


_CONTROLLER = """
import pathlib, sys
from davy.adapters.envoy import Envoy
from davy.adapters.fence import Fence
from davy.model.key import Key
from davy.traffic.names import cluster_name
from davy.traffic.route import Endpoint, Route
key = Key("default", "pay.ments")
home = pathlib.Path(sys.argv[1])
envoy = Envoy(home, Fence.take(home.parent / 'terms'))
envoy.start()
envoy.place(cluster_name(key, "stable"), [Endpoint(int(sys.argv[2]))])
envoy.split(Route(key, {"stable": 100}))
envoy.listen(key, int(sys.argv[3]))
while True:
    envoy.split(Route(key, {"stable": 100}))
"""


def test_it_runs_in_a_directory_with_a_long_name(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / "gateway"
    engine = Envoy(deep, Fence.take(tmp_path / "terms"))
    engine.start()
    assert engine.stats("^server.live$").strip().endswith("1")
    engine.stop()
    with pytest.raises(Undecided, match="has not acknowledged"):
        engine.stats("^server.live$")


def test_the_statistics_count_what_users_got(envoy: Envoy, upstream: Upstream) -> None:
    port = serve(envoy, upstream)
    for _ in range(5):
        ask(port)
    labels = f'envoy_response_code="200",envoy_cluster_name="{STABLE}"'
    assert f"envoy_cluster_upstream_rq{{{labels}}} 5" in envoy.stats(r"^cluster\.[^.]+\.upstream_rq_\d\d\d$")
    latency = until(lambda: envoy.stats(r"^cluster\.[^.]+\.upstream_rq_time$"))
    assert 'le="2500"' in latency


def test_the_admin_interface_is_its_owners_and_changes_nothing(envoy: Envoy, tmp_path: Path) -> None:
    assert (tmp_path / "gateway" / "admin.sock").stat().st_mode & 0o777 == 0o600
    with Admin(tmp_path / "gateway") as admin, pytest.raises(HTTPException, match="403"):
        admin.get("/quitquitquit")
