"""A Kubernetes Job (batch/v1) as a metric runs it: a program that ends, and whose exit code is the verdict."""

from davy.model.meta import PodMeta
from davy.model.part import Int32, Int64, Opaque, Part
from davy.model.pod import PodTemplateSpec

DEFAULT_BACKOFF_LIMIT = 6
"""How often a job is tried again where it does not say; Kubernetes' default."""


class JobSpec(Part, frozen=True):
    """What a job runs, how often and for how long; the rest is named so that real manifests load."""

    template: PodTemplateSpec
    active_deadline_seconds: Int64 | None = None
    backoff_limit: Int32 | None = None
    parallelism: Int32 | None = None
    completions: Int32 | None = None
    completion_mode: str | None = None
    backoff_limit_per_index: Int32 | None = None
    max_failed_indexes: Int32 | None = None
    managed_by: str | None = None
    manual_selector: bool | None = None
    pod_failure_policy: Opaque | None = None
    pod_replacement_policy: str | None = None
    selector: Opaque | None = None
    success_policy: Opaque | None = None
    suspend: bool | None = None
    ttl_seconds_after_finished: Int32 | None = None

    @property
    def tries(self) -> int:
        """How often it is begun at most."""
        limit = self.backoff_limit
        return 1 + (DEFAULT_BACKOFF_LIMIT if limit is None else limit)


class JobMetric(Part, frozen=True):
    """A Kubernetes Job; it completes or fails, and conditions are ignored."""

    spec: JobSpec
    metadata: PodMeta = PodMeta()
