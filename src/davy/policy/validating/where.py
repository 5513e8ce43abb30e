"""Which requests a policy is about: `matchConstraints` and `matchResources` of admission registration."""

from collections.abc import Callable
from dataclasses import dataclass

from davy.policy.gatekeeper.candidate import Labels, metadata_of
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, texts
from davy.policy.gatekeeper.selector import Selects, selector
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Kind, Object, Review
from davy.policy.validating.request import namespace_of, operation_of
from davy.policy.validating.resources import equivalents, resource_of

MATCH = ("namespaceSelector", "objectSelector", "resourceRules", "excludeResourceRules", "matchPolicy")
RULE = ("apiGroups", "apiVersions", "operations", "resources", "resourceNames", "scope")
OPERATIONS = ("CREATE", "UPDATE", "DELETE", "CONNECT", "*")


class Undecided(Exception):
    """It cannot be said whether a policy is about an object; so it is refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests by resource, version, operation, name and scope; a list that is empty or `*` takes all."""

    groups: frozenset[str]
    versions: frozenset[str]
    operations: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    scope: str

    def matches(self, review: Review, *, exact: bool) -> bool:
        """Say whether a request is one of these; unless exact, another version of the same objects is, too."""
        resource = review.resource or resource_of(review.kind)
        asked = {(resource.group, resource.resource)}
        if not exact:
            asked = set(equivalents(resource.group, resource.resource))
        version = not exact or _any(self.versions) or resource.version in self.versions
        return (
            version
            and (_any(self.operations) or operation_of(review) in self.operations)
            and (not self.names or review.name in self.names)
            and self._in_scope(review)
            and any(self._about(group, name, review.sub_resource) for group, name in asked)
        )

    def _in_scope(self, review: Review) -> bool:
        in_namespace = bool(review.namespace) and review.kind != Kind("", "v1", "Namespace")
        return self.scope == "*" or (self.scope == "Namespaced") == in_namespace

    def _about(self, group: str, resource: str, sub_resource: str) -> bool:
        if not _any(self.groups) and group not in self.groups:
            return False
        if not sub_resource:
            wanted = {resource, "*", "*/*"}
        else:
            wanted = {f"{resource}/{sub_resource}", f"{resource}/*", f"*/{sub_resource}", "*/*"}
        return not wanted.isdisjoint(self.resources)


def _any(names: frozenset[str]) -> bool:
    return "*" in names


@dataclass(frozen=True, slots=True)
class Where:
    """What a policy or a binding is about."""

    rules: tuple[Rule, ...] | None
    excluded: tuple[Rule, ...]
    namespaces: Selects | None
    objects: Selects | None
    exact: bool

    def matches(self, review: Review, inventory: Inventory) -> bool:
        """Say whether a request is meant.

        Raises:
            Undecided: nobody knows the namespace that it is in.
        """
        if any(rule.matches(review, exact=self.exact) for rule in self.excluded):
            return False
        if self.rules is not None and not any(rule.matches(review, exact=self.exact) for rule in self.rules):
            return False
        return self._object(review) and self._namespace(review, inventory)

    def _object(self, review: Review) -> bool:
        if self.objects is None:
            return True
        both = (review.object, review.old_object)
        return any(self.objects(labels_of(found)) for found in both if found is not None)

    def _namespace(self, review: Review, inventory: Inventory) -> bool:
        if self.namespaces is None:
            return True
        if review.kind.kind == "Namespace" and not review.kind.group:
            return self.namespaces(labels_of(review.subject))
        if not review.namespace:
            return True
        namespace = namespace_of(review, inventory)
        if namespace is None:
            raise Undecided(unknown_namespace(review))
        return self.namespaces(labels_of(namespace))


def unknown_namespace(review: Review) -> str:
    """Say that the labels of a namespace are wanted and nobody knows them."""
    return f"namespace {review.namespace} is not known, and namespaceSelector asks for its labels"


def labels_of(found: Object) -> Labels:
    """Return the labels of an object that are texts."""
    labels = metadata_of(found).get("labels")
    return (
        {key: value for key, value in labels.items() if isinstance(value, str)}
        if isinstance(labels, dict)
        else {}
    )


def where(written: Json, path: str, *, required: bool) -> Where:
    """Read what a policy is about; a policy has to say so, a binding need not.

    Raises:
        Malformed: it cannot be read.
    """
    known = mapping(written, path, MATCH)
    rules = _rules(known.get("resourceRules"), f"{path}.resourceRules")
    if required and not rules:
        raise Malformed(f"{path}.resourceRules", "a policy has to say what resources it is about")
    policy = known.get("matchPolicy") or "Equivalent"
    if policy not in ("Equivalent", "Exact"):
        raise Malformed(f"{path}.matchPolicy", f"{policy!r} is no match policy", "use Equivalent or Exact")
    return Where(
        rules or None,
        _rules(known.get("excludeResourceRules"), f"{path}.excludeResourceRules"),
        _selector(known.get("namespaceSelector"), f"{path}.namespaceSelector"),
        _selector(known.get("objectSelector"), f"{path}.objectSelector"),
        policy == "Exact",
    )


def _selector(written: Json, path: str) -> Callable[[Labels], bool] | None:
    return selector(written, path) if written else None


def _rules(written: Json, path: str) -> tuple[Rule, ...]:
    return tuple([_rule(each, f"{path}[{at}]") for at, each in enumerate(listed(written, path))])


def _rule(written: Json, path: str) -> Rule:
    known = mapping(written, path, RULE)
    lists = {name: frozenset(texts(known.get(name), f"{path}.{name}")) for name in RULE[:5]}
    for name in RULE[:4]:
        if not lists[name]:
            raise Malformed(f"{path}.{name}", "this needs at least one entry", "use ['*'] for all")
    for operation in sorted(lists["operations"]):
        if operation not in OPERATIONS:
            raise Malformed(
                f"{path}.operations", f"{operation!r} is no operation", f"use {', '.join(OPERATIONS)}"
            )
    scope = known.get("scope") or "*"
    if scope not in ("*", "Cluster", "Namespaced"):
        raise Malformed(f"{path}.scope", f"{scope!r} is no scope", "use *, Cluster or Namespaced")
    return Rule(
        lists["apiGroups"],
        lists["apiVersions"],
        lists["operations"],
        lists["resources"],
        lists["resourceNames"],
        scope,
    )
