"""GitLab: merge requests, pushes and deployments.

The secret is the plain token of the webhook (`X-Gitlab-Token`) or, where it begins with `whsec_`, the token
that its deliveries are signed with, as Standard Webhooks has it.
"""

from typing import Any

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import events
from davy.control.hooks.delivery import BadPayload, Delivery, Meaning, Scheme, at_path, read, short
from davy.control.hooks.naming import change, given, instant, reverted, reverted_request
from davy.control.hooks.signatures import SIGNING, equal, standard
from davy.control.hooks.source import Source
from davy.model.origin import repository_name

GONE = "0" * 40


class _User(msgspec.Struct):
    username: str = ""


class _Project(msgspec.Struct):
    web_url: str
    default_branch: str | None = ""

    @property
    def name(self) -> str:
        """What it is called here."""
        return repository_name(self.web_url)


class _Commit(msgspec.Struct):
    id: str
    timestamp: str
    message: str = ""


class _Attributes(msgspec.Struct):
    iid: int
    created_at: str
    target_branch: str
    action: str = ""
    title: str = ""
    description: str | None = None
    updated_at: str | None = None
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    last_commit: _Commit | None = None


class _MergeRequest(msgspec.Struct):
    project: _Project
    object_attributes: _Attributes
    user: _User = msgspec.field(default_factory=_User)


class _Push(msgspec.Struct):
    project: _Project
    ref: str
    after: str
    before: str = ""
    user_username: str = ""
    commits: list[_Commit] = []
    total_commits_count: int = 0


class _Deployment(msgspec.Struct):
    project: _Project
    deployment_id: int
    status: str
    status_changed_at: str
    commit_url: str
    environment: str = ""
    user: _User = msgspec.field(default_factory=_User)


class _Payload(msgspec.Struct):
    object_kind: str = ""


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check the token, or the signature where the secret is for signing."""
    if secret.reveal().startswith(SIGNING):
        return "standard-webhooks (gitlab)" if standard(delivery, secret) else ""
    return "token (gitlab)" if equal(delivery.header("x-gitlab-token"), secret.reveal()) else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    match read(delivery.body, _Payload).object_kind:
        case "merge_request":
            return _merge_request(read(delivery.body, _MergeRequest), source)
        case "push":
            return _push(read(delivery.body, _Push), source)
        case "deployment":
            return _deployment(read(delivery.body, _Deployment), delivery, source)
        case kind:
            return Meaning(notes=(f"{short(kind) or 'this'} says nothing of a change",))


def _merge_request(payload: _MergeRequest, source: Source) -> Meaning:
    request, repo = payload.object_attributes, payload.project.name
    if not source.releases(request.target_branch, payload.project.default_branch or ""):
        return Meaning(notes=(f"{short(request.target_branch)} is not a branch that is released from",))
    reverts = reverted_request(request.title, request.description)
    own = {"gitlab": given(merge_request=request.iid, reverts=reverts)}
    told: dict[str, Any] = {"actor": _actor(payload.user.username, repo), "reason": request.title}
    began = instant(request.created_at, "created_at")
    last = request.last_commit.id if request.last_commit else None
    match request.action:
        case "open":
            id_, named = f"merge_request/{request.iid}/opened", change(repo, last)
            return Meaning((events.created(repo, id_, began, named, own, **told),))
        case "merge":
            named = change(repo, request.merge_commit_sha or request.squash_commit_sha or last)
            id_ = f"merge_request/{request.iid}/merged/{named['commit']}"
            at = instant(request.merged_at or request.updated_at, "merged_at")
            mended = reverted(request.title, request.description)
            made = events.created(repo, f"{id_}/created", began, named, own, **told)
            return Meaning((made, events.merged(repo, id_, at, named, own, remediates=mended, **told)))
        case action:
            return Meaning(notes=(f"{short(action) or 'this'} says nothing of a change",))


def _push(payload: _Push, source: Source) -> Meaning:
    repo, branch = payload.project.name, payload.ref.removeprefix("refs/heads/")
    if not source.releases(branch, payload.project.default_branch or ""):
        return Meaning(notes=(f"{short(payload.ref)} is not a branch that is released from",))
    if payload.after == GONE:
        return Meaning(notes=("the branch was deleted",))
    head = next((each for each in payload.commits if each.id == payload.after), None)
    if head is None:
        raise BadPayload("the commit that the branch is at now is not among those that were pushed")
    first = min((each.timestamp for each in payload.commits), key=lambda text: instant(text, "timestamp"))
    own = {"gitlab": given(ref=payload.ref, before=payload.before, commits=payload.total_commits_count)}
    draft = events.merged(
        repo,
        f"push/{branch}/{payload.before}..{payload.after}",
        instant(head.timestamp, "timestamp"),  # GitLab does not say when it was pushed
        change(repo, payload.after),
        own,
        actor=_actor(payload.user_username, repo),
        reason=head.message.partition("\n")[0],
        committed_at=first,
        remediates=reverted(*(each.message for each in payload.commits)),
    )
    return Meaning((draft,))


def _deployment(payload: _Deployment, delivery: Delivery, source: Source) -> Meaning:
    repo = payload.project.name
    at = instant(payload.status_changed_at, "status_changed_at")
    failed = payload.status in ("failed", "canceled")
    return events.Deployment(
        source=repo,
        id=f"deployment/{payload.deployment_id}",
        change=change(repo, payload.commit_url.rpartition("/")[2]),
        service=source.service or at_path(msgspec.json.decode(delivery.body), source.service_from),
        environment=payload.environment,
        ended="done" if payload.status == "success" else "failed" if failed else "other",
        ended_s=at,
        actor=_actor(payload.user.username, repo) or repo,
        own={"gitlab": {"deployment": payload.deployment_id}},
    ).meaning(source)


def _actor(name: str, repo: str) -> str:
    return f"{name} ({repo.partition('/')[0]})" if name else ""


SCHEME = Scheme(
    authentic,
    means,
    frozenset(
        {"change_created", "change_merged", "change_exposed", "change_promoted", "change_aborted_unexposed"}
    ),
    delivery="x-gitlab-event-uuid",
    about=frozenset({"repos"}),
)
