"""What applying and checking manifests found, for people: findings to standard error, and an exit code."""

import re
from collections import Counter
from collections.abc import Sequence

import click

from davy.cli.setting import Setting, talk
from davy.control.views import Applied, ApplyView, FindingView
from davy.errors import Refused, UsageError

_UNREADABLE = re.compile(r"DV\d{3}")
"""Codes of texts that are no valid manifests; a policy may be called anything that only begins like one."""

_LOOKS = {"error": "red", "warning": "yellow", "note": "cyan"}


class Unreadable(UsageError):
    """Manifests that cannot be read as what they want to be."""

    code = "bad-manifest"


def tell(setting: Setting, findings: Sequence[FindingView]) -> None:
    """Print findings to standard error, as they are written everywhere."""
    for finding in findings:
        head = f"{finding.severity}[{finding.code}]"
        text = finding.text
        if text.startswith(head):
            text = click.style(head, fg=_LOOKS.get(finding.severity), bold=True) + text.removeprefix(head)
        talk(text + "\n")


def refuse(findings: Sequence[FindingView], done: str) -> None:
    """Raise what errors among the findings amount to: a text that is no manifest, or a gate's no.

    Raises:
        Unreadable: (exit 2) a manifest is not valid.
        Refused: (exit 1) all are valid, and a gate says no.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    count = f"{summary(findings)}; {done}"
    if any(_UNREADABLE.fullmatch(finding.code) for finding in errors):
        raise Unreadable(count)
    raise Refused(count)


def refuse_nothing(view: ApplyView, names: Sequence[str]) -> None:
    """Refuse texts in which nothing stands: whoever made them out of a template wants to know.

    Raises:
        UsageError: there is no manifest, and nothing to say of one.
    """
    if not (view.applied or view.findings or view.judged):
        raise UsageError(
            f"there is no manifest in {', '.join(names)}",
            hint="a manifest is a mapping with `kind` and `metadata`",
        )


def summary(findings: Sequence[FindingView]) -> str:
    """Count findings by severity: `2 errors, 1 warning`."""
    counts = Counter(finding.severity for finding in findings)
    told = [
        f"{counts[word]} {word}{'s' * (counts[word] > 1)}"
        for word in ("error", "warning", "note")
        if counts[word]
    ]
    return ", ".join(told)


def outcome(applied: Applied) -> str:
    """Say what became of an object, as kubectl does."""
    return f'{applied.object_kind.lower()} "{applied.name}" {applied.outcome}'
