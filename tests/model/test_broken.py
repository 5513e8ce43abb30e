"""Manifests and everything that is to be said of them: `NAME.yaml` beside `NAME.expected`.

A line of an expected file is the severity, the code, line:column and the title of a finding, in the order in
which a person is told.
"""

from pathlib import Path

import pytest

from davy.model.finding import Finding, render
from davy.model.loader import Limits, load_all
from davy.model.validate import check_references, validate

CASES = Path(__file__).parent.parent / "cases"
BROKEN = sorted([*(CASES / "broken").glob("*.yaml"), *(CASES / "seed").glob("*.yaml")])
COMPLETE = sorted((CASES / "complete").glob("*.yaml"))


def everything_about(path: Path) -> list[Finding]:
    loaded = load_all([(path.name, path.read_bytes())], limits=Limits(findings=1000))
    findings = list(loaded.findings)
    for document in loaded.documents:
        findings += validate(document)
    return findings + list(check_references(loaded.documents))


def summary(finding: Finding) -> str:
    return f"{finding.severity} {finding.code} {finding.place.line}:{finding.place.column} {finding.title}"


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_manifest_gets_exactly_the_findings_beside_it(path: Path) -> None:
    expected = path.with_suffix(".expected").read_text().splitlines()
    assert [summary(finding) for finding in everything_about(path)] == expected


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_finding_points_into_its_text(path: Path) -> None:
    lines = path.read_text().split("\n")
    for finding in everything_about(path):
        shown = lines[finding.place.line - 1]
        assert finding.source_line == shown
        assert 1 <= finding.place.column <= len(shown) + 1
        assert 1 <= finding.length <= max(1, len(shown) - finding.place.column + 1)
        assert render(finding).startswith(f"{finding.severity}[{finding.code}]: ")


@pytest.mark.parametrize("path", COMPLETE, ids=lambda path: path.stem)
def test_there_is_nothing_to_say_of_a_complete_manifest(path: Path) -> None:
    assert [summary(finding) for finding in everything_about(path)] == []


@pytest.mark.parametrize(
    ("case", "title", "fix"),
    [
        ("rollout-spec", "Multiple Strategies can not be listed", "keep one of `canary` and `blueGreen`"),
        ("rollout-spec", "`davy.dev/port` is 'http', which is no port", "write a number from 1 to 65535"),
        ("canary", "MaxSurge and MaxUnavailable both can not be zero", "let one of them be at least 1"),
        ("steps", "Step must have one of the following set", "make each of them a step of its own"),
        ("steps", "Steps define a route that does not exist", "add `- name: "),
        ("metrics", "no provider specified", "name one, such as prometheus, web or job"),
        ("pod", "no port of this container is called", "its ports: "),
        ("braces", "this is neither YAML nor JSON", "quote a text with braces in it"),
    ],
)
def test_where_there_is_a_way_out_the_finding_names_it(case: str, title: str, fix: str) -> None:
    found = [f.fix for f in everything_about(CASES / "broken" / f"{case}.yaml") if f.title.startswith(title)]
    assert any(each.startswith(fix) for each in found), found
