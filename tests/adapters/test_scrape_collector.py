"""The proxy and the targets together, cycle by cycle, on a clock that is set by hand."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from davy.adapters.collector import Collector
from davy.adapters.targets import Fetched, Target
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.result import Vector
from davy.analysis.promql.series import SeriesStore
from davy.analysis.tally import Tally
from davy.analysis.vantage import LATENCY_BOUNDS_MS, LATENCY_BUCKETS, proxy_filter
from davy.model.key import Key
from davy.traffic.names import cluster_name, side_cluster_name

PAYMENTS = Key("shop", "payments.v2")
STABLE = Target(PAYMENTS, "aaa", "pay-aaa-0", 1, {"app": "pay"}, "pay")
CANARY = Target(PAYMENTS, "bbb", "pay-bbb-0", 2, {"app": "pay"}, "pay-canary")
OWN = 'http_requests_total{status="200"} 3\n'


class World:
    """A proxy that counts, and a clock that goes on by a second with every look at it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.counts: dict[str, int] = {}
        self.sides: dict[str, int] = {}
        self.took: dict[str, int] = {}
        self.broken: Exception | None = None
        self.filters: list[str] = []
        self.store = SeriesStore()
        self.collector = Collector(self.store, self._stats)

    def _stats(self, filter_: str) -> str:
        self.filters.append(filter_)
        if self.broken:
            raise self.broken
        rows = [
            f'envoy_cluster_upstream_rq{{envoy_response_code="200",'
            f'envoy_cluster_name="{name(PAYMENTS, hash_)}"}} {count}'
            for name, counts in ((cluster_name, self.counts), (side_cluster_name, self.sides))
            for hash_, count in counts.items()
        ]
        rows += [
            f'{LATENCY_BUCKETS[0]}{{envoy_cluster_name="{cluster_name(PAYMENTS, hash_)}",le="{bound}"}} {count}'
            for hash_, count in self.took.items()
            for bound in (*LATENCY_BOUNDS_MS, "+Inf")
            if "external" in filter_
        ]
        return "\n".join(rows) + "\n"

    def look(self, *targets: Target, judged: Iterable[Key] = ()) -> bool:
        self.now += 1
        self.collector.meet(targets, self.now)
        return self.collector.read_proxy(lambda: self.now, frozenset(judged))

    def hear(self, target: Target, text: str | None = None, problem: str = "") -> None:
        self.now += 0.1
        self.collector.note(Fetched(target, self.now, 0.001, text, problem))

    def ask(self, query: str) -> list[tuple[str, float]]:
        """Answer a query with the hash and the value of each element."""
        answer = Engine(self.store).instant(query, self.now)
        assert isinstance(answer, Vector)
        return sorted((s.labels.get("rollouts_pod_template_hash", ""), s.value) for s in answer.samples)


@pytest.fixture
def world() -> World:
    return World()


def test_the_proxy_is_asked_for_what_is_mapped_only(world: World) -> None:
    assert world.look()
    assert world.filters == [proxy_filter()]


def test_of_judged_rollouts_it_is_asked_how_long_answers_took(world: World) -> None:
    world.counts, world.took = {"aaa": 90}, {"aaa": 90}
    world.look(STABLE, judged=[PAYMENTS])
    assert world.filters == [proxy_filter(["shop/payments~2e~v2"])]
    world.took = {"aaa": 92}
    world.look(STABLE, judged=[PAYMENTS])
    assert sum(world.collector.counters(PAYMENTS)[1]["aaa"].latency) == 2
    world.look(STABLE)
    assert world.collector.counters(PAYMENTS)[1]["aaa"].latency == ()
    assert not [series for series in world.store.select([]) if "external" in series.labels.name]


def test_clusters_are_read_back_into_rollouts(world: World) -> None:
    world.counts = {"aaa": 90, "bbb": 10}
    world.look(STABLE, CANARY)
    assert world.collector.counters(PAYMENTS) == (101.0, {"aaa": Tally(90, 0), "bbb": Tally(10, 0)})
    assert world.ask('istio_requests_total{destination_workload="payments.v2",response_code="200"}') == [
        ("", 10.0),
        ("", 90.0),
    ]
    canary = 'istio_requests_total{destination_service="pay-canary.shop.svc.cluster.local",response_code="200"}'
    assert world.ask(canary) == [("", 10.0)]


def test_the_proxy_stands_in_until_a_workload_speaks_for_itself(world: World) -> None:
    requests = 'http_requests_total{app="pay",status="200"}'
    world.counts = {"aaa": 90}
    world.look(STABLE)
    world.hear(STABLE, "go_goroutines 5\n")
    world.look(STABLE)
    assert world.ask(requests) == [("aaa", 90.0)]
    world.hear(CANARY, OWN)
    assert world.ask(requests) == [("aaa", 90.0)], "a target that nobody met is not heard"
    world.look(STABLE, CANARY)
    world.hear(CANARY, OWN)
    world.look(STABLE, CANARY)
    assert world.ask(requests) == [("bbb", 3.0)]


def test_a_workload_that_has_no_page_is_stood_in_for_at_once(world: World) -> None:
    silent = replace(STABLE, path="")
    world.counts = {"aaa": 90}
    world.look(silent)
    world.look(silent)
    assert world.ask('http_requests_total{status="200"}') == [("aaa", 90.0)]
    assert world.collector.due() == []


def test_a_pod_that_goes_away_ends_at_once(world: World) -> None:
    world.look(STABLE, CANARY)
    world.hear(STABLE, OWN)
    world.hear(CANARY, OWN)
    assert world.ask('up{job!="envoy"}') == [("aaa", 1.0), ("bbb", 1.0)]
    world.look(STABLE)
    assert world.ask('up{job!="envoy"}') == [("aaa", 1.0)]
    assert world.ask('http_requests_total{status="200"}') == [("aaa", 3.0)]


def test_a_pod_that_changes_is_another_pod(world: World) -> None:
    world.look(STABLE)
    world.hear(STABLE, OWN)
    again = replace(STABLE, port=3)
    world.look(again)
    world.hear(STABLE, OWN)
    assert world.ask('up{job!="envoy"}') == []
    world.hear(again, OWN)
    assert [series.labels["instance"] for series in world.store.select([]) if series.labels.name == "up"] == [
        "envoy",
        "127.0.0.1:1",
        "127.0.0.1:3",
    ]


def test_a_service_that_moves_ends_no_series(world: World) -> None:
    world.look(STABLE)
    world.hear(STABLE, OWN)
    moved = replace(STABLE, service="pay-new", side_service="pay-preview")
    world.counts = {"aaa": 90}
    world.look(moved)
    assert world.ask('http_requests_total{status="200"}') == [("aaa", 3.0)]
    assert world.ask('istio_requests_total{destination_service_name="pay-new",response_code="200"}') == [
        ("", 90.0)
    ]
    world.hear(STABLE, 'http_requests_total{status="200"} 4\n')
    assert world.ask('http_requests_total{status="200"}') == [("aaa", 4.0)], "asked before, heard after"


def test_what_exposes_nobody_goes_by_the_service_that_leads_to_it(world: World) -> None:
    canary = replace(CANARY, side_service="pay-preview")
    world.counts = {"aaa": 90, "bbb": 10}
    world.sides = {"bbb": 7}
    world.look(STABLE, canary)
    assert world.collector.counters(PAYMENTS)[1] == {"aaa": Tally(90, 0), "bbb": Tally(10, 0)}
    preview = 'istio_requests_total{destination_service_name="pay-preview",traffic="side",response_code="200"}'
    assert world.ask(preview) == [("", 7.0)]


def test_a_target_is_not_asked_while_it_is_being_asked(world: World) -> None:
    world.look(STABLE, CANARY)
    (one, other) = world.collector.due()
    one.busy = True
    assert world.collector.due() == [other]
    world.hear(one.target, OWN)
    assert world.collector.due() == [one, other]


@pytest.mark.parametrize("broken", [OSError("no such socket"), ValueError(), KeyError("x")])
def test_a_proxy_that_cannot_be_read_is_down_and_its_counts_stay(world: World, broken: Exception) -> None:
    world.counts = {"aaa": 90}
    world.look(STABLE)
    world.broken = broken
    assert not world.look(STABLE)
    assert world.ask('up{job="envoy"}') == [("", 0.0)]
    assert world.ask("istio_requests_total") == []
    assert world.collector.counters(PAYMENTS) == (101.0, {"aaa": Tally(90, 0)})
    proxy, _ = world.collector.health()
    assert (proxy.up, proxy.errors) == (False, 1)
    assert type(broken).__name__ in proxy.last_error
    world.broken = None
    assert world.look(STABLE)
    assert world.ask('up{job="envoy"}') == [("", 1.0)]
    assert world.collector.counters(PAYMENTS) == (103.0, {"aaa": Tally(90, 0)})


def test_a_proxy_that_talks_nonsense_is_down(world: World) -> None:
    world.collector = Collector(world.store, lambda _: "upstream connect error")
    assert not world.look(STABLE)
    assert "not in Prometheus' text format" in world.collector.health()[0].last_error


def test_health_names_every_target(world: World) -> None:
    world.look(STABLE, CANARY)
    world.hear(STABLE, OWN)
    world.hear(CANARY, problem="connection refused")
    proxy, targets = world.collector.health()
    assert proxy.up
    assert {name: health.up for name, health in targets.items()} == {
        "shop/payments.v2/pay-aaa-0": True,
        "shop/payments.v2/pay-bbb-0": False,
    }
