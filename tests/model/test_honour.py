"""Nothing that is written is ignored in silence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from davy.model.honour import is_told_of, unhonoured
from davy.model.honoured import HONOURED, IGNORED, REFUSED, SERVER_SIDE
from davy.model.kinds import KINDS
from davy.model.loader import load
from davy.model.shape import Shape, shape_of

CASES = Path(__file__).parent.parent / "cases" / "complete"


def forgotten(kind: str, shape: Shape, path: str) -> Iterator[str]:
    """Walk over all fields of a type, and give those that are in no table."""
    assert shape.fields is not None
    for name, field in shape.fields.items():
        below = f"{path}.{name}" if path else name
        if is_told_of(kind, below) is not None:
            continue
        if field.shape.fields:
            yield from forgotten(kind, field.shape, below)
        elif field.shape.items is not None and field.shape.items.fields:
            yield from forgotten(kind, field.shape.items, f"{below}[]")
        else:
            yield below


def exists(shape: Shape, steps: list[str]) -> bool:
    for step in steps:
        name = step.removesuffix("[]")
        if shape.fields is None or name not in shape.fields:
            return False
        shape = shape.fields[name].shape
        if step.endswith("[]"):
            assert shape.items is not None
            shape = shape.items
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_acted_on_or_told_of(kind: str) -> None:
    assert list(forgotten(kind, shape_of(KINDS[kind][1]), "")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_name_fields_that_there_are_and_each_once(kind: str) -> None:
    tables = [set(HONOURED[kind]), set(IGNORED.get(kind, {})), set(REFUSED.get(kind, {}))]
    for path in set().union(*tables):
        assert exists(shape_of(KINDS[kind][1]), path.split(".")), path
    assert sum(map(len, tables)) == len(set().union(*tables, SERVER_SIDE, IGNORED[""])) - len(
        SERVER_SIDE
    ) - len(IGNORED[""])


def test_a_complete_manifest_is_acted_on_but_for_its_router() -> None:
    told = [
        (finding.severity, finding.code, finding.title.split(":")[0])
        for document in load((CASES / "payments.yaml").read_text(), "payments.yaml")
        for finding in unhonoured(document)
    ]
    assert told == [
        ("note", "DV012", f"`{field}` is not acted on") for field in ("istio", "workingDir", "spec")
    ]


def test_what_a_cluster_adds_is_told_of_where_it_means_something() -> None:
    (document,) = load((CASES / "kubectl.yaml").read_text(), "kubectl.yaml")
    assert [(finding.code, finding.title.split("`")[1]) for finding in unhonoured(document)] == [
        ("DV012", "status"),
        ("DV012", "resources"),
        ("DV012", "imagePullPolicy"),
        ("DV012", "dnsPolicy"),
    ]


def rollout(*, strategy: str = "{canary: {}}", pod: str = "{}", more: str = "") -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: shop, finalizers: [a]}\nspec:\n"
        f"  strategy: {strategy}\n  template: {pod}\n{more}"
    )


def told(text: str) -> list[str]:
    (document,) = load(text, "shop.yaml")
    return [f"{finding.code} {finding.title.split(':')[0]}" for finding in unhonoured(document)][1:]


def test_what_would_leave_a_gate_open_is_refused() -> None:
    steps = "[{setHeaderRoute: {}}, {setWeight: 5}, {plugin: {name: a}}, {experiment: {templates: []}}]"
    assert told(rollout(strategy=f"{{canary: {{dynamicStableScale: true, steps: {steps}}}}}")) == [
        "DV011 `plugin` is not run by the embedded engine yet",
    ]
    workload = "  workloadRef: {kind: Deployment, scaleDown: onsuccess}\n"
    assert told(rollout(strategy="{blueGreen: {activeService: a}}", more=workload)) == []


def test_a_field_with_its_default_is_as_if_it_had_not_been_written() -> None:
    assert told(rollout(strategy="{canary: {dynamicStableScale: false, pingPong: null}}")) == []
    assert (
        told(rollout(pod="{spec: {hostNetwork: false, volumes: [], containers: [{name: a, tty: false}]}}"))
        == []
    )


def test_one_container_is_run_and_the_others_are_told_of() -> None:
    pod = "{%s spec: {containers: [{name: a}, {name: b}, {name: c}]}}"
    assert told(rollout(pod=pod % "")) == [
        "DV011 the container b is not run by the embedded engine yet",
        "DV011 the container c is not run by the embedded engine yet",
    ]
    chosen = "metadata: {annotations: {kubectl.kubernetes.io/default-container: b}},"
    assert told(rollout(pod=pod % chosen)) == [
        "DV012 the container a is not run",
        "DV012 the container c is not run",
    ]


def test_a_variable_may_go_without_a_secret_that_is_optional() -> None:
    env = "{spec: {containers: [{name: a, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k%s}}}]}]}}"
    assert told(rollout(pod=env % "")) == ["DV011 `secretKeyRef` is not run by the embedded engine yet"]
    assert told(rollout(pod=env % ", optional: true")) == []


def test_a_metric_of_another_provider_is_refused() -> None:
    text = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: a, finalizers: [a]}\n"
    text += "spec: {metrics: [{name: a, provider: {graphite: {}}}, {name: b, provider: {prometheus: {}}},\n"
    text += "{name: c, provider: {web: {url: a}}}, {name: d, provider: {plugin: {a/b: {}}}}]}\n"
    assert told(text) == [
        "DV011 `graphite` is not run by the embedded engine yet",
        "DV011 `a/b` is not run by the embedded engine yet",
    ]
    (document,) = load(text, "a.yaml")
    assert [found.code for found in unhonoured(document, ["graphite", "a/b"].__contains__)] == ["DV012"]


@pytest.mark.parametrize(
    ("head", "opened"),
    [
        (
            "apiVersion: apps/v1\nkind: Deployment\n",
            "spec:\n  selector: {}\n  strategy: {type: Recreate}\n  template:",
        ),
        ("apiVersion: apps/v1\nkind: ReplicaSet\n", "spec:\n  selector: {}\n  replicas: 3\n  template:"),
        ("apiVersion: v1\nkind: PodTemplate\n", "template:"),
    ],
)
def test_the_template_of_a_workload_is_told_of_as_one_of_a_rollouts_own(head: str, opened: str) -> None:
    kind = head.split()[-1]
    reference = f"  workloadRef: {{apiVersion: {head.split()[1]}, kind: {kind}, name: shop}}\n"
    pod = "{spec: {hostNetwork: true, containers: [{name: a, envFrom: [{}]}, {name: b}]}}\n"
    text = (
        rollout().replace("  template: {}\n", reference)
        + f"---\n{head}metadata: {{name: shop}}\n{opened} {pod}"
    )
    _, document = load(text, "shop.yaml")
    found = [(finding.code, finding.title.split(":")[0]) for finding in unhonoured(document)]
    assert found[-3:] == [
        ("DV011", "`envFrom` is not run by the embedded engine yet"),
        ("DV012", "`hostNetwork` is not acted on"),
        ("DV011", "the container b is not run by the embedded engine yet"),
    ]
    assert [title for _, title in found[:-3]] == {
        "Deployment": ["`strategy` is not acted on"],
        "ReplicaSet": ["`replicas` is not acted on"],
        "PodTemplate": [],
    }[kind]
