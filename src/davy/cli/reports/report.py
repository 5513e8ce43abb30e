"""What there is to report, in the order in which it matters, and how each finding is known again."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from davy.control.judging import Judged
from davy.model.finding import Finding

DOCUMENTATION = "https://davy.dev/docs/reference/findings"
"""Where every code is explained; the same page is `docs/reference/findings.md` in the source."""

FLAG_RULES = "https://davy.dev/docs/reference/flag-rules"
"""Where the rules about flags are explained."""

_RANKS = {"error": 0, "warning": 1, "note": 2}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")


@dataclass(frozen=True)
class Report:
    """Findings, what became of every object, and which files a change is about (None: nobody knows).

    `command` is what made it, as a person types it.
    """

    findings: Sequence[Finding]
    judged: Sequence[Judged]
    version: str
    changed: frozenset[str] | None = None
    command: str = "davy check"

    @cached_property
    def worst_first(self) -> list[Finding]:
        """The findings by severity; among equals those come first that the change is about."""
        return sorted(self.findings, key=self._rank)

    @cached_property
    def fingerprints(self) -> dict[int, str]:
        """A name for each finding, by its `id`, that stays when the lines around it move.

        It is made of the code, the file, the field and the text of the line; of several that are alike each
        has its number.
        """
        seen: Counter[tuple[str, ...]] = Counter()
        found = {}
        for finding in self.findings:
            line = " ".join(finding.source_line.split())
            alike = (finding.code, finding.place.file, finding.path, line, finding.title)
            text = "\0".join((*alike, str(seen[alike])))
            seen[alike] += 1
            found[id(finding)] = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
        return found

    def _rank(self, finding: Finding) -> tuple[int, bool, str, int, int]:
        elsewhere = self.changed is not None and finding.place.file not in self.changed
        place = finding.place
        return _RANKS[finding.severity], elsewhere, place.file, place.line, place.column


def plain(text: str, most: int = 2_000) -> str:
    """Make one line of a text, without what moves cursors or turns the direction of reading."""
    line = _CONTROL.sub(" ", text)
    return line if len(line) <= most else line[: most - 1] + "…"


def message(finding: Finding) -> str:
    """Say in one line what is wrong."""
    said = finding.title
    if finding.label and finding.label not in (finding.path, finding.title):
        said += f": {finding.label}"
    return plain(said)


def advice(finding: Finding) -> list[str]:
    """Say why, how to mend it, and how to be excused, a line each."""
    told = (("why", finding.why), ("fix", finding.fix), ("waive", finding.waive))
    return [f"{name}: {plain(text)}" for name, text in told if text]
