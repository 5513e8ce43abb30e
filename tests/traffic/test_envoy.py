import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.model.key import Key
from davy.model.side_route import HeaderRoute, MirrorRoute, SideRoute
from davy.model.steps import HeaderRoutingMatch, RouteMatch, StringMatch
from davy.traffic.envoy import (
    BUCKETS_MS,
    bootstrap,
    cluster,
    listener,
    load_assignment,
    read_places_of,
    read_service,
    read_side_routes,
    read_weights,
    response,
    route_configuration,
    service_configuration,
)
from davy.traffic.names import cluster_name, side_cluster_name
from davy.traffic.route import Endpoint, Route, ServiceRoute

KEY = Key("default", "payments")
STABLE, BESIDE = cluster_name(KEY, "5d9f8c"), side_cluster_name(KEY, "77b6d4")
SPLIT = Route(KEY, {"5d9f8c": 95, "77b6d4": 5, "0ld": 0})
TESTERS = HeaderRoute(
    "testers",
    (
        HeaderRoutingMatch("X-Tester", StringMatch(exact="yes")),
        HeaderRoutingMatch("x-region", StringMatch(prefix="eu-")),
        HeaderRoutingMatch("x-build", StringMatch(regex="[0-9]+")),
        HeaderRoutingMatch("x-any"),
    ),
    "77b6d4",
)
SHADOW = MirrorRoute(
    "shadow",
    (
        RouteMatch(method=StringMatch(exact="GET"), path=StringMatch(prefix="/pay")),
        RouteMatch(
            path=StringMatch(exact="/quote"), headers={"x-b": StringMatch(), "x-a": StringMatch(regex=".")}
        ),
        RouteMatch(method=StringMatch(regex="P.*"), path=StringMatch(regex="/v[12]/.*")),
    ),
    35,
    "77b6d4",
)
PREVIEW = ServiceRoute(KEY, "payments-preview", "77b6d4")

#: Each document as it was given to a running Envoy, which took it.
DOCUMENTS = {
    "bootstrap": bootstrap(
        admin_path="admin.sock",
        listeners_path="/state/listeners.json",
        clusters_path="/state/clusters.json",
        latency_bounds_ms=(1.0, 1.1),
    ),
    "listener": response(4, [listener(KEY, port=18080, routes_path="/state/routes/payments.json")]),
    "route": response(3, [route_configuration(SPLIT)]),
    "route_nobody": response(7, [route_configuration(Route(KEY, {"5d9f8c": 0}))]),
    "route_beside": response(8, [route_configuration(Route(KEY, {"5d9f8c": 100}, (TESTERS, SHADOW)))]),
    "service": response(9, [service_configuration(PREVIEW)]),
    "listener_service": response(
        5, [listener(KEY, port=18081, routes_path="/state/routes/preview.json", service="payments-preview")]
    ),
    "cluster_beside": response(
        6,
        [cluster(BESIDE, endpoints_path="/state/endpoints/canary.json", places_of=cluster_name(KEY, "77b6d4"))],
    ),
    "cluster": response(2, [cluster(STABLE, endpoints_path="/state/endpoints/payments.json")]),
    "load_assignment": response(1, [load_assignment(STABLE, [Endpoint(20002), Endpoint(20001)])]),
    "load_assignment_empty": response(1, [load_assignment(STABLE, [])]),
}

weights = st.dictionaries(st.text(min_size=1, max_size=8), st.integers(0, 1000), max_size=4)
texts = st.sampled_from(["", "a", "/b", "c.*"])
matches = st.none() | st.builds(StringMatch, texts, texts, texts)
side_routes: st.SearchStrategy[list[SideRoute]] = st.lists(
    st.builds(
        HeaderRoute,
        texts,
        st.lists(st.builds(HeaderRoutingMatch, texts, matches), max_size=3).map(tuple),
        texts,
    )
    | st.builds(
        MirrorRoute,
        texts,
        st.lists(
            st.builds(
                RouteMatch, matches, matches, st.dictionaries(texts, st.builds(StringMatch, texts), max_size=2)
            ),
            max_size=3,
        ).map(tuple),
        st.integers(0, 100),
        texts,
    ),
    max_size=3,
)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_is_the_golden_one(name: str) -> None:
    golden = Path(__file__).parent / "golden" / f"{name}.json"
    assert DOCUMENTS[name] == json.loads(golden.read_text())


def rules(route: Route) -> list[dict[str, Any]]:
    found = route_configuration(route)["virtual_hosts"][0]["routes"]
    assert isinstance(found, list)
    return found


def shares(rule: dict[str, Any]) -> dict[str, int]:
    action = rule.get("route", {})
    return {each["name"]: each["weight"] for each in action.get("weighted_clusters", {}).get("clusters", [])}


@given(weights, side_routes)
@settings(max_examples=50)
def test_what_was_asked_for_can_be_read_back(asked: dict[str, int], beside: list[SideRoute]) -> None:
    stored = json.loads(json.dumps(route_configuration(Route(KEY, asked, tuple(beside)))))
    assert read_weights(stored) == asked
    assert read_side_routes(stored) == tuple(beside)


def test_where_a_service_leads_to_and_whose_places_a_cluster_has_can_be_read_back() -> None:
    assert read_service(service_configuration(PREVIEW)) == "77b6d4"
    assert read_places_of(cluster(BESIDE, endpoints_path="", places_of=STABLE)) == STABLE
    assert read_places_of(cluster(STABLE, endpoints_path="")) == STABLE


@given(weights, side_routes)
@settings(max_examples=50)
def test_the_split_comes_last_and_is_the_same_whatever_is_beside_it(
    asked: dict[str, int], beside: list[SideRoute]
) -> None:
    [alone], found = rules(Route(KEY, asked)), rules(Route(KEY, asked, tuple(beside)))
    assert (found[-1]["match"], shares(found[-1])) == (alone["match"], shares(alone))
    for mirror in [rule for rule in found if "request_mirror_policies" in rule.get("route", {})]:
        assert shares(mirror) == shares(alone), "a sender gets the answer that the split gives"


@given(weights, side_routes)
@settings(max_examples=50)
def test_copies_and_services_never_reach_the_cluster_that_counts_users(
    asked: dict[str, int], beside: list[SideRoute]
) -> None:
    for rule in rules(Route(KEY, asked, tuple(beside))):
        for copy in rule.get("route", {}).get("request_mirror_policies", []):
            assert copy["cluster"].endswith("|side")
        assert not any(name.endswith("|side") for name in shares(rule))
    [rule] = service_configuration(PREVIEW)["virtual_hosts"][0]["routes"]
    assert shares(rule) == {BESIDE: 1}


def test_routes_are_tried_in_their_order_and_a_mirror_once_for_each_way_to_fit() -> None:
    found = rules(Route(KEY, {"5d9f8c": 100}, (SHADOW, TESTERS)))
    assert ["request_mirror_policies" in rule["route"] for rule in found] == [True, True, True, False, False]


def test_where_nobody_answers_nothing_is_copied_and_testers_are_answered() -> None:
    testers, nobody = rules(Route(KEY, {}, (TESTERS, SHADOW)))
    assert shares(testers) == {cluster_name(KEY, "77b6d4"): 1}
    assert "direct_response" in nobody


@given(weights)
@settings(max_examples=50)
def test_only_a_revision_with_weight_is_named(asked: dict[str, int]) -> None:
    [rule] = rules(Route(KEY, asked))
    rendered = shares(rule)
    assert rendered == {cluster_name(KEY, hash_): weight for hash_, weight in asked.items() if weight}


@given(weights)
@settings(max_examples=50)
def test_users_are_answered_even_when_no_revision_takes_traffic(asked: dict[str, int]) -> None:
    [rule] = rules(Route(KEY, asked))
    assert ("direct_response" in rule) == (not any(asked.values()))
    assert ("route" in rule) == any(asked.values())


def test_an_answer_names_the_revision_even_when_its_hash_looks_like_a_format() -> None:
    [rule] = rules(Route(KEY, {"50%x": 1}))
    header = rule["route"]["weighted_clusters"]["clusters"][0]["response_headers_to_add"][0]["header"]
    assert header == {"key": "x-davy-version", "value": "50%%x"}


def test_the_buckets_grow_and_hold_istios_and_the_usual_ones() -> None:
    istio = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000]
    usual_s = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    assert list(BUCKETS_MS) == sorted(set(BUCKETS_MS))
    assert set(istio) | {seconds * 1000 for seconds in usual_s} <= set(BUCKETS_MS)
