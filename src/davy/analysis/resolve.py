"""What a run measures: the metrics of the templates that a rollout names, with its arguments filled in.

Templates are read when the run begins and copied into it; a template that is edited later changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import re2

from davy.analysis.arguments import Hashes, Unresolvable, declared_value, given_values, merge, substitute
from davy.model.analysis import AnalysisTemplateRef, AnalysisTemplateSpec, Argument, Metric, SecretKeyRef
from davy.model.rollout import DryRun, MeasurementRetention, Rollout, RolloutAnalysis

Templates = Mapping[AnalysisTemplateRef, AnalysisTemplateSpec]
"""The templates that there are, those of the rollout's namespace and those of the cluster."""


class Resolved(msgspec.Struct, frozen=True):
    """All that `davy.analysis.run.start` needs.

    `undeclared` are arguments that the rollout gives and no template takes. Argo drops them without a word,
    and with them what they were meant to narrow down. `secrets` are arguments that are read when measuring:
    they stand in the metrics as they were written, since what is filled in is stored and shown.
    """

    metrics: tuple[Metric, ...]
    dry_run: frozenset[str] = frozenset()
    retention: Mapping[str, int] = {}
    undeclared: tuple[str, ...] = ()
    secrets: Mapping[str, SecretKeyRef] = {}


class Unresolved(msgspec.Struct, frozen=True):
    """Why there is nothing to measure, as Argo says it where it has words for it."""

    message: str


def resolve(
    analysis: RolloutAnalysis,
    templates: Templates,
    rollout: Rollout,
    hashes: Hashes,
) -> Resolved | Unresolved:
    """Put together what a run measures.

    Args:
        analysis: what the rollout asks for.
        templates: all that may be named, also by templates.
        rollout: where arguments are read from.
        hashes: of the stable and the new version.
    """
    try:
        specs = _flatten(analysis.templates, templates)
        metrics = _metrics(specs)
        declared = merge(argument for spec in specs for argument in spec.args)
        secrets = _secrets(declared, analysis)
        values = _values(declared, secrets, analysis, rollout, hashes)
        resolved = tuple(substitute(metric, values) for metric in metrics)
        dry_runs = [rule for spec in specs for rule in spec.dry_run] + list(analysis.dry_run)
        retentions = [rule for spec in specs for rule in spec.measurement_retention]
        return Resolved(
            metrics=resolved,
            dry_run=_dry_run(dry_runs, resolved),
            retention=_retention([*retentions, *analysis.measurement_retention], resolved),
            secrets=secrets,
            undeclared=tuple(
                dict.fromkeys(given.name for given in analysis.args if given.name not in declared)
            ),
        )
    except Unresolvable as error:
        return Unresolved(str(error))


def _flatten(wanted: Iterable[AnalysisTemplateRef], templates: Templates) -> list[AnalysisTemplateSpec]:
    """Follow templates to the templates that they name; each is taken once, so a circle ends."""
    found: dict[AnalysisTemplateRef, AnalysisTemplateSpec] = {}
    waiting = list(wanted)
    while waiting:
        reference = waiting.pop(0)
        if reference in found:
            continue
        if reference not in templates:
            kind = "ClusterAnalysisTemplate" if reference.cluster_scope else "AnalysisTemplate"
            raise Unresolvable(f"{kind} '{reference.template_name}' not found")
        found[reference] = templates[reference]
        waiting.extend(found[reference].templates)
    return list(found.values())


def _metrics(specs: Sequence[AnalysisTemplateSpec]) -> list[Metric]:
    metrics: dict[str, Metric] = {}
    for metric in (metric for spec in specs for metric in spec.metrics):
        if metrics.setdefault(metric.name, metric) is not metric:
            raise Unresolvable(f"two metrics have the same name '{metric.name}'")
    return list(metrics.values())


def _secrets(declared: Mapping[str, Argument], analysis: RolloutAnalysis) -> dict[str, SecretKeyRef]:
    """Find the arguments that are kept as secrets; one that the rollout gives itself is none."""
    given = {argument.name for argument in analysis.args}
    return {
        name: argument.value_from.secret_key_ref
        for name, argument in declared.items()
        if argument.value is None
        and name not in given
        and argument.value_from is not None
        and argument.value_from.secret_key_ref is not None
    }


def _values(
    declared: Mapping[str, Argument],
    secrets: Mapping[str, SecretKeyRef],
    analysis: RolloutAnalysis,
    rollout: Rollout,
    hashes: Hashes,
) -> dict[str, str]:
    """Evaluate every argument; a secret stays the placeholder that it is until something is measured.

    Raises:
        Unresolvable: one has no value, or one that would be taken for the placeholder of a secret.
    """
    given = given_values([argument for argument in analysis.args if argument.name in declared], rollout, hashes)
    values = {
        name: given[name] if name in given else declared_value(argument, rollout)
        for name, argument in declared.items()
        if name not in secrets
    }
    for name, value in values.items():
        if secrets and "{{" in value:
            raise Unresolvable(f"args.{name} holds '{{{{', and could be taken for a secret beside it")
    return {**values, **{name: f"{{{{args.{name}}}}}" for name in secrets}}


def _dry_run(rules: Sequence[DryRun], metrics: Sequence[Metric]) -> frozenset[str]:
    selected = (_select("dryRun", number, rule.metric_name, metrics) for number, rule in enumerate(rules))
    return frozenset(name for names in selected for name in names)


def _retention(rules: Sequence[MeasurementRetention], metrics: Sequence[Metric]) -> dict[str, int]:
    """Say how many measurements are kept; a limit of zero or less keeps what is kept anyhow."""
    return {
        name: rule.limit
        for number, rule in enumerate(rules)
        for name in _select("measurementRetention", number, rule.metric_name, metrics)
        if rule.limit > 0
    }


def _select(field: str, number: int, pattern: str, metrics: Sequence[Metric]) -> list[str]:
    """Find the metrics that a rule is about: an unanchored regular expression, as in Go.

    Raises:
        Unresolvable: there are none, which in Argo's eyes is a mistake; a pattern that is not a regular
            expression matches nothing.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise Unresolvable(
            f"{field}[{number}]: Rule didn't match any metric name(s): "
            f"'{pattern}' is not a regular expression ({_text(error)})"
        ) from error
    names = [metric.name for metric in metrics if compiled.search(metric.name)]
    if not names:
        raise Unresolvable(f"{field}[{number}]: Rule didn't match any metric name(s)")
    return names


def _text(error: Exception) -> str:
    """Read re2's message, which is bytes."""
    [message] = error.args
    return message.decode(errors="replace") if isinstance(message, bytes) else str(message)
