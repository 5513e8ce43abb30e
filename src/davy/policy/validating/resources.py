"""Resources of kinds: rules name `deployments`, manifests are of the kind Deployment."""

from davy.policy.review import Kind, Resource

IRREGULAR = {"Endpoints": "endpoints", "PodMetrics": "pods", "NodeMetrics": "nodes"}
SAME = (
    frozenset((("extensions", "ingresses"), ("networking.k8s.io", "ingresses"))),
    frozenset((("extensions", "networkpolicies"), ("networking.k8s.io", "networkpolicies"))),
    frozenset((("extensions", "deployments"), ("apps", "deployments"))),
    frozenset((("extensions", "daemonsets"), ("apps", "daemonsets"))),
    frozenset((("extensions", "replicasets"), ("apps", "replicasets"))),
    frozenset((("", "events"), ("events.k8s.io", "events"))),
)
"""Resources that an API server serves in two groups: one object, whichever way it is asked for."""


def resource_of(kind: Kind) -> Resource:
    """Return the resource of a kind by the usual plural, where nobody says which it is."""
    return Resource(kind.group, kind.version, IRREGULAR.get(kind.kind) or _plural(kind.kind.lower()))


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s" if word else ""


def equivalents(group: str, resource: str) -> frozenset[tuple[str, str]]:
    """Return all groups and names that stand for the same objects."""
    asked = (group, resource)
    return next((same for same in SAME if asked in same), frozenset((asked,)))
