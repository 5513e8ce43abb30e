"""What has to hold of a metric's provider: what Argo Rollouts checks, and what it finds out while measuring."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from davy.model.checks.complaints import Complaints
from davy.model.checks.job import validate_job
from davy.model.duration import BadDuration, parse_duration
from davy.model.json_path import BadPath, read
from davy.model.judge import JudgeQuery
from davy.model.part import Part
from davy.model.providers import (
    PLUGINS,
    DatadogMetric,
    HoneycombMetric,
    MetricProvider,
    PrometheusMetric,
    SentryMetric,
    WebMetric,
)
from davy.model.source import join

SENTRY_METRICS = ("crash-free-sessions", "crash-free-users", "sessions", "errors")
"""What can be measured of a release in Sentry."""

URL = re.compile(r"https?://[^\s/]+.*", re.DOTALL)
_SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|password|api-?key|application-?key", re.IGNORECASE
)
_BAD_MEMBER = re.compile(r"(.*) - at `\$\.?(.*)`")


def validate_provider(path: str, provider: MetricProvider, complaints: Complaints) -> None:
    """Hold what a metric asks against what its provider takes."""
    if provider.prometheus is not None:
        _validate_prometheus(f"{path}.prometheus", provider.prometheus, complaints)
    if provider.web is not None:
        _validate_web(f"{path}.web", provider.web, complaints)
    if provider.datadog is not None:
        _validate_datadog(f"{path}.datadog", provider.datadog, complaints)
    if provider.job is not None:
        validate_job(f"{path}.job", provider.job, complaints)
    for name, config in provider.plugin.items():
        if name in PLUGINS:
            _validate_plugin(join(f"{path}.plugin", name), PLUGINS[name], config, complaints)
    for below, name in _literal_secrets(provider):
        title = f"`{name}` stands in the manifest, where everyone who reads it finds it"
        fix = "write {{args.NAME}}, and let NAME come from valueFrom.secretKeyRef"
        complaints.add(f"{path}.{below}", title, code="DV016", severity="warning", part="value", fix=fix)


def broken_duration(text: str) -> str:
    """Say what Go finds wrong with a duration; what is not there or has an argument in it is fine so far."""
    if text and "{{" not in text:
        try:
            parse_duration(text)
        except BadDuration as error:
            return str(error)
    return ""


def _literal_secrets(provider: MetricProvider) -> Iterator[tuple[str, str]]:
    """Find what is given to sign in and does not come from a Secret."""
    for kind in ("prometheus", "web"):
        asked: PrometheusMetric | WebMetric | None = getattr(provider, kind)
        if asked is None:
            continue
        for number, header in enumerate(asked.headers):
            if _SECRET_HEADER.search(header.key) and header.value and "{{" not in header.value:
                yield f"{kind}.headers[{number}].value", header.key
        password = asked.authentication.basic_auth.password
        if password and "{{" not in password:
            yield f"{kind}.authentication.basicAuth.password", "password"
        secret = asked.authentication.oauth2.client_secret
        if secret and "{{" not in secret:
            yield f"{kind}.authentication.oauth2.clientSecret", "clientSecret"


def _validate_plugin(path: str, kind: type[Part], config: Any, complaints: Complaints) -> None:
    """Hold what stands below the name of a plug-in against its fields, and then against each other."""
    try:
        metric = msgspec.convert(config, kind)
    except msgspec.ValidationError as error:
        found = _BAD_MEMBER.fullmatch(str(error))
        words, below = (found[1], f"{path}.{found[2]}") if found and found[2] else (str(error), path)
        complaints.add(below, words, code="DV006", part="key")
        return
    match metric:
        case HoneycombMetric():
            _validate_honeycomb(path, metric, complaints)
        case SentryMetric():
            _validate_sentry(path, metric, complaints)
        case JudgeQuery() if "{{" in metric.judge:
            title = "which Judge is asked has to be known before anything is measured"
            fix = "write its name, or leave it out: then it is the Judge of the service"
            complaints.add(f"{path}.judge", title, part="value", fix=fix)


def _validate_honeycomb(path: str, metric: HoneycombMetric, complaints: Complaints) -> None:
    calculations = metric.query.get("calculations")
    if not isinstance(calculations, list | tuple) or not calculations:
        title = "the query has no `calculations`, and so nothing is measured"
        complaints.add(f"{path}.query", title, code="DV007", part="key")
    elif len(calculations) > 1 and not metric.result:
        title = "the query has several calculations: which one is the `result`?"
        complaints.add(path, title, code="DV007", part="key")
    if not {"time_range", "start_time"} & metric.query.keys():
        title = "the query has no `time_range`, and Honeycomb would look at two hours"
        complaints.add(f"{path}.query", title, code="DV007", part="key", fix="time_range: 300")
    _validate_duration(f"{path}.timeout", metric.timeout, complaints)


def _validate_sentry(path: str, metric: SentryMetric, complaints: Complaints) -> None:
    if "{{" not in metric.metric:
        complaints.check_one_of(f"{path}.metric", metric.metric, SENTRY_METRICS)
    if not metric.window:
        complaints.add(f"{path}.window", "`window` is empty", code="DV007", part="value")
    if metric.query and metric.metric != "errors":
        complaints.add(f"{path}.query", "`query` is for errors; sessions have none", part="key")
    _validate_duration(f"{path}.window", metric.window, complaints)
    _validate_duration(f"{path}.timeout", metric.timeout, complaints)


def _validate_duration(path: str, text: str, complaints: Complaints) -> None:
    if error := broken_duration(text):
        complaints.add(path, error, part="value", fix="write a number with a unit: s, m or h")


def _validate_prometheus(path: str, prometheus: PrometheusMetric, complaints: Complaints) -> None:
    if not prometheus.query.strip():
        complaints.add(f"{path}.query", f"`{path}.query` is missing", code="DV007", part="key")
    if prometheus.address and "{{" not in prometheus.address and not URL.fullmatch(prometheus.address):
        complaints.add(f"{path}.address", "prometheus address is not is url format", part="value")
    if prometheus.timeout is not None and prometheus.timeout < 0:
        complaints.add(f"{path}.timeout", "prometheus timeout should not be negative", part="value")
    if prometheus.range_query is not None:
        window = prometheus.range_query
        for field, text in (("start", window.start), ("end", window.end), ("step", window.step)):
            if not text:
                title = f"a range query needs `{field}`"
                complaints.add(f"{path}.rangeQuery.{field}", title, code="DV007", part="key")
        if error := broken_duration(window.step):
            title = f"failed to parse rangeQuery.step as duration: {error}"
            complaints.add(f"{path}.rangeQuery.step", title, part="value")


def _validate_web(path: str, web: WebMetric, complaints: Complaints) -> None:
    complaints.check_one_of(f"{path}.method", web.method, ("", "GET", "POST", "PUT"))
    if "{{" not in web.url and not URL.fullmatch(web.url):
        complaints.add(f"{path}.url", f"{web.url!r} is no URL", part="value")
    complaints.check_least(f"{path}.timeoutSeconds", web.timeout_seconds)
    if web.json_path and "{{" not in web.json_path:
        try:
            read(web.json_path)
        except BadPath as error:
            complaints.add(f"{path}.jsonPath", f"invalid jsonPath: {error}", part="value")
    if web.body and web.json_body is not None:
        title = "use either Body or JSONBody; both cannot exists for WebMetric payload"
        complaints.add(f"{path}.jsonBody", title, part="key")
    elif (web.body or web.json_body is not None) and web.method in ("", "GET"):
        title = "Body/JSONBody can only be used with POST or PUT WebMetric Method types"
        complaints.add(f"{path}.{'body' if web.body else 'jsonBody'}", title, part="key")


def _validate_datadog(path: str, datadog: DatadogMetric, complaints: Complaints) -> None:
    review = "Please review the Analysis Template."
    version = datadog.api_version or "v1"
    complaints.check_one_of(f"{path}.apiVersion", version, ("v1", "v2"))
    if not datadog.query and not datadog.queries:
        complaints.add(path, f"Must have either a query or queries. {review}", code="DV007", part="key")
    elif datadog.query and datadog.queries:
        complaints.add(path, f"Cannot have both a query and queries. {review}", part="key")
    elif version == "v1" and not datadog.query:
        title = (
            "Query is empty. API Version v1 only supports using the query parameter in your Analysis Template."
        )
        complaints.add(path, title, part="key")
    if datadog.formula and not datadog.queries:
        complaints.add(f"{path}.formula", f"Formula are only valid when queries are set. {review}")
    if not datadog.formula and len(datadog.queries) > 1:
        complaints.add(
            f"{path}.queries", "When multiple queries are provided you must include a formula.", part="key"
        )
    if version == "v1" and datadog.aggregator:
        complaints.add(f"{path}.aggregator", f"Aggregator is not supported in v1. {review}")
    if error := broken_duration(datadog.interval):
        complaints.add(f"{path}.interval", error, part="value")
    if error := broken_duration(datadog.request_timeout):
        title = f"Could not parse the request timeout: {error}. {review}"
        complaints.add(f"{path}.requestTimeout", title, part="value")
