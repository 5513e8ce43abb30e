"""Documents of any kind as JSON: for suites of tests, whose kinds are nobody's to know."""

import pytest

from davy.model.finding import BadManifest
from davy.model.loader import Limits, load_raw


def test_every_document_is_what_json_makes_of_it() -> None:
    text = "kind: Suite\nm: 1\n---\n---\nkind: List\nitems: [{kind: A}, {kind: B, c: [null, 1.5]}]\n"
    assert [found.value for found in load_raw(text, "f")] == [
        {"kind": "Suite", "m": 1},
        {"kind": "A"},
        {"kind": "B", "c": [None, 1.5]},
    ]
    assert load_raw("", "f") == ()


def test_what_readers_disagree_on_is_no_error() -> None:
    assert [found.value for found in load_raw("violations: no\n", "f")] == [{"violations": False}]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [\n", "DV001"),
        ("- a\n", "DV006"),
        ("a: 1\na: 2\n", "DV003"),
        ("kind: List\nitems: 1\n", "DV006"),
        ("x" * 200, "DV002"),
    ],
)
def test_what_cannot_be_read_is_refused_as_a_whole(text: str, code: str) -> None:
    with pytest.raises(BadManifest) as error:
        load_raw(f"good: 1\n---\n{text}" if code != "DV002" else text, "f", limits=Limits(size=100))
    assert code in [finding.code for finding in error.value.findings if finding.severity == "error"]
