"""A rollout that takes its template from a workload: what changes where, and who follows."""

from typing import Any

import pytest

from davy.control import requests
from davy.control.catalog import Catalog
from davy.errors import Conflict, Refused
from davy.model.key import Key
from davy.model.pod import PodTemplateSpec
from davy.model.workload import Deployment

PAYMENTS = Key("default", "payments")
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: NAME}
spec:
  replicas: 2
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: shop, scaleDown: onsuccess}
  strategy:
    canary:
      canaryService: canary
      stableService: stable
      trafficRouting: {smi: {}}
      steps: [{setWeight: 20}, {pause: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: canary}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: stable}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""
WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: default}
spec:
  replicas: 7
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: app, image: "app:1"}]}
"""


def apply(lab: Any, *texts: str) -> Any:
    named = tuple((f"{number}.yaml", text) for number, text in enumerate(texts))
    return lab.ask(requests.Apply(named, "/here", reason="because"))


def rollout(name: str) -> str:
    return ROLLOUT.replace("NAME", name)


def live(lab: Any, *names: str) -> None:
    texts = [rollout(name).split("---")[0] for name in names[1:]]
    view = apply(lab, rollout(names[0]), *texts, WORKLOAD)
    assert view.accepted, view.findings
    lab.turns()
    assert lab.get(names[0]).status == "Healthy"


def image_of(lab: Any) -> str:
    deployment = next(found for found in lab.engine.catalog.objects if isinstance(found, Deployment))
    return deployment.spec.template.spec.containers[0].image


def test_the_template_comes_from_the_workload_and_the_manifest_is_shown_as_it_was_written(lab: Any) -> None:
    live(lab, "payments")
    view = lab.get()
    assert (view.images[0].image, view.replicas.desired) == ("app:1", 2)
    manifest = lab.ask(requests.Manifest("default", "payments")).manifest
    assert manifest["spec"]["workloadRef"]["name"] == "shop"
    assert not {"template", "selector"} & manifest["spec"].keys()
    held = lab.engine.catalog.rollouts[PAYMENTS]
    assert held.spec.selector.match_labels == {"app": "shop"}


def test_a_workload_that_is_applied_anew_begins_an_update_of_those_that_take_it(lab: Any) -> None:
    live(lab, "payments", "catalog")
    assert [one.outcome for one in apply(lab, WORKLOAD).applied] == ["unchanged"]
    assert [one.outcome for one in apply(lab, WORKLOAD.replace("app:1", "app:2")).applied] == ["configured"]
    for name in ("payments", "catalog"):
        lab.until(lambda _view, name=name: lab.get(name).actual_weight == 20)
        assert [revision.images for revision in lab.get(name).revisions] == [("app:2",), ("app:1",)]
    lab.start()
    assert lab.engine.catalog.rollouts[PAYMENTS].spec.template.spec.containers[0].image == "app:2"


def test_set_image_and_undo_change_the_workload(lab: Any) -> None:
    live(lab, "payments")
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    lab.until(lambda view: view.actual_weight == 20)
    assert image_of(lab) == "app:2"
    written = lab.store.load("object")
    assert b"app:2" in written["Deployment/default/shop"]
    assert b"template" not in written["Rollout/default/payments"]
    lab.ask(requests.Undo("default", "payments"))
    assert image_of(lab) == "app:1"
    lab.ask(requests.Pause("default", "payments"))
    lab.start()
    assert (lab.get().message, image_of(lab)) == ("manually paused", "app:1")


def test_a_template_that_two_take_is_changed_where_both_are_meant(lab: Any) -> None:
    live(lab, "payments", "catalog")
    with pytest.raises(Refused, match="which is also default/catalog's") as caught:
        lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    assert caught.value.hint == "davy apply -f the Deployment, with the change in it"
    lab.ask(requests.Scale("default", "payments", 3))
    assert lab.get("catalog").replicas.desired == 2


def test_a_workload_that_nobody_takes_is_left_alone(lab: Any) -> None:
    view = apply(lab, WORKLOAD.replace("replicas", "nonsense"))
    assert (view.accepted, view.applied) == (True, ())
    assert [finding.code for finding in view.findings] == ["DV013"]


def test_a_workload_that_is_not_there_is_named_with_the_one_that_is_meant(lab: Any) -> None:
    view = apply(lab, rollout("payments"), WORKLOAD.replace("name: shop", "name: shops"))
    assert not view.accepted
    (finding,) = [finding for finding in view.findings if finding.code == "DV010"]
    assert 'Deployment "shop" not found' in finding.text
    assert "did you mean shops?" in finding.text


def test_labels_that_no_longer_fit_the_rollout_are_refused_when_the_workload_is_applied_alone(lab: Any) -> None:
    own = rollout("payments").replace(
        "  replicas: 2\n", "  replicas: 2\n  selector: {matchLabels: {app: shop}}\n"
    )
    assert apply(lab, own, WORKLOAD).accepted
    view = apply(lab, WORKLOAD.replace("app: shop}", "app: other}"))
    assert not view.accepted
    titles = [finding.title for finding in view.findings if finding.severity == "error"]
    assert "the selector of the rollout payments does not match these labels" in titles


def test_a_rollout_whose_workload_is_gone_has_no_template() -> None:
    from davy.model.loader import load

    document = load(rollout("payments"), "payments.yaml")[0]
    catalog = Catalog([document.value])  # type: ignore[list-item]
    assert catalog.rollouts[PAYMENTS].spec.template == PodTemplateSpec()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ReplicaSet", WORKLOAD.replace("kind: Deployment", "kind: ReplicaSet")),
        (
            "PodTemplate",
            "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: shop}\ntemplate:\n"
            "  metadata: {labels: {app: shop}}\n  spec: {containers: [{name: app, image: 'app:1'}]}\n",
        ),
    ],
)
def test_other_workloads_give_their_template_too(lab: Any, kind: str, text: str) -> None:
    version = "v1" if kind == "PodTemplate" else "apps/v1"
    own = rollout("payments").replace(
        "apiVersion: apps/v1, kind: Deployment", f"apiVersion: {version}, kind: {kind}"
    )
    own = own.replace("  replicas: 2\n", "  replicas: 2\n  selector: {matchLabels: {app: shop}}\n")
    view = apply(lab, own, text)
    assert view.accepted, view.findings
    lab.turns()
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}))
    lab.until(lambda view: view.actual_weight == 20)
    assert b"app:2" in lab.store.load("object")[f"{kind}/default/shop"]


def test_what_is_done_while_a_workload_is_looked_up_is_not_lost(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(lab, "payments")
    resolve = lab.platform.resolve

    def slowly(key: Key, template: Any) -> Any:
        monkeypatch.setattr(lab.platform, "resolve", resolve)
        lab.ask(requests.Scale("default", "payments", 3))
        return resolve(key, template)

    monkeypatch.setattr(lab.platform, "resolve", slowly)
    assert apply(lab, WORKLOAD.replace("app:1", "app:2")).accepted
    assert lab.get().replicas.desired == 3


def test_a_rollout_that_takes_a_template_while_it_changes_is_not_left_behind(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(lab, "payments")
    resolve = lab.platform.resolve

    def slowly(key: Key, template: Any) -> Any:
        monkeypatch.setattr(lab.platform, "resolve", resolve)
        apply(lab, rollout("catalog").split("---")[0])
        return resolve(key, template)

    monkeypatch.setattr(lab.platform, "resolve", slowly)
    with pytest.raises(Conflict, match="another rollout took the template"):
        apply(lab, WORKLOAD.replace("app:1", "app:2"))
    assert image_of(lab) == "app:1"
