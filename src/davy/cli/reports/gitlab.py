"""GitLab's Code Quality report."""

import json
from typing import Any

from davy.cli.reports.report import Report, advice, message
from davy.model.finding import Finding

_SEVERITIES = {"error": "critical", "warning": "minor", "note": "info"}


def gitlab(report: Report) -> str:
    """Write a list of issues."""
    issues = [_issue(finding, report.fingerprints[id(finding)]) for finding in report.worst_first]
    return json.dumps(issues, indent=2, ensure_ascii=True)


def _issue(finding: Finding, fingerprint: str) -> dict[str, Any]:
    return {
        "description": "; ".join([message(finding), *advice(finding)]),
        "check_name": finding.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": finding.place.file, "lines": {"begin": finding.place.line}},
    }
