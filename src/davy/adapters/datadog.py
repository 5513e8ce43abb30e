"""The provider `datadog`: one query, or several and a formula, of Datadog's API version 1 or 2.

Source: `metricproviders/datadog` of Argo Rollouts, and Datadog's documentation of "Query timeseries points" and
"Query scalar data across multiple products". Tested against a server that answers as they say, not against
Datadog.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from davy.adapters.addresses import Addresses
from davy.adapters.tools import Tools
from davy.adapters.vendor import Server, address_of, print_json, refuse_other_speeds, seconds
from davy.analysis.numbers import printed
from davy.analysis.provider import Answer, Asking, ProviderError
from davy.model.providers import DatadogMetric, MetricProvider

DEFAULT_ADDRESS = "https://api.datadoghq.com"
HOSTS = (
    "api.datadoghq.com:443",
    "api.us3.datadoghq.com:443",
    "api.us5.datadoghq.com:443",
    "api.datadoghq.eu:443",
    "api.ap1.datadoghq.com:443",
    "api.ap2.datadoghq.com:443",
    "api.ddog-gov.com:443",
)
"""Datadog's sites; another has to be on the list of addresses."""

SECRET = "datadog"  # noqa: S105  a name
"""The Secret that is read where the metric names none."""

CONTROLLER_NAMESPACE = "argo-rollouts"
"""Where a Secret is looked for that is not `namespaced`: Argo's own namespace."""

DEFAULT_INTERVAL_S = 300.0
DEFAULT_TIMEOUT_S = 10.0
_MOST_GROUPS = 100


def provider(tools: Tools) -> "DatadogProvider":
    """Make the provider for an engine."""
    return DatadogProvider(tools.addresses, speed=tools.clock.speed)


class DatadogProvider:
    """Asks Datadog with the keys of a Secret: `api-key` and `app-key`, and `address` for another site.

    Args:
        addresses: decides what may be asked beside Datadog's own sites.
        speed: of the engine's clock.
        wall: tells the time that Datadog lives in.
    """

    def __init__(
        self, addresses: Addresses, *, speed: float = 1.0, wall: Callable[[], float] = time.time
    ) -> None:
        self._addresses = addresses.with_vendors(HOSTS)
        self._speed = speed
        self._wall = wall

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        """Ask once, for at most as long as the metric's time-out."""
        metric = provider.datadog
        if metric is None:
            raise ProviderError("this metric does not ask Datadog")
        refuse_other_speeds(self._speed, "Datadog")
        name = metric.secret_ref.name or SECRET
        namespace = asking.namespace if metric.secret_ref.namespaced else CONTROLLER_NAMESPACE
        keys = {
            "DD-API-KEY": asking.secret(name, "api-key", namespace=namespace).reveal(),
            "DD-APPLICATION-KEY": asking.secret(name, "app-key", namespace=namespace).reveal(),
        }
        address = address_of(asking, name, namespace, DEFAULT_ADDRESS)
        server = Server(self._addresses, asking, f"api-key and app-key of the secret {namespace}/{name}")
        window_s = seconds(metric.interval, DEFAULT_INTERVAL_S, "interval")
        timeout_s = seconds(metric.request_timeout, DEFAULT_TIMEOUT_S, "requestTimeout")
        until = self._wall()
        if metric.api_version in ("", "v1"):
            asked = urlencode({"query": metric.query, "from": int(until - window_s), "to": int(until)})
            url = f"{address}/api/v1/query?{asked}"
            return _series(server.ask_json("GET", url, headers=keys, timeout_s=timeout_s), server)
        body = scalar_request(metric, until - window_s, until)
        url = f"{address}/api/v2/query/scalar"
        return _scalar(server.ask_json("POST", url, headers=keys, body=body, timeout_s=timeout_s), server)


def scalar_request(metric: DatadogMetric, start: float, end: float) -> dict[str, Any]:
    """Write the question of version 2; times are in milliseconds."""
    queries = metric.queries or {"query": metric.query}
    formula = metric.formula or next(iter(queries))
    return {
        "data": {
            "type": "scalar_request",
            "attributes": {
                "from": int(start * 1000),
                "to": int(end * 1000),
                "queries": [
                    {
                        "aggregator": metric.aggregator or "last",
                        "data_source": "metrics",
                        "name": name,
                        "query": query,
                    }
                    for name, query in queries.items()
                ],
                "formulas": [{"formula": formula}],
            },
        }
    }


def _series(found: Any, server: Server) -> Answer:
    """Take the last point of the first series, as Argo does; none is no data, nor is one without a value."""
    match found:
        case {"error": str() as error} if error:
            raise ProviderError(f"Datadog could not answer the query: {server.quote(error)}")
        case {"series": [] | None as series} | {"series": [{"pointlist": [] | None}, *_] as series}:
            return Answer(None, print_json(series))
        case {"series": [{"pointlist": [*_, [float(), None]]}, *_]}:
            return Answer(None, "null")
        case {"series": [{"pointlist": [*_, [float(), float() as value]]}, *_]}:
            return Answer(value, printed(value))
    raise ProviderError("what Datadog answered is not what its version 1 answers")


def _scalar(found: Any, server: Server) -> Answer:
    """Take a number, or the numbers of groups; a group without value is NaN, which meets no condition."""
    match found:
        case {"errors": errors} if errors:
            raise ProviderError(f"There were errors in your query: {server.quote(str(errors))}")
        case {"data": {"attributes": {"columns": [*columns]}}}:
            groups = [column for column in columns if _is(column, "group")]
            numbers = [column for column in columns if _is(column, "number")]
            if len(groups) + len(numbers) == len(columns) and len(numbers) <= 1:
                return _columns(groups, numbers[0]["values"] if numbers else [])
    raise ProviderError("what Datadog answered is not what its version 2 answers")


def _is(column: Any, kind: str) -> bool:
    return isinstance(column, dict) and column.get("type") == kind and isinstance(column.get("values"), list)


def _columns(groups: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> Answer:
    if not all(value is None or isinstance(value, float) for value in values):
        raise ProviderError("what Datadog answered is not what its version 2 answers")
    if not groups:
        first = values[0] if values else None
        return Answer(first, "[]" if not values else "null" if first is None else printed(first))
    numbers = tuple(math.nan if value is None else value for value in values)
    names = [", ".join(map(_group, row)) for row in zip(*(group["values"] for group in groups), strict=False)]
    return Answer(numbers, printed(numbers), {"groups": "; ".join(names[:_MOST_GROUPS])})


def _group(value: Any) -> str:
    """Name a group: its tags as a text."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
