from collections.abc import Mapping, Sequence

import pytest

from davy.analysis.alias import Witness
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.exposition import ExpositionError
from davy.analysis.promql.result import Vector
from davy.analysis.promql.series import SeriesStore
from davy.analysis.proxy import FORGET_AFTER_S, ProxyIntake
from davy.analysis.tally import Tally
from davy.analysis.vantage import LATENCY_BOUNDS_MS, LATENCY_BUCKETS, Destination
from davy.model.key import Key

PAYMENTS = Key("shop", "payments")
STABLE = Destination("shop", "payments", "aaa", "pay", {"app": "pay"})
CANARY = Destination("shop", "payments", "bbb", "pay-canary", {"app": "pay"})
PREVIEW = Destination("shop", "payments", "bbb", "pay-preview", {"app": "pay"}, side=True)
VERSIONS = {
    (PAYMENTS, "aaa", False): STABLE,
    (PAYMENTS, "bbb", False): CANARY,
    (PAYMENTS, "bbb", True): PREVIEW,
}
SILENT = {PAYMENTS: [Witness("aaa", asked_at=50.0, answered=True)]}
SPEAKS = {PAYMENTS: [Witness("aaa", 50.0, True, frozenset({"http_requests_total"}))]}


def read_cluster(name: str) -> tuple[Key, str, bool] | None:
    """`shop/payments|aaa`, or `…|side`, without the escapes that the real one has."""
    route, separator, hash_ = name.partition("|")
    namespace, _, rollout = route.partition("/")
    return (Key(namespace, rollout), hash_.removesuffix("|side"), "|side" in hash_) if separator else None


def page(**counts: Mapping[int, int]) -> str:
    """What Envoy shows: answers by version and status, and a histogram of one bucket."""
    rows = ["# TYPE envoy_cluster_upstream_rq counter"]
    for version, by_code in counts.items():
        name = "xds" if version == "xds" else f"shop/payments|{version.replace('_', '|')}"
        cluster = f'envoy_cluster_name="{name}"'
        for code, count in by_code.items():
            rows.append(f'envoy_cluster_upstream_rq{{envoy_response_code="{code}",{cluster}}} {count}')
        rows.append(f"envoy_cluster_membership_healthy{{{cluster}}} 2")
        rows.append(f'envoy_cluster_upstream_rq_time_bucket{{{cluster},le="250"}} {sum(by_code.values())}')
    return "\n".join(rows) + "\n"


def timed(version: str, *buckets: int, by: int = 0, bounds: Sequence[float] = LATENCY_BOUNDS_MS) -> str:
    """What Envoy shows of how long answers took: so many in each of the first buckets, cumulated."""
    cluster = f'envoy_cluster_name="shop/payments|{version}"'
    below = (sum(buckets[: number + 1]) for number in range(len(bounds) + 1))
    rows = zip((*bounds, "+Inf"), below, strict=True)
    return "".join(f'{LATENCY_BUCKETS[by]}{{{cluster},le="{bound}"}} {count}\n' for bound, count in rows)


class Proxy:
    """A proxy that is read once a second."""

    born = 1

    def __init__(self) -> None:
        self.store = SeriesStore()
        self.intake = ProxyIntake(self.store, read_cluster)
        self.second = 0

    def shows(self, **counts: Mapping[int, int]) -> "Proxy":
        self.second += 1
        self.intake.take(page(**counts), float(self.second), self.second + 0.002)
        return self

    def times(self, *pages: str, judged: Key | None = PAYMENTS) -> dict[str, tuple[int, ...]]:
        """Show answers and how long they took; return how they are counted, without the empty rest."""
        self.second += 1
        text = page(aaa={200: 100}, bbb={200: 10}) + "".join(pages) + f"envoy_server_version{{}} {self.born}\n"
        judging = frozenset({judged}) if judged else frozenset[Key]()
        self.intake.take(text, float(self.second), self.second + 0.002, judging)
        counted = self.intake.counters(PAYMENTS)[1]
        assert {len(tally.latency) for tally in counted.values()} <= {0, len(LATENCY_BOUNDS_MS) + 1}
        assert not any(any(tally.latency[3:]) for tally in counted.values())
        return {hash_: tally.latency[:3] for hash_, tally in counted.items()}

    def ask(self, query: str) -> list[float]:
        answer = Engine(self.store).instant(query, float(self.second))
        assert isinstance(answer, Vector)
        return sorted(sample.value for sample in answer.samples)

    def count(self, name: str) -> list[float]:
        return self.ask(f"sum by (rollouts_pod_template_hash) ({name})")


def test_a_query_for_a_mesh_finds_the_canary() -> None:
    proxy = Proxy()
    proxy.intake.describe(VERSIONS, {})
    proxy.shows(aaa={200: 1}).shows(aaa={200: 101}, bbb={200: 8, 503: 2})
    errors = 'sum(rate(istio_requests_total{destination_version="bbb",response_code=~"5.."}[5s]))'
    total = 'sum(rate(istio_requests_total{reporter="source",destination_service=~"pay-canary.*"}[5s]))'
    assert proxy.ask(f"{errors} / {total}") == [pytest.approx(0.2)]


def test_no_error_is_zero_and_no_request_is_nothing() -> None:
    errors = 'sum(istio_requests_total{destination_version="bbb",response_code=~"5.."})'
    assert Proxy().shows(bbb={200: 8}).ask(errors) == [0.0]
    assert Proxy().shows(bbb={}).ask(errors) == []


def test_a_version_that_nobody_described_goes_by_its_name() -> None:
    assert Proxy().shows(aaa={200: 3}).ask(
        'istio_requests_total{destination_app="payments",response_code="200"}'
    ) == [3]


def test_a_cluster_that_is_no_version_feeds_nothing() -> None:
    proxy = Proxy().shows(xds={200: 3})
    assert proxy.store.series_count == 0
    assert proxy.intake.counters(PAYMENTS) == (1.0, {})


def test_nothing_stands_in_for_a_workload_that_was_not_heard() -> None:
    proxy = Proxy()
    proxy.intake.describe(VERSIONS, {PAYMENTS: [Witness("aaa")]})
    assert proxy.shows(aaa={200: 3}).count("http_requests_total") == []


def test_the_proxy_stands_in_for_a_workload_that_is_silent() -> None:
    proxy = Proxy().shows(aaa={200: 3})
    proxy.intake.describe(VERSIONS, SILENT)
    proxy.shows(aaa={200: 5}, bbb={200: 2})
    assert proxy.count('http_requests_total{app="pay"}') == [2, 5]
    assert proxy.ask('sum(http_request_duration_seconds_bucket{app="pay",le="0.25"})') == [7]


def test_and_no_longer_once_it_speaks() -> None:
    proxy = Proxy().shows(aaa={200: 3})
    proxy.intake.describe(VERSIONS, SILENT)
    proxy.shows(aaa={200: 5})
    proxy.intake.describe(VERSIONS, SPEAKS)
    proxy.shows(aaa={200: 6})
    assert proxy.count("http_requests_total") == []
    assert proxy.ask("sum(http_request_duration_seconds_bucket)") == [6]
    assert proxy.count("envoy_cluster_upstream_rq") == [6]


def test_silence_from_before_the_first_answer_is_not_believed() -> None:
    proxy = Proxy()
    proxy.second = 60
    proxy.shows(aaa={200: 0}).shows(aaa={200: 1})
    proxy.intake.describe(VERSIONS, SILENT)
    assert proxy.shows(aaa={200: 3}).count("http_requests_total") == []


def test_a_description_is_kept_for_as_long_as_the_proxy_shows_the_version() -> None:
    proxy = Proxy()
    proxy.intake.describe(VERSIONS, {})
    proxy.shows(bbb={200: 3})
    for _ in range(2):
        proxy.intake.describe({}, {})
    service = 'sum by (destination_service_name) (istio_requests_total{destination_service_name="pay-canary"})'
    assert proxy.shows(bbb={200: 4}).ask(service) == [4]


def test_a_service_that_is_renamed_invents_no_requests() -> None:
    proxy = Proxy()
    proxy.intake.describe(VERSIONS, {})
    proxy.shows(bbb={200: 1}).shows(bbb={200: 1000})
    proxy.intake.describe({(PAYMENTS, "bbb", False): STABLE}, {})
    proxy.shows(bbb={200: 1001}).shows(bbb={200: 1002})
    assert proxy.ask(
        'sum(increase(istio_requests_total{destination_service_name="pay",response_code="200"}[2s]))'
    ) == [pytest.approx(2)]


def test_counts_are_by_version_and_as_of_the_time_the_proxy_was_asked() -> None:
    proxy = Proxy()
    assert proxy.intake.counters(PAYMENTS) == (0.0, {})
    proxy.shows(aaa={200: 90, 404: 5, 500: 3, 503: 2}, bbb={200: 1}, xds={200: 7})
    assert proxy.intake.counters(PAYMENTS) == (1.0, {"aaa": Tally(100, 5), "bbb": Tally(1, 0)})
    assert proxy.intake.counters(Key("shop", "other")) == (1.0, {})


def test_what_exposes_nobody_is_not_counted_and_can_be_asked_for() -> None:
    proxy = Proxy()
    proxy.intake.describe(VERSIONS, {PAYMENTS: []})
    proxy.shows(aaa={200: 90}, bbb_side={200: 7, 500: 3})
    assert proxy.intake.counters(PAYMENTS) == (1.0, {"aaa": Tally(90, 0)})
    assert proxy.ask('istio_requests_total{destination_version="bbb",traffic="side"}') == [3, 7]
    assert proxy.ask('sum(istio_requests_total{destination_service_name="pay-preview"})') == [10]
    assert proxy.ask('sum(istio_requests_total{traffic=""})') == [90]
    assert proxy.ask('sum(envoy_cluster_upstream_rq{traffic="side"})') == [10]


def test_the_proxy_stands_in_for_a_previewed_version_apart_from_its_users() -> None:
    proxy = Proxy().shows(aaa={200: 3}, bbb_side={200: 5})
    silent = [Witness(version, asked_at=50.0, answered=True) for version in ("aaa", "bbb")]
    proxy.intake.describe(VERSIONS, {PAYMENTS: silent, Key("shop", "other"): []})
    proxy.shows(aaa={200: 4}, bbb={200: 2}, bbb_side={200: 6, 500: 1})
    canary = 'http_requests_total{rollouts_pod_template_hash="bbb"'
    assert proxy.ask(f'{canary},traffic="side"}}') == [1, 6]
    assert proxy.ask(f'{canary},traffic="",status="200"}}') == [2]
    assert proxy.ask(f"sum({canary}}})") == [9]


def test_silence_of_a_previewed_version_is_believed_from_its_first_answer_of_any_kind() -> None:
    proxy = Proxy()
    proxy.second = 60
    proxy.shows(bbb_side={200: 1}).shows(bbb={200: 1}, bbb_side={200: 1})
    proxy.intake.describe(VERSIONS, {PAYMENTS: [Witness("bbb", asked_at=61.5, answered=True)]})
    assert proxy.shows(bbb={200: 1}, bbb_side={200: 1}).ask("sum(http_requests_total)") == [2]


def test_counts_survive_the_proxy() -> None:
    proxy = Proxy().shows(aaa={200: 90, 500: 10}).shows().shows(aaa={200: 1})
    proxy.second += 1
    proxy.intake.fail(float(proxy.second))
    assert proxy.intake.counters(PAYMENTS) == (3.0, {"aaa": Tally(101, 10, restarts=1)})
    assert proxy.count("istio_requests_total") == []


def test_a_page_that_cannot_be_read_changes_nothing() -> None:
    proxy = Proxy().shows(aaa={200: 90})
    with pytest.raises(ExpositionError):
        proxy.intake.take("upstream connect error", 2.0, 2.0)
    assert proxy.intake.counters(PAYMENTS) == (1.0, {"aaa": Tally(90, 0)})


def test_a_version_that_is_long_gone_is_forgotten() -> None:
    proxy = Proxy().shows(aaa={200: 9}, bbb={200: 1})
    proxy.second = round(FORGET_AFTER_S)
    assert "bbb" in proxy.shows(aaa={200: 10}).intake.counters(PAYMENTS)[1]
    assert proxy.shows(aaa={200: 11}).intake.counters(PAYMENTS)[1] == {"aaa": Tally(11, 0)}


def test_answers_of_a_judged_rollout_are_timed_from_its_first_look_on() -> None:
    proxy = Proxy()
    assert proxy.times(timed("aaa", 90, 10)) == {"aaa": (0, 0, 0), "bbb": ()}
    assert proxy.times(timed("aaa", 93, 10, 1), timed("bbb", 0, 2)) == {"aaa": (3, 0, 1), "bbb": (0, 2, 0)}


def test_who_asked_makes_no_difference() -> None:
    proxy = Proxy()
    proxy.times()
    assert proxy.times(timed("aaa", 1, 2), timed("aaa", 3, by=1))["aaa"] == (4, 2, 0)


def test_a_rollout_that_is_not_judged_any_more_is_forgotten() -> None:
    proxy = Proxy()
    proxy.times()
    proxy.times(timed("aaa", 5))
    assert proxy.times(judged=None) == {"aaa": (), "bbb": ()}
    assert proxy.times(timed("aaa", 9))["aaa"] == (0, 0, 0)


def test_times_survive_the_proxy_and_its_restarts_show() -> None:
    proxy = Proxy()
    proxy.times()
    proxy.times(timed("aaa", 5), timed("bbb", 1))
    proxy.born = 2
    assert proxy.times(timed("aaa", 6)) == {"aaa": (11, 0, 0), "bbb": (1, 0, 0)}
    counted = proxy.intake.counters(PAYMENTS)[1]
    assert {hash_: (tally.requests, tally.restarts) for hash_, tally in counted.items()} == {
        "aaa": (200, 2),
        "bbb": (20, 2),
    }


def test_a_histogram_with_other_bounds_is_none() -> None:
    proxy = Proxy()
    proxy.times()
    assert proxy.times(timed("aaa", 1, bounds=(1, 5, 10)))["aaa"] == ()


def test_times_of_no_version_are_passed_over_and_none_becomes_a_series() -> None:
    proxy = Proxy()
    proxy.intake.describe(VERSIONS, {})
    proxy.times()
    others = timed("aaa", 1).replace("shop/payments|aaa", "xds")
    assert proxy.times(others, timed("bbb|side", 1), timed("aaa", 2)) == {"aaa": (2, 0, 0), "bbb": ()}
    assert not [series for series in proxy.store.select([]) if "external" in series.labels.name]


def test_times_of_a_version_that_is_long_gone_are_forgotten() -> None:
    proxy = Proxy()
    proxy.times()
    proxy.times(timed("bbb", 1))
    proxy.second = round(FORGET_AFTER_S) + 5
    assert "bbb" not in proxy.shows(aaa={200: 10}).intake.counters(PAYMENTS)[1]
