"""A metric as a template has it, made fit for trying out: placeholders take the values that they would get."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from davy.model.analysis import AnalysisTemplateSpec, Metric
from davy.model.part import IntOrString

_TAG = re.compile(r"\{\{([^{}]*)\}\}")
#: Stands for a value that only a rollout knows; most placeholders in conditions are thresholds.
_SOME = "1"
_LIMITS = (
    "count",
    "failure_limit",
    "inconclusive_limit",
    "consecutive_error_limit",
    "consecutive_success_limit",
)


@dataclass(frozen=True, slots=True)
class Trial:
    """A metric without placeholders; `open` names the fields whose real value is not known."""

    metric: Metric
    open: frozenset[str]

    @property
    def limits_known(self) -> bool:
        """Whether all that `davy.analysis.metric` decides by is known."""
        return self.open.isdisjoint(_LIMITS)


def defaults(spec: AnalysisTemplateSpec) -> dict[str, str]:
    """Return the values of a template's arguments that have one."""
    return {argument.name: argument.value for argument in spec.args if argument.value is not None}


def trial(metric: Metric, values: Mapping[str, str]) -> Trial:
    """Fill in what is known of a metric's placeholders, and something for the rest."""
    texts = {
        name: str(getattr(metric, name)) for name in ("success_condition", "failure_condition", "interval")
    }
    limits: dict[str, IntOrString | None] = {name: getattr(metric, name) for name in _LIMITS}
    written = texts | {name: limit for name, limit in limits.items() if isinstance(limit, str)}
    changes: dict[str, object] = {name: filled(text, values) for name, text in written.items()}
    if metric.provider.prometheus:
        query = filled(metric.provider.prometheus.query, values)
        prometheus = msgspec.structs.replace(metric.provider.prometheus, query=query)
        changes["provider"] = msgspec.structs.replace(metric.provider, prometheus=prometheus)
    return Trial(
        metric=msgspec.structs.replace(metric, **changes),
        open=frozenset(name for name, text in written.items() if is_open(text, values)),
    )


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill in one text."""
    return _TAG.sub(lambda found: values.get(_name(found[1]), _SOME), text)


def is_open(text: str, values: Mapping[str, str]) -> bool:
    """Say whether a placeholder of a text has no value."""
    return any(_name(found[1]) not in values for found in _TAG.finditer(text))


def _name(tag: str) -> str:
    return tag.strip().removeprefix("args.")
