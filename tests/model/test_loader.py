"""The loader reads anything, and what it reads it can show."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.model.finding import BadManifest, Place
from davy.model.honour import unhonoured
from davy.model.loader import Document, load, load_all
from davy.model.rollout import Rollout
from davy.model.service import Service
from davy.model.validate import check_references, validate

CASES = Path(__file__).parent.parent / "cases"
MANIFESTS = sorted(CASES.glob("complete/*.yaml")) + sorted(CASES.glob("broken/*.yaml"))
TEXTS = [path.read_bytes() for path in MANIFESTS]

SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\nspec:\n  ports:\n    - port: 80\n"


def one(text: str) -> Document:
    (document,) = load(text, "shop.yaml")
    return document


def test_a_text_is_read_into_types() -> None:
    document = one(SERVICE)
    assert document.kind == "Service"
    assert isinstance(document.value, Service)
    assert document.value.spec.ports[0].port == 80
    assert str(document.value.key) == "default/shop"
    assert document.place == Place("shop.yaml", 1, 1)


def test_json_and_a_byte_order_mark_are_read_too() -> None:
    value = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"ports": []},
    }
    value["metadata"] = {"name": "shop", "annotations": {"face": "😀", "quote": 'a"b', "empty": ""}}
    expected = one(json.dumps(value)).value
    assert expected.metadata.annotations["face"] == "😀"
    assert load(("\ufeff" + json.dumps(value, indent="\t")).encode(), "shop.json")[0].value == expected
    marked = one("\ufeff" + SERVICE)
    assert marked.text_of("metadata.name") == "shop"


def test_windows_line_ends_are_read_alike() -> None:
    document = one(SERVICE.replace("\n", "\r\n"))
    assert document.value == one(SERVICE).value
    assert document.place_of("spec.ports[0].port") == Place("shop.yaml", 7, 7)
    assert document.source.line(4) == "  name: shop"


def test_an_error_refuses_the_text_and_carries_every_finding() -> None:
    with pytest.raises(
        BadManifest, match=r"shop.yaml:8:1: a document of this kind has no field `x` \(and 1 more\)"
    ) as caught:
        load(SERVICE + "x: 1\nz: 2\n", "shop.yaml")
    assert [finding.code for finding in caught.value.findings] == ["DV005", "DV005"]
    assert caught.value.exit_code == 2
    assert caught.value.hint.startswith("known here: apiVersion, kind, metadata, spec, status")
    with pytest.raises(BadManifest, match=r"no field `x`$"):
        load(SERVICE + "x: 1\n", "shop.yaml")


def test_warnings_and_notes_refuse_nothing() -> None:
    text = SERVICE + "  publishNotReadyAddresses: yes\n---\napiVersion: v1\nkind: Secret\n"
    loaded = load_all([("shop.yaml", text)])
    loaded.raise_for_errors()
    assert [finding.severity for finding in loaded.findings] == ["warning", "note"]
    assert loaded.errors == ()
    assert len(load(text, "shop.yaml")) == 1


def test_several_texts_are_read_together_and_a_bad_one_hurts_itself_only() -> None:
    loaded = load_all([("a.yaml", SERVICE), ("b.yaml", b"\xff"), ("c.yaml", "["), ("d.yaml", SERVICE)])
    assert [document.place.file for document in loaded.documents] == ["a.yaml", "d.yaml"]
    assert [finding.place.file for finding in loaded.findings] == ["b.yaml", "c.yaml"]


def test_a_status_is_accepted_and_not_kept() -> None:
    (document,) = load((CASES / "complete" / "kubectl.yaml").read_text(), "kubectl.yaml")
    assert isinstance(document.value, Rollout)
    assert document.has("status.conditions[0].type")
    assert not hasattr(document.value, "status")
    assert str(document.value.key) == "production/shop"
    assert document.value.spec.replicas == 3


def test_positions_name_every_value_as_it_was_written() -> None:
    (document,) = load(
        "apiVersion: argoproj.io/v1alpha1\n"
        "kind: AnalysisTemplate\n"
        "metadata:\n"
        "  name: 'errors'\n"
        "  labels: {app.kubernetes.io/name: shop}\n"
        "spec:\n"
        "  metrics:\n"
        "  - name: errors\n"
        "    provider:\n"
        "      prometheus:\n"
        "        query: |\n"
        "          sum(up)\n"
        "          > 2\n"
        "\n"
        "  # the end\n",
        "a.yaml",
    )
    query = "spec.metrics[0].provider.prometheus.query"
    assert document.text_of(query) == "|\n          sum(up)\n          > 2"
    assert document.place_of(query) == Place("a.yaml", 11, 9)
    assert document.text_of("metadata.name") == "'errors'"
    assert document.text_of('metadata.labels["app.kubernetes.io/name"]') == "shop"
    assert document.text_of("spec.metrics[0]").startswith("name: errors\n")
    assert document.place_of("spec.metrics[0]") == Place("a.yaml", 8, 5)
    key, value = document.position("metadata.name")
    assert key is not None
    assert document.source.text[key.start : value.end] == "name: 'errors'"


def test_a_path_that_was_not_written_is_at_the_nearest_above() -> None:
    document = one(SERVICE)
    assert document.position("spec.ports[0].name") == document.position("spec.ports[0]")
    assert document.position('metadata.labels["a.b"]') == document.position("metadata")
    assert document.position("nothing.like[3].that") == document.position("")
    assert document.finding("DV007", "spec.selector", "x").length == len("spec")
    assert document.finding("DV007", "nothing", "x").place == document.place
    field, key, value = (
        document.finding("DV008", "metadata.name", "x", part=part) for part in ("field", "key", "value")
    )
    assert (field.length, key.length, value.length) == (len("name: shop"), len("name"), len("shop"))
    assert value.place.column == 9


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_replacing_a_scalar_where_it_was_written_changes_just_that(path: Path) -> None:
    text = path.read_text()
    documents = load_all([(path.name, text)]).documents
    for document in documents:
        for position in document.positions.values():
            assert 0 <= position.value.start <= position.value.end <= len(text)
            assert position.key is None or position.key.end <= position.value.start
    if documents:
        written = documents[0].positions["metadata.name"].value
        changed = load_all([(path.name, text[: written.start] + "other" + text[written.end :])]).documents
        assert changed[0].value.metadata.name == "other"
        assert [found.value for found in changed[1:]] == [found.value for found in documents[1:]]


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    check(data)


@given(
    st.sampled_from(TEXTS),
    st.integers(0, 10_000),
    st.integers(0, 30),
    st.sampled_from(
        [
            b"",
            b"{",
            b"]",
            b": ",
            b"- ",
            b"'",
            b'"',
            b"\t",
            b"\n",
            b"&a ",
            b"*a",
            b"!!int ",
            b"|",
            b"#",
            b"yes",
            b"0x",
        ]
    ),
)
@settings(max_examples=60, deadline=None)
def test_a_manifest_with_a_slip_is_read_or_refused(text: bytes, at: int, gone: int, slip: bytes) -> None:
    at %= len(text)
    check(text[:at] + slip + text[at + gone :])


def check(data: bytes) -> None:
    """Hold that reading and checking raise nothing, and that all findings are in the text."""
    loaded = load_all([("x.yaml", data)])
    findings = [*loaded.findings, *check_references(loaded.documents)]
    for document in loaded.documents:
        findings += [*validate(document), *unhonoured(document)]
    lines = data.decode(errors="replace").split("\n")
    for finding in findings:
        assert 1 <= finding.place.line <= len(lines)
        assert 1 <= finding.place.column <= len(lines[finding.place.line - 1]) + 2
    if loaded.errors:
        with pytest.raises(BadManifest):
            load(data, "x.yaml")
    else:
        assert load(data, "x.yaml") == loaded.documents
