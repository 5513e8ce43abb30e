"""Take a flag out of the file that it is declared in; everything else there stays as it is."""

import re

from davy.flags.registry import read_registry
from davy.model.finding import BadManifest
from davy.model.loader import load_raw
from davy.model.source import Span, join

_MARK = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_DOCUMENT = re.compile(r"^kind:[ \t]*[\"']?FeatureFlag\b", re.MULTILINE)


def without_flag(text: str, file: str, key: str, line: int) -> str | None:
    """Return a text without the declaration of a flag that is at a line; empty where nothing else was in it.

    Returns None where that cannot be done without touching anything else.
    """
    before, findings = read_registry([(file, text.encode())])
    fresh = _without_document(text, line)
    if fresh is None:
        fresh = _without_entry(text, file, key)
    if fresh is None or any(each.severity == "error" for each in findings):
        return None
    if not fresh.strip("-. \t\r\n"):
        return ""
    after, findings = read_registry([(file, fresh.encode())])
    same = {name: before.flags[name].definition for name in before.flags if name != key}
    whole = {name: flag.definition for name, flag in after.flags.items()} == same
    return fresh if whole and not any(each.severity == "error" for each in findings) else None


def _without_document(text: str, line: int) -> str | None:
    """Take a whole document away, with the mark that ends it or that it begins with."""
    offset = _line_start(text, line)
    marks = list(_MARK.finditer(text))
    before = [mark for mark in marks if mark.end() <= offset]
    behind = [mark for mark in marks if mark.start() > offset]
    start = before[-1].end() + 1 if before else 0
    end = behind[0].start() if behind else len(text)
    if not _DOCUMENT.search(text, start, end):
        return None
    if behind and not before:
        return text[min(len(text), behind[0].end() + 1) :]
    return text[: before[-1].start() if before else 0] + text[end:]


def _line_start(text: str, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.index("\n", at) + 1
    return at


def _without_entry(text: str, file: str, key: str) -> str | None:
    """Take an entry of flagd's `flags` away."""
    path = join("flags", key)
    try:
        document = next((each for each in load_raw(text, file) if each.has(path)), None)
    except BadManifest:
        return None
    if document is None:
        return None
    found = document.position(path)
    assert found.key is not None, "an entry has a key"
    start, end = found.key.start, found.value.end
    others = len(document.value["flags"]) - 1
    rest = text[end:].lstrip()
    if rest.startswith((",", "}")):
        return _without_item(text, Span(start, end))
    start = text.rfind("\n", 0, start) + 1
    end = text.find("\n", max(start, end - 1)) + 1 or len(text)
    if others:
        return text[:start] + text[end:]
    above = document.position("flags").key
    assert above is not None
    return text[: above.end] + ": {}\n" + text[end:]


def _without_item(text: str, item: Span) -> str:
    """Take an item between braces away, with a comma beside it."""
    start, end = item
    behind = len(text) - len(text[end:].lstrip())
    if text[behind] == ",":
        end = behind + 1
        stop = text.find("\n", end) + 1
        if stop and not text[end:stop].strip() and not text[text.rfind("\n", 0, start) + 1 : start].strip():
            return text[: text.rfind("\n", 0, start) + 1] + text[stop:]
        return text[:start] + text[end:].lstrip(" \t")
    head = text[:start].rstrip()
    return head.removesuffix(",") + text[end:]
