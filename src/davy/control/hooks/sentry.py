"""Sentry: alerts on metrics and issues, signed with the client secret of an integration.

What a delivery is about is seen from the body: `Sentry-Hook-Resource` is not signed. Neither is
`Sentry-Hook-Timestamp`, the only time that there is of an issue's resolution; of two such deliveries with the
same body the first one counts.
"""

from hashlib import sha256

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import events
from davy.control.hooks.delivery import BadPayload, Delivery, Meaning, Scheme, at_path, read, short
from davy.control.hooks.naming import given, instant
from davy.control.hooks.signatures import equal, fresh, hexadecimal
from davy.control.hooks.source import Source


class _Project(msgspec.Struct):
    slug: str = ""


class _Issue(msgspec.Struct):
    id: str
    title: str = ""
    shortId: str = ""
    firstSeen: str = ""
    lastSeen: str = ""
    project: _Project = msgspec.field(default_factory=_Project)


class _Rule(msgspec.Struct):
    name: str = ""
    projects: list[str] = []


class _MetricAlert(msgspec.Struct):
    id: str | int
    date_started: str | None = None
    date_detected: str | None = None
    date_closed: str | None = None
    title: str = ""
    projects: list[str] = []
    alert_rule: _Rule = msgspec.field(default_factory=_Rule)


class _About(msgspec.Struct):
    issue: _Issue | None = None
    metric_alert: _MetricAlert | None = None


class _Payload(msgspec.Struct):
    action: str
    data: _About


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check `Sentry-Hook-Signature`, and that the time of the delivery, where it has one, is near ours."""
    right = equal(delivery.header("sentry-hook-signature"), hexadecimal(secret, delivery.body))
    stamp = delivery.header("sentry-hook-timestamp")
    return "hmac-sha256 (sentry)" if right and (not stamp or fresh(stamp, delivery.now)) else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    payload = read(delivery.body, _Payload)
    if payload.data.metric_alert is not None:
        return _metric_alert(payload.action, payload.data.metric_alert, delivery, source)
    if payload.data.issue is not None:
        return _issue(payload.action, payload.data.issue, delivery, source)
    return Meaning(notes=("neither an alert on a metric nor an issue",))


def _metric_alert(action: str, alert: _MetricAlert, delivery: Delivery, source: Source) -> Meaning:
    began = alert.date_started or alert.date_detected
    match action:
        case "critical" | "warning":
            kind, at, text = events.OPENED, instant(began, "date_started"), began
        case "resolved":
            kind, at, text = events.RESTORED, instant(alert.date_closed, "date_closed"), alert.date_closed
        case _:
            return Meaning(notes=(f"{short(action)} neither opens nor ends an incident",))
    projects = alert.projects or alert.alert_rule.projects
    draft = events.incident(
        kind,
        at,
        source=f"sentry/{source.name}",
        id_=f"metric_alert/{alert.id}/{action}/{text}",
        incident=str(alert.id),
        service=_service(delivery, source, projects[0] if projects else ""),
        environment=source.environment,
        cause=alert.alert_rule.name,
        reason=alert.title,
        own={"sentry": given(metric_alert=str(alert.id), action=action)},
    )
    return Meaning((draft,))


def _issue(action: str, issue: _Issue, delivery: Delivery, source: Source) -> Meaning:
    match action:
        case "created":
            kind, at, which = events.OPENED, instant(issue.firstSeen, "issue.firstSeen"), issue.firstSeen
        case "unresolved":
            kind, at, which = events.OPENED, instant(issue.lastSeen, "issue.lastSeen"), issue.lastSeen
        case "resolved":
            kind, at, which = events.RESTORED, _sent(delivery), sha256(delivery.body).hexdigest()
        case _:
            return Meaning(notes=(f"{short(action)} neither opens nor ends an incident",))
    draft = events.incident(
        kind,
        at,
        source=f"sentry/{source.name}",
        id_=f"issue/{issue.id}/{action}/{which}",
        incident=issue.id,
        service=_service(delivery, source, issue.project.slug),
        environment=source.environment,
        cause=issue.shortId,
        reason=issue.title,
        own={"sentry": given(issue=issue.id, action=action)},
    )
    return Meaning((draft,))


def _sent(delivery: Delivery) -> float:
    stamp = delivery.header("sentry-hook-timestamp")
    if not stamp:
        raise BadPayload("Sentry-Hook-Timestamp is missing, and nothing else says when an issue was resolved")
    return float(stamp)  # it is digits, near our time: the signature was checked with it


def _service(delivery: Delivery, source: Source, project: str) -> str:
    if source.service:
        return source.service
    return at_path(msgspec.json.decode(delivery.body), source.service_from) if source.service_from else project


SCHEME = Scheme(
    authentic,
    means,
    frozenset({"incident_opened", "incident_restored"}),
    delivery="request-id",
    about=frozenset({"services"}),
)
