"""Documents of any kind as JSON, and where each path of theirs was written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.model.finding import BadManifest, render
from davy.model.kinds import is_cluster_scoped
from davy.model.loader import Limits, load_all, load_raw
from davy.model.raw import RawDocument
from davy.model.source import join, steps
from davy.model.yaml import Mapping, Sequence

KEYS = st.text("abz_-./ é\"'\\[]", min_size=1, max_size=6)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("ab:#- \n\"'é{}[]", max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=12,
)

CUSTOM = """\
apiVersion: widgets.example/v1
kind: Widget
metadata:
  name: one
  labels: {app.kubernetes.io/name: one}
spec:
  parts:
    - name: a
      size: 010
    - {name: b, on: true}
"""


def raw(text: str, **more: Any) -> RawDocument:
    (document,) = load_all([("a.yaml", text)], raw=True, **more).raw
    return document


def codes(text: str) -> list[str]:
    return [f"{finding.severity} {finding.code}" for finding in load_all([("a.yaml", text)], raw=True).findings]


@given(JSON)
def test_json_is_read_as_what_it_is(value: Any) -> None:
    found = {"apiVersion": "widgets.example/v1", "kind": "Widget", "spec": value}
    document = raw(json.dumps(found))
    assert document.value == found
    assert document.sound


@given(JSON, st.data())
def test_every_path_leads_to_where_its_value_is_written(value: Any, data: st.DataObject) -> None:
    text = json.dumps({"kind": "Widget", "apiVersion": "widgets.example/v1", "spec": value})
    document = raw(text)
    path, at = "spec", value
    while isinstance(at, (dict, list)) and at and data.draw(st.booleans()):
        step = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        path, at = join(path, step), at[step]
    span = document.position(path).value
    assert document.has(path)
    assert json.loads(text[span.start : span.end]) == at


@given(st.lists(KEYS | st.integers(0, 99), max_size=5))
def test_a_path_that_was_put_together_comes_apart_again(parts: list[str | int]) -> None:
    path = ""
    for part in parts:
        path = join(path, part)
    assert steps(path) == parts


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("spec.containers[0].image", ["spec", "containers", 0, "image"]),
        ("metadata.labels['app.kubernetes.io/name']", ["metadata", "labels", "app.kubernetes.io/name"]),
        ('a["\\x"]', ["a", "\\x"]),
        ("", []),
        ("$$", []),
    ],
)
def test_paths_are_read_as_policies_write_them(path: str, taken: list[str | int]) -> None:
    assert steps(path) == taken


def test_numbers_and_switches_are_what_the_cluster_reads() -> None:
    document = raw(CUSTOM)
    assert document.value["spec"]["parts"] == [{"name": "a", "size": 8}, {"name": "b", "true": True}]
    assert codes(CUSTOM) == ["note DV013", "warning DV004", "warning DV004"]


def test_what_is_not_written_is_told_at_the_nearest_above_it() -> None:
    document = raw(CUSTOM)
    assert str(document.place) == "a.yaml:1:1"
    assert str(document.place_of("spec.parts[1].name")) == "a.yaml:10:8"
    assert str(document.place_of("spec.parts[7].name")) == "a.yaml:7:3"
    assert str(document.place_of("spec.parts.name")) == "a.yaml:7:3"
    assert str(document.place_of("metadata.name.more")) == "a.yaml:4:3"
    assert not document.has("spec.parts[7]")
    assert document.has("")
    found = document.finding("PD022", "spec.parts[0]", "too small", why="rule x", fix="grow", waive="ask")
    assert render(found).splitlines() == [
        "error[PD022]: too small",
        " --> a.yaml:8:7",
        "  |",
        "8 |     - name: a",
        "  |       ^^^^^^^",
        "  = why:   rule x",
        "  = fix:   grow",
        "  = waive: ask",
    ]
    assert found.path == "spec.parts[0]"
    assert document.finding("DV005", "spec.gone", "?").length == len("spec")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("spec: {a: 1, a: 2}", "error DV003"),
        ("spec: {<<: {a: 1}}", "error DV004"),
        ("spec: {[a]: 1}", "error DV004"),
        ("spec: {a: .inf}", "error DV004"),
    ],
)
def test_what_readers_disagree_on_is_told_and_not_judged(body: str, code: str) -> None:
    text = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: one}}\n{body}\n"
    assert codes(text) == ["note DV013", code]
    assert not raw(text).sound
    assert [finding.code for finding in load_all([("a.yaml", text)]).findings] == ["DV013"]


def test_a_kind_that_davy_reads_is_told_of_once() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec: {ports: [{port: 1, port: 2}]}\n"
    assert codes(text) == ["error DV003"]
    assert not raw(text).sound


def test_a_list_is_unwrapped_and_so_is_a_workload_that_a_rollout_wants() -> None:
    widget = {"apiVersion": "widgets.example/v1", "kind": "Widget"}
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": [widget, widget]})
    assert [document.value for document in load_all([("a.json", items)], raw=True).raw] == [widget, widget]


def test_enough_is_enough() -> None:
    text = "apiVersion: widgets.example/v1\nkind: Widget\nspec:\n" + "".join(
        f"  k{n}: .nan\n" for n in range(9)
    )
    loaded = load_all([("a.yaml", text)], raw=True, limits=Limits(findings=3))
    assert [finding.code for finding in loaded.findings] == ["DV013", "DV004", "DV004", "DV004", "DV002"]
    assert loaded.raw == ()
    assert load_all([("a.yaml", "[")], raw=True).raw == ()


@pytest.mark.parametrize(
    ("version", "kind", "code"),
    [
        ("serving.knative.dev/v1", "Service", "note DV013"),
        ("rollouts.kruise.io/v1beta1", "Rollout", "note DV013"),
        ("admission.k8s.io/v1", "AdmissionReview", "note DV013"),
        ("gateway.networking.x-k8s.io/v1alpha1", "XListenerSet", "note DV013"),
        ("argoproj.oi/v1alpha1", "Rollout", "error DV009"),
        ("argoproj.io/v1alpha1", "Rolout", "error DV009"),
        ("apps/v1", "Widget", "error DV009"),
        ("widgets/v1", "Widget", "error DV009"),
    ],
)
def test_a_kind_of_somebody_elses_group_is_theirs_and_a_slip_of_the_pen_is_not(
    version: str, kind: str, code: str
) -> None:
    assert codes(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: one}}\n") == [code]


def test_objects_that_name_no_namespace_are_where_they_are_said_to_be() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec: {ports: [{port: 1}]}\n"
    (document,) = load_all([("a.yaml", text)], namespace="prod").documents
    assert document.value.key.namespace == "prod"


@pytest.mark.parametrize(
    ("version", "kind", "whole_cluster"),
    [
        ("v1", "Namespace", True),
        ("v1", "Service", False),
        ("constraints.gatekeeper.sh/v1beta1", "K8sAnything", True),
        ("argoproj.io/v1alpha1", "ClusterAnalysisTemplate", True),
        ("widgets.example/v1", "Widget", False),
    ],
)
def test_some_kinds_have_no_namespace(version: str, kind: str, whole_cluster: bool) -> None:
    assert is_cluster_scoped(version, kind) is whole_cluster


def test_a_text_of_others_is_read_whole_or_not_at_all() -> None:
    assert [document.value["kind"] for document in load_raw(CUSTOM, "a.yaml")] == ["Widget"]
    for text in ("- 1", "kind: [", "kind: {a: 1, a: 2}"):
        with pytest.raises(BadManifest):
            load_raw(text, "a.yaml")


def test_what_was_written_at_a_path_is_at_hand() -> None:
    document = raw(CUSTOM)
    assert isinstance(document.at("spec.parts"), Sequence)
    assert isinstance(document.at("spec.gone.deeper"), Mapping)
