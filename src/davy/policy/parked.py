"""Deployments that run nothing, since a Rollout takes its template from them.

`spec.workloadRef` of a Rollout names a Deployment that is scaled to zero. A policy that wants Rollouts in the
place of Deployments, written without thought of these, refuses the very step that it asks for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from davy.policy.engine import Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Object, Review

ROLLOUT = Kind("argoproj.io", "v1alpha1", "Rollout")


def not_held_against(violations: Sequence[Violation], review: Review, inventory: Inventory) -> list[Violation]:
    """Turn into notes what policies have against a Deployment for being one, where it only carries a template.

    What they have against anything that it says stays what it is: the Rollout runs that.
    """
    if not any(violation.of_kind for violation in violations):
        return list(violations)
    rollout = carried_for(review, inventory)
    if not rollout:
        return list(violations)
    why = f"not held against it: it runs nothing, and the Rollout {rollout} takes its template from it"
    return [
        replace(violation, action="dryrun", note=why) if violation.of_kind else violation
        for violation in violations
    ]


def carried_for(review: Review, inventory: Inventory) -> str:
    """Name the Rollout that takes its template from the Deployment under review, while that runs nothing."""
    if (review.kind.group, review.kind.kind, review.sub_resource) != ("apps", "Deployment", ""):
        return ""
    if _part(review.subject, "spec").get("replicas") != 0:
        return ""
    rollouts = inventory.document.get("namespace", {}).get(review.namespace, {}).get(ROLLOUT.api_version, {})
    return next(_takers(rollouts.get(ROLLOUT.kind, {}).values(), review.name), "")


def _takers(rollouts: Iterable[Object], name: str) -> Iterator[str]:
    for rollout in rollouts:
        reference = _part(_part(rollout, "spec"), "workloadRef")
        group = str(reference.get("apiVersion", "apps/v1")).partition("/")[0]
        if (group, reference.get("kind"), reference.get("name")) == ("apps", "Deployment", name):
            yield str(_part(rollout, "metadata").get("name"))


def _part(value: Object, name: str) -> Object:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
