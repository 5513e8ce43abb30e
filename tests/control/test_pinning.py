"""A gate does not change while a release is on its way to it."""

from typing import Any

import pytest
from tests.control.conftest import TEMPLATE

from davy.control import requests
from davy.control.rulebook import Rules
from davy.errors import Refused

WEAK = TEMPLATE.replace("0.02", "0.9")
CLUSTER = TEMPLATE.replace("AnalysisTemplate", "ClusterAnalysisTemplate")


def live(lab: Any, *names: str, **changes: str) -> None:
    assert lab.apply(*(names or ("payments",)), **changes).accepted
    lab.turns()


def under_way(lab: Any, **changes: str) -> None:
    live(lab, **changes)
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    lab.until(lambda view: view.step == 1 and view.status == "Paused", seconds=1)


def apply(lab: Any, text: str) -> Any:
    return lab.ask(requests.Apply((("errors.yaml", text),), "/"))


def started(lab: Any) -> list[Any]:
    return [entry.detail for entry in lab.store.entries() if entry.kind == "update_started"]


def test_the_templates_of_an_update_are_named_by_digest_when_it_begins(lab: Any) -> None:
    under_way(lab)
    [first, second] = [detail["templates"]["AnalysisTemplate/errors"] for detail in started(lab)]
    assert first == second
    assert first.startswith("sha256:")
    lab.ask(requests.Abort("default", "payments", "back"))
    apply(lab, WEAK)
    lab.ask(requests.Retry("default", "payments"))
    assert started(lab)[-1]["templates"]["AnalysisTemplate/errors"] != first


def test_a_changed_template_is_refused_while_an_update_is_held_to_it(lab: Any) -> None:
    under_way(lab)
    with pytest.raises(Refused, match="AnalysisTemplate/errors is what revision 2 of rollout 'payments'"):
        apply(lab, WEAK)
    assert apply(lab, TEMPLATE).applied[0].outcome == "unchanged"
    assert apply(lab, TEMPLATE.replace("name: errors}", "name: others}", 1)).accepted
    lab.ask(requests.Abort("default", "payments", "back"))
    assert apply(lab, WEAK).applied[0].outcome == "configured"


def test_a_new_version_may_come_with_another_gate(lab: Any) -> None:
    under_way(lab)
    lab.template = WEAK
    assert lab.apply("payments", **{"app:1": "app:3"}).accepted
    assert lab.get().step == 0


def test_the_same_version_with_another_gate_is_refused(lab: Any) -> None:
    under_way(lab)
    lab.template = WEAK
    with pytest.raises(Refused, match="a gate does not change"):
        lab.apply("payments", **{"app:1": "app:2", "replicas: 2": "replicas: 3"})
    assert lab.get().replicas.desired == 2


def test_an_update_may_start_again_with_the_changed_template(lab: Any) -> None:
    lab.rules = Rules(on_template_change="restart")
    lab.start()
    under_way(lab)
    assert apply(lab, WEAK).accepted
    assert lab.get().step == 0
    assert started(lab)[-1]["attempt"] == 2
    lab.turns()
    lab.until(lambda view: view.step == 4, seconds=10)


def test_templates_of_the_cluster_and_of_templates_are_held_to(lab: Any) -> None:
    lab.template = (
        CLUSTER
        + "---"
        + TEMPLATE.replace("name: errors}", "name: outer}", 1)
        + "  templates: [{templateName: inner}]\n---"
        + TEMPLATE.replace("name: errors}", "name: inner}", 1).replace("- name: errors", "- name: deep")
    )
    two = (
        "[{templateName: outer}]}\n      - analysis: {templates: [{templateName: errors, clusterScope: true}]}"
    )
    under_way(lab, **{"[{templateName: errors}]}": two})
    assert set(started(lab)[-1]["templates"]) == {
        "AnalysisTemplate/inner",
        "AnalysisTemplate/outer",
        "ClusterAnalysisTemplate/errors",
    }
    for part in lab.template.split("---"):
        with pytest.raises(Refused, match="a gate does not change"):
            apply(lab, part.replace("0.02", "0.9"))


def test_other_rollouts_are_no_hindrance(lab: Any) -> None:
    lab.template = TEMPLATE + "---" + TEMPLATE.replace("name: errors}", "name: mine}", 1)
    live(lab, "catalog")
    under_way(lab, **{"[{templateName: errors}]}": "[{templateName: mine}]}"})
    assert apply(lab, WEAK).applied[0].outcome == "configured"
