"""The events of ordinary manifests, found by libyaml: twenty times as fast as the scanner in Python.

It is what the cluster reads YAML with (go-yaml is libyaml in Go). It is asked only where both are known to say
the same, and a test holds it to that: tags, anchors, tabs, directives and whatever libyaml refuses are left to
`davy.model.scanner`, which says what is wrong and where.
"""

import re
from typing import Any

from yaml import YAMLError
from yaml.events import AliasEvent

try:
    from yaml.cyaml import CParser
except ImportError:  # pragma: no cover - PyYAML was built without libyaml; all is read in Python then
    CParser = None

_UNUSUAL = re.compile(r"[\t\r]|^(?:%|---[^\n]|\.\.\.)", re.MULTILINE)


def events(text: str, most: int) -> list[Any] | None:
    """Return the events of a text, no more than `most`; None where they are left to the scanner."""
    if CParser is None or _UNUSUAL.search(text):
        return None
    found: list[Any] = []
    try:
        parser = CParser(text)
        while len(found) < most and parser.check_event():
            event = parser.get_event()
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
                return None
            found.append(event)
    except (YAMLError, ValueError):
        return None
    return found
