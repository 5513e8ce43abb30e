"""What changes and times are called, whoever tells of them."""

import re
from datetime import UTC, datetime
from typing import Any

from davy.control.hooks.delivery import BadPayload
from davy.model.origin import COMMIT

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s?(Z|z|UTC|[+-]\d\d:?\d\d)", re.ASCII
)
_REVERTED = re.compile(r"\breverts? commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b", re.ASCII | re.IGNORECASE)
_REQUEST = re.compile(r"\breverts (?:merge request )?(?:([\w./-]+))?[#!](\d{1,9})\b", re.ASCII | re.IGNORECASE)


def change(repo: str, commit: str | None) -> dict[str, str]:
    """Name a change.

    Raises:
        BadPayload: it is not named by a whole commit.
    """
    if not commit or not COMMIT.fullmatch(commit):
        raise BadPayload("the commit is not named by 40 or 64 hexadecimal digits")
    return {"repo": repo, "commit": commit}


def is_commit(text: str) -> bool:
    """Say whether a text is the whole name of a commit."""
    return bool(COMMIT.fullmatch(text))


def subject(named: dict[str, str]) -> str:
    """Say what an entry about a change is about."""
    return f"Change {named['repo']}@{named['commit']}"


def instant(text: str | None, what: str) -> float:
    """Read a time as it is written in payloads: RFC 3339 with any number of digits, or as GitLab does.

    Raises:
        BadPayload: it is none, or has no zone.
    """
    found = _INSTANT.fullmatch((text or "").strip())
    if found is None:
        raise BadPayload(f"{what} is not a time with a zone")
    day, time, fraction, zone = found.groups()
    offset = "+00:00" if zone in ("Z", "z", "UTC") else zone
    try:
        moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6]:0<6}{offset}")
        seconds = moment.astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise BadPayload(f"{what} is a time that no calendar has") from None
    if seconds < 0:
        raise BadPayload(f"{what} is before 1970")
    return seconds


def reverted(*texts: str | None) -> str:
    """Return the commit that texts say is reverted, empty where they name none."""
    return next((found[1].lower() for text in texts if text and (found := _REVERTED.search(text))), "")


def reverted_request(*texts: str | None) -> int | None:
    """Return the number of the pull or merge request that texts say is reverted."""
    return next((int(found[2]) for text in texts if text and (found := _REQUEST.search(text))), None)


def given(**values: Any) -> dict[str, Any]:
    """Return what is not empty, by camel-cased names as in the `data` of a CloudEvent."""
    return {_camel(name): value for name, value in values.items() if value not in ("", None, [], {})}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
