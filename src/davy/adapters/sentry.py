"""The plug-in provider `davy.dev/sentry`: how healthy a release is, by Sentry's sessions and errors.

Written from Sentry's documentation of its API, and tested against a server that answers as it says, not against
Sentry:

* `GET /api/0/organizations/ORGANIZATION/sessions/?field=…&statsPeriod=60m&interval=60m` answers
  `{"groups": [{"by": {}, "totals": {"crash_free_rate(session)": 0.99, "sum(session)": 120}}]}`.
* `GET /api/0/organizations/ORGANIZATION/events/?dataset=errors&field=count()&statsPeriod=60m` answers
  `{"data": [{"count()": 12}]}`.

Every request carries an organization's token as a bearer.
"""

import math
from typing import Any
from urllib.parse import quote, urlencode

from davy.adapters.addresses import Addresses
from davy.adapters.tools import Tools
from davy.adapters.vendor import Server, address_of, config_of, refuse_other_speeds, seconds
from davy.analysis.numbers import printed
from davy.analysis.provider import Answer, Asking, ProviderError
from davy.model.providers import MetricProvider, SentryMetric

NAME = "davy.dev/sentry"
DEFAULT_ADDRESS = "https://sentry.io"
HOSTS = ("sentry.io:443", "us.sentry.io:443", "de.sentry.io:443")
DEFAULT_TIMEOUT_S = 10.0

_FIELDS = {
    "crash-free-sessions": "crash_free_rate(session)",
    "crash-free-users": "crash_free_rate(user)",
    "sessions": "sum(session)",
}


def provider(tools: Tools) -> "SentryProvider":
    """Make the provider for an engine."""
    return SentryProvider(tools.addresses, speed=tools.clock.speed)


class SentryProvider:
    """Asks Sentry with the key `token` of a Secret, at its key `address` where there is one."""

    def __init__(self, addresses: Addresses, *, speed: float = 1.0) -> None:
        self._addresses = addresses.with_vendors(HOSTS)
        self._speed = speed

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        """Ask once, for at most as long as the metric's time-out."""
        metric = config_of(provider, NAME, SentryMetric)
        refuse_other_speeds(self._speed, "Sentry")
        name = metric.secret_ref.name
        headers = {"Authorization": f"Bearer {asking.secret(name, 'token').reveal()}"}
        address = address_of(asking, name, asking.namespace, DEFAULT_ADDRESS)
        server = Server(self._addresses, asking, f"token of the secret {asking.namespace}/{name}")
        timeout_s = seconds(metric.timeout, DEFAULT_TIMEOUT_S, "timeout")
        below, asked = _question(metric)
        place = f"{address}/api/0/organizations/{quote(metric.organization, safe='')}/{below}/"
        found = server.ask_json("GET", f"{place}?{urlencode(asked)}", headers=headers, timeout_s=timeout_s)
        return _errors(found) if metric.metric == "errors" else _health(metric, found)


def _question(metric: SentryMetric) -> tuple[str, list[tuple[str, str]]]:
    """Write the path below the organization, and what is asked there.

    Raises:
        ProviderError: nobody knows the figure.
    """
    minutes = math.ceil(seconds(metric.window, 0.0, "window") / 60)
    asked = [("statsPeriod", f"{minutes}m")]
    asked += [("project", project) for project in metric.projects]
    if metric.environment:
        asked.append(("environment", metric.environment))
    terms = [f'release:"{metric.release}"'] if metric.release else []
    if '"' in metric.release or "\\" in metric.release:
        raise ProviderError("the release of the metric holds a quote or a backslash, which no release has")
    if metric.metric == "errors":
        asked += [("dataset", "errors"), ("field", "count()")]
        terms += [metric.query] if metric.query else []
        below = "events"
    elif metric.metric in _FIELDS:
        asked += [("field", field) for field in dict.fromkeys([_FIELDS[metric.metric], "sum(session)"])]
        asked.append(("interval", f"{minutes}m"))
        below = "sessions"
    else:
        raise ProviderError(f"Sentry is not asked for {metric.metric!r}: {', '.join(_FIELDS)} or errors")
    if terms:
        asked.append(("query", " ".join(terms)))
    return below, asked


def _health(metric: SentryMetric, found: Any) -> Answer:
    """Take a figure of the sessions; where there was no session there is no rate of those that were well."""
    field = _FIELDS[metric.metric]
    match found:
        case {"groups": []}:
            return Answer(None, "null", {"sessions": "0"})
        case {"groups": [{"totals": {"sum(session)": float() as sessions, **totals}}]}:
            value = sessions if field == "sum(session)" else totals.get(field, ())
            told = {"sessions": printed(sessions)}
            if value is None or (not sessions and field != "sum(session)"):
                return Answer(None, "null", told)
            if isinstance(value, float):
                return Answer(value, printed(value), told)
    raise ProviderError("what Sentry answered is not what it answers about sessions")


def _errors(found: Any) -> Answer:
    match found:
        case {"data": [{"count()": float() as count}]}:
            return Answer(count, printed(count))
        case {"data": []}:
            return Answer(None, "null")
    raise ProviderError("what Sentry answered is not what it answers about errors")
