"""Events that several schemes tell: a change that was made, a deployment, an incident."""

from dataclasses import dataclass
from typing import Any, Literal

from davy.control.hooks.delivery import Meaning, short
from davy.control.hooks.naming import given, subject
from davy.control.hooks.source import Source
from davy.ledger.entry import Draft

Kind = Literal["incident_opened", "incident_restored"]
OPENED: Kind = "incident_opened"
RESTORED: Kind = "incident_restored"

NO_EXPOSURE = "a deployment is no exposure unless the source has deploymentExposes: true"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that ended.

    Args:
        source: who tells of it, a URI reference.
        id: what the source calls it.
        change: what was deployed.
        ended: how.
        ended_s: when, in seconds since the epoch.
        own: what else the source says, under its own name.
    """

    source: str
    id: str
    change: dict[str, str]
    service: str
    environment: str
    ended: Literal["done", "failed", "other"]
    ended_s: float
    actor: str
    own: dict[str, Any]

    def meaning(self, source: Source) -> Meaning:
        """Say what it means: where deployments expose, all users have the version from its end on."""
        if not source.deployment_exposes:
            return Meaning(notes=(NO_EXPOSURE,))
        if not source.wants(self.environment):
            return Meaning(notes=(f"not a deployment to {source.environment}",))
        match self.ended:
            case "done":
                exposed = self._draft("change_exposed", self.ended_s, weight=100)
                return Meaning((exposed, self._draft("change_promoted", self.ended_s)))
            case "failed":
                return Meaning(
                    (self._draft("change_aborted_unexposed", self.ended_s, cause="deployment failed"),)
                )
            case "other":
                return Meaning(notes=("the deployment has not ended",))

    def _draft(self, kind: str, at: float, **more: Any) -> Draft:
        environment = self.environment
        detail = given(change=self.change, service=self.service, environment=environment, rollout=self.id)
        detail |= more | self.own
        return Draft(at, kind, subject(self.change), detail, self.actor, "", self.source, f"{self.id}/{kind}")


def merged(source: str, id_: str, at: float, change: dict[str, str], own: dict[str, Any], **more: Any) -> Draft:
    """Make the event of a change that reached a branch that is released from.

    `more` may have `actor`, `reason`, `committed_at` and `remediates`; what is empty is left out.
    """
    actor, reason = more.pop("actor", ""), short(more.pop("reason", ""))
    detail = given(change=change, **more) | own
    return Draft(at, "change_merged", subject(change), detail, actor or source, reason, source, id_)


def created(
    source: str, id_: str, at: float, change: dict[str, str], own: dict[str, Any], **more: Any
) -> Draft:
    """Make the event of a change that somebody proposed."""
    actor, reason = more.pop("actor", ""), short(more.pop("reason", ""))
    return Draft(
        at, "change_created", subject(change), given(change=change) | own, actor or source, reason, source, id_
    )


def incident(
    kind: Kind,
    at: float,
    *,
    source: str,
    id_: str,
    incident: str,
    service: str,
    own: dict[str, Any],
    **more: Any,
) -> Draft:
    """Make the event of an incident; `more` may have `environment`, `cause` and `reason`."""
    reason = short(more.pop("reason", ""))
    detail = given(incident=incident, service=service, **more) | own
    return Draft(at, kind, f"Incident {service}/{incident}", detail, source, reason, source, id_)
