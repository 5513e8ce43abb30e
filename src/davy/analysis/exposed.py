"""What a workload says about itself, under the labels of the target it was read from.

The rules are those of Prometheus with Kubernetes service discovery and `honor_labels: false`: whose sample it
is, is decided by where it was read. What the workload claims under the same name moves to `exported_<name>`.

Counters that come into being with a value are told apart from counters that were there all along, as Prometheus
does with created timestamps: an absent counter of a process that answered counts as zero. Without that, `rate`
drops the first errors of every new version, a whole scrape interval of them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from davy.analysis.promql.series import NAME, Labels

STATUS_LABELS: Final = (
    "status",
    "code",
    "status_code",
    "http_status_code",
    "response_code",
    "envoy_response_code",
    "envoy_response_code_class",
)
"""What the common libraries call the status of an answer."""

_INVALID = re.compile(r"[^a-zA-Z0-9_]")
_ERROR_OF: Final = (
    (re.compile(r"[1-5]\d\d"), "500"),
    (re.compile(r"[1-5]xx"), "5xx"),
    (re.compile(r"[1-5]"), "5"),
)


def target_labels(
    pod_labels: Mapping[str, str], *, namespace: str, pod: str, version: str, instance: str, job: str
) -> dict[str, str]:
    """Give the labels of everything that is read from one pod.

    Every label of the pod, its name turned into one that a metric may have, and over them what is known for
    certain, so that a pod label called `namespace` changes nothing.
    """
    fixed = {
        "namespace": namespace,
        "pod": pod,
        "rollouts_pod_template_hash": version,
        "instance": instance,
        "job": job,
    }
    labels = {**{metric_label(name): pod_labels[name] for name in sorted(pod_labels)}, **fixed}
    return {name: value for name, value in labels.items() if value}


def metric_label(name: str) -> str:
    """Turn the name of a Kubernetes label into that of a metric label, as service discovery does."""
    valid = _INVALID.sub("_", name).lstrip("_")
    return f"_{valid}" if valid[:1].isdigit() else valid or "_"


def under_target(labels: Labels, target: Mapping[str, str]) -> Labels:
    """Put a workload's sample under the labels of its target (`mutateSampleLabels` in Prometheus)."""
    merged = {**labels.as_dict, **target}
    clashing = sorted((name for name in labels if name in target), key=lambda name: (len(name), name))
    for name in clashing:
        exported = f"exported_{name}"
        while exported in merged:
            exported = f"exported_{exported}"
        merged[exported] = labels[name]
    return Labels(merged)


def is_counter(name: str, kind: str) -> bool:
    """Say whether a series only grows, by the type of its family, or by its name where no type was given."""
    if kind in ("histogram", "summary"):
        return name.endswith(("_bucket", "_sum", "_count"))
    return kind == "counter" or (kind in ("", "untyped", "unknown") and name.endswith(("_total", "_bucket")))


def missing_errors(counters: Iterable[Labels]) -> frozenset[Labels]:
    """Name the server errors that nothing has counted yet: to be written as an explicit zero.

    For each counter by status (`{method="GET",status="200"}`) that is the same with status 500, unless it is
    there. Only where the family exists: a workload that has not counted a request says nothing about errors.
    With it "none of 800 requests failed" is 0, and no longer the empty answer that a dead scraper gives too.
    """
    known = set(counters)
    twins = (_with_error(labels) for labels in known)
    return frozenset(twin for twin in twins if twin is not None and twin not in known)


def _with_error(labels: Labels) -> Labels | None:
    """Turn a counter by status into that of errors, or give None where it is none."""
    if labels.as_dict.get(NAME, "").endswith(("_bucket", "_sum")):
        return None
    label = next((name for name in STATUS_LABELS if name in labels), "")
    value = labels.get(label, "")
    error = next((error for pattern, error in _ERROR_OF if pattern.fullmatch(value)), "")
    is_class = label == "envoy_response_code_class"
    if not error or (error == "5") != is_class:
        return None
    return labels.with_label(label, error)
