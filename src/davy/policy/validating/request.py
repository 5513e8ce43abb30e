"""What the names in an admission policy stand for, and what is known of their types."""

from collections.abc import Mapping

from davy.policy.cel import DYN, Type
from davy.policy.cel.library.authorization import AUTHORIZER, Authorizer
from davy.policy.cel.types import BOOL, STRING, list_of, map_of
from davy.policy.cel.values import Value
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Kind, Object, Review
from davy.policy.validating.resources import resource_of

KIND = Type("kubernetes.GroupVersionKind", fields={"group": STRING, "version": STRING, "kind": STRING})
RESOURCE = Type(
    "kubernetes.GroupVersionResource", fields={"group": STRING, "version": STRING, "resource": STRING}
)
USER = Type(
    "kubernetes.UserInfo",
    fields={
        "username": STRING,
        "uid": STRING,
        "groups": list_of(STRING),
        "extra": map_of(STRING, list_of(STRING)),
    },
)
REQUEST = Type(
    "kubernetes.AdmissionRequest",
    fields={
        "kind": KIND,
        "resource": RESOURCE,
        "subResource": STRING,
        "requestKind": KIND,
        "requestResource": RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": USER,
        "uid": STRING,
        "dryRun": BOOL,
        "options": DYN,
    },
)
OBJECT_META = Type(
    "kubernetes.NamespaceMetadata",
    fields={
        "name": STRING,
        "generateName": STRING,
        "namespace": STRING,
        "labels": map_of(STRING, STRING),
        "annotations": map_of(STRING, STRING),
        "UID": STRING,
        "uid": STRING,
        "creationTimestamp": DYN,
        "deletionTimestamp": DYN,
        "deletionGracePeriodSeconds": DYN,
        "generation": DYN,
        "resourceVersion": STRING,
        "finalizers": list_of(STRING),
        "ownerReferences": DYN,
        "managedFields": DYN,
    },
)
NAMESPACE = Type(
    "kubernetes.Namespace",
    fields={
        "metadata": OBJECT_META,
        "spec": Type("kubernetes.NamespaceSpec", fields={"finalizers": list_of(STRING)}),
        "status": Type("kubernetes.NamespaceStatus", fields={"phase": STRING, "conditions": DYN}),
    },
)
DECLARATIONS: Mapping[str, Type] = {
    "object": DYN,
    "oldObject": DYN,
    "request": REQUEST,
    "namespaceObject": NAMESPACE,
    "authorizer": AUTHORIZER,
}
NOBODY: Mapping[str, Json] = {"username": "", "uid": "", "groups": [], "extra": {}}
"""Who asks where a manifest is merely looked at: in no group, so that a condition on groups has an answer."""
WITH_PARAMS: Mapping[str, Type] = {**DECLARATIONS, "params": DYN}


def operation_of(review: Review) -> str:
    """Return the operation; a manifest that is looked at is about to be created."""
    return review.operation or "CREATE"


def namespace_of(review: Review, inventory: Inventory) -> Object | None:
    """Find the Namespace that a review is about."""
    if review.namespace_object is not None or not review.namespace:
        return review.namespace_object
    return inventory.namespace(review.namespace)


def values_of(review: Review, inventory: Inventory) -> dict[str, Value]:
    """Return what the names stand for; `params` is for whoever has some to add."""
    deleted = review.operation == "DELETE"
    return {
        "object": None if deleted else review.object,
        "oldObject": review.old_object,
        "request": _request(review),
        "namespaceObject": namespace_of(review, inventory),
        "authorizer": Authorizer(),
    }


def _request(review: Review) -> dict[str, Json]:
    resource = review.resource or resource_of(review.kind)
    asked_kind, asked_resource = review.request_kind or review.kind, review.request_resource or resource
    return {
        "uid": review.uid,
        "kind": _named(review.kind),
        "resource": resource._asdict(),
        "subResource": review.sub_resource,
        "requestKind": _named(asked_kind),
        "requestResource": asked_resource._asdict(),
        "requestSubResource": review.sub_resource,
        "name": review.name,
        "namespace": review.namespace,
        "operation": operation_of(review),
        "userInfo": review.user or NOBODY,
        "dryRun": review.dry_run,
        "options": review.options,
    }


def _named(kind: Kind) -> dict[str, Json]:
    return kind._asdict()
