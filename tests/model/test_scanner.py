"""The quick scanner finds what ruamel's finds."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from davy.model.scanner import QuickParser, QuickReader, QuickScanner

CASES = sorted(
    path
    for directory in ("broken", "complete", "seed")
    for path in (Path(__file__).parent.parent / "cases" / directory).glob("*.yaml")
)

PIECES = [
    *(
        "a",
        "b c",
        "a#b",
        "word  word",
        "# comment",
        " # comment",
        "'single'",
        "'it''s'",
        '"double"',
        '"es\\ncape"',
    ),
    *("'two\n\n  lines'", '"two\n  lines"', '"a\\\n  b"', "- ", "? ", ": ", ":", "key: ", "key:\n", ",", ", "),
    *(
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "!!str ",
        "!mine ",
        "! ",
        "|\n",
        ">-\n",
        "|2\n",
        "|+\n",
        "---\n",
        "...\n",
    ),
    *(
        "--- ",
        "%YAML 1.1\n",
        "\n",
        "\n\n",
        "\r\n",
        " ",
        "  ",
        "    ",
        "\t",
        "-",
        "@",
        "`",
        "%",
        "~",
        "\\",
        "\x00"[:0],
    ),
]


def events(text: str, *, quick: bool) -> list[str]:
    """List the events of a text with their marks; the last may be an error and where it is."""
    yaml = YAML(typ="safe", pure=True)
    if quick:
        yaml.Reader, yaml.Scanner, yaml.Parser = QuickReader, QuickScanner, QuickParser
    found = []
    try:
        for event in yaml.parse(text):
            marks = [(mark.index, mark.line, mark.column) for mark in (event.start_mark, event.end_mark)]
            says = [
                getattr(event, name, None)
                for name in ("value", "anchor", "tag", "implicit", "style", "flow_style")
            ]
            found.append(f"{type(event).__name__} {says} {marks}")
    except YAMLError as error:
        found.append(f"{type(error).__name__}: {error}")
    except (ValueError, IndexError) as error:
        found.append(type(error).__name__)
    return found


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_real_manifests_are_scanned_alike(path: Path) -> None:
    text = path.read_text()
    assert events(text, quick=True) == events(text, quick=False)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@settings(max_examples=100, deadline=None)
def test_any_text_is_scanned_alike(text: str) -> None:
    assert events(text, quick=True) == events(text, quick=False)


def test_comments_and_ends_are_seen_alike() -> None:
    for text in (
        "a b # c",
        "a: b # c\nd: e#f",
        "[a # b\n, c]",
        "a  #b",
        "a\n# b\nc",
        "'a\n---\nb'",
        '"a\n... \nb"',
        "a\n  b\n---\nc",
        "a\n\n---\nc",
        "- a\n...\n",
    ):
        assert events(text, quick=True) == events(text, quick=False)


def test_a_tag_that_takes_time_to_read_is_refused() -> None:
    assert "more than 255 characters" in events("!" + "a" * 100_000 + " x", quick=True)[-1]
