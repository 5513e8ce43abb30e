"""Every rule ships with an example that fires and one that passes; the page about them shows these files."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from davy.flags.lint.rules import RULES, LintSettings, View, lint
from davy.flags.lint.rules.every import CHECKS
from davy.flags.lint.rules.excuses import excused, excuses
from davy.flags.lint.rules.settings import check
from davy.flags.lint.rules.view import Found
from davy.flags.lint.scan import scan_texts
from davy.flags.registry import read_registry
from davy.model.finding import Place
from davy.model.instant import parse_instant
from davy.model.settings import load_settings

CASES = Path(__file__).parents[1] / "cases" / "flag_rules"
NOW = parse_instant("2026-06-01T00:00:00Z")


def example(code: str) -> dict[str, Any]:
    found = YAML(typ="safe").load(CASES / f"{code}.yaml")
    assert isinstance(found, dict)
    return found


def viewed(side: dict[str, Any], now: float = NOW) -> View:
    registry, findings = read_registry([("flags.yaml", side["flags"].encode())])
    assert not [each for each in findings if each.severity == "error"], findings
    settings = LintSettings()
    if "settings" in side:
        read = load_settings(side["settings"].encode(), "davy-flags.yaml", LintSettings)
        assert not check(read)
        settings = read.value
    texts = {"flags.yaml": side["flags"], **side["files"]}

    def line(place: Place) -> str:
        lines: list[str] = texts[place.file].splitlines()
        return lines[place.line - 1]

    scans = tuple(scan_texts({name: text.encode() for name, text in side["files"].items()}))
    return View(registry, scans, settings, now, line=line)


def told(side: dict[str, Any], now: float = NOW) -> list[Found]:
    view = viewed(side, now)
    given = [each for name, text in side["files"].items() for each in excuses(name, text)]
    return excused(view, lint(view), given, CHECKS)


EXAMPLES = [code for code in RULES if code != "F021"]
"""A baseline is no code; its rule is shown by the command."""


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_rule_fires_where_its_example_says(code: str) -> None:
    side = example(code)["firing"]
    assert [str(each.finding.place) for each in told(side) if each.finding.code == code] == side["told"]


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_finding_says_why_and_how_to_mend_it(code: str) -> None:
    for each in told(example(code)["firing"]):
        finding = each.finding
        assert finding.title
        assert finding.label
        assert finding.why
        assert finding.fix
        assert finding.source_line


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_rule_is_quiet_where_its_example_passes(code: str) -> None:
    assert [each.finding for each in told(example(code)["passing"])] == []


def test_every_rule_has_an_example() -> None:
    assert sorted(path.stem for path in CASES.glob("*.yaml")) == EXAMPLES
