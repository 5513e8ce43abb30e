import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.exposed import is_counter, metric_label, missing_errors, target_labels, under_target
from davy.analysis.promql.series import Labels

names = st.sampled_from(["app", "pod", "job", "exported_job", "exported_exported_job", "path", "status"])
label_sets = st.dictionaries(names, st.sampled_from(["a", "b", ""]), max_size=6)


def test_a_pod_shows_all_its_labels_under_names_that_a_metric_may_have() -> None:
    labels = target_labels(
        {"app": "pay", "app.kubernetes.io/part-of": "shop", "namespace": "elsewhere", "empty": ""},
        namespace="shop",
        pod="pay-6c5d-0",
        version="6c5d",
        instance="127.0.0.1:18700",
        job="payments",
    )
    assert labels == {
        "app": "pay",
        "app_kubernetes_io_part_of": "shop",
        "namespace": "shop",
        "pod": "pay-6c5d-0",
        "rollouts_pod_template_hash": "6c5d",
        "instance": "127.0.0.1:18700",
        "job": "payments",
    }


@given(st.text(max_size=12))
def test_any_name_becomes_one_that_a_metric_may_have(name: str) -> None:
    assert re.fullmatch(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", metric_label(name))


def test_a_leading_digit_is_kept_behind_an_underscore() -> None:
    assert metric_label("2fa") == "_2fa"


def test_what_a_workload_claims_moves_aside() -> None:
    claimed = Labels({"__name__": "x", "app": "stable", "job": "j", "exported_job": "taken", "path": "/"})
    assert dict(under_target(claimed, {"app": "canary", "job": "payments"})) == {
        "__name__": "x",
        "app": "canary",
        "exported_app": "stable",
        "job": "payments",
        "exported_job": "taken",
        "exported_exported_job": "j",
        "path": "/",
    }


@given(label_sets, label_sets)
def test_the_target_always_wins_and_nothing_said_is_lost(said: dict[str, str], target: dict[str, str]) -> None:
    known = {name: value for name, value in target.items() if value}
    labels = under_target(Labels(said), known)
    assert {name: labels[name] for name in known} == known
    assert sorted(labels.values()) == sorted([*Labels(said).values(), *known.values()])


@pytest.mark.parametrize(
    ("name", "kind", "counts"),
    [
        ("x_total", "counter", True),
        ("x", "counter", True),
        ("x_total", "", True),
        ("x_total", "untyped", True),
        ("x_bucket", "", True),
        ("threads_count", "", False),
        ("x_total", "gauge", False),
        ("x", "", False),
        ("x_bucket", "histogram", True),
        ("x_sum", "histogram", True),
        ("x_count", "summary", True),
        ("x", "summary", False),
    ],
)
def test_counters_are_known_by_type_then_by_name(name: str, kind: str, counts: bool) -> None:
    assert is_counter(name, kind) is counts


def counted(name: str = "http_requests_total", **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def test_errors_that_nobody_has_counted_yet_are_named() -> None:
    seen = [
        counted(method="GET", status="200"),
        counted(method="GET", status="404"),
        counted(method="PUT", status="201"),
        counted(method="PUT", status="500"),
        counted("grpc_total", code="OK"),
        counted("by_class_total", code="2xx"),
        counted("jobs_total"),
        counted("took_seconds_bucket", status="200", le="1"),
        counted("envoy_cluster_upstream_rq_xx", envoy_response_code_class="2"),
        counted("odd_total", status="2"),
        counted("odder_total", envoy_response_code_class="200"),
    ]
    assert missing_errors(seen) == {
        counted(method="GET", status="500"),
        counted("by_class_total", code="5xx"),
        counted("envoy_cluster_upstream_rq_xx", envoy_response_code_class="5"),
    }


@given(st.lists(st.sampled_from(["200", "301", "404", "500", "503"]), min_size=1))
def test_every_family_by_status_counts_errors_once_the_missing_are_added(codes: list[str]) -> None:
    seen = [counted(status=code) for code in codes]
    missing = missing_errors(seen)
    assert any(labels["status"].startswith("5") for labels in [*seen, *missing])
    assert not missing & set(seen)
    assert not missing_errors([*seen, *missing])
