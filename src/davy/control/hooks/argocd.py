"""Argo CD: operations that ended, as the template in `integrations/argocd/notifications.yaml` tells of them.

Argo CD signs nothing and has no body of its own: the body is that of our template, and the secret is carried in
a header.
"""

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import events
from davy.control.hooks.delivery import Delivery, Meaning, Scheme, at_path, read, short
from davy.control.hooks.naming import change, given, instant
from davy.control.hooks.signatures import carried
from davy.control.hooks.source import Source
from davy.model.origin import repository_name


class _Payload(msgspec.Struct):
    app: str
    phase: str
    repo: str
    revision: str
    startedAt: str
    finishedAt: str = ""
    namespace: str = ""
    project: str = ""
    health: str = ""


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check the secret that a delivery carries."""
    way = carried(delivery, secret)
    return f"{way} (argocd)" if way else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    payload = read(delivery.body, _Payload)
    if payload.phase not in ("Succeeded", "Failed", "Error"):
        return Meaning(notes=(f"{short(payload.phase)} is not the end of an operation",))
    if payload.phase == "Succeeded" and payload.health != "Healthy":
        return Meaning(notes=("synced, and not healthy: users have it when it is",))
    service = at_path(msgspec.json.decode(delivery.body), source.service_from or "app")
    return events.Deployment(
        source=f"argocd/{source.name}",
        id=f"{payload.namespace}/{payload.app}/{payload.revision}/{payload.startedAt}",
        change=change(repository_name(payload.repo), payload.revision),
        service=source.service or service,
        environment=source.environment,
        ended="done" if payload.phase == "Succeeded" else "failed",
        ended_s=instant(payload.finishedAt or payload.startedAt, "finishedAt"),
        actor=f"argocd/{source.name}",
        own={"argocd": given(app=payload.app, project=payload.project, phase=payload.phase)},
    ).meaning(source)


SCHEME = Scheme(
    authentic,
    means,
    frozenset({"change_exposed", "change_promoted", "change_aborted_unexposed"}),
    about=frozenset({"repos", "services"}),
)
