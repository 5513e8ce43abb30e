"""CircleCI: workflows that ended, signed over the raw body. Those that deploy are named by the source."""

import msgspec

from davy.analysis.secret import Secret
from davy.control.hooks import events
from davy.control.hooks.delivery import Delivery, Meaning, Scheme, at_path, read, short
from davy.control.hooks.naming import change, given, instant
from davy.control.hooks.signatures import versioned
from davy.control.hooks.source import Source, covers
from davy.model.origin import repository_name


class _Workflow(msgspec.Struct):
    id: str
    name: str
    status: str
    created_at: str
    stopped_at: str | None = None


class _Vcs(msgspec.Struct):
    revision: str
    target_repository_url: str = ""
    origin_repository_url: str = ""
    branch: str | None = None


class _Pipeline(msgspec.Struct):
    id: str = ""
    number: int | None = None
    vcs: _Vcs | None = None


class _Payload(msgspec.Struct):
    type: str
    happened_at: str = ""
    workflow: _Workflow | None = None
    pipeline: _Pipeline = msgspec.field(default_factory=_Pipeline)


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check `circleci-signature`; versions other than v1 are not looked at."""
    right = versioned(delivery.header("circleci-signature"), secret, delivery.body)
    return "hmac-sha256 (circleci)" if right else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    payload = read(delivery.body, _Payload)
    if payload.type != "workflow-completed" or payload.workflow is None:
        return Meaning(notes=(f"{short(payload.type)} is not the end of a workflow",))
    workflow, vcs = payload.workflow, payload.pipeline.vcs
    if not covers(source.workflows, workflow.name):
        return Meaning(notes=(f"{short(workflow.name)} is not among the workflows that deploy",))
    if vcs is None:
        return Meaning(notes=("the pipeline was not started for a commit",))
    return events.Deployment(
        source=f"circleci/{source.name}",
        id=f"workflow/{workflow.id}",
        change=change(repository_name(vcs.target_repository_url or vcs.origin_repository_url), vcs.revision),
        service=source.service or at_path(msgspec.json.decode(delivery.body), source.service_from),
        environment=source.environment,
        ended="done" if workflow.status == "success" else "failed",
        ended_s=instant(workflow.stopped_at or payload.happened_at, "workflow.stopped_at"),
        actor=f"circleci/{source.name}",
        own={"circleci": given(workflow=workflow.id, pipeline=payload.pipeline.number, status=workflow.status)},
    ).meaning(source)


SCHEME = Scheme(
    authentic,
    means,
    frozenset({"change_exposed", "change_promoted", "change_aborted_unexposed"}),
    about=frozenset({"repos", "services"}),
)
