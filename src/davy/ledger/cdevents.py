"""Entries as CDEvents 0.5, the vocabulary of continuous delivery, inside a CloudEvent.

Where CDEvents has a word it is used; where it has none, a custom event carries the detail, of the type
`dev.cdeventsx.davy-<subject>.<predicate>`, as the specification's page on custom events says. All of the
mapping is `STANDARD`.

Source: cdevents.dev, the specification and its CloudEvents binding. Its schemas could not be had offline, so
the shapes are from reading, not from a validator.
"""

from typing import Any, NamedTuple

from davy.ledger.cloudevent import ledger_uri, subject_and_predicate, timestamp
from davy.ledger.entry import Entry

SPECIFICATION = "0.5.1"
CUSTOM_VERSION = "0.1.0"
UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
"""What no URI has to encode (RFC 3986 §2.3)."""

Json = dict[str, Any]


class Standard(NamedTuple):
    """A type of CDEvents: its subject, its predicate and the version of its schema."""

    subject: str
    predicate: str
    version: str


STANDARD: dict[str, Standard] = {
    "change_created": Standard("change", "created", "0.4.0"),
    "change_merged": Standard("change", "merged", "0.3.0"),
    "change_rolled_back": Standard("service", "rolledback", "0.3.0"),
    "incident_opened": Standard("incident", "detected", "0.3.0"),
    "incident_restored": Standard("incident", "resolved", "0.3.0"),
}
"""Kinds that CDEvents has a type for; its `service.deployed` knows no share of users, so it is no exposure."""


def cd_event(entry: Entry, origin: str) -> Json:
    """Return an entry as a CloudEvent whose data is a CDEvent.

    Args:
        entry: in its place.
        origin: the name of the ledger, as in its checkpoints.
    """
    source = entry.source or ledger_uri(origin)
    context = {
        "specversion": SPECIFICATION,
        "id": entry.id or str(entry.seq),
        "source": source,
        "type": type_of(entry.kind),
        "timestamp": timestamp(entry.at),
    }
    subject: Json = {"id": _subject_id(entry), "source": source, "content": _content(entry)}
    data = {"context": context, "subject": subject, "customData": _custom(entry)}
    return {
        "specversion": "1.0",
        "id": context["id"],
        "source": source,
        "type": context["type"],
        "subject": subject["id"],
        "time": context["timestamp"],
        "datacontenttype": "application/json",
        "data": {**data, "customDataContentType": "application/json"},
    }


def type_of(kind: str) -> str:
    """Return the type of a kind of entry, with its version."""
    standard = STANDARD.get(kind)
    if standard is not None:
        return f"dev.cdevents.{standard.subject}.{standard.predicate}.{standard.version}"
    subject, predicate = subject_and_predicate(kind)
    return f"dev.cdeventsx.davy-{subject}.{predicate.replace('_', '')}.{CUSTOM_VERSION}"


def _subject_id(entry: Entry) -> str:
    """Name what the event is about: the change, the incident, or the entry's own subject."""
    detail = entry.detail
    match entry.kind, detail:
        case (("change_created" | "change_merged"), {"change": {"repo": str(repo), "commit": str(commit)}}):
            return f"{repo}@{commit}"
        case (("incident_opened" | "incident_restored"), {"incident": str(incident)}):
            return incident
        case "change_rolled_back", {"service": str(service)}:
            return service
    return entry.subject


def _content(entry: Entry) -> Json:
    """Write what the schema of a type asks for; a custom event has it all in its custom data."""
    detail = entry.detail
    match entry.kind:
        case "change_created" | "change_merged":
            return {"repository": {"id": _change(detail)[0]}}
        case "change_rolled_back":
            return {"environment": _environment(detail), "artifactId": _artifact(entry)}
        case "incident_opened" | "incident_restored":
            content: Json = {"environment": _environment(detail)}
            if service := str(detail.get("service", "")):
                content["service"] = {"id": service}
            if cause := str(detail.get("cause", "")):
                content["description"] = cause
            return content
    return {}


def _custom(entry: Entry) -> Json:
    custom: Json = {"kind": entry.kind, "actor": entry.actor, "detail": entry.detail}
    if entry.reason:
        custom["reason"] = entry.reason
    return custom


def _environment(detail: Json) -> Json:
    return {"id": str(detail.get("environment") or "production")}


def _change(detail: Json) -> tuple[str, str]:
    match detail.get("change"):
        case {"repo": str(repo), "commit": str(commit)}:
            return repo, commit
    return "", ""


def _artifact(entry: Entry) -> str:
    """Name what was deployed as a package URL, by its source: that is what the ledger knows for sure."""
    repo, commit = _change(entry.detail)
    return f"pkg:generic/{_quoted(repo or entry.subject, '/')}@{_quoted(commit or 'unknown')}"


def _quoted(text: str, also: str = "") -> str:
    """Percent-encode what a part of a package URL may not have as it is."""
    kept = f"{UNRESERVED}{also}"
    return "".join(each if each in kept else "".join(f"%{b:02X}" for b in each.encode()) for each in text)
