"""Reports for other programs: each as its readers want it, whatever stands in a manifest."""

import json
import re
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from davy.cli.reports import write
from davy.cli.reports.github import MOST_BYTES, annotations, summary
from davy.cli.reports.gitlab import gitlab
from davy.cli.reports.junit import junit
from davy.cli.reports.report import Report
from davy.cli.reports.sarif import MOST_RESULTS, sarif
from davy.cli.setting import Setting
from davy.control.judging import Judged, Result
from davy.model.finding import Finding, Place

HOSTILE = [
    "a\n::error::owned",
    "%0A::set-output name=a::b",
    "a\rb\x1b[2J\x07\x00",
    "<script>alert(1)</script> | [x](javascript:alert(1)) @everyone `a`",
    "]]>&\ufffe\ud800\u202e",
    "::add-mask::x,file=/etc/passwd:1",
]
TEXT = st.sampled_from(HOSTILE) | st.text(max_size=30)
FINDINGS = st.builds(
    Finding,
    code=st.sampled_from(["PD050", "DV003", "K8sRequireProgressive"]) | TEXT.filter(bool),
    severity=st.sampled_from(["error", "warning", "note"]),
    title=TEXT,
    place=st.builds(Place, TEXT.filter(bool), st.integers(1, 99), st.integers(1, 99)),
    label=TEXT,
    why=TEXT,
    fix=TEXT,
    waive=TEXT,
    source_line=TEXT,
    length=st.integers(1, 20),
    path=TEXT,
    waived=st.sampled_from(["", "w-1"]),
)
JUDGED = st.builds(
    Judged, TEXT, TEXT, TEXT, TEXT.filter(bool), st.integers(1, 99), st.sampled_from(get_args(Result))
)
REPORTS = st.builds(
    Report,
    st.lists(FINDINGS, max_size=14),
    st.lists(JUDGED, max_size=4),
    st.just("0.1.0"),
    st.none() | st.just(frozenset({"a.yaml"})),
)
GOLDEN = Path(__file__).parent / "golden"


def finding(
    code: str = "PD022", severity: Any = "error", file: str = "a.yaml", line: int = 4, **more: Any
) -> Finding:
    more.setdefault("title", "a first step of 60 %")
    return Finding(
        code, severity, place=Place(file, line, 3), source_line="  - setWeight: 60", length=13, **more
    )


def report(*findings: Finding, judged: tuple[Judged, ...] = (), changed: Any = None) -> Report:
    return Report(findings, judged, "0.1.0", changed)


EXAMPLE = report(
    finding(why="too many users at once", fix="begin with 5", path="spec.steps[0]"),
    finding("PD055", "warning", line=20, title="this query does not look at the canary"),
    finding("PD001", "note", "b.yaml", 4, title="no Deployments - waived by w-1", waived="w-1"),
    finding("DV003", file="c.yaml", title="the key `a` is here twice"),
    judged=(
        Judged("Rollout", "prod", "pay", "a.yaml", 1, "fail"),
        Judged("Service", "prod", "pay", "a.yaml", 30, "not-applicable", False),
        Judged("Deployment", "prod", "web", "b.yaml", 1, "waived"),
        Judged("Deployment", "prod", "ok", "b.yaml", 9, "pass"),
    ),
)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("check.sarif.json", sarif(EXAMPLE)),
        ("check.junit.xml", junit(EXAMPLE)),
        ("check.github.txt", annotations(EXAMPLE)),
        ("check.summary.md", summary(EXAMPLE, {"pass": 1, "fail": 1, "waived": 0})),
        ("check.gitlab.json", gitlab(EXAMPLE)),
    ],
)
def test_a_report_looks_as_it_always_did(name: str, made: str) -> None:
    assert made.rstrip("\n") == (GOLDEN / name).read_text().rstrip("\n")


@given(REPORTS)
def test_sarif_is_json_with_a_rule_for_each_result(made: Report) -> None:
    (run,) = json.loads(sarif(made))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        location = result["locations"][0]["physicalLocation"]
        assert location["region"]["endColumn"] > location["region"]["startColumn"]
        assert re.fullmatch(r"[!-~]+", location["artifactLocation"]["uri"])
    marks = [result["partialFingerprints"]["davyFinding/v1"] for result in run["results"]]
    assert len(set(marks)) == len(marks)


@given(REPORTS)
def test_junit_is_xml_that_a_parser_of_it_takes(made: Report) -> None:
    text = junit(made)
    ElementTree.fromstring(text)
    suites = JUnitXml.fromstring(text.encode())
    errors = [each for each in made.findings if each.severity == "error"]
    assert bool(errors) == bool(suites.failures + suites.errors)


@given(REPORTS)
def test_github_runs_the_commands_that_are_meant_and_shows_ten(made: Report) -> None:
    lines = annotations(made).split("\n") if made.findings else []
    assert len(lines) == min(len(made.findings), 10)
    for line in lines:
        assert re.fullmatch(r"::(error|warning|notice) [^:\x00-\x1f]*::[^\x00-\x1f]*", line)
        properties = line.split("::")[1].partition(" ")[2]
        assert set(re.findall(r"(?:^|,)(\w+)=", properties)) <= {"file", "line", "col", "endColumn", "title"}


@given(REPORTS)
def test_a_summary_is_a_table_and_holds_nothing_that_acts(made: Report) -> None:
    text = summary(made, {"fail": 1})
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(made.findings)
    for row in rows:
        assert row.count("|") == 5
        assert "<script" not in row
        assert "](" not in row
        assert "@" not in row


@given(REPORTS)
def test_gitlab_knows_each_issue_again(made: Report) -> None:
    issues = json.loads(gitlab(made))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == len(made.findings)
    assert {issue["severity"] for issue in issues} <= {"info", "minor", "major", "critical", "blocker"}


def test_a_fingerprint_stays_when_lines_move_and_goes_with_what_it_is_of() -> None:
    def mark(of: Finding) -> str:
        return report(of).fingerprints[id(of)]

    assert mark(finding(line=4)) == mark(finding(line=400))
    assert len({mark(finding()), mark(finding("PD023")), mark(finding(file="b")), mark(finding(path="x"))}) == 4


def test_the_worst_come_first_and_of_those_what_the_change_is_about() -> None:
    found = [finding(f"PD{number}", "warning", f"{number}.yaml") for number in range(100, 112)]
    made = report(*found, finding("PD999", file="z.yaml"), changed=frozenset({"111.yaml"}))
    titles = re.findall("title=([^:]+)", annotations(made))
    assert titles[:3] == ["PD999", "PD111", "PD100"]
    assert titles[-1] == "davy check"
    assert annotations(made).endswith("::and 4 more, see the summary of the job")


def test_reports_keep_within_what_their_readers_take() -> None:
    many = report(*(finding(line=number, title="x" * 3000) for number in range(1, MOST_RESULTS + 3)))
    (run,) = json.loads(sarif(many))["runs"]
    assert len(run["results"]) == MOST_RESULTS
    assert (
        "2 more findings are left out"
        in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    )
    assert len(summary(many, {}).encode()) <= MOST_BYTES + 1000
    assert f"and {MOST_RESULTS + 2 - 500} more" in summary(many, {})


def test_a_job_without_a_place_for_its_summary_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environments: list[dict[str, str]] = [{}, {"GITHUB_STEP_SUMMARY": str(tmp_path / "gone" / "summary")}]
    for environment in environments:
        write(Setting(Path(), environment=environment), report(finding()), {}, "github")
    captured = capsys.readouterr()
    assert captured.out.count("::error file=a.yaml,line=4,col=3") == 2
    assert "the summary of the job cannot be written" in captured.err
