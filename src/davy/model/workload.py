"""The workloads that a Rollout may take its pod template from (`spec.workloadRef`), and how it does.

Which they are is Argo's list (`rollout/templateref.go` of argoproj/argo-rollouts): Deployment, ReplicaSet and
PodTemplate. None of them is run by itself: the embedded engine runs rollouts.
"""

from typing import NamedTuple, TypeAlias

import msgspec

from davy.model.meta import LabelSelector, Manifest
from davy.model.part import Int32, Opaque, Part
from davy.model.pod import PodTemplateSpec
from davy.model.rollout import Rollout


class DeploymentSpec(Part, frozen=True, kw_only=True):
    """What a Deployment wants; of it, a rollout takes the template and the selector."""

    selector: LabelSelector
    template: PodTemplateSpec
    replicas: Int32 | None = None
    strategy: Opaque | None = None
    min_ready_seconds: Int32 = 0
    revision_history_limit: Int32 | None = None
    paused: bool = False
    progress_deadline_seconds: Int32 | None = None


class Deployment(Manifest, frozen=True, kw_only=True):
    """The Deployment of Kubernetes."""

    spec: DeploymentSpec
    api_version: str = "apps/v1"
    kind: str = "Deployment"


class ReplicaSetSpec(Part, frozen=True, kw_only=True):
    """What a ReplicaSet wants; of it, a rollout takes the template and the selector."""

    selector: LabelSelector
    template: PodTemplateSpec
    replicas: Int32 | None = None
    min_ready_seconds: Int32 = 0


class ReplicaSet(Manifest, frozen=True, kw_only=True):
    """The ReplicaSet of Kubernetes."""

    spec: ReplicaSetSpec
    api_version: str = "apps/v1"
    kind: str = "ReplicaSet"


class PodTemplate(Manifest, frozen=True, kw_only=True):
    """The PodTemplate of Kubernetes: a template that has a name, and no selector."""

    template: PodTemplateSpec
    api_version: str = "v1"
    kind: str = "PodTemplate"


Workload: TypeAlias = Deployment | ReplicaSet | PodTemplate

#: Each kind of workload, the API version it is read in, and its type.
WORKLOADS: dict[str, tuple[str, type[Workload]]] = {
    "Deployment": ("apps/v1", Deployment),
    "ReplicaSet": ("apps/v1", ReplicaSet),
    "PodTemplate": ("v1", PodTemplate),
}


class WorkloadName(NamedTuple):
    """How a workload is known."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def named_by(rollout: Rollout) -> WorkloadName | None:
    """Return the workload that a rollout takes its template from, None where it has one of its own."""
    reference = rollout.spec.workload_ref
    if reference is None:
        return None
    return WorkloadName(reference.kind, rollout.metadata.namespace, reference.name)


def name_of(workload: Workload) -> WorkloadName:
    """Return the name of a workload."""
    return WorkloadName(workload.kind, workload.metadata.namespace, workload.metadata.name)


def template_path(kind: str) -> str:
    """Say where in a workload its pod template is."""
    return "template" if kind == "PodTemplate" else "spec.template"


def template_of(workload: Workload) -> PodTemplateSpec:
    """Return the pod template of a workload."""
    return workload.template if isinstance(workload, PodTemplate) else workload.spec.template


def with_template(workload: Workload, template: PodTemplateSpec) -> Workload:
    """Return the workload with another pod template."""
    if isinstance(workload, PodTemplate):
        return msgspec.structs.replace(workload, template=template)
    if isinstance(workload, Deployment):
        spec = msgspec.structs.replace(workload.spec, template=template)
        return msgspec.structs.replace(workload, spec=spec)
    return msgspec.structs.replace(workload, spec=msgspec.structs.replace(workload.spec, template=template))


def filled_in(rollout: Rollout, workload: Workload) -> Rollout:
    """Return the rollout with the template of its workload, and with its selector unless it has one.

    The reference stays, so that it can be told from a rollout that has a template of its own.
    """
    selector = rollout.spec.selector
    if selector is None and not isinstance(workload, PodTemplate):
        selector = workload.spec.selector
    spec = msgspec.structs.replace(rollout.spec, template=template_of(workload), selector=selector)
    return msgspec.structs.replace(rollout, spec=spec)


def taken_out(rollout: Rollout, written: Rollout) -> Rollout:
    """Return a rollout without what `filled_in` put in, as somebody wrote it."""
    spec = msgspec.structs.replace(rollout.spec, template=written.spec.template, selector=written.spec.selector)
    return msgspec.structs.replace(rollout, spec=spec)
