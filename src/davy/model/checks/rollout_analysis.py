"""What has to hold of the analysis that a rollout asks for."""

import re
from collections.abc import Sequence

from davy.model.checks.complaints import Complaints
from davy.model.steps import AnalysisRunArgument, DryRun, MeasurementRetention, RolloutAnalysis

_METADATA = re.compile(
    r"metadata\.(?:name|namespace|uid|labels|annotations|(?:labels|annotations)\['[^']+'\])", re.ASCII
)


def validate_rollout_analysis(path: str, analysis: RolloutAnalysis, complaints: Complaints) -> None:
    """Refuse an analysis that measures nothing, or whose arguments have no value."""
    if not analysis.templates:
        title = f"`{path}` names no templates, and so would measure nothing"
        complaints.add(f"{path}.templates", title, code="DV007", part="key")
    validate_arguments(f"{path}.args", analysis.args, complaints)
    validate_selections(path, analysis.dry_run, analysis.measurement_retention, complaints)


def validate_arguments(path: str, args: Sequence[AnalysisRunArgument], complaints: Complaints) -> None:
    """Refuse arguments that have no value, or more than one."""
    complaints.check_unique(path, "name", [argument.name for argument in args])
    for index, argument in enumerate(args):
        below = f"{path}[{index}]"
        written = complaints.document.has(f"{below}.value")
        source = argument.value_from
        if (source is None) != written:
            title = f"the argument {argument.name!r} needs exactly one of `value` and `valueFrom`"
            complaints.add(below, title)
        if source is None:
            continue
        if (source.field_ref is None) == (source.pod_template_hash_value is None):
            title = "exactly one of `podTemplateHashValue` and `fieldRef` has to be given"
            complaints.add(f"{below}.valueFrom", title, part="key")
        if source.pod_template_hash_value is not None:
            value = f"{below}.valueFrom.podTemplateHashValue"
            complaints.check_one_of(value, source.pod_template_hash_value, ("Stable", "Latest"))
        field = source.field_ref.field_path if source.field_ref is not None else ""
        if field.startswith("metadata") and not _METADATA.fullmatch(field):
            title = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
            complaints.add(f"{below}.valueFrom.fieldRef.fieldPath", title, part="value")


def validate_selections(
    path: str, dry_run: Sequence[DryRun], retention: Sequence[MeasurementRetention], complaints: Complaints
) -> None:
    """Refuse names of metrics that are not regular expressions."""
    for index, rule in enumerate(dry_run):
        complaints.check_pattern(f"{path}.dryRun[{index}].metricName", rule.metric_name)
    for index, kept in enumerate(retention):
        complaints.check_pattern(f"{path}.measurementRetention[{index}].metricName", kept.metric_name)
        complaints.check_least(f"{path}.measurementRetention[{index}].limit", kept.limit)
