"""CDEvents in our words, where they say enough: which change, which service, which incident.

CDEvents have no field for the change that a service runs. It is read from `customData`, as
`{"change": {"repo": …, "commit": …}}`, or from the `vcs_url` of the artifact's package URL.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from davy.control.hooks.naming import is_commit
from davy.model.origin import repository_name
from davy.reports.cloudevents import BadEvent

PREFIX = "dev.cdevents."

_CUSTOM = (
    "change", "rollout", "target", "attempt", "kind", "weight", "audience", "remediates", "cause", "team",
)  # fmt: skip
_VCS_URL = re.compile(r"[?&]vcs_url=([^&#]+)")
_EXPOSED, _PROMOTED = "dev.davy.change.exposed", "dev.davy.change.promoted"

Event = dict[str, Any]


def translate(event: Mapping[str, Any], *, exposes: bool) -> tuple[list[Event], str]:
    """Return events of ours for a CDEvent, or none and why.

    Args:
        event: the CloudEvent that has it as its data.
        exposes: whether a deployment is an exposure to all users; one whose `customData` has a weight is one.

    Raises:
        BadEvent: it is no CDEvent.
    """
    data = _mapping(event.get("data"), "$.data")
    context, subject = (
        _mapping(data.get("context"), "$.data.context"),
        _mapping(data.get("subject"), "$.data.subject"),
    )
    content = subject.get("content")
    content = content if isinstance(content, dict) else {}
    custom = data.get("customData")
    custom = {name: custom[name] for name in _CUSTOM if name in custom} if isinstance(custom, dict) else {}
    what = ".".join(str(context.get("type", "")).removeprefix(PREFIX).split(".")[:2])
    match what:
        case "change.created" | "change.merged":
            made = _change(what, subject, content, custom)
        case "service.deployed" | "service.upgraded":
            made = _deployed(subject, content, custom, exposes=exposes)
        case "service.rolledback":
            made = (
                [("dev.davy.change.rolled_back", _service(subject, content, custom))]
                if "change" in custom
                else []
            )
        case "incident.detected":
            made = _incident("dev.davy.incident.opened", subject, content, custom)
        case "incident.resolved":
            made = _incident("dev.davy.incident.restored", subject, content, custom)
        case _:
            return [], f"{what[:100]} has no counterpart here"
    id_, several = str(context.get("id", "")), len(made) > 1
    front = {"specversion": "1.0", "source": context.get("source"), "time": context.get("timestamp")}
    told = [
        {**front, "id": f"{id_}/{type_}" if several else id_, "type": type_, "data": fields}
        for type_, fields in made
    ]
    return told, "" if told else f"{what} does not say which change it is about"


def _change(what: str, subject: Event, content: Event, custom: Event) -> list[tuple[str, Event]]:
    repo = content.get("repository")
    named = repo if isinstance(repo, dict) else {}
    where = str(named.get("url") or named.get("id") or "")
    commit = str(subject.get("id", "")).lower()
    if "change" not in custom and not (where and is_commit(commit)):
        return []
    return [(f"dev.davy.{what}", {"change": {"repo": repository_name(where), "commit": commit}, **custom})]


def _deployed(subject: Event, content: Event, custom: Event, *, exposes: bool) -> list[tuple[str, Event]]:
    fields = _service(subject, content, custom)
    if "change" not in fields:
        return []
    if "weight" in custom:
        return [(_EXPOSED, fields)]
    return [(_EXPOSED, fields | {"weight": 100}), (_PROMOTED, fields)] if exposes else []


def _service(subject: Event, content: Event, custom: Event) -> Event:
    """Return the fields of an event about a service."""
    fields: Event = {"service": subject.get("id"), **_environment(content), **custom}
    found = _VCS_URL.search(str(content.get("artifactId", "")))
    if found and "change" not in fields:
        url, _, commit = unquote(found[1]).rpartition("@")
        if is_commit(commit):
            fields["change"] = {"repo": repository_name(url), "commit": commit}
    return fields


def _incident(type_: str, subject: Event, content: Event, custom: Event) -> list[tuple[str, Event]]:
    service = content.get("service")
    named = service.get("id") if isinstance(service, dict) else None
    kept: Event = {name: custom[name] for name in ("change", "cause", "team") if name in custom}
    fields: Event = {"incident": subject.get("id"), "service": named, **_environment(content), **kept}
    return [(type_, {name: value for name, value in fields.items() if value is not None})]


def _environment(content: Event) -> Event:
    environment = content.get("environment")
    name = environment.get("id") if isinstance(environment, dict) else None
    return {"environment": name} if name else {}


def _mapping(value: Any, where: str) -> Event:
    if not isinstance(value, dict):
        raise BadEvent(f"{where}: an object is missing")
    return value
