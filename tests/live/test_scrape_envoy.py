"""The scraper on a real Envoy and real replicas: what users got is what queries and the guard see."""

import os
import signal
import subprocess
from bisect import bisect_left
from collections.abc import Callable, Iterator

import pytest
from tests.live.conftest import answers

from davy.adapters import ports
from davy.adapters.clock import Clock
from davy.adapters.envoy import Envoy
from davy.adapters.http import request
from davy.adapters.prometheus import PrometheusProvider
from davy.adapters.scrape import Scraper
from davy.adapters.targets import Target
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.tally import Tally
from davy.analysis.vantage import LATENCY_BOUNDS_MS, proxy_filter
from davy.errors import Undecided
from davy.model.key import Key
from davy.model.providers import MetricProvider, PrometheusMetric
from davy.testing.patience import until
from davy.traffic.names import cluster_name
from davy.traffic.route import Endpoint, Route

pytestmark = pytest.mark.live

Upstream = Callable[..., tuple[int, "subprocess.Popen[bytes]"]]

KEY = Key("shop", "pay.ments")
STABLE, CANARY = "aaa", "bbb"
SLOW = bisect_left(LATENCY_BOUNDS_MS, 110)
"""The first bucket of answers that took 120 ms, of which Envoy keeps two digits."""


class World:
    """A stable version, a canary that fails every fourth request, and a scraper at speed 20."""

    def __init__(
        self, envoy: Envoy, upstream: Upstream, *, path: str = "/metrics", judged: bool = False, **canary: str
    ) -> None:
        self.envoy = envoy
        self.port = ports.free_port()
        self.store = SeriesStore()
        self.clock = Clock.at_speed(20.0)
        self.replicas = {
            STABLE: upstream(VERSION="stable")[0],
            CANARY: upstream(VERSION="canary", ERROR_RATE="0.25", **canary)[0],
        }
        self.targets = [
            Target(KEY, hash_, f"pay-{hash_}", port, {"app": "pay"}, path=path)
            for hash_, port in self.replicas.items()
        ]
        envoy.split(Route(KEY, {}))
        envoy.listen(KEY, self.port)
        for hash_, port in self.replicas.items():
            envoy.place(cluster_name(KEY, hash_), [Endpoint(port)])
        judging = [KEY] if judged else []
        self.scraper = Scraper(
            self.store, self.clock, envoy.stats, lambda: self.targets, judged=lambda: judging
        )
        self.provider = PrometheusProvider(Engine(self.store), speed=20.0)

    def users(self, hash_: str, count: int) -> None:
        """Send requests to one version."""
        self.envoy.split(Route(KEY, {hash_: 100}))
        for _ in range(count):
            request("GET", f"http://127.0.0.1:{self.port}/")

    def counts(self) -> dict[str, Tally]:
        assert self.scraper.kick(timeout_s=20)
        return dict(self.scraper.counters(KEY)[1])

    def times(self, answered: dict[str, int]) -> dict[str, tuple[int, ...]]:
        """Wait until so many answers were timed of each version: Envoy shows them a little late."""

        def timed() -> dict[str, int]:
            return {hash_: sum(tally.latency) for hash_, tally in self.counts().items()}

        until(lambda: timed() == answered, why=timed)
        return {hash_: tally.latency for hash_, tally in self.counts().items()}

    def ask(self, query: str) -> object:
        question = MetricProvider(prometheus=PrometheusMetric(query=query))
        return self.provider.measure(question, now=self.clock.now()).result


@pytest.fixture
def world(envoy: Envoy, upstream: Upstream) -> Iterator[World]:
    world = World(envoy, upstream)
    world.scraper.start()
    yield world
    world.scraper.stop()


@pytest.fixture
def silent(envoy: Envoy, upstream: Upstream) -> Iterator[World]:
    """The same with replicas that have no metrics of their own."""
    world = World(envoy, upstream, path="")
    world.scraper.start()
    yield world
    world.scraper.stop()


@pytest.fixture
def judged(envoy: Envoy, upstream: Upstream) -> Iterator[World]:
    """The same with a canary that takes its time, and a judge."""
    world = World(envoy, upstream, judged=True, DELAY_MS="120")
    world.scraper.start()
    yield world
    world.scraper.stop()


def test_the_guard_sees_every_answer_that_a_user_got(world: World) -> None:
    world.users(STABLE, 30)
    world.users(CANARY, 40)
    assert world.counts() == {STABLE: Tally(30, 0), CANARY: Tally(40, 10)}
    world.users(CANARY, 4)
    assert world.counts()[CANARY] == Tally(44, 11)


def test_the_guard_sees_the_requests_that_no_replica_answered(world: World) -> None:
    world.envoy.place(cluster_name(KEY, CANARY), [Endpoint(1)])
    world.users(CANARY, 5)
    assert world.counts()[CANARY] == Tally(5, 5)


def test_the_queries_that_people_write_find_the_canary(world: World) -> None:
    world.users(STABLE, 40)
    until(lambda: world.ask('istio_requests_total{destination_version="aaa"}'))
    world.users(CANARY, 40)

    def ratio() -> bool:
        errors = 'sum(rate(istio_requests_total{destination_version="bbb",response_code=~"5.."}[10m]))'
        total = 'sum(rate(istio_requests_total{reporter="source",destination_version="bbb"}[10m]))'
        return world.ask(f"{errors} / {total}") == pytest.approx((0.25,))

    until(ratio, why=lambda: world.ask("istio_requests_total"))
    own = 'sum by (rollouts_pod_template_hash) (http_requests_total{app="pay",status="500"})'
    until(lambda: world.ask(f"sort({own})") == (0.0, 10.0), why=lambda: world.ask("http_requests_total"))
    latency = "histogram_quantile(0.95, sum by (le) (rate(istio_request_duration_milliseconds_bucket[10m])))"
    until(lambda: world.ask(f"{latency} > 0"))
    assert world.ask('sum(up{app="pay"})') == (2.0,)


def test_the_proxy_speaks_for_replicas_that_do_not(silent: World) -> None:
    silent.users(STABLE, 8)
    silent.users(CANARY, 8)
    own = 'sum by (rollouts_pod_template_hash) (http_requests_total{app="pay",status="500"})'
    until(lambda: silent.ask(f"sort({own})") == (0.0, 2.0), why=lambda: silent.ask("http_requests_total"))
    until(lambda: silent.ask('http_request_duration_seconds_bucket{app="pay",le="+Inf"} > 0'))


def test_how_long_each_version_takes_is_counted_request_by_request(judged: World) -> None:
    assert judged.counts() == {}
    judged.users(STABLE, 40)
    judged.users(CANARY, 12)
    times = judged.times({STABLE: 40, CANARY: 12})
    assert sum(times[CANARY][SLOW:]) == 12
    assert sum(times[STABLE][:SLOW]) > 30
    judged.users(CANARY, 3)
    assert sum(judged.times({STABLE: 40, CANARY: 15})[CANARY][SLOW:]) == 15
    assert not judged.ask('{__name__=~"envoy_cluster_(external|internal).*"}')


def test_what_came_before_it_was_judged_is_not_timed(world: World) -> None:
    world.users(STABLE, 5)
    assert world.counts()[STABLE].latency == ()


def test_who_forwards_a_request_makes_no_difference(judged: World) -> None:
    assert judged.counts() == {}
    judged.envoy.split(Route(KEY, {STABLE: 100}))
    for peers in ("10.0.0.1", "8.8.8.8", "8.8.8.8, 10.0.0.1"):
        request("GET", f"http://127.0.0.1:{judged.port}/", headers={"x-forwarded-for": peers})
    judged.times({STABLE: 3})


def test_counts_outlive_the_proxy(judged: World) -> None:
    world = judged
    assert world.counts() == {}
    world.users(CANARY, 8)
    world.times({CANARY: 8})
    before = world.envoy.process
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: world.envoy.process != before and world.scraper.kick(timeout_s=20))
    after = world.scraper.counters(KEY)[1][CANARY]
    assert (after.requests, after.errors, sum(after.latency)) == (8, 2, 8)
    assert after.restarts == 2, "of the counts, and of the histogram"
    until(lambda: answers(world.port), why=lambda: world.envoy.trouble)
    world.users(CANARY, 4)
    after = world.counts()[CANARY]
    assert after.requests >= 8 + 1 + 4
    assert after.errors >= 2 + 1
    times = world.times({CANARY: after.requests})[CANARY]
    assert sum(times[SLOW:]) == 8 + 4
    assert world.ask('up{job="envoy"}') == (1.0,)


def test_a_proxy_that_restarts_unseen_says_so(envoy: Envoy) -> None:
    """Its counters may be above what they were before; who it is, is not the same."""

    def born() -> str:
        try:
            return envoy.stats(proxy_filter()).partition("envoy_server_version{} ")[2].strip()
        except Undecided:
            return ""

    first, before = born(), envoy.process
    assert first
    assert first == born()
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: born() not in ("", first))
