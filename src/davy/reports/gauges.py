"""What `/metrics` exports: every name once, with what it is for and by what it is told apart.

The dashboard names no other, and no other is exported. Figures that have nothing to be computed from are left
out, rather than 0: the absence of a failure is not the absence of changes.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Metric(NamedTuple):
    """A metric: its name, its type, what it is for, and its labels."""

    name: str
    type: str
    purpose: str
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """A value of a metric, with the labels that it is told apart by."""

    name: str
    labels: Mapping[str, str]
    value: float


_WINDOW = ("service", "window")

METRICS = (
    Metric("davy_build_info", "gauge", "Always 1; the version of Davy that exports this.", ("version",)),
    Metric(
        "davy_change_failure_ratio", "gauge", "Changes that failed, of those exposed.", (*_WINDOW, "definition")
    ),
    Metric(
        "davy_change_failure_ratio_low",
        "gauge",
        "Lower end of its 95 % interval (Wilson).",
        (*_WINDOW, "definition"),
    ),
    Metric(
        "davy_change_failure_ratio_high",
        "gauge",
        "Upper end of its 95 % interval (Wilson).",
        (*_WINDOW, "definition"),
    ),
    Metric("davy_changes", "gauge", "Changes in the window, by what became of them.", (*_WINDOW, "outcome")),
    Metric(
        "davy_delivery_metrics_current", "gauge", "1 if the delivery metrics are those of the ledger, else 0."
    ),
    Metric("davy_deployments_per_day", "gauge", "Rollouts that reached all users, a day.", _WINDOW),
    Metric(
        "davy_failed_deployment_recovery_seconds",
        "gauge",
        "From alert to healthy, incidents that a change caused.",
        (*_WINDOW, "quantile"),
    ),
    Metric("davy_impact_ratio", "gauge", "Failed changes, each by the share of users that met it.", _WINDOW),
    Metric("davy_lead_time_seconds", "gauge", "From merge to the first user.", (*_WINDOW, "quantile")),
    Metric("davy_lead_time_to_full_seconds", "gauge", "From merge to all users.", (*_WINDOW, "quantile")),
    Metric("davy_ledger_checkpoint_entries", "gauge", "Entries that the latest signed checkpoint covers."),
    Metric("davy_ledger_entries", "gauge", "Entries of the ledger."),
    Metric("davy_open_incidents", "gauge", "Incidents that are not restored.", ("service",)),
    Metric("davy_oldest_open_incident_seconds", "gauge", "Age of the oldest open incident.", ("service",)),
    Metric("davy_rework_ratio", "gauge", "Rollouts that mend an earlier change, of all.", _WINDOW),
    Metric(
        "davy_rollout_status", "gauge", "1 for the status of a rollout.", ("namespace", "rollout", "status")
    ),
    Metric("davy_rollout_weight_percent", "gauge", "Share of the new version.", ("namespace", "rollout")),
    Metric(
        "davy_time_to_restore_seconds", "gauge", "From alert to healthy, all incidents.", (*_WINDOW, "quantile")
    ),
)
"""Everything that is exported, in the order of the names."""

BY_NAME = {metric.name: metric for metric in METRICS}


def exposition(samples: Iterable[Sample]) -> str:
    """Write samples in the text format of Prometheus, by metric; values that are no number are left out.

    Source: prometheus.io, "Exposition formats", version 0.0.4.
    """
    found: dict[str, list[str]] = {}
    for sample in samples:
        metric = BY_NAME[sample.name]
        assert tuple(sorted(sample.labels)) == tuple(sorted(metric.labels)), f"labels of {sample.name}"
        if math.isfinite(sample.value):
            found.setdefault(sample.name, []).append(_line(sample, metric))
    lines = []
    for metric in METRICS:
        if metric.name in found:
            lines += [f"# HELP {metric.name} {metric.purpose}", f"# TYPE {metric.name} {metric.type}"]
            lines += sorted(found[metric.name])
    return "".join(f"{line}\n" for line in lines)


def _line(sample: Sample, metric: Metric) -> str:
    labels = ",".join(f'{name}="{_escaped(sample.labels[name])}"' for name in metric.labels)
    return f"{sample.name}{{{labels}}} {sample.value!r}" if labels else f"{sample.name} {sample.value!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
