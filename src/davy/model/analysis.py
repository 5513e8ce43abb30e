"""AnalysisTemplate and AnalysisRun of Argo Rollouts (`pkg/apis/rollouts/v1alpha1/analysis_types.go`, v1.10)."""

from davy.model.duration import parse_duration
from davy.model.job import JobMetric
from davy.model.meta import Manifest
from davy.model.part import Int32, IntOrString, Part
from davy.model.providers import (
    CloudWatchMetric,
    DatadogMetric,
    GraphiteMetric,
    InfluxdbMetric,
    KayentaMetric,
    MetricProvider,
    NewRelicMetric,
    PrometheusMetric,
    SkyWalkingMetric,
    WavefrontMetric,
    WebMetric,
)
from davy.model.rollout import API_VERSION
from davy.model.steps import AnalysisTemplateRef, DryRun, FieldRef, MeasurementRetention

__all__ = [
    "AnalysisRun",
    "AnalysisRunSpec",
    "AnalysisTemplate",
    "AnalysisTemplateRef",
    "AnalysisTemplateSpec",
    "Argument",
    "CloudWatchMetric",
    "ClusterAnalysisTemplate",
    "DatadogMetric",
    "DryRun",
    "FieldRef",
    "GraphiteMetric",
    "InfluxdbMetric",
    "JobMetric",
    "KayentaMetric",
    "MeasurementRetention",
    "Metric",
    "MetricProvider",
    "NewRelicMetric",
    "PrometheusMetric",
    "SecretKeyRef",
    "SkyWalkingMetric",
    "TTLStrategy",
    "ValueFrom",
    "WavefrontMetric",
    "WebMetric",
]


class SecretKeyRef(Part, frozen=True):
    """A key of a Secret; read when measuring, and kept out of messages."""

    name: str
    key: str


class ValueFrom(Part, frozen=True):
    """Where the value of a template's argument comes from."""

    secret_key_ref: SecretKeyRef | None = None
    field_ref: FieldRef | None = None


class Argument(Part, frozen=True):
    """An argument that a template takes; `value` is its default, None makes it required."""

    name: str
    value: str | None = None
    value_from: ValueFrom | None = None


class Metric(Part, frozen=True, kw_only=True):
    """What is measured, how often, and when it is good or bad.

    Limits and the count are as written; `davy.model.part.int_value` reads them as Argo does.
    """

    name: str
    provider: MetricProvider
    interval: str = ""
    initial_delay: str = ""
    count: IntOrString | None = None
    success_condition: str = ""
    failure_condition: str = ""
    failure_limit: IntOrString | None = None
    inconclusive_limit: IntOrString | None = None
    consecutive_error_limit: IntOrString | None = None
    consecutive_success_limit: IntOrString | None = None

    @property
    def interval_s(self) -> float | None:
        """Seconds between measurements, None if they were not given.

        Raises:
            BadDuration: the interval cannot be read; `davy.model.validate` refuses such metrics.
        """
        return parse_duration(self.interval) if self.interval else None

    @property
    def initial_delay_s(self) -> float:
        """Seconds before the first measurement.

        Raises:
            BadDuration: the delay cannot be read; `davy.model.validate` refuses such metrics.
        """
        return parse_duration(self.initial_delay) if self.initial_delay else 0.0


class AnalysisTemplateSpec(Part, frozen=True):
    """Metrics, the arguments in them, and other templates whose metrics are measured along."""

    metrics: tuple[Metric, ...] = ()
    args: tuple[Argument, ...] = ()
    dry_run: tuple[DryRun, ...] = ()
    measurement_retention: tuple[MeasurementRetention, ...] = ()
    templates: tuple[AnalysisTemplateRef, ...] = ()


class AnalysisTemplate(Manifest, frozen=True, kw_only=True):
    """A gate that rollouts of its namespace refer to by name."""

    spec: AnalysisTemplateSpec
    api_version: str = API_VERSION
    kind: str = "AnalysisTemplate"


class ClusterAnalysisTemplate(Manifest, frozen=True, kw_only=True):
    """A gate that rollouts of every namespace refer to by name."""

    spec: AnalysisTemplateSpec
    api_version: str = API_VERSION
    kind: str = "ClusterAnalysisTemplate"


class TTLStrategy(Part, frozen=True):
    """When a finished run may be removed, in seconds after it ended so or so."""

    seconds_after_completion: Int32 | None = None
    seconds_after_failure: Int32 | None = None
    seconds_after_success: Int32 | None = None


class AnalysisRunSpec(Part, frozen=True):
    """The metrics of a run, copied from templates when it was made."""

    metrics: tuple[Metric, ...]
    args: tuple[Argument, ...] = ()
    terminate: bool = False
    dry_run: tuple[DryRun, ...] = ()
    measurement_retention: tuple[MeasurementRetention, ...] = ()
    ttl_strategy: TTLStrategy | None = None


class AnalysisRun(Manifest, frozen=True, kw_only=True):
    """One run of a gate."""

    spec: AnalysisRunSpec
    api_version: str = API_VERSION
    kind: str = "AnalysisRun"
