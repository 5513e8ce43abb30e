"""Set fields in the text of a manifest: what the pack can mend by machine, spliced in at its place.

Every other byte stays as it is: comments, order, indentation. A text that would say anything else
after that is left alone.
"""

import json
from collections.abc import Iterable, Sequence

from davy.model.finding import Finding
from davy.model.loader import load_all
from davy.model.raw import RawDocument
from davy.model.source import join, steps
from davy.model.yaml import Mapping
from davy.policy import pack
from davy.policy.review import Json

Splice = tuple[int, int, str]
"""Replace `text[start:end]` by a text."""


def mended(text: str, file: str, findings: Iterable[Finding]) -> str:
    """Mend what rules of the pack have against a text, where there is one right answer."""
    documents = load_all([(file, text)], raw=True).raw
    edits = {
        (number, edit.path): edit.value
        for finding in findings
        if finding.code in pack.RULES and pack.RULES[finding.code].machine_fix and not finding.waived
        for number in [_home(finding, documents)]
        if number is not None
        for edit in pack.mend(finding.code, documents[number].value)
    }
    splices = {
        (number, path): splice
        for number, path in edits
        if (splice := _splice(documents[number], path, edits[number, path])) is not None
    }
    fresh = text
    for start, end, insert in sorted(splices.values(), reverse=True):
        fresh = fresh[:start] + insert + fresh[end:]
    meant = [
        _with(document.value, {path: edits[of, path] for of, path in splices if of == number})
        for number, document in enumerate(documents)
    ]
    after = load_all([(file, fresh)], raw=True).raw
    sound = [document.sound for document in documents] == [document.sound for document in after]
    return fresh if sound and [document.value for document in after] == meant else text


def _home(finding: Finding, documents: Sequence[RawDocument]) -> int | None:
    """Find the document that a finding is in."""
    before = [number for number, document in enumerate(documents) if document.place <= finding.place]
    return before[-1] if before and documents[before[-1]].sound else None


def _splice(document: RawDocument, path: str, value: Json) -> Splice | None:
    """Say how to write a value to a path; None where nobody can tell."""
    written = json.dumps(value)
    text = document.source.text
    if document.has(path):
        start, end = document.position(path).value
        return start, end, written
    keys = steps(path)
    above = next(_path(keys[:size]) for size in range(len(keys), -1, -1) if document.has(_path(keys[:size])))
    parent = document.at(above)
    missing = [str(key) for key in keys[len(steps(above)) :]]
    if not isinstance(parent, Mapping):
        return None
    if text[parent.span.start] == "{":
        named = [json.dumps(key) for key in missing] if text.lstrip().startswith("{") else missing
        inner = "".join(f"{{{key}: " for key in named)[1:] + written + "}" * (len(missing) - 1)
        at = parent.span.start + 1
        return at, at, inner + (", " if parent.entries else "")
    if not parent.entries:
        return None
    at = parent.entries[0][0].span.start
    indent = document.source.place(at).column - 1
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [f"{' ' * (indent + 2 * depth)}{key}:" for depth, key in enumerate(missing)]
    block = newline.join(lines).lstrip(" ") + f" {written}{newline}{' ' * indent}"
    return at, at, block


def _path(keys: Sequence[str | int]) -> str:
    path = ""
    for key in keys:
        path = join(path, key)
    return path


def _with(found: Json, values: dict[str, Json]) -> Json:
    """Return JSON with values set."""
    made = json.loads(json.dumps(found))
    for path, value in values.items():
        *above, last = steps(path)
        at = made
        for key in above:
            at = at.setdefault(key, {}) if isinstance(at, dict) else at[int(key)]
        at[last] = value
    return made
