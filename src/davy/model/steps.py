"""The steps of a canary, and the analysis that a rollout asks for."""

from collections.abc import Mapping
from typing import Any

from davy.model.duration import pause_seconds
from davy.model.meta import LabelSelector
from davy.model.part import Int32, IntOrString, Part


class PodTemplateMetadata(Part, frozen=True):
    """Labels and annotations that pods carry for as long as they play one part."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class AnalysisRunMetadata(PodTemplateMetadata, frozen=True):
    """Labels and annotations that analysis runs are created with."""


class DryRun(Part, frozen=True):
    """A regular expression over metric names; those metrics are measured and decide nothing."""

    metric_name: str


class MeasurementRetention(Part, frozen=True):
    """How many measurements of the metrics that match a regular expression are kept."""

    metric_name: str
    limit: Int32


class FieldRef(Part, frozen=True):
    """A field of the Rollout: `metadata.…` or a path such as `spec.replicas`."""

    field_path: str


class ArgumentValueFrom(Part, frozen=True):
    """Where the value of an argument comes from; `pod_template_hash_value` is Stable or Latest."""

    pod_template_hash_value: str | None = None
    field_ref: FieldRef | None = None


class AnalysisRunArgument(Part, frozen=True):
    """An argument that a rollout hands to its analysis templates."""

    name: str
    value: str = ""
    value_from: ArgumentValueFrom | None = None


class AnalysisTemplateRef(Part, frozen=True):
    """An AnalysisTemplate by name, or a ClusterAnalysisTemplate with `cluster_scope`."""

    template_name: str
    cluster_scope: bool = False


class RolloutAnalysis(Part, frozen=True):
    """The analysis of a step: templates whose metrics become one run, and the arguments for them."""

    templates: tuple[AnalysisTemplateRef, ...] = ()
    args: tuple[AnalysisRunArgument, ...] = ()
    dry_run: tuple[DryRun, ...] = ()
    measurement_retention: tuple[MeasurementRetention, ...] = ()
    analysis_run_metadata: AnalysisRunMetadata | None = None


class RolloutAnalysisBackground(RolloutAnalysis, frozen=True):
    """An analysis that runs beside the steps, from `starting_step` on."""

    starting_step: Int32 | None = None


class RolloutPause(Part, frozen=True):
    """Wait for a time, or, without one, for somebody to promote."""

    duration: IntOrString | None = None

    @property
    def seconds(self) -> float | None:
        """How long to wait; None is for ever, below zero is a duration that cannot be read."""
        return None if self.duration is None else float(pause_seconds(self.duration))


class SetCanaryScale(Part, frozen=True):
    """Scale the canary apart from its share of the traffic."""

    weight: Int32 | None = None
    replicas: Int32 | None = None
    match_traffic_weight: bool = False


class StringMatch(Part, frozen=True):
    """A text matched in exactly one of three ways."""

    exact: str = ""
    prefix: str = ""
    regex: str = ""


class HeaderRoutingMatch(Part, frozen=True):
    """A header and what its value has to be."""

    header_name: str
    header_value: StringMatch | None = None


class SetHeaderRoute(Part, frozen=True):
    """Send requests with certain headers to the canary; without `match` the route is removed."""

    name: str = ""
    match: tuple[HeaderRoutingMatch, ...] = ()


class RouteMatch(Part, frozen=True):
    """Which requests to mirror."""

    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: Mapping[str, StringMatch] = {}


class SetMirrorRoute(Part, frozen=True):
    """Copy a share of some requests to the canary; without `match` the route is removed."""

    name: str
    match: tuple[RouteMatch, ...] = ()
    percentage: Int32 | None = None


class PluginStep(Part, frozen=True):
    """A step that a plug-in takes."""

    name: str
    config: Any = None


class TemplateService(Part, frozen=True):
    """The Service that an experiment makes for one of its templates."""

    name: str = ""


class RolloutExperimentTemplate(Part, frozen=True):
    """A version that an experiment runs; `spec_ref` is stable or canary."""

    name: str
    spec_ref: str
    replicas: Int32 | None = None
    metadata: PodTemplateMetadata = PodTemplateMetadata()
    selector: LabelSelector | None = None
    weight: Int32 | None = None
    service: TemplateService | None = None


class RolloutExperimentStepAnalysisTemplateRef(Part, frozen=True):
    """An analysis of an experiment."""

    name: str
    template_name: str
    cluster_scope: bool = False
    args: tuple[AnalysisRunArgument, ...] = ()
    required_for_completion: bool = False


class RolloutExperimentStep(Part, frozen=True):
    """Run versions side by side for a time and compare them."""

    templates: tuple[RolloutExperimentTemplate, ...]
    duration: str = ""
    analyses: tuple[RolloutExperimentStepAnalysisTemplateRef, ...] = ()
    dry_run: tuple[DryRun, ...] = ()
    analysis_run_metadata: AnalysisRunMetadata = AnalysisRunMetadata()
    scale_down_delay_seconds: Int32 | None = None


class CanaryStep(Part, frozen=True):
    """One step; exactly one of its fields is set."""

    set_weight: Int32 | None = None
    pause: RolloutPause | None = None
    analysis: RolloutAnalysis | None = None
    experiment: RolloutExperimentStep | None = None
    set_canary_scale: SetCanaryScale | None = None
    set_header_route: SetHeaderRoute | None = None
    set_mirror_route: SetMirrorRoute | None = None
    plugin: PluginStep | None = None
