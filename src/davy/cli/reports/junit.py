"""JUnit XML: a test for each object, so that a CI server shows what passed, too."""

import re
from bisect import bisect_right
from collections import defaultdict
from xml.etree import ElementTree

from davy.cli.reports.report import Report, advice, message, plain
from davy.control.judging import Judged
from davy.model.finding import Finding, render

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """Write one suite; what belongs to no object is a test named after its file."""
    told: dict[tuple[str, int], list[Finding]] = defaultdict(list)
    judged = {(each.file, each.line): each for each in report.judged}
    starts = sorted(judged)
    for finding in report.findings:
        told[_home(finding, starts)].append(finding)
    cases = [_case(key, judged.get(key), told[key]) for key in sorted({*judged, *told})]
    suite = ElementTree.Element("testsuite", name=report.command)
    suite.extend(cases)
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
    }
    suite.attrib |= counts
    root = ElementTree.Element("testsuites", {"name": "davy", **counts})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _home(finding: Finding, starts: list[tuple[str, int]]) -> tuple[str, int]:
    """Find the object that a finding is in; line 0 is none."""
    at = bisect_right(starts, (finding.place.file, finding.place.line)) - 1
    if at >= 0 and starts[at][0] == finding.place.file:
        return starts[at]
    return finding.place.file, 0


def _case(key: tuple[str, int], judged: Judged | None, findings: list[Finding]) -> ElementTree.Element:
    name = _name(judged) if judged else key[0]
    case = ElementTree.Element("testcase", classname=_valid(plain(key[0])), name=_valid(plain(name)), time="0")
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        unreadable = any(re.fullmatch(r"DV\d{3}", finding.code) for finding in errors)
        wrong = unreadable or (judged is not None and judged.result == "error")
        told = "; ".join(f"{finding.code} {message(finding)}" for finding in errors)
        outcome = ElementTree.SubElement(
            case, "error" if wrong else "failure", message=_valid(told), type=_valid(errors[0].code)
        )
        outcome.text = _valid("\n\n".join(map(render, errors)))
    elif judged is not None and judged.result == "not-applicable":
        ElementTree.SubElement(case, "skipped", message="no policy is about it")
    elif judged is not None and judged.result == "waived":
        waived = "; ".join(message(finding) for finding in findings if finding.waived)
        ElementTree.SubElement(case, "skipped", message=_valid(waived))
    rest = [finding for finding in findings if finding.severity != "error"]
    if rest:
        lines = [
            line
            for finding in rest
            for line in (f"{plain(str(finding.place))}: {message(finding)}", *advice(finding))
        ]
        ElementTree.SubElement(case, "system-out").text = _valid("\n".join(lines))
    return case


def _name(judged: Judged) -> str:
    name = f"{judged.namespace}/{judged.name}" if judged.namespace else judged.name
    return f"{judged.kind} {name}".strip()


def _valid(text: str) -> str:
    """Leave out what XML 1.0 cannot hold in any spelling."""
    return _INVALID.sub("\ufffd", text)
