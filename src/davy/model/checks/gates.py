"""The templates that a rollout names: that they are there, can be measured, and get the arguments they take."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import re2

from davy.model.analysis import AnalysisTemplate, Argument, ClusterAnalysisTemplate, Metric
from davy.model.check import nearest
from davy.model.checks.complaints import PATTERNS, Complaints
from davy.model.index import Index
from davy.model.part import int_value
from davy.model.rollout import Rollout
from davy.model.steps import (
    AnalysisRunArgument,
    AnalysisTemplateRef,
    DryRun,
    MeasurementRetention,
    RolloutAnalysis,
)

Template = AnalysisTemplate | ClusterAnalysisTemplate


class Gate(NamedTuple):
    """An analysis of a rollout and where it is; what is in the background may measure without end."""

    path: str
    analysis: RolloutAnalysis
    background: bool = False


def check_gates(rollout: Rollout, index: Index, complaints: Complaints) -> None:
    """Check every analysis of a rollout against the templates it names."""
    namespace = rollout.metadata.namespace
    for gate in _gates(rollout):
        found: list[Template] = []
        for number, reference in enumerate(gate.analysis.templates):
            path = f"{gate.path}.templates[{number}].templateName"
            if index.template(reference, namespace) is None:
                complain_of_template(path, reference, namespace, index, complaints)
            else:
                found += [one for one in with_nested(reference, namespace, index) if one not in found]
        if found:
            _check_gate(gate, found, complaints)
    for gate in _experiment_gates(rollout):
        reference = gate.analysis.templates[0]
        if index.template(reference, namespace) is None:
            complain_of_template(f"{gate.path}.templateName", reference, namespace, index, complaints)
        else:
            _check_gate(gate, with_nested(reference, namespace, index), complaints)


def gates(rollout: Rollout) -> Iterator[Gate]:
    """Go through every analysis of a rollout, those of its experiments too."""
    yield from _gates(rollout)
    yield from _experiment_gates(rollout)


def complain_of_template(
    path: str, reference: AnalysisTemplateRef, namespace: str, index: Index, complaints: Complaints
) -> None:
    """Tell of a template that is not there, and of the one that may be meant."""
    name = reference.template_name
    kind, where = (
        ("ClusterAnalysisTemplate", "") if reference.cluster_scope else ("AnalysisTemplate", namespace)
    )
    known = index.names(kind, where)
    meant = nearest(name, known)
    if meant is not None:
        label, fix = f"did you mean {meant}?", f"write {meant}, or apply {name} first"
    elif (other := _in_the_other_scope(reference, namespace, index)) is not None:
        label, fix = (
            f"there is a {other} of that name",
            f"set clusterScope: {str(not reference.cluster_scope).lower()}",
        )
    else:
        label = f"there is {', '.join(known)}" if known else f"there is no {kind} at all"
        fix = f"apply the {kind} {name} first, or with this"
    complaints.add(path, f"{kind} '{name}' not found", code="DV010", part="value", label=label, fix=fix)


def _in_the_other_scope(reference: AnalysisTemplateRef, namespace: str, index: Index) -> str | None:
    other = AnalysisTemplateRef(reference.template_name, not reference.cluster_scope)
    found = index.template(other, namespace)
    return None if found is None else type(found).__name__


def _gates(rollout: Rollout) -> Iterator[Gate]:
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    path = "spec.strategy"
    if canary is not None:
        for number, step in enumerate(canary.steps):
            if step.analysis is not None:
                yield Gate(f"{path}.canary.steps[{number}].analysis", step.analysis)
        if canary.analysis is not None:
            yield Gate(f"{path}.canary.analysis", canary.analysis, background=True)
    if blue_green is not None:
        if blue_green.pre_promotion_analysis is not None:
            yield Gate(f"{path}.blueGreen.prePromotionAnalysis", blue_green.pre_promotion_analysis)
        if blue_green.post_promotion_analysis is not None:
            yield Gate(f"{path}.blueGreen.postPromotionAnalysis", blue_green.post_promotion_analysis)


def _experiment_gates(rollout: Rollout) -> Iterator[Gate]:
    """Go through the analyses of experiments.

    Where an experiment has no time, its end waits for those that are required, or else for all of them; the
    others may measure without end.
    """
    canary = rollout.spec.strategy.canary
    for number, step in enumerate(canary.steps if canary is not None else ()):
        wanted = step.experiment
        if wanted is None:
            continue
        some_required = any(each.required_for_completion for each in wanted.analyses)
        for place, each in enumerate(wanted.analyses):
            reference = AnalysisTemplateRef(each.template_name, each.cluster_scope)
            awaited = not wanted.duration and (each.required_for_completion or not some_required)
            path = f"spec.strategy.canary.steps[{number}].experiment.analyses[{place}]"
            yield Gate(path, RolloutAnalysis((reference,), each.args), background=not awaited)


def with_nested(reference: AnalysisTemplateRef, namespace: str, index: Index) -> list[Template]:
    """Return a template and those whose metrics it measures along, each once; a circle ends."""
    found: list[Template] = []
    waiting = [reference]
    while waiting:
        template = index.template(waiting.pop(0), namespace)
        if template is not None and template not in found:
            found.append(template)
            waiting += template.spec.templates
    return found


def _check_gate(gate: Gate, templates: Sequence[Template], complaints: Complaints) -> None:
    metrics = [metric for template in templates for metric in template.spec.metrics]
    names = [metric.name for metric in metrics]
    path = f"{gate.path}.templates"
    if len(templates) > 1:  # within one template its own check tells
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            complaints.add(path, f"two metrics have the same name '{name}'", part="key")
    if not gate.background:
        for template in templates:
            for metric in template.spec.metrics:
                _check_end(path, template, metric, complaints)
    _check_selections(gate, names, complaints)
    _check_arguments(gate, templates, complaints)


def _check_end(path: str, template: Template, metric: Metric, complaints: Complaints) -> None:
    """Refuse a metric that is measured without end where a step waits for its verdict."""
    if metric.interval and int_value(metric.count) == 0 and "{{" not in str(metric.count):
        count = "<nil>" if metric.count is None else metric.count
        title = (
            f"AnalysisTemplate {template.metadata.name} has metric {metric.name} which runs indefinitely. "
            f"Invalid value for count: {count}"
        )
        complaints.add(path, title, part="key", fix="give the metric a count")


def _check_selections(gate: Gate, names: Sequence[str], complaints: Complaints) -> None:
    """Refuse rules that select no metric at all."""
    rules: dict[str, Sequence[DryRun | MeasurementRetention]]
    rules = {"dryRun": gate.analysis.dry_run, "measurementRetention": gate.analysis.measurement_retention}
    for field, entries in rules.items():
        for number, rule in enumerate(entries):
            try:
                matches = any(re2.search(rule.metric_name, name, options=PATTERNS) for name in names)
            except re2.error:
                continue  # told of by the check of the rollout itself
            if not matches:
                title = f"{field}[{number}]: Rule didn't match any metric name(s)"
                fix = f"metrics here: {', '.join(names)}"
                path = f"{gate.path}.{field}[{number}].metricName"
                complaints.add(path, title, code="DV010", part="value", fix=fix)


def _check_arguments(gate: Gate, templates: Sequence[Template], complaints: Complaints) -> None:
    """Refuse arguments without a value, and warn of values that no template takes: Argo drops those."""
    declared: dict[str, Argument] = {}
    for argument in (argument for template in templates for argument in template.spec.args):
        other = declared.get(argument.name)
        if other is None or other.value is None:
            declared[argument.name] = argument
        elif argument.value is not None and argument.value != other.value:
            title = f"Argument `{argument.name}` specified multiple times with different values: "
            title += f"'{other.value}', '{argument.value}'"
            complaints.add(f"{gate.path}.templates", title, part="key")
    given = [argument.name for argument in gate.analysis.args]
    for name, argument in declared.items():
        if name in given or argument.value is not None:
            continue
        if argument.value_from is None:
            fix = f"add `- {{name: {name}, value: …}}` to its args"
            title = f"args.{name} was not resolved"
            complaints.add(f"{gate.path}.args", title, code="DV010", part="key", fix=fix)
    for number, passed in enumerate(gate.analysis.args):
        if passed.name not in declared:
            _warn_undeclared(f"{gate.path}.args[{number}].name", passed, list(declared), complaints)


def _warn_undeclared(
    path: str, argument: AnalysisRunArgument, known: list[str], complaints: Complaints
) -> None:
    meant = nearest(argument.name, known)
    label = f"did you mean {meant}?" if meant else ""
    title = f"no template here takes the argument {argument.name!r}, and so it is dropped"
    fix = f"arguments taken: {', '.join(known)}" if known else "declare it in `spec.args` of the template"
    complaints.add(path, title, code="DV010", severity="warning", part="value", label=label, fix=fix)
