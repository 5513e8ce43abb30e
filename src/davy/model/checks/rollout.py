"""What has to hold of a Rollout, apart from its strategy."""

import re

from davy.model.checks.canary import validate_anti_affinity, validate_canary
from davy.model.checks.complaints import Complaints
from davy.model.checks.pod import validate_pod_template
from davy.model.checks.rollout_analysis import validate_rollout_analysis
from davy.model.checks.workload import validate_reference
from davy.model.origin import PREFIX, annotated
from davy.model.rollout import BlueGreenStrategy, Rollout, RolloutSpec
from davy.model.source import join

_PORT = "davy.dev/port"
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


def validate_rollout(rollout: Rollout, complaints: Complaints) -> None:
    """Hold a Rollout against `ValidateRolloutSpec` of Argo Rollouts."""
    spec = rollout.spec
    _validate_port(rollout, complaints)
    complaints.check_least("spec.replicas", spec.replicas)
    _validate_template(rollout, complaints)
    _validate_origin(rollout, complaints)
    complaints.check_least("spec.minReadySeconds", spec.min_ready_seconds)
    complaints.check_least("spec.revisionHistoryLimit", spec.revision_history_limit)
    complaints.check_least("spec.progressDeadlineSeconds", spec.progress_deadline_seconds)
    if spec.progress_deadline_s <= spec.min_ready_seconds:
        path = "spec.progressDeadlineSeconds"
        if not complaints.document.has(path):
            path = "spec.minReadySeconds"
        title = f"progressDeadlineSeconds is {spec.progress_deadline_s}: must be greater than minReadySeconds"
        complaints.add(path, title)
    if spec.restart_at is not None and not _TIME.fullmatch(spec.restart_at):
        title = f"`spec.restartAt` is {spec.restart_at!r}, which is no time"
        complaints.add("spec.restartAt", title, part="value", fix="write it like 2026-01-31T12:00:00Z")
    _validate_strategy(rollout, complaints)


def _validate_port(rollout: Rollout, complaints: Complaints) -> None:
    """Refuse a port that nobody can listen on; Argo Rollouts does not know the annotation."""
    wanted = rollout.metadata.annotations.get(_PORT)
    if wanted is not None and not (re.fullmatch(r"[0-9]{1,5}", wanted) and 1 <= int(wanted) <= 65535):
        path = join("metadata.annotations", _PORT)
        title = f"`{_PORT}` is {wanted!r}, which is no port"
        fix = "write a number from 1 to 65535, or leave it out for one that is free"
        complaints.add(path, title, part="value", fix=fix)


def _validate_origin(rollout: Rollout, complaints: Complaints) -> None:
    """Refuse annotations by which figures would be of another change, or of none."""
    complaints.check_origin("metadata.annotations", rollout.metadata.annotations)
    if rollout.spec.workload_ref is not None:
        return
    found = annotated(rollout, rollout.spec.template)
    for name, other in (("commit", "repository"), ("repository", "commit"), ("remediates", "commit")):
        if name in found and other not in found:
            own = PREFIX + name in rollout.metadata.annotations
            above = "metadata.annotations" if own else "spec.template.metadata.annotations"
            title = f"`{PREFIX}{name}` needs a `{PREFIX}{other}` beside it"
            complaints.add(join(above, PREFIX + name), title, part="key")


def _validate_template(rollout: Rollout, complaints: Complaints) -> None:
    spec = rollout.spec
    if spec.workload_ref is not None:
        validate_reference(rollout, complaints)
        return
    _validate_selector(spec, complaints)
    if complaints.document.has("spec.template"):
        validate_pod_template("spec.template", spec.template, complaints)
    else:
        title = "Rollout has missing field '.spec.template'"
        complaints.add("spec.template", title, code="DV007", label="here, `template` has to be given")


def _validate_selector(spec: RolloutSpec, complaints: Complaints) -> None:
    path = "spec.selector"
    if spec.selector is None:
        title = "Rollout has missing field '.spec.selector'"
        complaints.add(path, title, code="DV007", label="here, `selector` has to be given")
        return
    before = len(complaints.findings)
    complaints.check_selector(path, spec.selector)
    if not spec.selector.match_labels and not spec.selector.match_expressions:
        complaints.add(path, "empty selector is invalid for deployment", part="key")
    elif len(complaints.findings) > before or not complaints.document.has("spec.template"):
        pass  # there is nothing to hold against each other
    elif not spec.selector.matches(spec.template.metadata.labels):
        fix = "give the template the labels of the selector"
        title = "`selector` does not match template `labels`"
        complaints.add("spec.template.metadata.labels", title, part="key", fix=fix)


def _validate_strategy(rollout: Rollout, complaints: Complaints) -> None:
    strategy = rollout.spec.strategy
    if strategy.canary is not None and strategy.blue_green is not None:
        fix = "keep one of `canary` and `blueGreen`"
        complaints.add("spec.strategy", "Multiple Strategies can not be listed", part="key", fix=fix)
    elif strategy.canary is not None:
        validate_canary(strategy.canary, complaints)
    elif strategy.blue_green is not None:
        _validate_blue_green(rollout, strategy.blue_green, complaints)
    else:
        title = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
        complaints.add("spec.strategy", title, code="DV007", part="key")


def _validate_blue_green(rollout: Rollout, strategy: BlueGreenStrategy, complaints: Complaints) -> None:
    path = "spec.strategy.blueGreen"
    if strategy.active_service == strategy.preview_service:
        title = (
            "This rollout uses the same service for the active and preview services, "
            "but two different services are required."
        )
        complaints.add(f"{path}.activeService", title)
    limit = strategy.scale_down_delay_revision_limit
    if limit is not None and rollout.spec.kept_revisions < limit:
        title = "This rollout's revision history limit can not be smaller than the rollout's scale down limit"
        complaints.add(f"{path}.scaleDownDelayRevisionLimit", title)
    for field, value in (
        ("previewReplicaCount", strategy.preview_replica_count),
        ("autoPromotionSeconds", strategy.auto_promotion_seconds),
        ("scaleDownDelaySeconds", strategy.scale_down_delay_seconds),
        ("scaleDownDelayRevisionLimit", limit),
        ("abortScaleDownDelaySeconds", strategy.abort_scale_down_delay_seconds),
    ):
        complaints.check_least(f"{path}.{field}", value)
    if (
        strategy.preview_replica_count == 0
        and strategy.pre_promotion_analysis
        and rollout.spec.desired_replicas
    ):
        title = "`previewReplicaCount` is 0: the pre-promotion analysis would judge a version that does not run"
        complaints.add(f"{path}.previewReplicaCount", title, part="value", fix="write 1 or more")
    complaints.check_bound(f"{path}.maxUnavailable", strategy.max_unavailable)
    validate_anti_affinity(f"{path}.antiAffinity", strategy.anti_affinity, complaints)
    for field, analysis in (
        ("prePromotionAnalysis", strategy.pre_promotion_analysis),
        ("postPromotionAnalysis", strategy.post_promotion_analysis),
    ):
        if analysis is not None:
            validate_rollout_analysis(f"{path}.{field}", analysis, complaints)
