"""The provider `web`: a request whose JSON answer is the measurement.

Source: `metricproviders/webmetric` of Argo Rollouts.
"""

import json
import time

from davy.adapters.addresses import Addresses
from davy.adapters.oauth2 import token
from davy.adapters.tools import Tools
from davy.adapters.vendor import Server, print_json, read_json
from davy.analysis.provider import Answer, Asking, ProviderError
from davy.model.json_path import BadPath, NotFound, find, read
from davy.model.providers import MetricProvider, OAuth2Config, WebMetric

DEFAULT_TIMEOUT_S = 10
"""Argo's default."""

_LONGEST_VALUE = 4096


def provider(tools: Tools) -> "WebProvider":
    """Make the provider for an engine."""
    return WebProvider(tools.addresses)


class WebProvider:
    """Asks the URL of a metric, if the list of addresses allows it. Redirects are not followed."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        """Ask once, for at most as long as the metric's time-out, signing in included."""
        metric = provider.web
        if metric is None:
            raise ProviderError("this metric does not ask the web")
        deadline = time.monotonic() + (metric.timeout_seconds or DEFAULT_TIMEOUT_S)
        server = Server(self._addresses, asking, verify=not metric.insecure)
        headers = _headers(metric, server, deadline)
        response = server.ask(
            metric.method or "GET",
            metric.url,
            headers=headers,
            body=_body(metric),
            timeout_s=max(0.0, deadline - time.monotonic()),
        )
        if not 200 <= response.status < 300:
            raise server.refusal(response, metric.url)
        return _answer(metric, response.body, asking)


def _headers(metric: WebMetric, server: Server, deadline: float) -> dict[str, str]:
    headers = {"Content-Type": "application/json"} if metric.json_body is not None else {}
    for header in metric.headers:
        headers = {name: value for name, value in headers.items() if name.lower() != header.key.lower()}
        headers[header.key] = header.value
    oauth2 = metric.authentication.oauth2
    if oauth2 != OAuth2Config():
        server = Server(server.addresses, server.asking, "authentication.oauth2 of the metric", server.verify)
        given = token(oauth2, server, timeout_s=max(0.0, deadline - time.monotonic()))
        headers["Authorization"] = f"Bearer {given}"
    return headers


def _body(metric: WebMetric) -> bytes | None:
    if metric.json_body is not None:
        return json.dumps(metric.json_body).encode()
    return metric.body.encode() if metric.body else None


def _answer(metric: WebMetric, body: bytes, asking: Asking) -> Answer:
    """Take what the path leads to first; a body that is no JSON is a text, whatever the path is.

    Raises:
        ProviderError: the path leads nowhere.
    """
    try:
        whole = read_json(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        return Answer(text, _shown(text, asking))
    try:
        found = find(read(metric.json_path or "{$}"), whole)
    except (BadPath, NotFound) as error:
        raise ProviderError(f"Could not find JSONPath in body: {error}") from None
    if not found:
        raise ProviderError("result of web metric produced no value")
    return Answer(found[0], _shown(print_json(found[0]), asking))


def _shown(text: str, asking: Asking) -> str:
    """Keep what is stored of an answer to a bearable length."""
    hidden = asking.hide(text)
    return hidden if len(hidden) <= _LONGEST_VALUE else f"{hidden[:_LONGEST_VALUE]}…"
