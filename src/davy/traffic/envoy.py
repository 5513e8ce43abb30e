"""The Envoy dialect: what Envoy is told, as documents of its v3 API.

The documents are read from files (filesystem xDS), one file each, that Envoy picks up when they are replaced
by a rename. They survive any crash of Davy or of Envoy, and they are a record of what the proxy was told.
Field names and values are those of https://www.envoyproxy.io/docs/envoy/latest/api-v3/api.
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

import msgspec

from davy.model.key import Key
from davy.model.side_route import HeaderRoute, MirrorRoute, SideRoute
from davy.traffic.document import Document
from davy.traffic.envoy_match import header_rule, request_rule
from davy.traffic.names import cluster_name, route_name, side_cluster_name
from davy.traffic.route import Endpoint, Route, ServiceRoute

VERSION_HEADER = "x-davy-version"
"""The response header that says which revision answered."""

BUCKETS_MS = (
    0.5, 1, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000,
    30000, 60000, 300000, 600000, 1800000, 3600000,
)  # fmt: skip
"""Upper bounds of the latency histograms in milliseconds.

Istio's own list and the usual one in seconds (Prometheus clients) in one, so that a query written for either
finds its `le`.
"""

ADMIN_PATHS = ("/stats", "/server_info", "/ready", "/clusters", "/listeners", "/config_dump")
"""What may be asked of the admin interface: all of it looks, none of it changes or stops anything."""

REQUEST_TIMEOUT = "15s"
"""Envoy's own default. A version that hangs has to show as failing, and only answers are counted."""

UPSTREAM_IDLE = "1s"
"""How long an unused connection to a replica is kept: shorter than the keep-alive of any common server.

A server that closes an idle connection at the moment a request is sent on it costs that request, and no retry
is safe then. On the loopback interface a new connection costs next to nothing.
"""

_TIMED_BY_WHO = r"cluster\..*\.(external|internal)\.upstream_rq_time"
_METADATA = "davy.dev"
_TYPES = "type.googleapis.com/"
_LISTENER = f"{_TYPES}envoy.config.listener.v3.Listener"
_ROUTES = f"{_TYPES}envoy.config.route.v3.RouteConfiguration"
_CLUSTER = f"{_TYPES}envoy.config.cluster.v3.Cluster"
_ASSIGNMENT = f"{_TYPES}envoy.config.endpoint.v3.ClusterLoadAssignment"
_EXTENSIONS = f"{_TYPES}envoy.extensions"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def response(version: int, resources: Iterable[Document]) -> Document:
    """Wrap resources as the file that Envoy reads; the version is what it acknowledges."""
    return {"version_info": str(version), "resources": list(resources)}


def bootstrap(
    *, admin_path: str, listeners_path: str, clusters_path: str, latency_bounds_ms: Sequence[float]
) -> Document:
    """Say where everything else is to be read, and how Envoy is asked what it did with it.

    The admin interface knows no users, so it is a socket that only its owner may open, for reading only.
    Histograms show what was measured up to the last flush, hence the short interval. Envoy times each answer
    twice: once by the cluster, with the bounds that people's queries know, and once by the cluster and by who
    asked, with the fine bounds that a judge wants. The first setting that fits a histogram is the one.
    """
    return {
        "node": {"id": "davy", "cluster": "davy"},
        "admin": {
            "address": {"pipe": {"path": admin_path, "mode": 0o600}},
            "allow_paths": [{"prefix": path} for path in ADMIN_PATHS],
        },
        "dynamic_resources": {"lds_config": _source(listeners_path), "cds_config": _source(clusters_path)},
        "stats_flush_interval": "0.5s",
        "stats_config": {
            "histogram_bucket_settings": [
                {"match": {"safe_regex": {"regex": _TIMED_BY_WHO}}, "buckets": list(latency_bounds_ms)},
                {"match": {"prefix": "cluster."}, "buckets": list(BUCKETS_MS)},
            ]
        },
    }


def listener(key: Key, *, port: int, routes_path: str, service: str | None = None) -> Document:
    """Listen for the users of one rollout, or for those of a service beside it, on the loopback interface.

    The port is not shared with other processes (`enable_reuse_port`): otherwise a second Envoy would take
    half of the connections instead of being told that the port is taken.
    """
    name = route_name(key, service)
    return {
        "@type": _LISTENER,
        "name": name,
        "address": _address(port),
        "enable_reuse_port": False,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": _connection_manager(name, routes_path),
                    }
                ]
            }
        ],
    }


def route_configuration(route: Route) -> Document:
    """Split the requests of one rollout, after those that fit a side route were taken out or copied.

    Envoy refuses the document when it names a cluster that is not there (`validate_clusters`), instead of
    taking it and answering 503. What was asked for, zero weights and all, is kept as metadata for
    `read_weights` and `read_side_routes`.
    """
    asked: Document = {"weights": dict(sorted(route.weights.items()))}
    if route.side_routes:
        asked["side_routes"] = msgspec.json.decode(msgspec.json.encode(route.side_routes))
    rules = [rule for side_route in route.side_routes for rule in _side_rules(route, side_route)]
    split = {"match": {"prefix": "/"}, "metadata": _metadata(asked), **_action(route)}
    return _configuration(route_name(route.key), [*rules, split])


def read_weights(configuration: Document) -> dict[str, int]:
    """Say which weights a route configuration was rendered from."""
    return {hash_: int(weight) for hash_, weight in _read_metadata(configuration)["weights"].items()}


def read_side_routes(configuration: Document) -> tuple[SideRoute, ...]:
    """Say which side routes a route configuration was rendered from."""
    return msgspec.convert(_read_metadata(configuration).get("side_routes", []), tuple[SideRoute, ...])


def service_configuration(route: ServiceRoute) -> Document:
    """Lead every request of a service to one revision, by the cluster that counts no users."""
    rule: Document = {
        "match": {"prefix": "/"},
        "metadata": _metadata({"hash": route.hash}),
        "route": _forward([_share(side_cluster_name(route.key, route.hash), route.hash, 1)]),
    }
    return _configuration(route_name(route.key, route.service), [rule])


def read_service(configuration: Document) -> str:
    """Say which revision the configuration of a service leads to."""
    return str(_read_metadata(configuration)["hash"])


def cluster(name: str, *, endpoints_path: str, places_of: str | None = None) -> Document:
    """Describe the replicas of one revision, whose places are read from a file of their own.

    A cluster that has no places of its own has those of another (`places_of`), by the same file.

    A place that is taken off the list gets no new request, whatever is still in flight there. There is no
    outlier detection: it would hide the very failures that the analysis has to see.
    """
    return {
        "@type": _CLUSTER,
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"service_name": places_of or name, "eds_config": _source(endpoints_path)},
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "ignore_health_on_host_removal": True,
        "circuit_breakers": {"thresholds": [_NO_LIMITS]},
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": _TYPES + _HTTP_OPTIONS,
                "common_http_protocol_options": {"idle_timeout": UPSTREAM_IDLE},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def read_places_of(told: Document) -> str:
    """Say whose places the document of a cluster refers to."""
    return str(told["eds_cluster_config"]["service_name"])


def load_assignment(name: str, endpoints: Iterable[Endpoint]) -> Document:
    """List the places where the replicas of one revision answer."""
    return {
        "@type": _ASSIGNMENT,
        "cluster_name": name,
        "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": _address(place.port)}} for place in sorted(endpoints)]}
        ],
    }


_NO_LIMITS: Document = {
    "max_connections": 10000,
    "max_pending_requests": 10000,
    "max_requests": 10000,
    "max_retries": 1000,
}

_RETRIES: Document = {
    # Only what no replica has begun to work on is sent again, and to another replica: a replica that dies
    # costs nothing, and no payment is made twice.
    "retry_on": "connect-failure,refused-stream,reset-before-request",
    "num_retries": 2,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": f"{_EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate",
            },
        }
    ],
    "host_selection_retry_max_attempts": 5,
    "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
}


def _configuration(name: str, rules: list[Document]) -> Document:
    return {
        "@type": _ROUTES,
        "name": name,
        "validate_clusters": True,
        "virtual_hosts": [{"name": name, "domains": ["*"], "routes": rules}],
    }


def _metadata(values: Document) -> Document:
    return {"filter_metadata": {_METADATA: values}}


def _read_metadata(configuration: Document) -> Document:
    """Return what the last rule, the one that fits every request, says of itself."""
    metadata: Document = configuration["virtual_hosts"][0]["routes"][-1]["metadata"]["filter_metadata"]
    return dict(metadata[_METADATA])


def _action(route: Route) -> Document:
    shares = {hash_: weight for hash_, weight in sorted(route.weights.items()) if weight > 0}
    if not shares:
        body = f"no revision of {route.key} takes traffic\n"
        return {"direct_response": {"status": 503, "body": {"inline_string": body}}}
    return {
        "route": _forward(
            [_share(cluster_name(route.key, hash_), hash_, weight) for hash_, weight in shares.items()]
        )
    }


def _side_rules(route: Route, side_route: SideRoute) -> list[Document]:
    """Write the rules of one side route: one for each way in which a request can fit it.

    Where nobody answers there is nothing to copy, so a mirror has no rules then.
    """
    match side_route:
        case HeaderRoute():
            to = _forward([_share(cluster_name(route.key, side_route.hash), side_route.hash, 1)])
            return [{"match": header_rule(side_route.match), "route": to}]
        case MirrorRoute():
            action = _action(route)
            if "route" not in action:
                return []
            copied = {**action["route"], "request_mirror_policies": [_copy(route.key, side_route)]}
            return [{"match": request_rule(match), "route": copied} for match in side_route.match]
        case _:
            assert_never(side_route)


def _copy(key: Key, mirror: MirrorRoute) -> Document:
    return {
        "cluster": side_cluster_name(key, mirror.hash),
        "runtime_fraction": {
            "default_value": {"numerator": mirror.percentage, "denominator": "HUNDRED"},
        },
    }


def _forward(clusters: list[Document]) -> Document:
    return {
        "weighted_clusters": {"clusters": clusters},
        "timeout": REQUEST_TIMEOUT,
        "retry_policy": _RETRIES,
    }


def _share(cluster: str, hash_: str, weight: int) -> Document:
    """Give the cluster of one revision its share, and let every answer say who gave it."""
    return {
        "name": cluster,
        "weight": weight,
        "response_headers_to_add": [
            {
                "header": {"key": VERSION_HEADER, "value": hash_.replace("%", "%%")},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }


def _connection_manager(name: str, routes_path: str) -> Document:
    return {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "rds": {"route_config_name": name, "config_source": _source(routes_path)},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
            }
        ],
    }


def _source(path: str) -> Document:
    """Read a resource from a file.

    No `watched_directory`: with one, every rename makes Envoy read all files again.
    """
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _address(port: int) -> Document:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
