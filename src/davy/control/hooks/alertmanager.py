"""Alertmanager: each alert that fires opens an incident, and each that is resolved ends one.

It signs nothing, so it carries the secret: a bearer token or basic authentication of `http_config`. It sends a
group of alerts again and again, and each alert of it is known by its fingerprint and when it began.
"""

from typing import Any

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import events
from davy.control.hooks.delivery import BadPayload, Delivery, Meaning, Scheme, at_path, read
from davy.control.hooks.naming import instant
from davy.control.hooks.signatures import carried
from davy.control.hooks.source import Source
from davy.ledger.entry import Draft

SERVICE = "labels.service"
"""Where an alert says its service, unless the source says where."""


class _Alert(msgspec.Struct):
    status: str
    fingerprint: str
    startsAt: str
    endsAt: str = ""
    labels: dict[str, str] = {}


class _Payload(msgspec.Struct):
    version: str
    alerts: list[_Alert]
    groupKey: str = ""
    truncatedAlerts: int = 0


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check the secret that a delivery carries."""
    way = carried(delivery, secret)
    return f"{way} (alertmanager)" if way else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    payload = read(delivery.body, _Payload)
    if payload.version != "4":
        raise BadPayload("only version 4 of Alertmanager's payload is read")
    lost: tuple[str, ...] = ()
    if payload.truncatedAlerts > 0:
        lost = (
            f"Alertmanager left out {payload.truncatedAlerts} alerts of {payload.groupKey[:200]} (max_alerts)",
        )
    drafts = tuple(_draft(alert, source) for alert in payload.alerts)
    return Meaning(drafts, lost=lost)


def _draft(alert: _Alert, source: Source) -> Draft:
    if not alert.fingerprint:
        raise BadPayload("an alert has no fingerprint")
    began = instant(alert.startsAt, "startsAt")
    name = alert.labels.get("alertname", "")
    own: dict[str, Any] = {"alertmanager": {"labels": alert.labels}}
    service = source.service or at_path({"labels": alert.labels}, source.service_from or SERVICE)
    environment = alert.labels.get("environment", "") or alert.labels.get("env", "") or source.environment
    told: dict[str, Any] = {
        "source": f"alertmanager/{source.name}",
        "incident": alert.fingerprint,
        "service": service,
        "environment": environment,
        "cause": name,
        "own": own,
    }
    id_ = f"{alert.fingerprint}/{alert.startsAt}"
    match alert.status:
        case "firing":
            return events.incident("incident_opened", began, id_=f"{id_}/firing", **told)
        case "resolved":
            ended = instant(alert.endsAt, "endsAt")
            return events.incident("incident_restored", ended, id_=f"{id_}/resolved/{alert.endsAt}", **told)
        case _:
            raise BadPayload("an alert is neither firing nor resolved")


SCHEME = Scheme(
    authentic, means, frozenset({"incident_opened", "incident_restored"}), about=frozenset({"services"})
)
