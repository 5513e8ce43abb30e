"""Files of settings are one mapping of a type, and what is wrong with them has its place."""

import pytest

from davy.model.finding import BadManifest
from davy.model.part import Part
from davy.model.settings import load_settings


class Inner(Part, frozen=True):
    name: str


class Outer(Part, frozen=True):
    inner: tuple[Inner, ...]
    max_age: int = 3


def test_what_was_written_is_read_with_its_places() -> None:
    found = load_settings(b"inner:\n- name: a\n- {name: b}\nmaxAge: 5\n", "f.yaml", Outer)
    assert found.value == Outer((Inner("a"), Inner("b")), 5)
    assert str(found.finding("DV008", "inner[1].name", "no").place) == "f.yaml:3:10"
    assert str(found.finding("DV008", "inner[1].other", "no").place) == "f.yaml:3:3"
    assert str(found.finding("DV008", "maxAge", "no").place) == "f.yaml:4:9"
    assert str(found.finding("DV008", "maxAge.more", "no").place) == "f.yaml:4:1"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "DV006"),
        (b"- a", "DV006"),
        (b"inner: []\n---\ninner: []\n", "DV006"),
        (b"iner: []", "DV005"),
        (b"maxAge: 1", "DV007"),
        (b"inner: []\nmaxAge: long", "DV006"),
        (b"inner: [", "DV001"),
        (b"\xff", "DV001"),
        (b"inner: []\ninner: []", "DV003"),
    ],
)
def test_what_is_none_is_refused(text: bytes, code: str) -> None:
    with pytest.raises(BadManifest) as caught:
        load_settings(text, "f.yaml", Outer)
    assert caught.value.findings[0].code == code
    assert caught.value.message.startswith("f.yaml:")
