"""What has to hold of one document beyond the types of its fields.

These are the checks of Argo Rollouts' controller (`pkg/apis/rollouts/validation`, `utils/analysis`), in its
words where it has some, and before anything is applied rather than as a Degraded phase afterwards; and every
problem of a document instead of the first. Where Davy asks for more, the docs have one list of it.

References between documents are `davy.model.references`, and what the embedded engine leaves out is
`davy.model.honour`.
"""

from davy.model.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from davy.model.checks.analysis import validate_metrics, validate_run, validate_template
from davy.model.checks.complaints import Complaints
from davy.model.checks.flag import validate_flag
from davy.model.checks.judge import validate_judge
from davy.model.checks.rollout import validate_rollout
from davy.model.checks.waiver import validate_waiver
from davy.model.checks.workload import validate_workload
from davy.model.document import Document
from davy.model.finding import Finding
from davy.model.flag import FeatureFlag
from davy.model.images import ImageMap
from davy.model.judge import Judge
from davy.model.references import check_references
from davy.model.rollout import Rollout
from davy.model.service import Service
from davy.model.source import join
from davy.model.waiver import Waiver
from davy.model.workload import Deployment, PodTemplate, ReplicaSet

__all__ = ["check_references", "validate", "validate_metrics"]


def validate(document: Document) -> tuple[Finding, ...]:
    """Return everything that makes a document invalid by itself; nothing means that it may be applied."""
    complaints = Complaints(document)
    match document.value:
        case Rollout() as rollout:
            validate_rollout(rollout, complaints)
        case AnalysisTemplate() | ClusterAnalysisTemplate() as template:
            validate_template(template.spec, complaints)
        case AnalysisRun() as run:
            validate_run(run.spec, complaints)
        case Service() as service:
            _validate_service(service, complaints)
        case ImageMap() as image_map:
            _validate_image_map(image_map, complaints)
        case FeatureFlag() as flag:
            validate_flag(flag, complaints)
        case Waiver() as waiver:
            validate_waiver(waiver, complaints)
        case Judge() as judge:
            validate_judge(judge, complaints)
        case Deployment() | ReplicaSet() | PodTemplate() as workload:
            validate_workload(workload, complaints)
    return tuple(sorted(complaints.findings, key=lambda finding: finding.place))


def _validate_service(service: Service, complaints: Complaints) -> None:
    if not service.spec.ports and service.spec.type != "ExternalName":
        complaints.add("spec.ports", "`spec.ports` is missing: a service has at least one port", code="DV007")
    for index, port in enumerate(service.spec.ports):
        path = f"spec.ports[{index}]"
        complaints.check_port(f"{path}.port", port.port)
        if isinstance(port.target_port, int):
            complaints.check_port(f"{path}.targetPort", port.target_port)
        if not port.name and len(service.spec.ports) > 1:
            complaints.add(path, "a port needs a name where there are several", code="DV007")
    complaints.check_unique("spec.ports", "name", [port.name for port in service.spec.ports if port.name])


def _validate_image_map(image_map: ImageMap, complaints: Complaints) -> None:
    for image, source in image_map.spec.images.items():
        path = join("spec.images", image)
        if image.count("*") > 1:
            complaints.add(path, "an image has one tag: `*` may be there once", part="key")
        where = source.source
        if bool(where.git) == bool(where.dir):
            complaints.add(f"{path}.source", "a source is either `git` and `ref`, or `dir`", part="key")
        if where.git and not where.ref:
            complaints.add(f"{path}.source", "`ref` is missing: which commit?", code="DV007", part="key")
        if where.ref and not where.git:
            complaints.add(f"{path}.source.ref", "`ref` is of a `git` repository, and there is none")
