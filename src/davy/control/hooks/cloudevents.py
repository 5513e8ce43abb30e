"""CloudEvents over HTTP: `dev.davy.*` as docs/reference/delivery-metrics.md has them, and CDEvents.

All three modes of the HTTP binding are read. A signature is over the body, and in binary mode an event's name,
type and time are in headers: so binary mode is read only of who carries the secret itself.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import cdevents
from davy.control.hooks.delivery import BadPayload, Delivery, Meaning, Scheme
from davy.control.hooks.signatures import SIGNING, carried, standard
from davy.control.hooks.source import Source
from davy.ledger.entry import Draft
from davy.reports import cloudevents
from davy.reports.cloudevents import BadEvent

KINDS = {
    "dev.davy.change.created": "change_created",
    "dev.davy.change.merged": "change_merged",
    "dev.davy.change.exposed": "change_exposed",
    "dev.davy.change.promoted": "change_promoted",
    "dev.davy.change.rolled_back": "change_rolled_back",
    "dev.davy.change.aborted_unexposed": "change_aborted_unexposed",
    "dev.davy.incident.opened": "incident_opened",
    "dev.davy.incident.restored": "incident_restored",
}
"""The kinds of entries by the types of the events that become them."""

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
MOST = 1000
"""How many events one delivery may have."""

_READ = ("specversion", "id", "source", "type", "time", "data")


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check the signature where the secret is for signing, and the secret that is carried where it is not."""
    if secret.reveal().startswith(SIGNING):
        signed = standard(delivery, secret) and not _is_binary(delivery)
        return "standard-webhooks (cloudevents)" if signed else ""
    way = carried(delivery, secret)
    return f"{way} (cloudevents)" if way else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells: all of its events or, where one of them cannot be read, none."""
    drafts: list[Draft] = []
    notes: list[str] = []
    for number, event in enumerate(_events(delivery), 1):
        try:
            made, note = of_event(event, source)
        except BadEvent as error:
            raise BadPayload(f"event {number}: {error}") from None
        drafts += made
        notes += [note] if note else []
    return Meaning(tuple(drafts), tuple(notes))


def of_event(event: Mapping[str, Any], source: Source | None = None) -> tuple[tuple[Draft, ...], str]:
    """Return the entries that an event becomes, or why it becomes none.

    Args:
        event: as in JSON.
        source: what is known of its sender: the environment that it speaks for.

    Raises:
        BadEvent: it is none of those that are read, or says something that no field is for.
    """
    if str(event.get("type", "")).startswith(cdevents.PREFIX):
        translated, note = cdevents.translate(event, exposes=source is not None and source.deployment_exposes)
        return tuple(draft for each in translated for draft in of_event(each, source)[0]), note
    if is_ours(event.get("source")):
        raise BadEvent(f"$.source: {event['source']} is what Davy says itself, and nobody else")
    plain = {name: event[name] for name in _READ if name in event}
    found = cloudevents.decode(msgspec.json.encode(plain))
    kind = KINDS[plain["type"]]
    detail = dict(plain["data"])
    if source is not None and source.environment and kind not in ("change_created", "change_merged"):
        detail.setdefault("environment", source.environment)
    if found.incident:
        subject = f"Incident {found.service}/{found.incident}"
    else:
        subject = f"Change {found.repo}@{found.commit}"
    return (Draft(found.time / 1e6, kind, subject, detail, found.source, "", found.source, found.id),), ""


def is_ours(source: object) -> bool:
    """Say whether a source is the one of what an engine writes down itself, or a desk of it.

    Names are unique within a source: who spoke as ours could take the name of what an engine will say.
    """
    return source == "davy" or (isinstance(source, str) and source.startswith("davy/hooks/"))


def _events(delivery: Delivery) -> Iterator[Mapping[str, Any]]:
    """Go through the events of a delivery, whatever its mode."""
    kind = _content_type(delivery)
    if _is_binary(delivery):
        yield _binary(delivery)
        return
    value = _json(delivery.body)
    if kind.startswith("application/cloudevents-batch"):
        if not isinstance(value, list) or len(value) > MOST:
            raise BadPayload(f"a batch is a list of at most {MOST} events")
        events = value
    else:
        events = [value]
    for event in events:
        if not isinstance(event, dict):
            raise BadPayload("an event is an object")
        yield event


def _binary(delivery: Delivery) -> Mapping[str, Any]:
    """Put an event together whose attributes are in headers."""
    named = {name[3:]: unquote(text) for name, text in delivery.headers.items() if name.startswith("ce-")}
    return {**named, "data": _json(delivery.body)}


def _json(body: bytes) -> Any:
    """Read JSON in the one way that leaves nothing to guess."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadPayload(f"the body cannot be read: {error}"[:300]) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadPayload("a key is there twice, and which one counts is anybody's guess")
    return found


def _no_constant(name: str) -> Any:
    raise BadPayload(f"{name} is no JSON")


def _content_type(delivery: Delivery) -> str:
    return delivery.header("content-type").partition(";")[0].strip().lower()


def _is_binary(delivery: Delivery) -> bool:
    """Say whether attributes are in headers: the media type decides (HTTP binding, 3)."""
    return not _content_type(delivery).startswith("application/cloudevents")


SCHEME = Scheme(
    authentic, means, frozenset(KINDS.values()), delivery="webhook-id", about=frozenset({"sources"})
)
