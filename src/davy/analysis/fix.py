"""Give teeth to templates that have their thresholds in queries: what `davy fix` does to a text.

Only what has to change is spliced, at its place: comments, indentation and block scalars stay as they are, byte
for byte. `davy.analysis.mend` says what the edits are and why they read a query the way they do.
"""

from dataclasses import dataclass

from davy.analysis.mend import Edit, edits
from davy.analysis.teeth import inspect
from davy.model.finding import Finding
from davy.model.loader import Loaded, load_all


@dataclass(frozen=True, slots=True)
class Fixed:
    """A text after mending, the edits that led to it, in its order, and what is still wrong with it."""

    text: str
    edits: tuple[Edit, ...]
    findings: tuple[Finding, ...]


def fix(text: str, file: str) -> Fixed:
    """Move thresholds from queries into conditions wherever a metric has none.

    Fixing what was fixed changes nothing. What cannot be read, and what is no analysis template, stays as it
    is; so does everything if the text could not be read any more afterwards.
    """
    loaded = load_all([(file, text)])
    found = tuple(sorted(edit for document in loaded.documents for edit in edits(document)))
    fixed = _apply(text, found)
    again = load_all([(file, fixed)])
    if len(again.documents) != len(loaded.documents):
        return Fixed(text, (), _all_findings(loaded))
    return Fixed(fixed, found, _all_findings(again))


def _apply(text: str, found: tuple[Edit, ...]) -> str:
    for edit in reversed(found):
        text = text[: edit.start] + edit.insert + text[edit.end :]
    return text


def _all_findings(loaded: Loaded) -> tuple[Finding, ...]:
    return loaded.findings + tuple(finding for document in loaded.documents for finding in inspect(document))
