"""Where a metric is measured: the twelve providers of Argo Rollouts, each with its own fields."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from davy.model.job import JobMetric
from davy.model.judge import PLUGIN as JUDGE
from davy.model.judge import JudgeQuery
from davy.model.part import Int64, IntOrString, Opaque, Part

_PLACEHOLDER = re.compile(r"[A-Za-z ]*\{\{[^{}]*\}\}")


class Header(Part, frozen=True):
    """A header sent with a request."""

    key: str
    value: str


class Sigv4Config(Part, frozen=True):
    """How requests to AWS are signed."""

    region: str = ""
    profile: str = ""
    role_arn: str = ""


class OAuth2Config(Part, frozen=True):
    """Client credentials and where they are turned into a token."""

    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: tuple[str, ...] = ()


class BasicAuthConfig(Part, frozen=True):
    """A user's name and password."""

    username: str = ""
    password: str = ""


class Authentication(Part, frozen=True):
    """How Davy says who it is."""

    sigv4: Sigv4Config = Sigv4Config()
    oauth2: OAuth2Config = OAuth2Config()
    basic_auth: BasicAuthConfig = BasicAuthConfig()


class PrometheusRangeQueryArgs(Part, frozen=True):
    """Makes a query a range query; `start` and `end` are expressions with now() and duration()."""

    start: str = ""
    end: str = ""
    step: str = ""


class PrometheusMetric(Part, frozen=True):
    """A PromQL query; `timeout` is in seconds."""

    address: str = ""
    query: str = ""
    authentication: Authentication = Authentication()
    timeout: Int64 | None = None
    insecure: bool = False
    headers: tuple[Header, ...] = ()
    range_query: PrometheusRangeQueryArgs | None = None


class WebMetric(Part, frozen=True):
    """A request whose JSON answer is the measurement; `method` is GET, POST or PUT."""

    url: str
    method: str = ""
    headers: tuple[Header, ...] = ()
    body: str = ""
    json_body: Any = None
    timeout_seconds: Int64 = 0
    json_path: str = ""
    insecure: bool = False
    authentication: Authentication = Authentication()


class SecretRef(Part, frozen=True):
    """The Secret that holds a provider's keys."""

    name: str = ""
    namespaced: bool = False


class DatadogMetric(Part, frozen=True):
    """One Datadog query, or several and a formula; `api_version` is v1 or v2."""

    query: str = ""
    queries: Mapping[str, str] = {}
    formula: str = ""
    interval: str = ""
    api_version: str = ""
    aggregator: str = ""
    secret_ref: SecretRef = SecretRef()
    request_timeout: str = ""


class NewRelicMetric(Part, frozen=True):
    """A NRQL query; `timeout` is in seconds."""

    query: str
    profile: str = ""
    timeout: Int64 | None = None


class WavefrontMetric(Part, frozen=True):
    """A Wavefront query."""

    address: str = ""
    query: str = ""


class GraphiteMetric(Part, frozen=True):
    """A Graphite target."""

    address: str = ""
    query: str = ""


class InfluxdbMetric(Part, frozen=True):
    """A Flux query."""

    profile: str = ""
    query: str = ""


class SkyWalkingMetric(Part, frozen=True):
    """A GraphQL query to SkyWalking."""

    address: str = ""
    query: str = ""
    interval: str = ""


class CloudWatchDimension(Part, frozen=True):
    """One dimension of a CloudWatch metric."""

    name: str = ""
    value: str = ""


class CloudWatchStatMetric(Part, frozen=True):
    """A CloudWatch metric by namespace, name and dimensions."""

    dimensions: tuple[CloudWatchDimension, ...] = ()
    metric_name: str = ""
    namespace: str | None = None


class CloudWatchMetricStat(Part, frozen=True):
    """A statistic of a CloudWatch metric."""

    metric: CloudWatchStatMetric = CloudWatchStatMetric()
    period: IntOrString = 0
    stat: str = ""
    unit: str = ""


class CloudWatchMetricDataQuery(Part, frozen=True):
    """One query of a CloudWatch measurement."""

    id: str = ""
    expression: str | None = None
    label: str | None = None
    metric_stat: CloudWatchMetricStat | None = None
    period: IntOrString | None = None
    return_data: bool | None = None


class CloudWatchMetric(Part, frozen=True):
    """CloudWatch queries over a window of `interval`."""

    metric_data_queries: tuple[CloudWatchMetricDataQuery, ...]
    interval: str = ""


class KayentaThreshold(Part, frozen=True):
    """From which score on a canary passes, and from which on it is marginal."""

    pass_: Int64 = msgspec.field(name="pass")
    marginal: Int64


class KayentaScopeDetail(Part, frozen=True):
    """Whose metrics are compared, and when."""

    scope: str
    region: str
    step: Int64
    start: str = ""
    end: str = ""


class KayentaScope(Part, frozen=True):
    """What is compared with what."""

    name: str
    control_scope: KayentaScopeDetail
    experiment_scope: KayentaScopeDetail


class KayentaMetric(Part, frozen=True):
    """A judgement of Kayenta; conditions are ignored."""

    address: str
    application: str
    canary_config_name: str
    metrics_account_name: str
    configuration_account_name: str
    storage_account_name: str
    threshold: KayentaThreshold
    scopes: tuple[KayentaScope, ...]
    lookback: bool = False


class SecretName(Part, frozen=True):
    """The Secret that holds a key, in the namespace of the run."""

    name: str


class HoneycombMetric(Part, frozen=True):
    """A query of Honeycomb's Query Data API, as the plug-in `davy.dev/honeycomb`.

    `query` is a query specification in Honeycomb's own words. `result` names the calculation that is measured,
    e.g. `P95(duration_ms)`; it may be left out where there is one.
    """

    dataset: str
    query: Opaque
    secret_ref: SecretName
    result: str = ""
    timeout: str = ""


class SentryMetric(Part, frozen=True):
    """The health of a release in Sentry, as the plug-in `davy.dev/sentry`; `metric` says which figure of it."""

    organization: str
    metric: str
    window: str
    secret_ref: SecretName
    projects: tuple[str, ...] = ()
    environment: str = ""
    release: str = ""
    query: str = ""
    timeout: str = ""


PLUGINS: Mapping[str, type[Part]] = {
    "davy.dev/honeycomb": HoneycombMetric,
    "davy.dev/sentry": SentryMetric,
    JUDGE: JudgeQuery,
}
"""The plug-in metrics that come with Davy, and what stands below their names."""


class MetricProvider(Part, frozen=True):
    """Who is asked; exactly one field is set, and `plugin` maps one name to its configuration."""

    prometheus: PrometheusMetric | None = None
    kayenta: KayentaMetric | None = None
    web: WebMetric | None = None
    datadog: DatadogMetric | None = None
    wavefront: WavefrontMetric | None = None
    new_relic: NewRelicMetric | None = None
    job: JobMetric | None = None
    cloud_watch: CloudWatchMetric | None = None
    graphite: GraphiteMetric | None = None
    influxdb: InfluxdbMetric | None = None
    skywalking: SkyWalkingMetric | None = None
    plugin: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """The name by which the provider is found: that of the field, or of the plug-in; `none` for neither."""
        for field in msgspec.structs.fields(self):
            if getattr(self, field.name) is not None and field.name != "plugin":
                return field.encode_name
        return next(iter(self.plugin), "none")


def shown(provider: MetricProvider) -> dict[str, Any]:
    """Return what a provider is asked as it may be put on record: without what is given to sign in."""
    whole: dict[str, Any] = _shown(msgspec.to_builtins(provider))
    return whole


_CREDENTIALS = frozenset({"password", "clientSecret"})


def _shown(value: Any) -> Any:
    match value:
        case {"key": str() as key, "value": str() as text}:
            return {"key": key, "value": _masked(text)}
        case dict():
            return {
                key: _masked(below) if key in _CREDENTIALS and isinstance(below, str) else _shown(below)
                for key, below in value.items()
            }
        case list() | tuple():
            return [_shown(below) for below in value]
        case _:
            return value


def _masked(text: str) -> str:
    """Leave placeholders, which name a secret and are none."""
    return text if _PLACEHOLDER.fullmatch(text) else "***"
