"""What has to hold of templates, runs and metrics: `ValidateMetrics` of Argo Rollouts (utils/analysis)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from davy.model.analysis import AnalysisRunSpec, AnalysisTemplateSpec, Argument, Metric
from davy.model.check import nearest
from davy.model.checks.complaints import Complaints
from davy.model.checks.providers import broken_duration, validate_provider
from davy.model.checks.rollout_analysis import validate_selections
from davy.model.part import int_value
from davy.model.providers import MetricProvider
from davy.model.source import join

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_TEMPLATED = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def validate_template(spec: AnalysisTemplateSpec, complaints: Complaints) -> None:
    """Hold a template against what Argo asks of it when it becomes a run."""
    if not spec.metrics and not spec.templates:
        complaints.add("spec.metrics", "no metrics specified", code="DV007")
    _validate_metrics(spec.metrics, spec.args, complaints)
    validate_selections("spec", spec.dry_run, spec.measurement_retention, complaints)


def validate_run(spec: AnalysisRunSpec, complaints: Complaints) -> None:
    """Hold a run against what Argo asks of it before it measures."""
    if not spec.metrics:
        complaints.add("spec.metrics", "no metrics specified", code="DV007")
    _validate_metrics(spec.metrics, spec.args, complaints)
    validate_selections("spec", spec.dry_run, spec.measurement_retention, complaints)
    for index, argument in enumerate(spec.args):
        if argument.value is None and argument.value_from is None:
            complaints.add(f"spec.args[{index}]", f"args.{argument.name} was not resolved", code="DV007")


def _validate_metrics(metrics: Sequence[Metric], args: Sequence[Argument], complaints: Complaints) -> None:
    complaints.check_unique("spec.args", "name", [argument.name for argument in args])
    for index, argument in enumerate(args):
        if argument.value is not None and argument.value_from is not None:
            title = f"arg '{argument.name}' has both Value and ValueFrom fields"
            complaints.add(f"spec.args[{index}]", title)
    names: set[str] = set()
    for index, metric in enumerate(metrics):
        path = f"spec.metrics[{index}]"
        if metric.name in names:
            title = f"metrics[{index}]: duplicate name '{metric.name}'"
            complaints.add(f"{path}.name", title)
        names.add(metric.name)
        _validate_metric(path, metric, complaints)
        _validate_placeholders(path, metric, [argument.name for argument in args], complaints)
        _validate_secrets(path, metric, _secrets(args), complaints)


def validate_metrics(metrics: Sequence[Metric]) -> str:
    """Say what Argo Rollouts finds wrong with metrics whose arguments are filled in; nothing if they are fine.

    These are the first words of `ValidateMetrics`, which end up in the message of a run that cannot begin.
    """
    if not metrics:
        return "no metrics specified"
    names: set[str] = set()
    for index, metric in enumerate(metrics):
        if metric.name in names:
            return f"metrics[{index}]: duplicate name '{metric.name}'"
        names.add(metric.name)
        for _, words in _errors(metric):
            return f"metrics[{index}]: {words}"
    return ""


def _validate_metric(path: str, metric: Metric, complaints: Complaints) -> None:
    """Hold a metric against `ValidateMetric`; what holds an argument is left until that has a value."""
    limits = {
        "count": metric.count,
        "failureLimit": metric.failure_limit,
        "inconclusiveLimit": metric.inconclusive_limit,
        "consecutiveErrorLimit": metric.consecutive_error_limit,
        "consecutiveSuccessLimit": metric.consecutive_success_limit,
    }
    texts = {name: limit for name, limit in limits.items() if isinstance(limit, str)}
    for name, limit in texts.items():
        if "{{" not in limit and not _INTEGER.fullmatch(limit):
            title = f"`{path}.{name}` is {limit!r}, which is no number: Argo Rollouts takes it for 0"
            complaints.add(f"{path}.{name}", title, part="value")
    if not any("{{" in limit for limit in texts.values()):
        for name, title in _broken_limits(metric):
            complaints.add(f"{path}.{name}", title)
    for name, title in _broken_times(metric):
        complaints.add(f"{path}.{name}", title, fix="write a number with a unit: ms, s, m or h")
    for title in _broken_provider(metric.provider):
        complaints.add(f"{path}.provider", title, part="key", fix="name one, such as prometheus, web or job")
    validate_provider(f"{path}.provider", metric.provider, complaints)


def _errors(metric: Metric) -> Iterator[tuple[str, str]]:
    """Go through what is wrong with a metric, and the fields it is about, in the order of `ValidateMetric`."""
    yield from _broken_limits(metric)
    yield from _broken_times(metric)
    for words in _broken_provider(metric.provider):
        yield "provider", words


def _broken_limits(metric: Metric) -> Iterator[tuple[str, str]]:
    count, failures = int_value(metric.count), int_value(metric.failure_limit)
    successes, inconclusive = int_value(metric.consecutive_success_limit), int_value(metric.inconclusive_limit)
    if successes < 0:
        yield "consecutiveSuccessLimit", "consecutiveSuccessLimit must be >= 0"
    if failures < -1:
        yield "failureLimit", "failureLimit must be >= 0, or -1 to be disabled"
    if successes == 0 and failures == -1:
        yield "failureLimit", "failureLimit and consecutiveSuccessLimit cannot both be disabled"
    if inconclusive < 0:
        yield "inconclusiveLimit", "inconclusiveLimit must be >= 0"
    if int_value(metric.consecutive_error_limit) < 0:
        yield "consecutiveErrorLimit", "consecutiveErrorLimit must be >= 0"
    if count > 0 and successes >= 0 and failures >= 0 and count < failures + successes:
        both = f"({failures} + {successes}) if both >= 0"
        yield "count", f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit {both}"
    if count > 0 and failures < 0 <= successes and count < successes:
        yield "count", "count must be >= consecutiveSuccessLimit"
    if 0 < count < inconclusive:
        yield "count", "count must be >= inconclusiveLimit"


def _broken_times(metric: Metric) -> Iterator[tuple[str, str]]:
    if int_value(metric.count) > 1 and not metric.interval:
        yield "interval", "interval must be specified when count > 1"
    if error := broken_duration(metric.interval):
        yield "interval", f"invalid interval string: {error}"
    if error := broken_duration(metric.initial_delay):
        yield "initialDelay", f"invalid startDelay string: {error}"


def _broken_provider(provider: MetricProvider) -> Iterator[str]:
    named = [field for field in provider.__struct_fields__ if field != "plugin" and getattr(provider, field)]
    match len(named) + len(provider.plugin):
        case 0:
            yield "no provider specified"
        case 1:
            pass
        case _:
            yield "multiple providers specified"


def _validate_placeholders(path: str, metric: Metric, args: Sequence[str], complaints: Complaints) -> None:
    """Refuse `{{…}}` that no argument stands behind; Argo's run would end in Error when it begins."""
    for below, text in _texts(path, msgspec.to_builtins(metric)):
        for found in _TEMPLATED.finditer(text):
            name = found[1].strip().removeprefix("args.")
            if found[1].strip() != f"args.{name}" or name not in args:
                meant = nearest(name, args)
                fix = f"write {{{{args.{meant}}}}}" if meant else "declare it in `spec.args`"
                title = f"failed to resolve {found[0]}"
                complaints.add(below, title, code="DV010", part="value", fix=fix)


def _secrets(args: Sequence[Argument]) -> list[str]:
    """Name the arguments that are read from Secrets."""
    return [
        argument.name
        for argument in args
        if argument.value is None and argument.value_from is not None and argument.value_from.secret_key_ref
    ]


def _validate_secrets(path: str, metric: Metric, secrets: Sequence[str], complaints: Complaints) -> None:
    """Refuse a secret where it would be shown: it is for whoever is asked, and for nobody else."""
    for below, text in _texts(path, msgspec.to_builtins(metric)):
        named = [found[1].strip().removeprefix("args.") for found in _TEMPLATED.finditer(text)]
        for name in (name for name in named if name in secrets):
            if not below.startswith(f"{path}.provider."):
                title = f"args.{name} is a secret, and only what the provider is asked may hold one"
                complaints.add(below, title, part="value")
            elif below.startswith(f"{path}.provider.job.") and not below.endswith("].value"):
                title = (
                    f"args.{name} is a secret, and everyone on this machine can read the arguments of a process"
                )
                complaints.add(below, title, part="value", fix="put it into a variable of `env`")


def _texts(path: str, value: Any) -> Iterable[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, below in value.items():
                yield from _texts(join(path, key), below)
        case list() | tuple():
            for index, below in enumerate(value):
                yield from _texts(join(path, index), below)
