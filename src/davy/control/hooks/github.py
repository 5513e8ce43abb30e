"""GitHub: pull requests, pushes and deployments, signed with the secret of the webhook over the raw body.

The name of a delivery (`X-GitHub-Delivery`) and of its event (`X-GitHub-Event`) are in headers, and those are
not signed: what a delivery is, and whether it was here before, is seen from the body.
"""

from typing import Any

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import events
from davy.control.hooks.delivery import BadPayload, Delivery, Meaning, Scheme, at_path, read, short
from davy.control.hooks.naming import change, given, instant, reverted, reverted_request
from davy.control.hooks.signatures import equal, hexadecimal
from davy.control.hooks.source import Source
from davy.ledger.entry import Draft
from davy.model.origin import repository_name

GONE = "0" * 40


class _User(msgspec.Struct):
    login: str = ""


class _Repository(msgspec.Struct):
    full_name: str
    html_url: str = ""
    default_branch: str = ""
    pushed_at: int | str | None = None

    @property
    def name(self) -> str:
        """What it is called here."""
        return repository_name(self.html_url or f"https://github.com/{self.full_name}")


class _Branch(msgspec.Struct):
    ref: str
    sha: str = ""


class _PullRequest(msgspec.Struct):
    number: int
    created_at: str
    base: _Branch
    head: _Branch
    title: str = ""
    body: str | None = None
    merged: bool | None = None
    merged_at: str | None = None
    merge_commit_sha: str | None = None


class _Commit(msgspec.Struct):
    id: str
    timestamp: str
    message: str = ""


class _Status(msgspec.Struct):
    id: int
    state: str
    created_at: str
    environment: str = ""


class _Deployment(msgspec.Struct):
    id: int
    sha: str
    created_at: str
    environment: str = ""


class _Payload(msgspec.Struct):
    repository: _Repository
    sender: _User = msgspec.field(default_factory=_User)
    action: str = ""
    pull_request: _PullRequest | None = None
    ref: str | None = None
    before: str = ""
    after: str | None = None
    deleted: bool = False
    forced: bool = False
    head_commit: _Commit | None = None
    commits: list[_Commit] = []
    deployment: _Deployment | None = None
    deployment_status: _Status | None = None

    @property
    def actor(self) -> str:
        """Who did it."""
        host = self.repository.name.partition("/")[0]
        return f"{self.sender.login} ({host})" if self.sender.login else ""


class _Anything(msgspec.Struct):
    repository: _Repository | None = None
    zen: str | None = None


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check `X-Hub-Signature-256`; the older one with SHA-1 is not looked at."""
    right = f"sha256={hexadecimal(secret, delivery.body)}"
    return "hmac-sha256 (github)" if equal(delivery.header("x-hub-signature-256"), right) else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    if read(delivery.body, _Anything).repository is None:
        return Meaning(notes=("nothing of a repository",))
    payload = read(delivery.body, _Payload)
    if payload.deployment_status is not None:
        return _deployment(payload, payload.deployment_status, delivery, source)
    if payload.pull_request is not None and "review" not in delivery.header("x-github-event"):
        return _pull_request(payload, payload.pull_request, source)
    if payload.ref is not None and payload.after is not None:
        return _push(payload, payload.ref, payload.after, source)
    return Meaning(notes=("neither a pull request, a push nor the status of a deployment",))


def _pull_request(payload: _Payload, request: _PullRequest, source: Source) -> Meaning:
    if not source.releases(request.base.ref, payload.repository.default_branch):
        return Meaning(notes=(f"{request.base.ref} is not a branch that is released from",))
    repo, number = payload.repository.name, request.number
    own = {"github": given(pull_request=number, reverts=reverted_request(request.title, request.body))}
    told: dict[str, Any] = {"actor": payload.actor, "reason": request.title}
    began = instant(request.created_at, "pull_request.created_at")
    match payload.action:
        case "opened":
            named = change(repo, request.head.sha)
            return Meaning((events.created(repo, f"pull_request/{number}/opened", began, named, own, **told),))
        case "closed" if request.merged:
            named = change(repo, request.merge_commit_sha)
            id_ = f"pull_request/{number}/merged/{named['commit']}"
            at = instant(request.merged_at, "pull_request.merged_at")
            mended = reverted(request.title, request.body)
            made = events.created(repo, f"{id_}/created", began, named, own, **told)
            return Meaning((made, events.merged(repo, id_, at, named, own, remediates=mended, **told)))
        case "closed":
            return Meaning(notes=("closed without being merged",))
        case action:
            return Meaning(notes=(f"{short(action)} says nothing of a change",))


def _push(payload: _Payload, ref: str, after: str, source: Source) -> Meaning:
    repo, branch = payload.repository.name, ref.removeprefix("refs/heads/")
    if not ref.startswith("refs/heads/") or not source.releases(branch, payload.repository.default_branch):
        return Meaning(notes=(f"{short(ref)} is not a branch that is released from",))
    if payload.deleted or after == GONE:
        return Meaning(notes=("the branch was deleted",))
    named = change(repo, after)
    commits = payload.commits or ([payload.head_commit] if payload.head_commit else [])
    first = min((each.timestamp for each in commits), key=lambda text: instant(text, "timestamp"), default="")
    own = {"github": given(ref=ref, before=payload.before, forced=payload.forced, commits=len(payload.commits))}
    draft: Draft = events.merged(
        repo,
        f"push/{branch}/{payload.before}..{after}",
        _pushed(payload),
        named,
        own,
        actor=payload.actor,
        reason=payload.head_commit.message.partition("\n")[0] if payload.head_commit else "",
        committed_at=first,
        remediates=reverted(*(each.message for each in commits)),
    )
    return Meaning((draft,))


def _pushed(payload: _Payload) -> float:
    """Return when a push came to the repository, by GitHub's clock."""
    at = payload.repository.pushed_at
    if isinstance(at, int) and 0 <= at < 10**11:
        return float(at)
    if isinstance(at, str):
        return instant(at, "repository.pushed_at")
    if payload.head_commit is None:
        raise BadPayload("neither repository.pushed_at nor head_commit says when this was")
    return instant(payload.head_commit.timestamp, "head_commit.timestamp")


def _deployment(payload: _Payload, status: _Status, delivery: Delivery, source: Source) -> Meaning:
    if payload.deployment is None:
        raise BadPayload("the status of a deployment comes with the deployment")
    deployment = payload.deployment
    failed = status.state in ("failure", "error")
    return events.Deployment(
        source=payload.repository.name,
        id=f"deployment/{deployment.id}/{status.id}",
        change=change(payload.repository.name, deployment.sha),
        service=source.service or at_path(msgspec.json.decode(delivery.body), source.service_from),
        environment=deployment.environment or status.environment,
        ended="done" if status.state == "success" else "failed" if failed else "other",
        ended_s=instant(status.created_at, "deployment_status.created_at"),
        actor=payload.actor or payload.repository.name,
        own={"github": {"deployment": deployment.id}},
    ).meaning(source)


SCHEME = Scheme(
    authentic,
    means,
    frozenset(
        {"change_created", "change_merged", "change_exposed", "change_promoted", "change_aborted_unexposed"}
    ),
    delivery="x-github-delivery",
    about=frozenset({"repos"}),
)
