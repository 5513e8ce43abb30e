"""Change events as what Datadog's DORA Metrics API takes: deployments and incidents.

A deployment is a promotion: its start is the first exposure. What was rolled back is sent as a deployment that
ended with its rollback, and as an incident of its own, since the API has no other word for it.

Source: Datadog's API reference, "DORA Metrics": `POST /api/v2/dora/deployment` and `/api/v2/dora/incident`.
Tested against a server that answers as they say, not against Datadog.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from davy.reports.event import ChangeEvent

DEPLOYMENT = "/api/v2/dora/deployment"
INCIDENT = "/api/v2/dora/incident"

Json = dict[str, Any]


@dataclass(slots=True)
class DatadogDora:
    """Turns events into requests, one after another; what it has to remember is when something began."""

    _exposed: dict[tuple[str, str, str, int], int] = field(default_factory=dict)
    _opened: dict[tuple[str, str], int] = field(default_factory=dict)

    def requests(self, events: Iterable[ChangeEvent]) -> Iterator[tuple[str, Json]]:
        """Yield (path, body) of every request, with ids that are the same when it is sent again."""
        for event in events:
            attempt = (event.repo, event.commit, event.service, event.attempt)
            incident = (event.service, event.incident)
            match event.type:
                case "exposed" if event.audience == "users":
                    self._exposed[attempt] = min(event.time, self._exposed.get(attempt, event.time))
                case "promoted":
                    yield self._deployment(event, self._exposed.get(attempt, event.time))
                case "rolled_back":
                    yield self._deployment(event, self._exposed.get(attempt, event.time))
                    yield self._failure(event, self._exposed.get(attempt, event.time), event.time)
                case "opened":
                    self._opened[incident] = min(event.time, self._opened.get(incident, event.time))
                    yield self._failure(event, self._opened[incident], None)
                case "restored":
                    yield self._failure(event, self._opened.get(incident, event.time), event.time)

    def _deployment(self, event: ChangeEvent, started: int) -> tuple[str, Json]:
        attributes: Json = {
            "id": _id("deployment", event.repo, event.commit, event.service, str(event.attempt), event.target),
            "started_at": started * 1000,
            "finished_at": event.time * 1000,
            "service": event.service,
            "env": event.environment or "production",
            "version": event.commit,
        }
        if _is_commit(event.commit):
            attributes["git"] = {"commit_sha": event.commit, "repository_url": _url(event.repo)}
        if event.team:
            attributes["team"] = event.team
        return DEPLOYMENT, {"data": {"attributes": attributes}}

    def _failure(self, event: ChangeEvent, started: int, finished: int | None) -> tuple[str, Json]:
        name = event.incident or f"{event.commit} was rolled back"
        attributes: Json = {
            "id": _id("incident", event.service, name, str(started)),
            "services": [event.service],
            "env": event.environment or "production",
            "started_at": started * 1000,
            "name": event.cause or name,
        }
        if finished is not None:
            attributes["finished_at"] = finished * 1000
        if _is_commit(event.commit):
            attributes["version"] = event.commit
            attributes["git"] = {"commit_sha": event.commit, "repository_url": _url(event.repo)}
        if event.team:
            attributes["team"] = event.team
        return INCIDENT, {"data": {"attributes": attributes}}


def _id(*parts: str) -> str:
    """Name something by what it is, so that sending it twice is sending it once."""
    return str(uuid5(NAMESPACE_URL, "\n".join(("davy", *parts))))


def _is_commit(commit: str) -> bool:
    return len(commit) in (40, 64) and all(digit in "0123456789abcdef" for digit in commit)


def _url(repo: str) -> str:
    return repo if "://" in repo else f"https://{repo}"
