"""What documents say of each other: that everything they name is there, and is what they take it for.

The checks are those of Argo Rollouts (`validation_references.go`), in its words where it has some; but made
before the first pod starts, and also of what Argo only finds when an analysis begins.
"""

from collections.abc import Iterable, Iterator, Sequence

from davy.model.analysis import AnalysisTemplate, ClusterAnalysisTemplate
from davy.model.check import nearest
from davy.model.checks.complaints import Complaints
from davy.model.checks.gates import check_gates, complain_of_template
from davy.model.checks.judges import (
    check_judges,
    check_one_judge,
    check_template,
    first_judges,
    judged_services,
)
from davy.model.checks.routes import check_routes
from davy.model.checks.workload import check_users, check_workload, find
from davy.model.document import Document
from davy.model.finding import Finding
from davy.model.index import Index
from davy.model.judge import Judge
from davy.model.meta import Manifest
from davy.model.pod import PodTemplateSpec
from davy.model.rollout import Rollout
from davy.model.service import Service
from davy.model.workload import Workload, WorkloadName, filled_in, named_by, template_of

_HASH_LABEL = "rollouts-pod-template-hash"
_MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"


def check_references(
    documents: Sequence[Document],
    known: Iterable[Manifest] = (),
    left_alone: Sequence[WorkloadName] = (),
) -> tuple[Finding, ...]:
    """Return everything that is wrong between documents.

    `known` are objects that are there already, e.g. those that were applied before; a document of the same
    kind and name takes the place of a known one. `left_alone` names workloads beside the documents, for whoever
    meant one of them.
    """
    index = Index(known)
    findings = list(_doubles(documents))
    for document in documents:
        index.add(document.value)
    judges = first_judges(index)
    judged = judged_services(index) if judges else {}
    for document in documents:
        if isinstance(document.value, Rollout):
            complaints = Complaints(document)
            check_workload(document.value, index, left_alone, complaints)
            _check_services(document.value, index, complaints)
            check_gates(document.value, index, complaints)
            check_routes(document.value, index, complaints)
            check_judges(_whole(document.value, index), index, complaints)
            findings += complaints.findings
        elif isinstance(document.value, Workload):
            complaints = Complaints(document)
            check_users(document.value, index, complaints)
            findings += complaints.findings
        elif isinstance(document.value, Judge):
            complaints = Complaints(document)
            check_one_judge(document.value, judges, judged, complaints)
            findings += complaints.findings
        else:
            findings += _check_nested(document, index)
    return tuple(sorted(findings, key=lambda finding: finding.place))


def _doubles(documents: Sequence[Document]) -> Iterator[Finding]:
    first: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        key = Index.key_of(document.value)
        if key in first:
            title = f"{document.kind} {document.value.key} is here twice"
            label = f"it is at {first[key].place_of('metadata.name')} already"
            yield document.finding("DV014", "metadata.name", title, label=label, fix="keep one of them")
        else:
            first[key] = document


def _check_services(rollout: Rollout, index: Index, complaints: Complaints) -> None:
    namespace = rollout.metadata.namespace
    known = index.names("Service", namespace)
    template = _template(rollout, index, complaints)
    for path, name in _services(rollout):
        found = index.get("Service", namespace, name)
        if found is None:
            meant = nearest(name, known)
            label = f"did you mean {meant}?" if meant else ""
            fix = (
                f"write {meant}, or apply the Service {name} first" if meant else "apply it first, or with this"
            )
            complaints.add(
                path, f'service "{name}" not found', code="DV010", part="value", label=label, fix=fix
            )
            continue
        assert isinstance(found, Service)
        _check_service(path, found, rollout, template, complaints)


def _services(rollout: Rollout) -> Iterator[tuple[str, str]]:
    """Name the services of a rollout, and where it names them."""
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    named: dict[str, str] = {}
    if canary is not None:
        named["canary.canaryService"] = canary.canary_service
        named["canary.stableService"] = canary.stable_service
        if canary.ping_pong is not None:
            named["canary.pingPong.pingService"] = canary.ping_pong.ping_service
            named["canary.pingPong.pongService"] = canary.ping_pong.pong_service
    if blue_green is not None:
        named["blueGreen.activeService"] = blue_green.active_service
        named["blueGreen.previewService"] = blue_green.preview_service
    for path, name in named.items():
        if name:
            yield f"spec.strategy.{path}", name


def _whole(rollout: Rollout, index: Index) -> Rollout:
    """Return a rollout with the template of its workload, where it takes it from one that is there."""
    workload = find(named_by(rollout), index)
    return rollout if workload is None else filled_in(rollout, workload)


def _template(rollout: Rollout, index: Index, complaints: Complaints) -> PodTemplateSpec | None:
    """Return the template of a rollout or of its workload, None where neither is there."""
    if rollout.spec.workload_ref is None:
        return rollout.spec.template if complaints.document.has("spec.template") else None
    workload = find(named_by(rollout), index)
    return None if workload is None else template_of(workload)


def _check_service(
    path: str, service: Service, rollout: Rollout, template: PodTemplateSpec | None, complaints: Complaints
) -> None:
    """Refuse a service that leads elsewhere, or that belongs to another rollout (`ValidateService`)."""
    name = service.metadata.name
    if template is not None:
        labels = template.metadata.labels
        for key, value in service.spec.selector.items():
            if key != _HASH_LABEL and labels.get(key) != value:
                title = f'Service "{name}" has unmatch label "{key}" in rollout'
                fix = f"let the service select what the template has: {key}: {labels.get(key, '…')}"
                complaints.add(path, title, part="value", fix=fix)
    owner = service.metadata.annotations.get(_MANAGED_BY, rollout.metadata.name)
    if owner != rollout.metadata.name:
        complaints.add(
            path, f'Service "{name}" is managed by another Rollout', part="value", label=f"by {owner}"
        )


def _check_nested(document: Document, index: Index) -> list[Finding]:
    """Check the templates that a template measures along."""
    if not isinstance(document.value, AnalysisTemplate | ClusterAnalysisTemplate):
        return []
    complaints = Complaints(document)
    namespace = document.value.metadata.namespace
    templates = document.value.spec.templates
    for number, reference in enumerate(templates):
        if index.template(reference, namespace) is None:
            complain_of_template(
                f"spec.templates[{number}].templateName", reference, namespace, index, complaints
            )
    check_template(document.value, index, complaints)
    return complaints.findings
