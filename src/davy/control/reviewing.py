"""What people do to a rollout, as the review that an API server would ask for: the object before and after."""

import re
from typing import Any

import msgspec

from davy.control.catalog import Object as Manifest
from davy.model.kinds import is_cluster_scoped
from davy.model.rollout import Rollout
from davy.policy.review import Kind, Object, Operation, Review
from davy.rollout.state import Aborted, RolloutState, Stepping, pause_of

_ACTOR = re.compile(r"(?P<name>.+?) \(uid (?P<uid>[0-9]+)\)")


def as_object(manifest: Manifest) -> dict[str, Any]:
    """Write a manifest that is held as the JSON of an object in its namespace."""
    found: dict[str, Any] = msgspec.to_builtins(manifest)
    if not is_cluster_scoped(manifest.api_version, manifest.kind):
        found["metadata"] = {**found["metadata"], "namespace": manifest.key.namespace}
    return found


def as_rollout(rollout: Rollout, state: RolloutState, **changes: object) -> dict[str, Any]:
    """Write a rollout with what its status says of the update, in the words of Argo's types."""
    progress, pause = state.progress, pause_of(state.progress)
    status: dict[str, object] = {
        "currentPodHash": state.current,
        "stableRS": state.stable,
        "currentStepHash": state.steps_hash,
        "currentStepIndex": progress.index if isinstance(progress, Stepping) else None,
        "abort": isinstance(progress, Aborted),
        "promoteFull": False,
        "controllerPause": pause is not None,
        "pauseConditions": [{"reason": str(pause.reason)}] if pause else None,
    }
    kept = {name: value for name, value in {**status, **changes}.items() if value is not None}
    return {**as_object(rollout), "status": kept}


def review(
    before: Object | None, after: Object | None, actor: str, *, sub_resource: str = "", dry_run: bool = False
) -> Review:
    """Make the review of a change that somebody wants."""
    operation: Operation = "DELETE" if after is None else "CREATE" if before is None else "UPDATE"
    subject = after if after is not None else before
    assert subject is not None, "there is something that is to change"
    metadata = subject["metadata"]
    return Review(
        kind=Kind.of(subject),
        object=after,
        old_object=before,
        operation=operation,
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        sub_resource=sub_resource,
        user=user(actor),
        dry_run=dry_run,
    )


def user(actor: str) -> dict[str, Any]:
    """Write who acts as an API server does: the account without the number that the kernel knows it by."""
    found = _ACTOR.fullmatch(actor)
    return {"username": found["name"], "uid": found["uid"]} if found else {"username": actor}
