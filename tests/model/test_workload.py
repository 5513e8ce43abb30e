"""A rollout and its workload: filling in and taking out are each other's opposite."""

import pytest

from davy.model.loader import Limits, load, load_all
from davy.model.meta import LabelSelector
from davy.model.pod import PodTemplateSpec
from davy.model.rollout import Rollout
from davy.model.workload import (
    WORKLOADS,
    Workload,
    WorkloadName,
    filled_in,
    name_of,
    named_by,
    taken_out,
    template_of,
    with_template,
)

POD = "{metadata: {labels: {app: shop}}, spec: {containers: [{name: app, image: 'app:1'}]}}"
ROLLOUT = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: shop}\nspec:\n"
    "  workloadRef: {apiVersion: %s, kind: %s, name: form}\n  strategy: {canary: {}}\n"
)


def pair(kind: str) -> tuple[Rollout, Workload]:
    version, _ = WORKLOADS[kind]
    spec = (
        f"template: {POD}"
        if kind == "PodTemplate"
        else f"spec: {{selector: {{matchLabels: {{app: shop}}}}, template: {POD}}}"
    )
    text = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: form}}\n{spec}\n---\n"
    workload, rollout = (document.value for document in load(text + ROLLOUT % (version, kind), "shop.yaml"))
    assert isinstance(rollout, Rollout)
    assert isinstance(workload, Workload)
    return rollout, workload


@pytest.mark.parametrize("kind", WORKLOADS)
def test_what_is_filled_in_can_be_taken_out_again(kind: str) -> None:
    rollout, workload = pair(kind)
    assert named_by(rollout) == name_of(workload) == WorkloadName(kind, "default", "form")
    assert str(named_by(rollout)) == f"{kind} default/form"
    filled = filled_in(rollout, workload)
    assert filled.spec.template.metadata.labels == {"app": "shop"}
    expected = None if kind == "PodTemplate" else LabelSelector({"app": "shop"})
    assert filled.spec.selector == expected
    assert named_by(filled) == named_by(rollout)
    assert taken_out(filled, rollout) == rollout


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_workload_gets_another_template_and_stays_what_it_is_otherwise(kind: str) -> None:
    _, workload = pair(kind)
    changed = with_template(workload, PodTemplateSpec())
    assert template_of(changed) == PodTemplateSpec()
    assert with_template(changed, template_of(workload)) == workload


def test_a_selector_of_the_rollouts_own_stays() -> None:
    rollout, workload = pair("Deployment")
    own = LabelSelector({"tier": "front"})
    text = (ROLLOUT % ("apps/v1", "Deployment")).replace(
        "  strategy", "  selector: {matchLabels: {tier: front}}\n  strategy"
    )
    document = load(text, "shop.yaml")[0]
    assert isinstance(document.value, Rollout)
    assert filled_in(document.value, workload).spec.selector == own
    assert named_by(filled_in(rollout, workload)) is not None


def test_a_workload_is_read_where_it_stands_once_somebody_takes_it() -> None:
    workload = f"apiVersion: v1\nkind: PodTemplate\nmetadata: {{name: form}}\ntemplate: {POD}\n"
    alone = load_all([("a.yaml", workload)])
    assert (alone.documents, alone.left_alone) == ((), (WorkloadName("PodTemplate", "default", "form"),))
    wanted = load_all([("a.yaml", workload)], wanted=alone.left_alone)
    assert [document.kind for document in wanted.documents] == ["PodTemplate"]
    assert wanted.left_alone == ()
    both = load_all([("a.yaml", workload), ("b.yaml", ROLLOUT % ("v1", "PodTemplate"))])
    assert [document.kind for document in both.documents] == ["PodTemplate", "Rollout"]


def test_too_many_errors_end_a_workload_too() -> None:
    text = "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: form}\na: 1\nb: 2\nc: 3\n"
    found = load_all(
        [("a.yaml", text)], limits=Limits(findings=2), wanted=[WorkloadName("PodTemplate", "default", "form")]
    )
    assert [finding.code for finding in found.findings] == ["DV005", "DV005", "DV002"]
