"""What has to hold of a job that is a metric, and what one machine cannot do of it."""

from collections.abc import Iterator

from davy.model.checks.complaints import Complaints
from davy.model.job import JobMetric
from davy.model.pod import Container

_WHY = "a part that is left out makes another program of it"


def validate_job(path: str, job: JobMetric, complaints: Complaints) -> None:
    """Refuse what would make another verdict of it if it were left out."""
    spec, pod = job.spec, job.spec.template.spec
    complaints.check_least(f"{path}.spec.backoffLimit", spec.backoff_limit)
    complaints.check_least(f"{path}.spec.activeDeadlineSeconds", spec.active_deadline_seconds, 1)
    below = f"{path}.spec.template.spec"
    if not pod.containers:
        complaints.add(f"{below}.containers", "the job has no container", code="DV007", part="key")
        return
    if pod.restart_policy not in ("Never", "OnFailure"):
        title = (
            f"a job's restartPolicy is Never or OnFailure, not {pod.restart_policy or 'Always, the default'}"
        )
        complaints.add(f"{below}.restartPolicy", title)
    refused = [*_of_the_job(job), *_of_the_container(pod.containers[0])]
    for place, title in refused:
        complaints.add(f"{path}.spec.{place}", f"{title}: {_WHY}", code="DV011", part="key")
    if len(pod.containers) > 1:
        title = f"only the first container of a job is run, {pod.containers[0].name}"
        complaints.add(f"{below}.containers[1]", title, code="DV012", severity="note")
    if pod.containers[0].volume_mounts or pod.volumes:
        title = "nothing is mounted: a job is a process of this machine, and sees its files"
        complaints.add(f"{below}.volumes", title, code="DV012", severity="note", part="key")


def _of_the_job(job: JobMetric) -> Iterator[tuple[str, str]]:
    spec = job.spec
    for field, count in (("parallelism", spec.parallelism), ("completions", spec.completions)):
        if count not in (None, 1):
            yield field, f"`{field}` is {count}, and the embedded engine runs a job once"
    unsupported = {
        "completionMode": spec.completion_mode not in (None, "NonIndexed"),
        "backoffLimitPerIndex": spec.backoff_limit_per_index is not None,
        "maxFailedIndexes": spec.max_failed_indexes is not None,
        "managedBy": spec.managed_by is not None,
        "podFailurePolicy": spec.pod_failure_policy is not None,
        "successPolicy": spec.success_policy is not None,
        "suspend": bool(spec.suspend),
        "template.spec.initContainers": bool(spec.template.spec.init_containers),
    }
    for field, wanted in unsupported.items():
        if wanted:
            yield field, f"`{field.rpartition('.')[2]}` is not run by the embedded engine yet"


def _of_the_container(container: Container) -> Iterator[tuple[str, str]]:
    below = "template.spec.containers[0]"
    if container.env_from:
        yield f"{below}.envFrom", "`envFrom` is not run by the embedded engine yet"
    for number, variable in enumerate(container.env):
        source = variable.value_from
        if source is None or source.field_ref is not None or source.secret_key_ref is not None:
            continue
        if source.config_map_key_ref is not None and source.config_map_key_ref.optional:
            continue
        yield (
            f"{below}.env[{number}].valueFrom",
            f"where variable {variable.name} comes from is not read by the embedded engine yet",
        )
