"""The scraper as it runs: its thread, its schedule, and what must not stop it."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.adapters.clock import Clock
from davy.adapters.scrape import PROXY_FLOOR_S, THREADS, WORKLOAD_FLOOR_S, Schedule, Scraper
from davy.adapters.targets import Target
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.result import Vector
from davy.analysis.promql.series import SeriesStore
from davy.model.key import Key
from davy.testing.patience import until
from davy.traffic.names import cluster_name

PAYMENTS = Key("shop", "payments")
SPEED = 20.0


class _Workload(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'http_requests_total{status="200"} 3\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def workload() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Workload)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def silence() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener.getsockname()[1]


class World:
    """What the scraper is told, and the scraper."""

    def __init__(self, **options: float) -> None:
        self.clock = Clock.at_speed(SPEED)
        self.store = SeriesStore()
        self.list: list[Target] = []
        self.looks = 0
        self.before_answer: Callable[[], None] = lambda: None
        self.scraper = Scraper(self.store, self.clock, self._stats, self._targets, **options)  # type: ignore[arg-type]

    def _stats(self, _: str) -> str:
        self.looks += 1
        looks = self.looks
        self.before_answer()
        name = cluster_name(PAYMENTS, "aaa")
        return f'envoy_cluster_upstream_rq{{envoy_response_code="200",envoy_cluster_name="{name}"}} {looks}\n'

    def _targets(self) -> list[Target]:
        return list(self.list)

    def add(self, pod: str, port: int) -> None:
        self.list.append(Target(PAYMENTS, "aaa", pod, port, {"app": "pay"}))

    def ask(self, query: str) -> dict[str, float]:
        answer = Engine(self.store).instant(query, self.clock.now())
        assert isinstance(answer, Vector)
        return {sample.labels.get("pod", ""): sample.value for sample in answer.samples}

    def requests(self) -> int:
        _, counts = self.scraper.counters(PAYMENTS)
        return counts["aaa"].requests if counts else 0


@pytest.fixture
def make() -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(**options: float) -> World:
        worlds.append(World(**options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.scraper.stop()
        assert not world.scraper.health().running


def test_the_proxy_and_the_workloads_are_read_over_and_over(make: Callable[..., World], workload: int) -> None:
    world = make()
    world.add("pay-0", workload)
    world.scraper.start()
    until(lambda: world.ask("count_over_time(http_requests_total[1h]) >= 3"))
    until(lambda: world.requests() > 10)
    assert world.ask("up{pod='pay-0'}") == {"pay-0": 1.0}
    assert world.ask("rate(istio_requests_total{response_code='200'}[1m]) > 0")
    assert world.scraper.health().troubles == 0


def test_counts_are_as_of_when_the_proxy_was_asked(make: Callable[..., World]) -> None:
    world = make()
    assert world.scraper.counters(PAYMENTS) == (0.0, {})
    before = world.clock.now()
    world.scraper.start()
    until(world.requests)
    assert before <= world.scraper.counters(PAYMENTS)[0] <= world.clock.now()


def test_whoever_wants_news_is_told_after_each_look_even_if_they_fail() -> None:
    told: list[int] = []

    def looked() -> None:
        told.append(len(told))
        raise RuntimeError("no time")

    scraper = Scraper(SeriesStore(), Clock.at_speed(SPEED), lambda _: "", lambda: [], looked=looked)
    scraper.start()
    until(lambda: len(told) >= 3)
    scraper.stop()
    assert "no time" in scraper.health().last_trouble


def test_a_kick_brings_counts_that_are_fresh(make: Callable[..., World]) -> None:
    world = make(proxy_every_s=1e6)
    world.scraper.start()
    until(world.requests)
    for _ in range(3):
        before, looked_at = world.requests(), world.clock.now()
        assert world.scraper.kick(timeout_s=20.0)
        assert world.requests() == before + 1
        assert world.scraper.counters(PAYMENTS)[0] >= looked_at


def test_a_kick_does_not_wait_for_a_proxy_that_hangs(make: Callable[..., World]) -> None:
    world, released = make(), threading.Event()

    def hang() -> None:
        released.wait()

    world.before_answer = hang
    world.scraper.start()
    until(lambda: world.looks)
    assert not world.scraper.kick(timeout_s=0.05)
    released.set()
    assert world.scraper.kick(timeout_s=20.0)


def test_a_kick_says_when_the_proxy_could_not_be_read(make: Callable[..., World]) -> None:
    world = make()

    def fail() -> None:
        raise OSError("no such socket")

    world.before_answer = fail
    world.scraper.start()
    assert not world.scraper.kick(timeout_s=20.0)
    assert "no such socket" in world.scraper.health().proxy.last_error


def test_a_scraper_that_does_not_run_cannot_be_kicked(make: Callable[..., World]) -> None:
    world = make()
    assert not world.scraper.kick(timeout_s=0.01)
    world.scraper.start()
    until(world.requests)
    world.scraper.stop()
    assert not world.scraper.kick(timeout_s=20.0)


def test_one_that_hangs_holds_up_nobody(make: Callable[..., World], workload: int, silence: int) -> None:
    world = make(timeout_s=0.3)
    for number in range(20):
        world.add(f"hangs-{number}", silence)
    world.add("pay-0", workload)
    world.scraper.start()
    until(lambda: world.ask("count_over_time(http_requests_total[1h]) >= 10"))
    until(lambda: len(world.ask("up == 0")) >= 8)
    assert world.ask("up{pod='pay-0'}") == {"pay-0": 1.0}
    # The proxy shares no thread with any of them.
    assert world.requests() > 10


def test_those_that_hang_are_kept_apart(make: Callable[..., World], workload: int, silence: int) -> None:
    world = make(timeout_s=0.5)
    for number in range(THREADS):
        world.add(f"hangs-{number}", silence)
    world.add("pay-0", workload)
    world.scraper.start()
    until(lambda: world.ask("count_over_time(http_requests_total[1h]) >= 12"))
    # With all threads for everybody, each round would wait for those that hang, and all would be read as often.
    hung = world.scraper.health().targets["shop/payments/hangs-0"]
    assert 1 <= hung.errors <= 6


def test_a_workload_that_is_not_there_is_down(make: Callable[..., World]) -> None:
    world = make()
    world.add("gone", 1)
    world.scraper.start()
    until(lambda: world.ask("up == 0") == {"gone": 0.0})
    health = world.scraper.health().targets["shop/payments/gone"]
    assert "cannot be reached" in health.last_error


def test_a_pod_that_goes_away_ends(make: Callable[..., World], workload: int) -> None:
    world = make()
    world.add("pay-0", workload)
    world.scraper.start()
    until(lambda: world.ask("http_requests_total == 3"))
    world.list.clear()
    until(lambda: not world.ask("up{job!='envoy'}") and not world.ask("http_requests_total"))


@pytest.mark.parametrize("broken", [RuntimeError("list changed"), AssertionError()])
def test_whatever_goes_wrong_the_next_cycle_runs(
    make: Callable[..., World], monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    world = make()
    failing = True

    def targets() -> list[Target]:
        if failing:
            raise broken
        return []

    monkeypatch.setattr(world.scraper, "_targets", targets)
    world.scraper.start()
    until(lambda: world.scraper.health().troubles >= 3)
    assert type(broken).__name__ in world.scraper.health().last_trouble
    until(lambda: world.requests() > 3)
    failing = False
    until(lambda: world.scraper.health().running and world.requests() > 10)


def test_a_fault_of_ours_in_asking_is_an_error_of_the_target(
    make: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr("davy.adapters.scrape.fetch", fail)
    world = make()
    world.add("pay-0", 1)
    world.scraper.start()
    until(lambda: len(world.scraper.health().targets) == 1)
    until(lambda: world.scraper.health().targets["shop/payments/pay-0"].errors >= 2)
    assert "KeyError('bug')" in world.scraper.health().targets["shop/payments/pay-0"].last_error


def test_samples_are_kept_for_the_retention(make: Callable[..., World]) -> None:
    world = make(retention_s=10.0)
    world.scraper.start()
    until(lambda: world.looks > 30)
    (series,) = (one for one in world.store.select([]) if one.labels.name == "up")
    until(lambda: series.columns[0][0] > round((world.clock.now() - 20) * 1000))
    assert len(series.columns[0]) >= 2


def test_at_any_speed_the_wall_sets_a_floor() -> None:
    for speed, proxy_s, workloads_s in ((1.0, 1.0, 5.0), (20.0, 1.0, 5.0), (300.0, 15.0, 60.0)):
        clock = Clock.at_speed(speed)
        scraper = Scraper(SeriesStore(), clock, lambda _: "", lambda: [])
        assert scraper.proxy_every_s == pytest.approx(proxy_s)
        assert scraper.workloads_every_s == pytest.approx(workloads_s)
        assert clock.real_seconds(scraper.proxy_every_s) >= PROXY_FLOOR_S * 0.999
        assert clock.real_seconds(scraper.workloads_every_s) >= WORKLOAD_FLOOR_S * 0.999
        scraper.stop()


@given(st.floats(0.01, 100.0), st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=20))
def test_the_schedule_keeps_its_grid_and_never_catches_up(every_s: float, moments: list[float]) -> None:
    schedule = Schedule(every_s, 0.0)
    for now in sorted(moments):
        waited = schedule.next_at
        assert schedule.is_due(now) == (now >= waited)
        assert now - every_s * 0.001 <= schedule.next_at <= max(waited, now + every_s * 1.001)
        steps = schedule.next_at / every_s
        assert steps == pytest.approx(round(steps), abs=0.01)
