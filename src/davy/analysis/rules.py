"""What Davy holds against an analysis, each sort under the id of the rule of its pack that asks for it.

The documentation is held to it.
"""

from typing import NamedTuple

from davy.model.document import Document
from davy.model.finding import Finding, Severity
from davy.model.source import Span


class Rule(NamedTuple):
    """What is wrong in a few words, how bad it is, and why it matters."""

    title: str
    severity: Severity
    why: str


RULES: dict[str, Rule] = {
    "PD050": Rule(
        "this analysis can never fail",
        "error",
        "a gate that cannot say no lets every version through, and looks green while it does",
    ),
    "PD051": Rule(
        "this condition is true whatever is measured",
        "error",
        "a question with one answer is none: it lets every version through, and looks green while it does",
    ),
    "PD052": Rule(
        "this limit can never be exceeded",
        "error",
        "a metric that fails every time it is measured, and passes all the same, stops nothing",
    ),
    "PD053": Rule(
        "no data passes this analysis",
        "error",
        "a canary that nobody has met, or whose metrics are broken, would be promoted for lack of evidence",
    ),
    "PD055": Rule(
        "this query does not look at the canary",
        "warning",
        "stable answers most requests and hides the canary in the sum, the more the smaller its share is",
    ),
    "PD059": Rule(
        "this condition does not do what it says",
        "error",
        "Argo Rollouts finds out while the canary has traffic: errors abort it, or it passes on something else",
    ),
    "PD066": Rule(
        "this query has no answer",
        "warning",
        "what cannot be measured aborts or waits; only a Prometheus at the address may know more",
    ),
}


def finding(code: str, document: Document, path: str, span: Span, label: str, fix: str) -> Finding:
    """Make a finding about a piece of the text of a field; only its first line is shown and underlined."""
    rule = RULES[code]
    place = document.source.place(span.start)
    shown = document.source.line(place.line)
    return Finding(
        code=code,
        severity=rule.severity,
        title=rule.title,
        place=place,
        label=label,
        why=rule.why,
        fix=fix,
        source_line=shown,
        length=max(1, min(span.end - span.start, len(shown) - place.column + 1)),
        path=path,
    )
