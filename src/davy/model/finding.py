"""One shape for every refusal, warning and note: what, where, why, how to mend it and how to be excused."""

import re
from dataclasses import dataclass
from typing import Literal

from davy.errors import UsageError

Severity = Literal["error", "warning", "note"]

#: Every sort of finding of this row, with one sentence of why it matters. The documentation is held to it.
CODES: dict[str, str] = {
    "DV001": "a text that is not YAML or JSON says nothing, and must not be guessed at",
    "DV002": "a manifest beyond these bounds is a mistake or an attack, and would cost everyone else's time",
    "DV003": "one reader takes the first of two equal keys and another the last: nobody knows what was meant",
    "DV004": "a value that readers of YAML disagree on, or that JSON cannot hold, is not what it looks like",
    "DV005": "most tools drop a misspelt field in silence, and with it the safety that it was to bring",
    "DV006": "a value of the wrong type is refused by the cluster, or read as something else",
    "DV007": "without this field there is nothing to run or to check",
    "DV008": "the cluster, Argo Rollouts or Davy refuses such a value, and nothing moves until it is mended",
    "DV009": "Davy does not know this kind, and leaves nothing out in silence",
    "DV010": "what a manifest refers to has to exist before the first pod starts, or a rollout stalls half-way",
    "DV011": "the embedded engine cannot do this yet, and a step that is left out is a gate that is left open",
    "DV012": "the embedded engine does not act on this field, and leaves nothing out in silence",
    "DV013": "Davy does not run this kind; it is left to the cluster",
    "DV014": "of two objects with the same kind and name one replaces the other, depending on their order",
    "DV015": "without a router a weight is pods; Argo takes such a step with none, and then measures nothing",
    "DV016": "a manifest is read, copied and kept by many; a secret in it is known to all of them for good",
    "DV017": "a policy that is not enforced as it is written guards less than its author believes",
    "DV018": "a waiver is an exception with an end: somebody renews it in time, or lets it go",
}

_WIDTH = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text; line and column count from 1, columns in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know about a place in a text.

    `title` says what is wrong in a few words; `label` says it at the place itself, under the first `length`
    characters from there. `source_line` is the line of the text, empty where it is not at hand. `why`, `fix`
    and `waive` are left out when empty. `path` is the field of the document that it is about, where known,
    and `waived` is the waiver that excuses it.
    """

    code: str
    severity: Severity
    title: str
    place: Place
    label: str = ""
    why: str = ""
    fix: str = ""
    waive: str = ""
    source_line: str = ""
    length: int = 1
    path: str = ""
    waived: str = ""


class BadManifest(UsageError):
    """A text was refused; `findings` holds every reason that was found, errors and the rest."""

    code = "bad-manifest"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        errors = [finding for finding in findings if finding.severity == "error"]
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{first.place}: {first.title}{more}", hint=first.fix)
        self.findings = findings


def render(finding: Finding) -> str:
    """Write a finding as plain text, in the one shape that all of Davy's outputs share.

    The result ends without a newline, and no character of the text under inspection can move the cursor.
    """
    margin = " " * len(str(finding.place.line))
    lines = [
        f"{finding.severity}[{finding.code}]: {_plain(finding.title)}",
        f"{margin}--> {_plain(str(finding.place))}",
    ]
    if finding.source_line:
        source, column, length = _window(finding)
        lines += [
            f"{margin} |",
            f"{finding.place.line} | {source}",
            f"{margin} | {' ' * column}{'^' * length} {_plain(finding.label)}".rstrip(),
        ]
    elif finding.label:
        lines.append(f"{margin} = {_plain(finding.label)}")
    for name, text in (("why:", finding.why), ("fix:", finding.fix), ("waive:", finding.waive)):
        if text:
            lines.append(f"{margin} = {name:6} {_plain(text)}")
    return "\n".join(lines)


def _window(finding: Finding) -> tuple[str, int, int]:
    """Cut a long line down to what is around the place, and return it with the place in it."""
    column = finding.place.column - 1
    start = max(0, column - _WIDTH // 2) if len(finding.source_line) > _WIDTH else 0
    source = finding.source_line[start : start + _WIDTH]
    length = max(1, min(finding.length, len(source) - (column - start)))
    before, after = "…" if start else "", "…" if start + _WIDTH < len(finding.source_line) else ""
    return before + _plain(source) + after, column - start + len(before), length


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)
