"""What the proxy saw, under the names that people's queries ask for.

Envoy counts every answer that a user got, by the version that gave it, and it counts them under its own names.
A mesh calls the same things `istio_requests_total`, an application `http_requests_total`. Here one line of
Envoy becomes all the series that mean the same, so that a template written for a cluster measures here without
a change.

Who gave an answer is read off the proxy's cluster, never off what a workload says about itself. A workload that
exports one of the families below under its own name is not believed (`is_reserved`).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from davy.analysis.promql.series import NAME, Labels

CLUSTER_LABEL: Final = "envoy_cluster_name"
REQUESTS: Final = "envoy_cluster_upstream_rq"
"""Counts answers by status. Their sum is the denominator: Envoy's own total misses refused connections."""

CODE_LABEL: Final = "envoy_response_code"
DURATIONS: Final = "envoy_cluster_upstream_rq_time"

BORN: Final = "envoy_server_version"
"""Says which process of Envoy answered: Davy gives each one a version of its own when it starts it."""

LATENCY_BUCKETS: Final = (
    "envoy_cluster_external_upstream_rq_time_bucket",
    "envoy_cluster_internal_upstream_rq_time_bucket",
)
"""The fine histograms. Envoy times each answer a second time by who asked: somebody outside, or a peer that
`X-Forwarded-For` gives away; what comes through the loopback interface is from outside."""

LATENCY_BOUNDS_MS: Final = tuple(round(0.95 * 1.1**bucket, 3) for bucket in range(104))
"""Upper bounds of the fine histograms in milliseconds, each 1.1 times the one before; longer takes the rest.

Envoy times in whole milliseconds, rounded down, and keeps two digits of them: 0 ms is the first bucket, 1 ms
the second, 2 ms the ninth, and from 10 ms on no bucket is a mere gap. A service that answers in 1 to 3 ms
shows in three or four buckets, so being 20 % slower shows in it only by the part of its answers that pass
a whole millisecond more; from 10 ms on the buckets say what they promise, to a tenth. The last bound is above
the time after which the proxy gives up waiting.
"""

ALIASED: Final = ("http_requests_total", "http_request_duration_seconds")
"""The families that are made up from the proxy's for a workload that exports none of that name."""

TRAFFIC_LABEL: Final = "traffic"
"""Tells requests that are none of users (`side`) from those that are, which have no such label.

Without it both would be one series where the proxy's clusters are not named.
"""

_FINE: Final = frozenset(name.removesuffix("_bucket") for name in LATENCY_BUCKETS)
_RESERVED_PREFIXES: Final = ("istio_", "envoy_cluster_", "scrape_")


@dataclass(frozen=True, slots=True)
class Destination:
    """The version of a workload that one cluster of the proxy stands for.

    `labels` are those of its pods, by the names they have on a metric; `service` is the name users call. `side`
    says that the requests are none of users: copies, and what came through a service of the version's own.
    """

    namespace: str
    workload: str
    version: str
    service: str
    labels: Mapping[str, str] = field(default_factory=dict)
    side: bool = False

    @property
    def app(self) -> str:
        """The `app` label of its pods, or the workload's name."""
        return self.labels.get("app") or self.workload


@dataclass(frozen=True, slots=True)
class Mapped:
    """A series that one line feeds: its labels, and what the line's value is multiplied with."""

    labels: Labels
    factor: float = 1.0


def proxy_filter(routes: Collection[str] = ()) -> str:
    """Write what is asked of Envoy, as its `filter` parameter (RE2): 3 ms for 100 clusters, 20 ms without it.

    Args:
        routes: those whose versions' fine histograms are wanted, too; 105 lines for each version.
    """
    wanted = [r"[^.]+\.(upstream_rq_(\d\d\d|[1-5]xx|time)|membership_healthy)"]
    if routes:
        named = "|".join(re.escape(route) for route in sorted(routes))
        wanted.append(rf"({named})\|[^.|]+\.(external|internal)\.upstream_rq_time")
    return rf"^(cluster\.({'|'.join(wanted)})|server\.version)$"


def is_reserved(name: str) -> bool:
    """Say whether only the scraper itself may write this family."""
    return name == "up" or name.startswith(_RESERVED_PREFIXES)


def family(name: str) -> str:
    """Name the family of a sample: what is left without the suffix of a histogram or a summary."""
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def proxy_series(line: Labels, destination: Destination) -> tuple[Mapped, ...]:
    """Give the line itself, labelled with its workload, and what a mesh would call it.

    Of the fine histograms nothing: they are no names that people know, and a hundred series a version.
    """
    if family(line.name) in _FINE:
        return ()
    passed = {
        **line.as_dict,
        "app": destination.app,
        "namespace": destination.namespace,
        "rollouts_pod_template_hash": destination.version,
        **_whose(destination),
    }
    labels = _mesh_labels(destination)
    if line.name == REQUESTS:
        labels |= {NAME: "istio_requests_total", "response_code": line[CODE_LABEL]}
    elif family(line.name) == DURATIONS:
        labels |= {NAME: line.name.replace(DURATIONS, "istio_request_duration_milliseconds")}
        labels |= {"le": line.get("le", "")}
    else:
        return (Mapped(Labels(passed)),)
    return Mapped(Labels(passed)), Mapped(Labels(labels))


def alias_series(line: Labels, destination: Destination) -> Mapped | None:
    """Give the series that an application's own metrics would have had, or None where there is no such thing.

    To be written only while the workload exports no family of that name (`davy.analysis.alias`): both together
    would count every request twice.
    """
    labels = {
        **destination.labels,
        "app": destination.app,
        "namespace": destination.namespace,
        "rollouts_pod_template_hash": destination.version,
        "job": destination.workload,
        **_whose(destination),
    }
    if line.name == REQUESTS:
        return Mapped(Labels({**labels, NAME: "http_requests_total", "status": line[CODE_LABEL]}))
    if family(line.name) != DURATIONS:
        return None
    labels[NAME] = line.name.replace(DURATIONS, "http_request_duration_seconds")
    if "le" in line:
        return Mapped(Labels({**labels, "le": _seconds(line["le"])}))
    return Mapped(Labels(labels), factor=0.001 if line.name.endswith("_sum") else 1.0)


def _mesh_labels(destination: Destination) -> dict[str, str]:
    service, namespace = destination.service, destination.namespace
    return {
        "reporter": "source",
        "destination_workload": destination.workload,
        "destination_workload_namespace": namespace,
        "destination_service": f"{service}.{namespace}.svc.cluster.local",
        "destination_service_name": service,
        "destination_service_namespace": namespace,
        "destination_version": destination.version,
        "destination_canonical_revision": destination.version,
        "destination_app": destination.app,
        "request_protocol": "http",
        **_whose(destination),
    }


def _whose(destination: Destination) -> dict[str, str]:
    return {TRAFFIC_LABEL: "side"} if destination.side else {}


def _seconds(milliseconds: str) -> str:
    """Write a bucket's bound as Prometheus 3 does: a whole number keeps its `.0`."""
    return milliseconds if milliseconds == "+Inf" else repr(float(milliseconds) / 1000)
