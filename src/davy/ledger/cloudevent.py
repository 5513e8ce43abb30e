"""Entries as CloudEvents 1.0, the envelope in which they leave Davy and come in.

The type is `dev.davy.` and the kind with its first underscore as a dot, as in `dev.davy.change.rolled_back`.
What the engine itself says has the ledger as its source and its place as its id.
"""

from datetime import UTC, datetime
from typing import Any

from davy.ledger.entry import Entry

PREFIX = "dev.davy."

Json = dict[str, Any]


def type_of(kind: str) -> str:
    """Return the CloudEvents type of a kind of entry."""
    return PREFIX + ".".join(subject_and_predicate(kind))


def subject_and_predicate(kind: str) -> tuple[str, str]:
    """Take a kind apart: `change_rolled_back` is `change` and `rolled_back`; a bare word is of an update."""
    subject, underscore, predicate = kind.partition("_")
    return (subject, predicate) if underscore else ("update", kind)


def cloud_event(entry: Entry, origin: str) -> Json:
    """Return an entry as a CloudEvent in JSON.

    Args:
        entry: in its place.
        origin: the name of the ledger, as in its checkpoints.
    """
    event: Json = {
        "specversion": "1.0",
        "id": entry.id or str(entry.seq),
        "source": entry.source or ledger_uri(origin),
        "type": type_of(entry.kind),
        "subject": entry.subject,
        "time": timestamp(entry.at),
        "datacontenttype": "application/json",
        "data": entry.detail,
        "davyledger": origin,
        "davyseq": entry.seq,
        "davyactor": entry.actor,
    }
    if entry.reason:
        event["davyreason"] = entry.reason
    if entry.authenticated:
        event["davyauthenticated"] = entry.authenticated
    if entry.received is not None:
        event["davyreceived"] = timestamp(entry.received)
    return event


def ledger_uri(origin: str) -> str:
    """Return the URI reference of a ledger."""
    return f"//{origin}"


def timestamp(at: float) -> str:
    """Write seconds since 1970 as RFC 3339, UTC, to the microsecond."""
    written = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
    return written.replace("+00:00", "Z")
