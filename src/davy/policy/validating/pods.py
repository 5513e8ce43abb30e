"""The pods that an object will make, for policies that are about pods: what Kyverno calls autogen.

Kyverno covers six kinds and passes over Rollouts without a word; here they are among them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from davy.policy.gatekeeper.candidate import metadata_of
from davy.policy.review import Json, Kind, Object, Review
from davy.policy.validating.checks import Objection

TEMPLATES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "ReplicationController"): ("spec", "template"),
    ("argoproj.io", "Rollout"): ("spec", "template"),
}
CONTROLLERS: Mapping[str, str] = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "replicasets": "ReplicaSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "replicationcontrollers": "ReplicationController",
    "rollouts": "Rollout",
}
"""The names that a policy has for them: the plural in a ValidatingPolicy, the kind in a ClusterPolicy."""

ALL = frozenset(CONTROLLERS.values())
POD = Kind("", "v1", "Pod")


def pod_review(review: Review, controllers: Collection[str]) -> Review | None:
    """Return the review of the pod that an object will make, None where it makes none that counts."""
    path = TEMPLATES.get((review.kind.group, review.kind.kind))
    if path is None or review.kind.kind not in controllers or review.sub_resource:
        return None
    pod, old = _pod(review.object, path, review), _pod(review.old_object, path, review)
    if pod is None and old is None:
        return None
    return Review(
        kind=POD,
        object=pod,
        old_object=old,
        operation=review.operation,
        name=review.name,
        namespace=review.namespace,
        namespace_object=review.namespace_object,
        request_kind=review.kind,
        user=review.user,
        dry_run=review.dry_run,
        uid=review.uid,
        generated=True,
    )


def objections_with_pods(
    review: Review, controllers: Collection[str], ask: Callable[[Review], Iterable[Objection]]
) -> list[Objection]:
    """Ask about an object and about the pod that it will make; what is said of both is said once."""
    found = list(ask(review))
    pod = pod_review(review, controllers)
    if pod is not None:
        found += ask(pod)
    return list(dict.fromkeys(found))


def _pod(found: Object | None, path: tuple[str, ...], review: Review) -> Object | None:
    template: Json = found
    for name in path:
        template = template.get(name) if isinstance(template, Mapping) else None
    if not isinstance(template, Mapping):
        return None
    metadata = {"name": review.name, **metadata_of(template)}
    if review.namespace:
        metadata["namespace"] = review.namespace
    return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata}
