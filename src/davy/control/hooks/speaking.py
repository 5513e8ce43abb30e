"""A source speaks for its own repositories and services, and for nobody else's."""

from davy.control.hooks.delivery import UNSAFE
from davy.control.hooks.schemes import SCHEMES
from davy.control.hooks.source import Source, covers
from davy.ledger.entry import Draft
from davy.model.origin import repository_name

_UNPLACED = ("change_created", "change_merged")
"""What is said of a change before it is anywhere."""


def outside(draft: Draft, source: Source) -> str:
    """Say why a source may not say something, empty where it may."""
    detail = draft.detail
    if draft.kind not in (source.kinds or SCHEMES[source.scheme].says):
        return f"{source.name} may not say {draft.kind}"
    if source.scheme == "cloudevents" and not covers(source.sources, draft.source):
        return f"{source.name} does not speak as {draft.source}"
    for field in ("change", "remediates"):
        named = detail.get(field)
        written = str(named.get("repo")) if isinstance(named, dict) else ""
        if draft.kind == "flag_changed" and written == f"flag:{detail.get('flag')}":
            continue  # the toggle itself, which is in no repository
        repo = repository_name(written)
        if repo and not covers(source.repos, repo):
            return f"{source.name} does not speak for the repository {repo}"
    service = detail.get("service", "")
    if not service and draft.kind not in _UNPLACED:
        return "it does not say of which service"
    if service and not covers(source.services, service):
        return f"{source.name} does not speak for the service {service}"
    if source.environment and draft.kind not in _UNPLACED and detail.get("environment") != source.environment:
        return f"{source.name} does not speak for the environment {detail.get('environment', '')}"
    return ""


def is_safe(draft: Draft) -> bool:
    """Say whether names mislead nobody: no control characters, not too long, none that is missing."""
    names = (draft.subject, draft.source, draft.id, draft.actor, draft.reason)
    return not any(UNSAFE.search(name) or len(name) > 2048 for name in names) and bool(
        draft.source and draft.id
    )
