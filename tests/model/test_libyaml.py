"""What libyaml finds in ordinary manifests is what the scanner in Python finds."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from davy.model import libyaml, yaml
from davy.model.finding import Finding
from davy.model.report import Unreadable
from davy.model.source import Source
from davy.model.yaml import Limits, Mapping, Node, Scalar, Sequence

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted([*ROOT.glob("tests/cases/**/*.yaml"), *ROOT.glob("examples/**/*.yaml")])
LIMITS = Limits()
PIECES = [
    "a",
    "b c",
    "a#b",
    " # c",
    "'it''s'",
    '"es\\ncape"',
    "- ",
    "? ",
    ": ",
    "key: ",
    "key:\n",
    ", ",
    "[",
    "]",
]
PIECES += [
    "{",
    "}",
    "|\n",
    ">-\n",
    "|2\n",
    "|+\n",
    "---\n",
    "\n",
    "\n\n",
    " ",
    "  ",
    "    ",
    "-",
    "é",
    "'two\n\n  l'",
]


def composed(text: str) -> tuple[list[Node], list[Finding]]:
    """Return the documents of a text, up to what cannot be read."""
    found: list[Node] = []
    try:
        for node in yaml.compose(Source("a.yaml", text), LIMITS):
            found.append(node)
    except Unreadable as error:
        return found, [error.finding]
    return found, []


def slowly(text: str, monkey: pytest.MonkeyPatch) -> tuple[list[Node], list[Finding]]:
    with monkey.context() as patch:
        patch.setattr(libyaml, "CParser", None)
        return composed(text)


def quickly(text: str) -> tuple[list[Node], list[Finding]] | None:
    """Return the documents as libyaml has them, None where it is not asked."""
    if libyaml.events(text, 10**6) is None:
        return None
    return composed(text)


def said(node: Node) -> object:
    """Tell a node with its place; where nothing was written is nowhere in particular."""
    match node:
        case Scalar(span=span, text=text, plain=plain):
            return (text, plain, tuple(span)) if span.start != span.end else (text, plain)
        case Sequence(items=items):
            return node.span.start, [said(item) for item in items]
        case Mapping(entries=entries):
            return node.span.start, [(said(key), said(value)) for key, value in entries]


def of_manifests(read: tuple[list[Node], list[Finding]]) -> tuple[list[object], list[Finding]]:
    nodes, findings = read
    return [said(node) for node in nodes if isinstance(node, Mapping)], findings


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_manifests_are_read_alike(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    quick = quickly(text)
    if quick is not None:
        assert of_manifests(quick) == of_manifests(slowly(text, monkeypatch))


def test_most_manifests_are_ordinary() -> None:
    ordinary = [
        path for path in MANIFESTS if libyaml.events(path.read_bytes().decode("utf-8", "replace"), 10**6)
    ]
    assert len(ordinary) > 0.7 * len(MANIFESTS)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map(lambda pieces: "key: " + "".join(pieces)))
@example("key: |\n  a\n\n# c\nb: 1")
@example("key:\n? a\n: b")
@example("é: {a: b, 'c': [d]}\nkey: >-\n  a\n  b\n")
def test_what_libyaml_takes_is_what_the_scanner_takes(text: str) -> None:
    quick = quickly(text)
    if quick is not None:
        with pytest.MonkeyPatch.context() as monkey:
            assert of_manifests(quick) == of_manifests(slowly(text, monkey))


@pytest.mark.parametrize(
    "text",
    [
        "a:\tb",
        "a: b\r\n",
        "%YAML 1.1\n---\na: b",
        "a: &x b",
        "a: *x",
        "a: !!str b",
        "a: [",
        "--- a: b",
        "a: b\n...\n",
    ],
)
def test_what_is_not_ordinary_is_left_to_the_scanner(text: str) -> None:
    assert libyaml.events(text, 100) is None


def test_no_more_is_read_than_was_asked_for() -> None:
    found = libyaml.events("[" + "a, " * 1000 + "]", 10)
    assert found is not None
    assert len(found) == 10
