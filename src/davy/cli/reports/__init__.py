"""What `davy check` found, as other programs want to read it: plain functions from values to a text."""

from pathlib import Path

import click

from davy.cli.reports.report import Report
from davy.cli.setting import Setting, talk


def write(setting: Setting, report: Report, results: dict[str, int], form: str) -> None:
    """Print a report in a form; for a job of GitHub its summary is written as well."""
    match form:
        case "sarif":
            from davy.cli.reports.sarif import sarif

            text = sarif(report)
        case "junit":
            from davy.cli.reports.junit import junit

            text = junit(report)
        case "gitlab":
            from davy.cli.reports.gitlab import gitlab

            text = gitlab(report)
        case _:
            from davy.cli.reports.github import annotations, summary

            text = annotations(report)
            _summarise(setting, summary(report, results))
    if text:
        click.echo(text)


def _summarise(setting: Setting, text: str) -> None:
    """Add to the summary of the job, where there is one; a report is no reason to fail."""
    path = setting.environment.get("GITHUB_STEP_SUMMARY", "")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
    except OSError as error:
        talk(f"the summary of the job cannot be written: {error.strerror}")
