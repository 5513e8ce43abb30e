"""For a job of GitHub Actions: annotations at the lines of a pull request, and a summary of the job.

GitHub shows ten annotations of a step and keeps quiet about the rest, so the tenth says how many there are.
"""

import re

from davy.cli.reports.report import Report, advice, message, plain
from davy.model.finding import Finding

MOST_ANNOTATIONS = 10
MOST_ROWS = 500
MOST_BYTES = 1_000_000
"""A summary may have a mebibyte, and is thrown away beyond that."""

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_MARKS = {"error": "❌", "warning": "⚠️", "note": "ℹ️"}
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#+!|~@$:&-]")


def annotations(report: Report) -> str:
    """Write workflow commands: the nine worst findings, and how many more there are."""
    found = report.worst_first
    shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
    lines = [_annotation(finding) for finding in shown]
    if len(shown) < len(found):
        rest = found[len(shown) :]
        command = _COMMANDS[rest[0].severity]
        lines.append(f"::{command} title={report.command}::and {len(rest)} more, see the summary of the job")
    return "\n".join(lines)


def summary(report: Report, results: dict[str, int]) -> str:
    """Write the summary of a job in Markdown, the worst first."""
    told = ", ".join(f"{count} {result}" for result, count in results.items() if count) or "nothing to judge"
    lines = [f"## {report.command}", "", f"{told}.", ""]
    if report.findings:
        lines += ["| | where | what | why, and what to do |", "|---|---|---|---|"]
    size = sum(len(line.encode()) + 1 for line in lines)
    rows = 0
    for finding in report.worst_first[:MOST_ROWS]:
        row = _row(finding)
        size += len(row.encode("utf-8", "replace")) + 1
        if size > MOST_BYTES:
            break
        lines.append(row)
        rows += 1
    if rows < len(report.findings):
        lines += ["", f"and {len(report.findings) - rows} more"]
    return "\n".join(lines) + "\n"


def _annotation(finding: Finding) -> str:
    place = finding.place
    properties = {
        "file": place.file,
        "line": str(place.line),
        "col": str(place.column),
        "endColumn": str(place.column + finding.length),
        "title": finding.code,
    }
    told = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return (
        f"::{_COMMANDS[finding.severity]} {told}::{_data(chr(10).join([message(finding), *advice(finding)]))}"
    )


def _data(text: str) -> str:
    """Escape the message of a command, as GitHub's own toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(plain(text)).replace(":", "%3A").replace(",", "%2C")


def _row(finding: Finding) -> str:
    where = f"{finding.place.file}:{finding.place.line}:{finding.place.column}"
    cells = (
        _MARKS[finding.severity],
        _markdown(where),
        f"**{_markdown(finding.code)}** {_markdown(message(finding))}",
        "<br>".join(_markdown(line) for line in advice(finding)),
    )
    return "| " + " | ".join(cells) + " |"


def _markdown(text: str) -> str:
    """Write a text so that nothing in it is Markdown, HTML, a mention or a link."""
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", plain(text, 500))
