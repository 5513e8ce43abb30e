"""What was there when the linter came: a file of findings that are not told of, and may only grow shorter."""

import json
from collections.abc import Iterator, Sequence

import msgspec

from davy.flags.lint.rules.view import Found, View
from davy.model.finding import Finding, Place

UNFIT = ("F019", "F021")
"""What no baseline takes: exceptions have an end of their own."""


class Entry(msgspec.Struct, frozen=True):
    """A finding that was there: known again by its fingerprint, and told of for people by the rest."""

    fingerprint: str
    code: str
    file: str
    about: str = ""


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of these; an entry has a line, so that two branches that mend two things do not conflict."""

    version: int
    findings: tuple[Entry, ...]


def read(text: bytes) -> Baseline:
    """Read a baseline.

    Raises:
        msgspec.DecodeError: it is not JSON, or not a baseline; the message says where.
    """
    found = msgspec.json.decode(text, type=Baseline)
    if found.version != 1:
        raise msgspec.ValidationError(f"version {found.version} is not known: 1 is")
    return found


def write(findings: Sequence[tuple[Finding, str]]) -> str:
    """Write a baseline of findings, each with its fingerprint, in an order that does not move with lines."""
    entries = sorted(
        (
            Entry(fingerprint, each.code, each.place.file, each.path or each.title)
            for each, fingerprint in findings
        ),
        key=lambda entry: (entry.file, entry.code, entry.about, entry.fingerprint),
    )
    rows = ",\n".join(f"    {json.dumps(msgspec.to_builtins(entry), ensure_ascii=False)}" for entry in entries)
    body = f"[\n{rows}\n  ]" if rows else "[]"
    return f'{{\n  "version": 1,\n  "findings": {body}\n}}\n'


def gone(view: View, file: str, text: str, known: Baseline, met: set[str]) -> Iterator[Found]:
    """F021: tell of entries whose finding is not there any more, at their lines."""
    lines = text.splitlines()
    for entry in known.findings:
        if entry.fingerprint not in met:
            at = next((number for number, line in enumerate(lines, 1) if entry.fingerprint in line), 1)
            label = f"{entry.code} in {entry.file} is gone: {entry.about}"
            fix = "run davy flag lint with --write-baseline, and commit the file"
            yield from view.at("F021", Place(file, at, 1), label, fix, path=entry.fingerprint)
