"""Entries as logs of OpenTelemetry, in the JSON encoding of OTLP: whatever stores logs already can store them.

One record an entry: its event name is the CloudEvents type, its time when it happened, its observed time when
it was written down or reached us, its body the detail. Records are grouped by the service that they are about,
which is the resource, so that they are found beside the service's own logs.

Source: OTLP 1.x, `opentelemetry/proto/logs/v1/logs.proto`; the attributes follow the semantic conventions for
CloudEvents, VCS, deployment and feature flags.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from davy.ledger.cloudevent import ledger_uri, type_of
from davy.ledger.entry import Entry, micros

Json = dict[str, Any]

INFO, WARN = 9, 13
"""Severity numbers of OpenTelemetry."""

WARNINGS = frozenset(
    {
        "change_rolled_back",
        "change_aborted_unexposed",
        "event_refused",
        "glass_broken",
        "incident_opened",
        "ledger_gap",
        "policy_denied",
        "flag_gate_closed",
        "flag_unconfirmed",
    }
)
"""Kinds that somebody may want to be told of."""


def export_request(entries: Sequence[Entry], origin: str, version: str) -> Json:
    """Return an ExportLogsServiceRequest.

    Args:
        entries: in their places.
        origin: the name of the ledger, as in its checkpoints.
        version: of Davy, as the version of the instrumentation scope.
    """
    by_service: dict[str, list[Entry]] = {}
    for entry in entries:
        by_service.setdefault(str(entry.detail.get("service", "")), []).append(entry)
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(_resource(service, found[0], origin))},
                "scopeLogs": [
                    {
                        "scope": {"name": "davy", "version": version},
                        "logRecords": [_record(entry, origin) for entry in found],
                    }
                ],
            }
            for service, found in sorted(by_service.items())
        ]
    }


def _resource(service: str, entry: Entry, origin: str) -> Iterable[tuple[str, object]]:
    yield "service.name", service or "davy"
    yield "davy.ledger.origin", origin
    if environment := entry.detail.get("environment"):
        yield "deployment.environment.name", environment


def _record(entry: Entry, origin: str) -> Json:
    observed = entry.at if entry.received is None else entry.received
    return {
        "timeUnixNano": _nanoseconds(entry.at),
        "observedTimeUnixNano": _nanoseconds(observed),
        "severityNumber": WARN if entry.kind in WARNINGS else INFO,
        "eventName": type_of(entry.kind),
        "body": _value(entry.detail),
        "attributes": _attributes(_of_record(entry, origin)),
    }


def _of_record(entry: Entry, origin: str) -> Iterable[tuple[str, object]]:
    yield "cloudevents.event_id", entry.id or str(entry.seq)
    yield "cloudevents.event_source", entry.source or ledger_uri(origin)
    yield "cloudevents.event_spec_version", "1.0"
    yield "cloudevents.event_type", type_of(entry.kind)
    yield "cloudevents.event_subject", entry.subject
    yield "davy.ledger.seq", entry.seq
    yield "davy.actor", entry.actor
    if entry.reason:
        yield "davy.reason", entry.reason
    if entry.authenticated:
        yield "davy.authenticated", entry.authenticated
    match entry.detail.get("change"):
        case {"repo": str(repo), "commit": str(commit)}:
            yield "vcs.repository.name", repo
            yield "vcs.ref.head.revision", commit
    if entry.kind.startswith("flag_") and isinstance(flag := entry.detail.get("flag"), str):
        yield "feature_flag.key", flag


def _attributes(pairs: Iterable[tuple[str, object]]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in pairs]


def _value(value: object) -> Json:
    """Write a JSON value as an AnyValue; whole numbers are text there, as in all of protobuf's JSON."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case dict():
            return {"kvlistValue": {"values": [{"key": str(k), "value": _value(v)} for k, v in value.items()]}}
        case _:
            return {}


def _nanoseconds(at: float) -> str:
    return str(micros(at) * 1000)
