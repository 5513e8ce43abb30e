"""SARIF 2.1.0, for code scanning: one run, rules by their id, and a fingerprint that survives moved lines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from davy.cli.reports.report import DOCUMENTATION, FLAG_RULES, Report, advice, message, plain
from davy.flags.lint.rules.table import RULES as FLAGS
from davy.model.finding import Finding
from davy.policy.pack import RULES

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 25_000
"""GitHub refuses a run with more; the worst are kept."""


def sarif(report: Report) -> str:
    """Write a log with one run."""
    shown = report.worst_first[:MOST_RESULTS]
    codes = sorted({finding.code for finding in shown})
    first = {finding.code: finding for finding in reversed(shown)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "davy",
                "semanticVersion": report.version,
                "informationUri": DOCUMENTATION,
                "rules": [_rule(first[code]) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": f"{report.command.replace(' ', '/')}/"},
        "invocations": [{"executionSuccessful": True, **_cut(report.worst_first, shown)}],
        "results": [_result(finding, codes, report) for finding in shown],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=True)


def _cut(found: Sequence[Finding], shown: Sequence[Finding]) -> dict[str, Any]:
    """Say that something is left out."""
    if len(found) == len(shown):
        return {}
    text = f"{len(found) - len(shown)} more findings are left out: a run may have {MOST_RESULTS}"
    return {"toolExecutionNotifications": [{"level": "warning", "message": {"text": text}}]}


def _rule(finding: Finding) -> dict[str, Any]:
    """Describe a rule: what is true of each of its results, and so nothing of the one that was met first."""
    title, why, fix, page = _told(finding)
    return {
        "id": finding.code,
        "shortDescription": {"text": plain(title, 255)},
        "fullDescription": {"text": plain(why)},
        "help": {"text": "\n".join([plain(why), *([f"fix: {plain(fix)}"] if fix else [])])},
        "helpUri": f"{page}#{quote(finding.code.lower())}" if page else DOCUMENTATION,
    }


def _told(finding: Finding) -> tuple[str, str, str, str]:
    """Return the title of a rule, why it matters, how to mend it, and the page that tells of it."""
    if finding.code in FLAGS:
        flag = FLAGS[finding.code]
        return flag.title, flag.why, "", FLAG_RULES
    page = DOCUMENTATION if finding.code.startswith(("DV", "PD")) else ""
    if (known := RULES.get(finding.code)) is not None:
        return known.title, known.why, known.fix, page
    return finding.title, finding.why or finding.title, "", page


def _result(finding: Finding, codes: list[str], report: Report) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": finding.severity,
        "message": {"text": "\n".join([message(finding), *advice(finding)])},
        "locations": [{"physicalLocation": _location(finding)}],
        "partialFingerprints": {"davyFinding/v1": report.fingerprints[id(finding)]},
    }
    if finding.path:
        result["locations"][0]["logicalLocations"] = [{"fullyQualifiedName": plain(finding.path)}]
    if finding.waived:
        waived = f"waiver {plain(finding.waived)}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": waived}]
    return result


def _location(finding: Finding) -> dict[str, Any]:
    place = finding.place
    region: dict[str, Any] = {
        "startLine": place.line,
        "startColumn": place.column,
        "endColumn": place.column + finding.length,
    }
    if finding.source_line:
        region["snippet"] = {"text": plain(finding.source_line)}
    return {"artifactLocation": _artifact(place.file), "region": region}


def _artifact(file: str) -> dict[str, str]:
    path = Path(file)
    root = "file://" if path.is_absolute() else ""
    try:
        uri = quote(path.as_posix(), errors="surrogateescape")
    except UnicodeEncodeError:  # no file system gives such a name
        uri = quote(path.as_posix(), errors="replace")
    return {"uri": root + uri} if root else {"uri": uri, "uriBaseId": "%SRCROOT%"}
