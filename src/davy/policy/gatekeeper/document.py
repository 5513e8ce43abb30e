"""`input.review`: an AdmissionRequest in the very shape in which Gatekeeper hands it to Rego."""

from typing import Any

from davy.policy.review import Kind, Object, Resource, Review


def document(review: Review, namespace: Object | None) -> dict[str, Any]:
    """Write a review as policies read it.

    Of a manifest that is merely looked at, the operation is empty, and so is what only an API server can know.
    On DELETE `object` is the old object.
    """
    deleting = review.operation == "DELETE"
    found: dict[str, Any] = {
        "uid": review.uid,
        "kind": _kind(review.kind),
        "resource": _resource(review.resource or Resource()),
        "operation": review.operation,
        "userInfo": review.user,
        "object": review.subject if deleting else review.object,
        "oldObject": review.old_object,
        "options": review.options,
        "namespaceObject": namespace,
    }
    for name, value in (
        ("name", review.name),
        ("namespace", review.namespace),
        ("subResource", review.sub_resource),
    ):
        if value:
            found[name] = value
    if review.request_kind is not None:
        found["requestKind"] = _kind(review.request_kind)
    if review.request_resource is not None:
        found["requestResource"] = _resource(review.request_resource)
    if review.operation:
        found["dryRun"] = review.dry_run
    return found


def _kind(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _resource(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "resource": resource.resource}
