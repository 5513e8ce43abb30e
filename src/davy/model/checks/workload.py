"""The workload that a rollout takes its template from: that it is one, is there, and fits the rollout."""

from collections.abc import Iterable, Iterator

from davy.model.check import nearest
from davy.model.checks.complaints import Complaints
from davy.model.checks.pod import validate_pod_template
from davy.model.index import Index
from davy.model.pod import PodTemplateSpec
from davy.model.rollout import Rollout
from davy.model.workload import (
    WORKLOADS,
    PodTemplate,
    Workload,
    WorkloadName,
    name_of,
    named_by,
    template_of,
    template_path,
)

_PATH = "spec.workloadRef"


def validate_reference(rollout: Rollout, complaints: Complaints) -> None:
    """Hold a reference against what Argo takes; a template beside it would mean nothing, and is refused."""
    reference = rollout.spec.workload_ref
    assert reference is not None
    if rollout.spec.template != PodTemplateSpec():
        complaints.add("spec.template", "template must be empty for workload reference rollout", part="key")
    missing = [
        field for field in ("apiVersion", "kind", "name") if not complaints.document.has(f"{_PATH}.{field}")
    ]
    for field in missing:
        title = f"`{_PATH}.{field}` is missing"
        complaints.add(_PATH, title, code="DV007", part="key")
    scale_downs = ("", "never", "onsuccess", "progressively")
    complaints.check_one_of(f"{_PATH}.scaleDown", reference.scale_down, scale_downs)
    if "kind" not in missing and reference.kind not in WORKLOADS:
        complaints.check_one_of(f"{_PATH}.kind", reference.kind, tuple(WORKLOADS))
    elif "apiVersion" not in missing and "kind" not in missing:
        complaints.check_one_of(f"{_PATH}.apiVersion", reference.api_version, (WORKLOADS[reference.kind][0],))


def validate_workload(workload: Workload, complaints: Complaints) -> None:
    """Hold a workload against what Kubernetes asks for, as far as a rollout takes something from it."""
    path = template_path(workload.kind)
    template = template_of(workload)
    validate_pod_template(path, template, complaints)
    if not isinstance(workload, PodTemplate):
        selector, before = workload.spec.selector, len(complaints.findings)
        complaints.check_selector("spec.selector", selector)
        if before == len(complaints.findings) and not selector.matches(template.metadata.labels):
            title = "`selector` does not match template `labels`"
            fix = "give the template the labels of the selector"
            complaints.add(f"{path}.metadata.labels", title, part="key", fix=fix)


def check_workload(
    rollout: Rollout, index: Index, left_alone: Iterable[WorkloadName], complaints: Complaints
) -> None:
    """Find the workload of a rollout, or name the one that is meant; and hold it against its selector."""
    wanted = named_by(rollout)
    if wanted is None or wanted.kind not in WORKLOADS or not wanted.name:
        return  # told of by the check of the rollout itself
    workload = find(wanted, index)
    if workload is None:
        others = [each.name for each in left_alone if each[:2] == wanted[:2]]
        meant = nearest(wanted.name, [*index.names(wanted.kind, wanted.namespace), *others])
        label = f"did you mean {meant}?" if meant else ""
        fix = f"write {meant}" if meant else f"apply the {wanted.kind} {wanted.name} with this"
        title = f'{wanted.kind} "{wanted.name}" not found: the template would come from it'
        complaints.add(f"{_PATH}.name", title, code="DV010", part="value", label=label, fix=fix)
    elif isinstance(workload, PodTemplate) and rollout.spec.selector is None:
        title = "Rollout has missing field '.spec.selector'"
        complaints.add("spec.selector", title, code="DV007", label="a PodTemplate has none to take")


def check_users(workload: Workload, index: Index, complaints: Complaints) -> None:
    """Hold the labels of a workload's template against the selectors of the rollouts that take it."""
    labels = template_of(workload).metadata.labels
    for rollout in rollouts_of(workload, index):
        selector = rollout.spec.selector
        if selector is not None and not selector.matches(labels):
            title = f"the selector of the rollout {rollout.metadata.name} does not match these labels"
            path = f"{template_path(workload.kind)}.metadata.labels"
            complaints.add(path, title, part="key", fix="give the template the labels of the selector")


def rollouts_of(workload: Workload, index: Index) -> Iterator[Rollout]:
    """Go through the rollouts that take their template from a workload."""
    for found in index.all("Rollout"):
        assert isinstance(found, Rollout)
        if named_by(found) == name_of(workload):
            yield found


def find(name: WorkloadName | None, index: Index) -> Workload | None:
    """Return a workload, None if there is none."""
    found = None if name is None else index.get(*name)
    assert found is None or isinstance(found, Workload)
    return found
