import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.model.key import Key
from davy.traffic.envoy import (
    BUCKETS_MS,
    bootstrap,
    cluster,
    listener,
    load_assignment,
    read_weights,
    response,
    route_configuration,
)
from davy.traffic.names import cluster_name
from davy.traffic.route import Endpoint, Route

KEY = Key("default", "payments")
STABLE = cluster_name(KEY, "5d9f8c")
SPLIT = Route(KEY, {"5d9f8c": 95, "77b6d4": 5, "0ld": 0})

#: Each document as it was given to a running Envoy, which took it.
DOCUMENTS = {
    "bootstrap": bootstrap(
        admin_path="admin.sock", listeners_path="/state/listeners.json", clusters_path="/state/clusters.json"
    ),
    "listener": response(4, [listener(KEY, port=18080, routes_path="/state/routes/payments.json")]),
    "route": response(3, [route_configuration(SPLIT)]),
    "route_nobody": response(7, [route_configuration(Route(KEY, {"5d9f8c": 0}))]),
    "cluster": response(2, [cluster(STABLE, endpoints_path="/state/endpoints/payments.json")]),
    "load_assignment": response(1, [load_assignment(STABLE, [Endpoint(20002), Endpoint(20001)])]),
    "load_assignment_empty": response(1, [load_assignment(STABLE, [])]),
}

weights = st.dictionaries(st.text(min_size=1, max_size=8), st.integers(0, 1000), max_size=4)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_is_the_golden_one(name: str) -> None:
    golden = Path(__file__).parent / "golden" / f"{name}.json"
    assert DOCUMENTS[name] == json.loads(golden.read_text())


def shares(configuration: dict[str, Any]) -> dict[str, int]:
    action = configuration["virtual_hosts"][0]["routes"][0].get("route", {})
    return {each["name"]: each["weight"] for each in action.get("weighted_clusters", {}).get("clusters", [])}


@given(weights)
@settings(max_examples=50)
def test_what_was_asked_for_can_be_read_back(asked: dict[str, int]) -> None:
    stored = json.loads(json.dumps(route_configuration(Route(KEY, asked))))
    assert read_weights(stored) == asked


@given(weights)
@settings(max_examples=50)
def test_only_a_revision_with_weight_is_named(asked: dict[str, int]) -> None:
    rendered = shares(route_configuration(Route(KEY, asked)))
    assert rendered == {cluster_name(KEY, hash_): weight for hash_, weight in asked.items() if weight}


@given(weights)
@settings(max_examples=50)
def test_users_are_answered_even_when_no_revision_takes_traffic(asked: dict[str, int]) -> None:
    rule = route_configuration(Route(KEY, asked))["virtual_hosts"][0]["routes"][0]
    assert ("direct_response" in rule) == (not any(asked.values()))
    assert ("route" in rule) == any(asked.values())


def test_an_answer_names_the_revision_even_when_its_hash_looks_like_a_format() -> None:
    rule = route_configuration(Route(KEY, {"50%x": 1}))["virtual_hosts"][0]["routes"][0]
    header = rule["route"]["weighted_clusters"]["clusters"][0]["response_headers_to_add"][0]["header"]
    assert header == {"key": "x-davy-version", "value": "50%%x"}


def test_the_buckets_grow_and_hold_istios_and_the_usual_ones() -> None:
    istio = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000]
    usual_s = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    assert list(BUCKETS_MS) == sorted(set(BUCKETS_MS))
    assert set(istio) | {seconds * 1000 for seconds in usual_s} <= set(BUCKETS_MS)
