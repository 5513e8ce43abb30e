"""What has to hold of the experiment of a step."""

from davy.model.checks.complaints import Complaints
from davy.model.checks.rollout_analysis import validate_arguments
from davy.model.duration import BadDuration, parse_duration
from davy.model.rollout import CanaryStrategy
from davy.model.steps import RolloutExperimentStep

_UNSUPPORTED = (
    "Experiment template weight is only available for TrafficRouting "
    "with SMI, ALB, Istio and Plugins at this time"
)


def validate_experiment(
    path: str, experiment: RolloutExperimentStep, canary: CanaryStrategy, weight: int, complaints: Complaints
) -> None:
    """Hold an experiment against what Argo asks for, and refuse one that would never end.

    `weight` is what the canary has on this step; users of the sides are taken off the stable version's.
    """
    if not experiment.templates:
        title = f"`{path}` names no templates, and so would run nothing"
        complaints.add(path, title, code="DV007", part="key")
    if not experiment.duration and not experiment.analyses:
        title = "this experiment never ends: it has neither a duration nor an analysis that could end it"
        complaints.add(path, title, part="key", fix="give it a `duration`, such as 10m, or `analyses`")
    complaints.check_unique(f"{path}.templates", "name", [each.name for each in experiment.templates])
    complaints.check_unique(f"{path}.analyses", "name", [each.name for each in experiment.analyses])
    _validate_templates(path, experiment, canary, complaints)
    _validate_weights(path, experiment, canary, weight, complaints)
    for index, analysis in enumerate(experiment.analyses):
        validate_arguments(f"{path}.analyses[{index}].args", analysis.args, complaints)
    if experiment.duration:
        try:
            parse_duration(experiment.duration)
        except BadDuration as error:
            complaints.add(f"{path}.duration", str(error), part="value")


def _validate_templates(
    path: str, experiment: RolloutExperimentStep, canary: CanaryStrategy, complaints: Complaints
) -> None:
    routing = canary.traffic_routing
    for index, template in enumerate(experiment.templates):
        below = f"{path}.templates[{index}]"
        complaints.check_one_of(f"{below}.specRef", template.spec_ref, ("stable", "canary"))
        complaints.check_least(f"{below}.replicas", template.replicas, 1)
        complaints.check_least(f"{below}.weight", template.weight)
        if template.weight is None:
            continue
        if routing is None:
            title = "Experiment template weight cannot be set unless TrafficRouting is enabled"
            complaints.add(f"{below}.weight", title)
        elif not (routing.alb or routing.smi or routing.istio or routing.plugins):
            complaints.add(f"{below}.weight", _UNSUPPORTED)


def _validate_weights(
    path: str, experiment: RolloutExperimentStep, canary: CanaryStrategy, weight: int, complaints: Complaints
) -> None:
    """Refuse more users for an experiment than the canary leaves; stable would get less than none."""
    taken = sum(template.weight or 0 for template in experiment.templates)
    if taken and weight + taken > canary.full_weight:
        title = (
            f"the sides of this experiment have {taken} of the traffic and the canary has {weight}: "
            f"together more than {canary.full_weight}"
        )
        fix = f"let the weights of the sides be {max(0, canary.full_weight - weight)} together at most"
        complaints.add(f"{path}.templates", title, part="key", fix=fix)
