"""PagerDuty, webhooks of version 3: incidents that are triggered, resolved and reopened.

The header may have several signatures while a secret is changed; any of them that is right will do.
"""

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import events
from davy.control.hooks.delivery import Delivery, Meaning, Scheme, at_path, read, short
from davy.control.hooks.naming import given, instant
from davy.control.hooks.signatures import versioned
from davy.control.hooks.source import Source

SERVICE = "data.service.summary"
"""Where an event says its service, unless the source says where."""


class _Incident(msgspec.Struct):
    id: str = ""
    number: int | None = None
    title: str = ""
    urgency: str = ""
    incident_key: str | None = None


class _Event(msgspec.Struct):
    id: str
    event_type: str
    occurred_at: str
    data: _Incident


class _Payload(msgspec.Struct):
    event: _Event


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check `X-PagerDuty-Signature`."""
    right = versioned(delivery.header("x-pagerduty-signature"), secret, delivery.body)
    return "hmac-sha256 (pagerduty)" if right else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    event = read(delivery.body, _Payload).event
    kind = {
        "incident.triggered": events.OPENED,
        "incident.reopened": events.OPENED,
        "incident.resolved": events.RESTORED,
    }.get(event.event_type)
    if kind is None:
        return Meaning(notes=(f"{short(event.event_type)} neither opens nor ends an incident",))
    body = msgspec.json.decode(delivery.body)["event"]
    draft = events.incident(
        kind,
        instant(event.occurred_at, "event.occurred_at"),
        source=f"pagerduty/{source.name}",
        id_=event.id,
        incident=event.data.id,
        service=source.service or at_path(body, source.service_from or SERVICE),
        environment=source.environment,
        cause=event.data.incident_key or "",
        reason=event.data.title,
        own={"pagerduty": given(event=event.event_type, number=event.data.number, urgency=event.data.urgency)},
    )
    return Meaning((draft,))


SCHEME = Scheme(
    authentic, means, frozenset({"incident_opened", "incident_restored"}), about=frozenset({"services"})
)
