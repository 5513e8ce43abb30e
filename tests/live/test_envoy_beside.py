"""What goes beside the split, through a real Envoy: header routes, copies, services; and how it is counted."""

import json
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from davy.adapters import ports
from davy.adapters.clock import Clock
from davy.adapters.envoy import Envoy
from davy.adapters.envoy_admin import Admin
from davy.adapters.fence import Fence
from davy.adapters.http import Response, request
from davy.adapters.scrape import Scraper
from davy.adapters.targets import Target
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.result import Vector
from davy.analysis.promql.series import SeriesStore
from davy.analysis.tally import Tally
from davy.errors import Undecided
from davy.model.key import Key
from davy.model.side_route import HeaderRoute, MirrorRoute, SideRoute
from davy.model.steps import HeaderRoutingMatch, RouteMatch, StringMatch
from davy.testing.patience import until
from davy.traffic.names import cluster_name, side_cluster_name
from davy.traffic.route import Endpoint, Route, ServiceRoute

pytestmark = pytest.mark.live

Upstream = Callable[..., tuple[int, subprocess.Popen[bytes]]]

KEY = Key("shop", "pay.ments")
STABLE, CANARY = "aaa", "bbb"
BESIDE = side_cluster_name(KEY, CANARY)
EVERYTHING = (RouteMatch(path=StringMatch(prefix="/")),)


class World:
    """A stable version that has all the weight, and a canary that fails every fourth request it gets."""

    def __init__(self, envoy: Envoy, upstream: Upstream) -> None:
        self.envoy = envoy
        self.port = ports.free_port()
        self.store = SeriesStore()
        self.clock = Clock.at_speed(20.0)
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        envoy.split(Route(KEY, {}))
        envoy.listen(KEY, self.port)
        targets = []
        for hash_, rate in ((STABLE, "0"), (CANARY, "0.25")):
            port, self.children[hash_] = upstream(VERSION=hash_, ERROR_RATE=rate)
            envoy.place(cluster_name(KEY, hash_), [Endpoint(port)])
            targets.append(
                Target(KEY, hash_, f"pay-{hash_}", port, {"app": "pay"}, "pay", "pay-preview", path="")
            )
        envoy.place_beside(BESIDE, cluster_name(KEY, CANARY))
        self.scraper = Scraper(self.store, self.clock, envoy.stats, lambda: targets)
        self.scraper.start()

    def split(self, *side_routes: SideRoute, **weights: int) -> None:
        self.envoy.split(Route(KEY, weights or {STABLE: 100}, side_routes))

    def preview(self) -> int:
        """Open the canary to those who call it by its own name."""
        port = ports.free_port()
        self.envoy.lead(ServiceRoute(KEY, "pay-preview", CANARY))
        self.envoy.listen(KEY, port, "pay-preview")
        return port

    def ask(self, path: str = "/", *, method: str = "GET", **headers: str) -> Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(method, f"http://127.0.0.1:{self.port}{path}", headers=sent)

    def who(self, count: int, path: str = "/", *, method: str = "GET", **headers: str) -> Counter[str]:
        """Ask so often, and say who answered."""
        answers = (self.ask(path, method=method, **headers) for _ in range(count))
        return Counter(answer.headers["x-davy-version"] for answer in answers)

    def copies(self) -> int:
        """Count what reached the canary without being a user's."""
        return self._beside(r"\d\d\d")

    def under_way(self) -> int:
        """Count what the canary has not answered yet."""
        return self._beside("(pending_)?active")

    def _beside(self, ending: str) -> int:
        with Admin(self.envoy._directory) as admin:
            found = admin.values(rf"^cluster\..*\|side\.upstream_rq_{ending}$")
        return sum(int(value) for value in found.values())

    def counts(self) -> dict[str, Tally]:
        assert self.scraper.kick(timeout_s=20)
        return dict(self.scraper.counters(KEY)[1])

    def measure(self, query: str) -> list[float]:
        assert self.scraper.kick(timeout_s=20)
        answer = Engine(self.store).instant(query, self.clock.now())
        assert isinstance(answer, Vector)
        return sorted(sample.value for sample in answer.samples)


@pytest.fixture
def world(envoy: Envoy, upstream: Upstream) -> Iterator[World]:
    world = World(envoy, upstream)
    world.split()
    yield world
    world.scraper.stop()


def for_testers(*match: HeaderRoutingMatch) -> HeaderRoute:
    return HeaderRoute("testers", match or (HeaderRoutingMatch("X-Tester", StringMatch(exact="yes")),), CANARY)


def mirror(percentage: int, *match: RouteMatch) -> MirrorRoute:
    return MirrorRoute("shadow", match or EVERYTHING, percentage, CANARY)


def test_who_has_the_header_meets_the_canary_and_nobody_else_does(world: World) -> None:
    world.split(for_testers())
    assert world.who(100, x_tester="yes") == {CANARY: 100}
    assert world.who(100) == {STABLE: 100}
    assert world.who(20, x_tester="yes, really") == {STABLE: 20}
    assert world.counts() == {STABLE: Tally(120, 0), CANARY: Tally(100, 25)}, "testers are users"
    world.split()
    assert world.who(20, x_tester="yes") == {STABLE: 20}


def test_headers_are_matched_as_a_mesh_matches_them(world: World) -> None:
    world.split(
        for_testers(
            HeaderRoutingMatch("x-region", StringMatch(prefix="eu-")),
            HeaderRoutingMatch("X-Build", StringMatch(regex="[0-9]+")),
            HeaderRoutingMatch("x-any"),
        )
    )
    assert world.who(5, x_region="eu-1", x_build="42", x_any="whatever") == {CANARY: 5}
    for other in (
        {"x_region": "us-eu-1", "x_build": "42", "x_any": "a"},
        {"x_region": "eu-1", "x_build": "42-rc", "x_any": "a"},
        {"x_region": "eu-1", "x_build": "42"},
    ):
        assert world.who(5, **other) == {STABLE: 5}, f"all headers have to fit: {other}"


def test_the_first_route_that_fits_counts(world: World) -> None:
    world.split(mirror(100), for_testers())
    assert world.who(20, x_tester="yes") == {STABLE: 20}
    world.split(for_testers(), mirror(100))
    assert world.who(20, x_tester="yes") == {CANARY: 20}
    until(lambda: world.copies() == 20, why=world.copies)


def test_half_of_the_requests_are_copied_and_expose_nobody(world: World) -> None:
    world.split(mirror(50))
    assert world.who(1000) == {STABLE: 1000}
    until(lambda: not world.under_way())
    assert 400 <= world.copies() <= 600, "six standard deviations around the half"
    assert world.counts() == {STABLE: Tally(1000, 0)}
    assert (
        sum(world.measure('istio_requests_total{destination_version="bbb",traffic="side"}')) == world.copies()
    )


@pytest.mark.parametrize(
    ("match", "fits", "others"),
    [
        (RouteMatch(method=StringMatch(exact="POST")), ["POST /"], ["GET /"]),
        (RouteMatch(path=StringMatch(exact="/pay")), ["GET /pay", "GET /pay?a=b"], ["GET /pay/me", "GET /"]),
        (RouteMatch(path=StringMatch(prefix="/pay")), ["GET /pay", "GET /payments"], ["GET /"]),
        (RouteMatch(path=StringMatch(regex="/v[12]")), ["GET /v1", "GET /v2?a"], ["GET /v1/x", "GET /v3"]),
        (
            RouteMatch(method=StringMatch(prefix="P"), path=StringMatch(prefix="/a")),
            ["PUT /a"],
            ["PUT /b", "GET /a"],
        ),
    ],
)
def test_what_is_copied_can_be_said(
    world: World, match: RouteMatch, fits: list[str], others: list[str]
) -> None:
    world.split(mirror(100, match))
    for line in [*others, *fits]:
        method, path = line.split()
        assert world.ask(path, method=method).headers["x-davy-version"] == STABLE
    until(lambda: world.copies() == len(fits), why=world.copies)


def test_any_of_several_ways_to_fit_is_enough(world: World) -> None:
    by_header = RouteMatch(headers={"X-Shadow": StringMatch(exact="1")})
    world.split(mirror(100, by_header, RouteMatch(path=StringMatch(prefix="/copy"))))
    world.ask("/copy")
    world.ask("/", x_shadow="1")
    world.ask("/copy", x_shadow="1")
    world.ask("/")
    until(lambda: world.copies() == 3, why=world.copies)


def test_a_dead_mirror_costs_nobody_anything(world: World) -> None:
    world.split(mirror(100))
    world.children[CANARY].kill()
    world.children[CANARY].wait()
    assert {world.ask().status for _ in range(100)} == {200}
    world.envoy.place(cluster_name(KEY, CANARY), [])
    assert {world.ask().status for _ in range(100)} == {200}
    assert world.counts() == {STABLE: Tally(200, 0)}


def test_a_copy_can_be_told_by_its_host(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        world.envoy.place(cluster_name(KEY, CANARY), [Endpoint(server.getsockname()[1])])
        world.split(mirror(100))
        assert world.ask("/pay?a=b").headers["x-davy-version"] == STABLE
        copy, _ = server.accept()
        with copy:
            head = copy.recv(10_000).decode().lower().splitlines()
    assert head[0] == "get /pay?a=b http/1.1"
    assert f"host: 127.0.0.1-shadow:{world.port}" in head


def test_copies_fail_apart_from_the_users_of_the_same_version(world: World) -> None:
    """Every fourth request of the canary fails, whoever sends it: three users of four are well."""
    world.split(mirror(100), **{STABLE: 100, CANARY: 0})
    world.who(40)
    until(lambda: world.copies() == 40, why=world.copies)
    world.split(**{STABLE: 0, CANARY: 100})
    assert Counter(world.ask().status for _ in range(8)) == {200: 6, 500: 2}
    assert world.counts() == {STABLE: Tally(40, 0), CANARY: Tally(8, 2)}


def test_a_service_leads_to_one_version_whatever_users_get(world: World) -> None:
    port = world.preview()
    for weights in ({STABLE: 100}, {CANARY: 100}, {STABLE: 0}):
        world.split(**weights)
        answers = [request("GET", f"http://127.0.0.1:{port}/") for _ in range(20)]
        assert {answer.headers["x-davy-version"] for answer in answers} == {CANARY}
    assert world.counts() == {}
    assert world.measure(
        'sum by (response_code) (istio_requests_total{destination_service_name="pay-preview"})'
    ) == [
        15.0,
        45.0,
    ]
    own = 'sum by (status) (http_requests_total{rollouts_pod_template_hash="bbb",traffic="side"})'
    until(lambda: world.measure(own) == [15.0, 45.0], why=lambda: world.measure("http_requests_total"))


def test_a_service_moves_to_another_version_and_goes(world: World) -> None:
    port = world.preview()
    world.envoy.place_beside(side_cluster_name(KEY, STABLE), cluster_name(KEY, STABLE))
    world.envoy.lead(ServiceRoute(KEY, "pay-preview", STABLE))
    assert request("GET", f"http://127.0.0.1:{port}/").headers["x-davy-version"] == STABLE
    assert world.envoy.services(KEY) == {"pay-preview": (STABLE, port)}
    other = ports.free_port()
    world.envoy.listen(KEY, other, "pay-preview")
    assert request("GET", f"http://127.0.0.1:{other}/").headers["x-davy-version"] == STABLE
    with pytest.raises(
        Undecided, match=f"port {other} is taken by service pay-preview of rollout shop/pay.ments"
    ):
        world.envoy.listen(KEY, other)
    world.envoy.forget(KEY, "pay-preview")
    until(lambda: ports.is_free(other))
    assert world.envoy.services(KEY) == {}
    assert world.who(5) == {STABLE: 5}


def test_the_cluster_beside_follows_the_replicas(world: World, upstream: Upstream) -> None:
    port, other = world.preview(), upstream(VERSION="moved")[0]
    for _ in range(5):
        world.envoy.place(cluster_name(KEY, CANARY), [Endpoint(other)])
        assert request("GET", f"http://127.0.0.1:{port}/").headers["x-app-version"] == "moved"
        world.envoy.place(cluster_name(KEY, CANARY), world.envoy.endpoints(cluster_name(KEY, STABLE)))
        assert request("GET", f"http://127.0.0.1:{port}/").headers["x-app-version"] == STABLE
    assert world.envoy.endpoints(BESIDE) == world.envoy.endpoints(cluster_name(KEY, STABLE))


def test_routes_and_weight_are_taken_away_in_one_document(world: World) -> None:
    world.split(for_testers(), mirror(10), **{STABLE: 50, CANARY: 50})
    before = updates(world)
    world.split(**{STABLE: 100, CANARY: 0})
    assert updates(world) == before + 1
    assert world.who(50, x_tester="yes") == {STABLE: 50}


def updates(world: World) -> int:
    with Admin(world.envoy._directory) as admin:
        (count,) = admin.values(r"^http\..*\.rds\..*\.update_success$").values()
        return int(count)


def test_a_route_that_envoy_refuses_leaves_everything_as_it_was(world: World) -> None:
    with pytest.raises(Undecided, match="Envoy refused a change"):
        world.split(for_testers(HeaderRoutingMatch("x-build", StringMatch(regex="["))))
    assert world.envoy.side_routes(KEY) == ()
    assert world.who(5) == {STABLE: 5}
    world.split(for_testers())
    assert world.envoy.side_routes(KEY) == (for_testers(),)


def test_another_davy_finds_the_routes_and_services(world: World, tmp_path: Path) -> None:
    port = world.preview()
    world.split(for_testers(), mirror(25), **{STABLE: 90, CANARY: 10})
    world.envoy.close()
    other = Envoy(tmp_path / "gateway", Fence.take(tmp_path / "terms"))
    other.start()
    try:
        assert other.weights(KEY) == {STABLE: 90, CANARY: 10}
        assert other.side_routes(KEY) == (for_testers(), mirror(25))
        assert other.services(KEY) == {"pay-preview": (CANARY, port)}
        assert other.trouble == ""
    finally:
        other.close()


def test_envoy_comes_back_with_all_of_it(world: World) -> None:
    port = world.preview()
    world.split(for_testers(), mirror(100))
    process = world.envoy.process
    assert process is not None
    subprocess.run(["kill", "-9", str(process.pid)], check=True)
    until(lambda: not process.alive)
    world.split(for_testers(), mirror(100), **{STABLE: 1})  # waits for the new one
    assert request("GET", f"http://127.0.0.1:{port}/").headers["x-davy-version"] == CANARY
    assert world.who(5, x_tester="yes") == {CANARY: 5}
    world.ask()
    until(lambda: world.copies() == 2, why=world.copies)
    assert world.envoy.trouble == ""


def test_the_golden_routes_are_taken(envoy: Envoy, upstream: Upstream) -> None:
    key, stable, canary = Key("default", "payments"), "5d9f8c", "77b6d4"
    port = upstream()[0]
    for hash_ in (stable, canary):
        envoy.place(cluster_name(key, hash_), [Endpoint(port)])
    envoy.place_beside(side_cluster_name(key, canary), cluster_name(key, canary))
    golden = Path(__file__).parent.parent / "traffic" / "golden"
    listening = ports.free_port()
    envoy.split(Route(key, {}))
    envoy.listen(key, listening)
    (document,) = json.loads((golden / "route_beside.json").read_text())["resources"]
    envoy._route("default/payments", document)
    (document,) = json.loads((golden / "service.json").read_text())["resources"]
    envoy._route("default/payments/payments-preview", document)
    envoy.listen(key, ports.free_port(), "payments-preview")
    assert request("GET", f"http://127.0.0.1:{listening}/").status == 200
