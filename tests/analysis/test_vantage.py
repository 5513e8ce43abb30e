import re
from bisect import bisect_left
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.promql.series import Labels
from davy.analysis.vantage import (
    ALIASED,
    LATENCY_BOUNDS_MS,
    LATENCY_BUCKETS,
    Destination,
    alias_series,
    family,
    is_reserved,
    proxy_filter,
    proxy_series,
)

CANARY = Destination("shop", "payments", "6c5d", "pay-canary", {"app": "pay", "team": "till"})


def line(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, "envoy_cluster_name": "shop/payments|6c5d", **labels})


def test_an_answer_is_counted_as_a_mesh_would_count_it() -> None:
    passed, mesh = proxy_series(line("envoy_cluster_upstream_rq", envoy_response_code="503"), CANARY)
    assert dict(passed.labels) == {
        "__name__": "envoy_cluster_upstream_rq",
        "envoy_response_code": "503",
        "envoy_cluster_name": "shop/payments|6c5d",
        "app": "pay",
        "namespace": "shop",
        "rollouts_pod_template_hash": "6c5d",
    }
    assert dict(mesh.labels) == {
        "__name__": "istio_requests_total",
        "reporter": "source",
        "destination_workload": "payments",
        "destination_workload_namespace": "shop",
        "destination_service": "pay-canary.shop.svc.cluster.local",
        "destination_service_name": "pay-canary",
        "destination_service_namespace": "shop",
        "destination_version": "6c5d",
        "destination_canonical_revision": "6c5d",
        "destination_app": "pay",
        "response_code": "503",
        "request_protocol": "http",
    }
    assert passed.factor == mesh.factor == 1.0


def test_what_exposes_nobody_is_told_apart_under_every_name() -> None:
    counted = line("envoy_cluster_upstream_rq", envoy_response_code="503")
    beside = replace(CANARY, side=True)
    for users, side in zip(proxy_series(counted, CANARY), proxy_series(counted, beside), strict=True):
        assert dict(side.labels) == {**dict(users.labels), "traffic": "side"}
    alias, aside = alias_series(counted, CANARY), alias_series(counted, beside)
    assert alias is not None
    assert aside is not None
    assert dict(aside.labels) == {**dict(alias.labels), "traffic": "side"}


@pytest.mark.parametrize("suffix", ["_bucket", "_sum", "_count"])
def test_durations_keep_their_milliseconds_for_the_mesh(suffix: str) -> None:
    bound = {"le": "250"} if suffix == "_bucket" else {}
    passed, mesh = proxy_series(line(f"envoy_cluster_upstream_rq_time{suffix}", **bound), CANARY)
    assert passed.labels.name == f"envoy_cluster_upstream_rq_time{suffix}"
    assert mesh.labels.name == f"istio_request_duration_milliseconds{suffix}"
    assert mesh.labels.get("le") == bound.get("le")
    assert mesh.factor == 1.0


@pytest.mark.parametrize("name", ["envoy_cluster_membership_healthy", "envoy_cluster_upstream_rq_xx"])
def test_what_no_mesh_counts_is_passed_through_alone(name: str) -> None:
    (only,) = proxy_series(line(name), CANARY)
    assert only.labels["rollouts_pod_template_hash"] == "6c5d"
    assert alias_series(line(name), CANARY) is None


def test_the_alias_of_an_answer_has_the_labels_of_the_pods() -> None:
    alias = alias_series(line("envoy_cluster_upstream_rq", envoy_response_code="200"), CANARY)
    assert alias is not None
    assert dict(alias.labels) == {
        "__name__": "http_requests_total",
        "status": "200",
        "app": "pay",
        "team": "till",
        "namespace": "shop",
        "rollouts_pod_template_hash": "6c5d",
        "job": "payments",
    }


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [("5", "0.005"), ("250", "0.25"), ("1000", "1.0"), ("+Inf", "+Inf")]
)
def test_the_alias_of_a_duration_is_in_seconds(milliseconds: str, seconds: str) -> None:
    bucket = alias_series(line("envoy_cluster_upstream_rq_time_bucket", le=milliseconds), CANARY)
    assert bucket is not None
    assert bucket.labels.name == "http_request_duration_seconds_bucket"
    assert (bucket.labels["le"], bucket.factor) == (seconds, 1.0)


@pytest.mark.parametrize(("suffix", "factor"), [("_sum", 0.001), ("_count", 1.0)])
def test_only_the_sum_of_an_aliased_duration_is_scaled(suffix: str, factor: float) -> None:
    alias = alias_series(line(f"envoy_cluster_upstream_rq_time{suffix}"), CANARY)
    assert alias is not None
    assert (alias.labels.name, alias.factor) == (f"http_request_duration_seconds{suffix}", factor)
    assert "le" not in alias.labels


def test_a_workload_without_an_app_label_is_called_by_its_name() -> None:
    assert replace(CANARY, labels={}).app == "payments"


@given(
    st.dictionaries(
        st.sampled_from(["app", "version", "destination_version", "namespace"]), st.text(max_size=4)
    )
)
def test_the_version_is_the_clusters_whatever_the_pods_claim(labels: dict[str, str]) -> None:
    claimed = replace(CANARY, labels=labels)
    counted = line("envoy_cluster_upstream_rq", envoy_response_code="200")
    passed, mesh = proxy_series(counted, claimed)
    alias = alias_series(counted, claimed)
    assert alias is not None
    assert mesh.labels["destination_version"] == "6c5d"
    for labelled in (passed.labels, alias.labels):
        assert (labelled["namespace"], labelled["rollouts_pod_template_hash"]) == ("shop", "6c5d")


@given(
    st.sampled_from(["upstream_rq", "upstream_rq_time_bucket", "upstream_rq_time_sum", "membership_healthy"])
)
def test_whatever_the_mapping_writes_no_workload_may_write(name: str) -> None:
    labels = line(f"envoy_cluster_{name}", envoy_response_code="200", le="5")
    assert all(is_reserved(mapped.labels.name) for mapped in proxy_series(labels, CANARY))
    alias = alias_series(labels, CANARY)
    assert alias is None or family(alias.labels.name) in ALIASED


@pytest.mark.parametrize(
    ("name", "reserved"),
    [("up", True), ("upper", False), ("scrape_duration_seconds", True), ("http_requests_total", False)],
)
def test_reserved_names(name: str, reserved: bool) -> None:
    assert is_reserved(name) is reserved


@pytest.mark.parametrize("name", [*LATENCY_BUCKETS, LATENCY_BUCKETS[0].replace("_bucket", "_sum")])
def test_the_fine_histograms_feed_no_series(name: str) -> None:
    assert proxy_series(line(name, le="1.045"), CANARY) == ()
    assert alias_series(line(name, le="1.045"), CANARY) is None


def test_fine_bounds_are_a_tenth_apart_and_each_bucket_from_9_ms_on_can_be_met() -> None:
    ratios = [above / below for below, above in pairwise(LATENCY_BOUNDS_MS)]
    assert ratios == pytest.approx([1.1] * 103, rel=0.001)
    assert [bisect_left(LATENCY_BOUNDS_MS, milliseconds) for milliseconds in (0, 1, 2, 3)] == [0, 1, 8, 13]
    two_digits = [digits * scale for scale in (1, 10, 100, 1000) for digits in range(10, 100)]
    assert {bisect_left(LATENCY_BOUNDS_MS, each) for each in (9, *two_digits)} == set(range(24, 105))
    assert not {*LATENCY_BOUNDS_MS} & {*two_digits}, "on which side of a bound it falls must not be chance"


@pytest.mark.parametrize(
    ("statistic", "asked"),
    [
        ("cluster.shop/pay~2e~ments|6c5d.upstream_rq_503", (True, True)),
        ("cluster.shop/pay~2e~ments|6c5d.upstream_rq_time", (True, True)),
        ("server.version", (True, True)),
        ("server.versions", (False, False)),
        ("cluster.shop/pay~2e~ments|6c5d.external.upstream_rq_time", (False, True)),
        ("cluster.shop/pay~2e~ments|6c5d.internal.upstream_rq_time", (False, True)),
        ("cluster.shop/pay~2e~ments|6c5d.external.upstream_rq_503", (False, False)),
        ("cluster.shop/pay~2e~ments|6c5d|side.external.upstream_rq_time", (False, False)),
        ("cluster.shop/pay~2e~ments2|6c5d.external.upstream_rq_time", (False, False)),
        ("cluster.shop/quote|6c5d.external.upstream_rq_time", (False, True)),
    ],
)
def test_of_judged_rollouts_alone_the_fine_histograms_are_asked_for(
    statistic: str, asked: tuple[bool, bool]
) -> None:
    filters = proxy_filter(), proxy_filter(["shop/pay~2e~ments", "shop/quote"])
    assert tuple(bool(re.search(each, statistic)) for each in filters) == asked
