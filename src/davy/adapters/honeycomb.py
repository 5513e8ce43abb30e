"""The plug-in provider `davy.dev/honeycomb`: a query of Honeycomb's Query Data API.

Written from Honeycomb's documentation of its API, and tested against a server that answers as it says, not
against Honeycomb:

* `POST /1/queries/DATASET` with a query specification answers `{"id": QUERY}`.
* `POST /1/query_results/DATASET` with `{"query_id": QUERY, "disable_series": true, "limit": 100}` answers
  `{"id": RESULT, "complete": false}`.
* `GET /1/query_results/DATASET/RESULT` answers, once it is done,
  `{"complete": true, "data": {"results": [{"data": {COLUMN: 1}}]}}`.

Every request carries the key of an environment in `X-Honeycomb-Team`. Honeycomb allows ten query results a
minute.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from davy.adapters.addresses import Addresses
from davy.adapters.tools import Tools
from davy.adapters.vendor import Server, address_of, config_of, refuse_other_speeds, seconds
from davy.analysis.numbers import printed
from davy.analysis.provider import Answer, Asking, ProviderError
from davy.model.providers import HoneycombMetric, MetricProvider

NAME = "davy.dev/honeycomb"
DEFAULT_ADDRESS = "https://api.honeycomb.io"
HOSTS = ("api.honeycomb.io:443", "api.eu1.honeycomb.io:443")
DEFAULT_TIMEOUT_S = 30.0
POLL_S = 0.5
_MOST_ROWS = 100


def provider(tools: Tools) -> "HoneycombProvider":
    """Make the provider for an engine."""
    return HoneycombProvider(tools.addresses, speed=tools.clock.speed)


class HoneycombProvider:
    """Asks Honeycomb with the key `api-key` of a Secret, at its key `address` where there is one.

    Args:
        addresses: decides what may be asked beside Honeycomb's own hosts.
        speed: of the engine's clock.
        pause: waits some seconds between two looks at a result.
    """

    def __init__(
        self,
        addresses: Addresses,
        *,
        speed: float = 1.0,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._addresses = addresses.with_vendors(HOSTS)
        self._speed = speed
        self._pause = pause

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        """Have a query run and wait for its result, for at most as long as the metric's time-out."""
        metric = config_of(provider, NAME, HoneycombMetric)
        refuse_other_speeds(self._speed, "Honeycomb")
        name, namespace = metric.secret_ref.name, asking.namespace
        headers = {"X-Honeycomb-Team": asking.secret(name, "api-key").reveal()}
        address = address_of(asking, name, namespace, DEFAULT_ADDRESS)
        server = Server(self._addresses, asking, f"api-key of the secret {namespace}/{name}")
        timeout_s = seconds(metric.timeout, DEFAULT_TIMEOUT_S, "timeout")
        deadline = time.monotonic() + timeout_s
        dataset = quote(metric.dataset, safe="")

        def ask(method: str, path: str, body: object = None) -> Any:
            left = max(0.0, deadline - time.monotonic())
            return server.ask_json(method, f"{address}{path}", headers=headers, body=body, timeout_s=left)

        query = _id(ask("POST", f"/1/queries/{dataset}", metric.query))
        wanted = {"query_id": query, "disable_series": True, "limit": _MOST_ROWS}
        found = ask("POST", f"/1/query_results/{dataset}", wanted)
        result = quote(_id(found), safe="")
        while not _complete(found):
            if time.monotonic() >= deadline:
                raise ProviderError(f"Honeycomb had not finished the query after {timeout_s:g} s")
            self._pause(min(POLL_S, timeout_s))
            found = ask("GET", f"/1/query_results/{dataset}/{result}")
        return _answer(metric, found)


def _id(found: Any) -> str:
    match found:
        case {"id": str() as name} if name:
            return name
    raise ProviderError("what Honeycomb answered has no id")


def _complete(found: Any) -> bool:
    match found:
        case {"complete": bool() as complete}:
            return complete
    raise ProviderError("what Honeycomb answered does not say whether it is complete")


def _answer(metric: HoneycombMetric, found: Any) -> Answer:
    """Take one calculation of every row: a number where nothing is broken down, else a list of them."""
    match found:
        case {"data": {"results": [*rows]}}:
            numbers = tuple(_number(metric, row) for row in rows)
        case _:
            raise ProviderError("what Honeycomb answered is not a result")
    if metric.query.get("breakdowns"):
        return Answer(numbers, printed(numbers), {"rows": str(len(numbers))})
    if len(numbers) > 1:
        raise ProviderError("Honeycomb answered with several rows to a query without breakdowns")
    return Answer(numbers[0], printed(numbers[0])) if numbers else Answer(None, "null")


def _number(metric: HoneycombMetric, row: Any) -> float:
    match row:
        case {"data": dict() as columns}:
            pass
        case _:
            raise ProviderError("what Honeycomb answered has a row without data")
    broken_down = set(metric.query.get("breakdowns") or ())
    calculated = {name: value for name, value in columns.items() if name not in broken_down}
    if metric.result:
        calculated = {name: value for name, value in calculated.items() if name == metric.result}
    if len(calculated) != 1:
        raise ProviderError(f"Honeycomb's result has not one column {metric.result}".rstrip())
    [value] = calculated.values()
    if not isinstance(value, float):
        raise ProviderError("Honeycomb's result is not a number")
    return value
