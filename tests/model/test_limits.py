"""Reading is bounded: bombs are findings, at once, and never exceptions.

The bombs are those of a study of Python's parsers: some of them load at once and go off later, some never end,
some raise errors that nobody expects.
"""

import pytest

from davy.model.finding import Finding
from davy.model.loader import Limits, load_all


def findings(text: str | bytes, limits: Limits = Limits()) -> list[Finding]:  # noqa: B008
    return list(load_all([("bomb.yaml", text)], limits=limits).findings)


def service(name: str) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n"


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)
)
TALL = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{i}: &a{i}\n  <<: [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)

BOMBS: dict[str, tuple[str | bytes, str]] = {
    "billion laughs": (LAUGHS, "DV002"),
    "tall by aliases": (TALL, "DV002"),
    "merge keys": (MERGES, "DV002"),
    "3000 deep": ("[" * 3000 + "]" * 3000, "DV002"),
    "200000 deep JSON": ('{"a":' * 200_000 + "1" + "}" * 200_000, "DV002"),
    "recursion": ("a: &a {b: *a}", "DV002"),
    "5000 digits": (f"apiVersion: v1\nkind: Service\nspec: {'9' * 5000}\n", "DV004"),
    "NaN in JSON": ('{"apiVersion": "v1", "kind": "Service", "spec": NaN}', "DV004"),
    "a bad date": ("apiVersion: v1\nkind: Service\nspec: 2026-02-30\n", "DV004"),
    "!!int x": ("apiVersion: v1\nkind: Service\nspec: !!int x\n", "DV004"),
    "!!timestamp z": ("apiVersion: v1\nkind: Service\nspec: !!timestamp z\n", "DV004"),
    "a duplicate key": ("apiVersion: v1\nkind: Service\nmetadata: {name: a, name: b}\n", "DV003"),
    "NUL": (b"kind: \x00", "DV001"),
    "not UTF-8": (b"kind: \xff\xfe", "DV001"),
    "UTF-16": ("kind: Service".encode("utf-16"), "DV001"),
    "half a character": ("kind: \ud800", "DV001"),
    "a lone carriage return": ("kind: a\rb: c", "DV001"),
    "a line separator": ("kind: a\u2028b: c", "DV001"),
    "a mark in the middle": ("kind: a\ufeffb", "DV001"),
    "a million lines": ("\n" * 1_000_000, "DV002"),
    "3 MiB of words": ("a " * 1_572_864, "DV006"),
    "3 MiB of blanks": (" " * 3_145_727 + "a", "DV006"),
    "more than 3 MiB": (b"a" * (3 * 2**20 + 1), "DV002"),
    "many documents": ("--- 1\n" * 1_001, "DV002"),
    "a long tag": ("kind: !" + "a" * 100_000, "DV001"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_finding(name: str) -> None:
    text, code = BOMBS[name]
    assert findings(text)[-1].code == code


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(size=10), "more than 10 bytes"),
        (Limits(lines=2), "more than 2 lines"),
        (Limits(depth=2), "nested more than 2 deep"),
        (Limits(nodes=3), "more than 3 values"),
        (Limits(documents=1), "more than 1 documents"),
    ],
)
def test_every_limit_can_be_set(limits: Limits, words: str) -> None:
    text = f"{service('a')}---\n{service('b')}"
    assert findings(text) == []
    assert words in findings(text, limits)[-1].title


def test_what_came_before_the_end_is_read() -> None:
    loaded = load_all([("a.yaml", service("a") + "---\n[")])
    assert [document.value.metadata.name for document in loaded.documents] == ["a"]
    assert [finding.code for finding in loaded.findings] == ["DV001"]


def test_items_of_a_list_count_as_documents() -> None:
    text = "apiVersion: v1\nkind: List\nitems: [1, 2, 3]\n"
    assert [finding.code for finding in findings(text, Limits(documents=2))] == ["DV006", "DV006", "DV002"]


def test_after_twenty_errors_it_is_enough() -> None:
    text = service("a") + "".join(f"x{i}: 1\n" for i in range(30))
    found = findings(text)
    assert [finding.code for finding in found] == ["DV005"] * 20 + ["DV002"]
    assert found[-1].title == "there are more errors than these 20"


def test_after_twenty_warnings_one_more_says_so() -> None:
    text = service("a").replace("{name", "{labels: {%s}, name" % ", ".join(f"0{i}: a" for i in range(10, 60)))  # noqa: UP031
    found = findings(text)
    warnings = [finding for finding in found if finding.severity == "warning"]
    assert len(warnings) == 20
    assert [finding.title for finding in found if finding.severity == "note"] == [
        "there are more warnings than these 20"
    ]


def test_aliases_within_bounds_are_read() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: &name a\n  labels: &labels {app: *name}\n"
    text += "spec:\n  selector: *labels\n  ports: [{port: 80}]\n"
    (document,) = load_all([("a.yaml", text)]).documents
    assert document.text_of("spec.selector") == "*labels"
    assert document.text_of("spec.selector.app") == "*name"
    assert document.value.metadata.labels == {"app": "a"}
