"""Every character of a scalar is found where it was written, whatever style that was in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from davy.analysis.splice import align, without_properties

TEXTS = [
    "up > 1",
    "'it''s > 1'",
    '"say \\"up\\" \\\\ > 1"',
    '"two\\nlines\\t> 1"',
    '"two\n   lines > 1"',
    "two\n   lines > 1",
    "|\n  sum(a)\n    / b\n\n  > 1\n",
    ">-\n  sum(a)\n  / b\n\n  > 1",
    "|2- # the query\n   sum(a) # not YAML\n   > 1",
    "&query up > 1",
    "!!str &q 'up > 1'",
]


@pytest.mark.parametrize("raw", TEXTS)
def test_every_visible_character_is_found(raw: str) -> None:
    value = YAML(typ="safe", pure=True).load(f"key: {raw}\n")["key"]
    found = align(raw, value)
    assert found is not None
    for character, start, end in zip(value, found.starts, found.ends, strict=True):
        if not character.isspace():
            assert raw[start:end].replace("''", "'").lstrip("\\")[-1:] in (character, "")
    assert raw[found.start_of(value.index(">"))] == ">"
    assert found.starts == tuple(sorted(found.starts))


@pytest.mark.parametrize(
    ("raw", "value"), [('"up \\x3e 1"', "up > 1"), ("up", "down"), ("'up'", "up'"), ("", "x")]
)
def test_what_is_not_certain_is_not_found(raw: str, value: str) -> None:
    assert align(raw, value) is None


def test_a_cut_takes_the_blanks_towards_the_rest_along() -> None:
    raw = "|\n  sum(a)\n    > 1  # why\n"
    value = "sum(a)\n  > 1  # why\n"
    found = align(raw, value)
    assert found is not None
    start, end = found.cut_end(value.index(">"), value.index("1") + 1)
    assert raw[:start] + raw[end:] == "|\n  sum(a)  # why\n"
    first = align("'1  <   up'", "1  <   up")
    assert first is not None
    assert first.cut_start(0, 4) == (1, 8)
    assert first.cut_end(0, 4) == (1, 5)


def test_the_end_of_a_value_is_a_place_too() -> None:
    found = align("'up'", "up")
    assert found is not None
    assert found.start_of(2) == 3


def test_properties_are_no_part_of_a_value() -> None:
    assert without_properties("&a !!str  x: 1") == "x: 1"
    assert without_properties("{a: 1}") == "{a: 1}"


@settings(max_examples=80, deadline=None)
@given(
    st.text(st.sampled_from("ab '\"\\>|#{}:"), min_size=1).filter(str.strip), st.sampled_from(["'", '"', "|"])
)
def test_quoting_loses_no_character(value: str, style: str) -> None:
    match style:
        case "'":
            raw = "'" + value.replace("'", "''") + "'"
        case '"':
            raw = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            raw = "|\n  " + value
    found = align(raw, value)
    assert found is not None
    kept = [
        (character, start) for character, start in zip(value, found.starts, strict=True) if character != " "
    ]
    assert all(
        raw[start : start + 2].lstrip("\\")[:1] == character or character == "\\" for character, start in kept
    )
