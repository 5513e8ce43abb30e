"""What nothing may stand in the way of: taking a bad version back, more of a good one, and who does either.

It is asked before any policy is, costs next to nothing, and does not wait for a free worker: an abort is
answered while the rest of the server is drowned in reviews.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from davy.policy.review import Json, Review

GROUP = "argoproj.io"

_ACCOUNT = "system:serviceaccount:"

CONTROLLER = "system:serviceaccount:argo-rollouts:argo-rollouts"
"""Who Argo Rollouts is in a cluster where it was installed as its documentation says."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """Service accounts by their exact names: never groups, and never the beginning of a name.

    Args:
        controllers: what carries rollouts out: `system:serviceaccount:NAMESPACE:NAME`.
        davy: who Davy itself is in the cluster, empty where it is nobody.
    """

    controllers: frozenset[str] = frozenset({CONTROLLER})
    davy: str = ""


def passage(review: Review, trusted: Trusted) -> str:
    """Say why nothing is to be asked about a review, or nothing at all where policies are."""
    name = str(review.user.get("username", ""))
    if name in trusted.controllers and _is_service_account(review.user, name):
        return "controller"
    if name and name == trusted.davy and _is_service_account(review.user, name):
        return "davy"
    if is_abort(review):
        return "abort"
    return "scale-up" if is_scale_up(review) else ""


def as_signed_in(review: Review) -> Review:
    """Take its name from whoever has that of a service account, and has not signed in as it.

    Policies trust accounts by their names. Whoever borrowed one by `kubectl --as` is not who they trust.
    """
    name = str(review.user.get("username", ""))
    if not name.startswith(_ACCOUNT) or _is_service_account(review.user, name):
        return review
    return replace(review, user={**review.user, "username": f"{name} (by impersonation)"})


def is_abort(review: Review) -> bool:
    """Whether this gives the traffic back to the stable version, and changes nothing else.

    It is what `kubectl argo rollouts abort` sends: `{"status":{"abort":true}}`, a patch of `rollouts/status`.
    """
    if not _is_rollout(review) or review.sub_resource != "status":
        return False
    old, new = _mapping(review.old_object), _mapping(review.object)
    status = _mapping(new.get("status"))
    if status.get("abort") is not True or _mapping(old.get("status")).get("abort") is True:
        return False
    return _without(old, "status", "abort") == _without(new, "status", "abort")


def is_scale_up(review: Review) -> bool:
    """Whether this only asks for more replicas; the controller keeps the shares of the versions."""
    if not _is_rollout(review) or review.sub_resource not in ("", "scale"):
        return False
    old, new = _mapping(review.old_object), _mapping(review.object)
    before, after = (_replicas(each) for each in (old, new))
    if before is None or after is None:
        return False
    return after > before and _without(old, "spec", "replicas") == _without(new, "spec", "replicas")


def _is_rollout(review: Review) -> bool:
    resource = review.resource
    if review.operation != "UPDATE" or resource is None:
        return False
    return (resource.group, resource.resource) == (GROUP, "rollouts")


def _replicas(found: Mapping[str, Json]) -> int | None:
    """Return how many replicas are asked for; a Rollout that does not say has one, a Scale none."""
    otherwise = 0 if found.get("kind") == "Scale" else 1
    replicas = _mapping(found.get("spec")).get("replicas", otherwise)
    return replicas if isinstance(replicas, int) and not isinstance(replicas, bool) else None


def _without(found: Mapping[str, Json], part: str, field: str) -> dict[str, Any]:
    """Leave out a field, and what an API server changes with every change."""
    rest = {**found, part: {name: value for name, value in _mapping(found.get(part)).items() if name != field}}
    metadata = _mapping(found.get("metadata"))
    changing = ("generation", "resourceVersion", "managedFields")
    rest["metadata"] = {name: value for name, value in metadata.items() if name not in changing}
    return rest


def _is_service_account(user: Mapping[str, Json], name: str) -> bool:
    """Whether the account signed in itself.

    An API server gives the uid of the account to whoever holds its token. `kubectl --as` has the name and the
    groups, and no uid.
    """
    parts = name.split(":")
    if parts[:2] != ["system", "serviceaccount"] or len(parts) != 4:
        return False
    groups = user.get("groups") or []
    return bool(user.get("uid")) and f"system:serviceaccounts:{parts[2]}" in groups


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
