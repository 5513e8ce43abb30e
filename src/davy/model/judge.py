"""Davy's own Judge: what a service's canaries are judged by. The name of the service is enough."""

from collections.abc import Mapping
from typing import Literal

from davy.model.meta import Manifest
from davy.model.part import Part

ANNOTATION = "davy.dev/judge"
"""On a Rollout: the name of the Judge of its namespace that judges it."""

PLUGIN = "davy/judge"
"""Under `provider.plugin` of a metric: the verdict is the measurement, and the rollout is judged."""

VERSION = "{{version}}"
"""In a query: the pod-template-hash of the version that is counted."""

ERROR_RATIO = "error_ratio"
LATENCY = "latency"
"""The metrics that the data plane counts."""

_NAMES = {"errors": ERROR_RATIO, "latency": LATENCY}


class JudgeCounter(Part, frozen=True, kw_only=True):
    """Two counters of PromQL that only grow: how often something was tried, and how often it happened.

    `{{version}}` in them is the pod-template-hash of the version that is asked for.
    """

    tried: str
    happened: str


class JudgeQuery(Part, frozen=True):
    """What a metric asks of the plug-in `davy/judge`: the verdict of a Judge, or of the one of the service."""

    judge: str = ""


class JudgeMetric(Part, frozen=True, kw_only=True):
    """One guardrail; what is left out has the default of its kind.

    `error_ratio` and `latency` are what the data plane counts. Everything else has a `counter`. `margin` is how
    many times as slow as stable the canary may be, from 1 on; it is for latencies.
    """

    name: str = ""
    kind: Literal["errors", "conversions", "latency"] = "errors"
    weight: float | None = None
    materiality: float | None = None
    objective: float | None = None
    margin: float | None = None
    counter: JudgeCounter | None = None

    @property
    def called(self) -> str:
        """What the metric is known by: its name, or the one of its kind."""
        return self.name or _NAMES.get(self.kind, self.kind)


class JudgeStep(Part, frozen=True, kw_only=True):
    """The least time at a weight and from there on, and after how long more traffic needs no proof.

    The weight is in percent, durations are as Go reads them.
    """

    weight: float
    least: str
    most: str


class JudgePrometheus(Part, frozen=True, kw_only=True):
    """A Prometheus that has the counters of both versions, for where the data plane is not Davy's.

    `requests` and `errors` are counters, `latency` the buckets of a classic histogram, by `le`; each of one
    version, which is `{{version}}`. Other words in double braces are arguments of whoever asks for a verdict.
    """

    address: str
    requests: str = ""
    errors: str = ""
    latency: str = ""
    headers: Mapping[str, str] = {}
    insecure: bool = False


class JudgeSpec(Part, frozen=True, kw_only=True):
    """How a service's canaries are judged.

    `service` is whose rollouts: those with that `davy.dev/service`, or of that name. `alpha` is the share of
    good releases that may be aborted, `risk_budget` how many bad requests a step may cost at worst, `beta` the
    chance that it is worse than said, `assurance` the excess error rate that has to be excluded before 100 %.
    """

    service: str
    metrics: tuple[JudgeMetric, ...] = ()
    alpha: float | None = None
    beta: float | None = None
    risk_budget: float | None = None
    assurance: float | None = None
    warm_up: str = ""
    warm_up_each: bool = False
    bake: str = ""
    interval: str = ""
    steps: tuple[JudgeStep, ...] = ()
    patience: float | None = None
    prometheus: JudgePrometheus | None = None


class Judge(Manifest, frozen=True, kw_only=True):
    """A judge of a namespace, by name."""

    spec: JudgeSpec
    api_version: str = "davy.dev/v1alpha1"
    kind: str = "Judge"
