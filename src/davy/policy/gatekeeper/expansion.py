"""Expansion: what an object will make, so that policies about Pods judge it before there are any.

ExpansionTemplates say what is made of what. Of a Rollout its Pods are made even if none says so: otherwise
every policy about Pods would pass it by. A Deployment is not made of it: whoever forbids Deployments wants
a Rollout instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from davy.policy.engine import Action, Violation
from davy.policy.gatekeeper.candidate import metadata_of, namespace_of, text_of
from davy.policy.gatekeeper.enforcement import action_of
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, text, texts
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Kind, Object, Review

GROUP = "expansion.gatekeeper.sh"
VERSIONS = ("v1alpha1", "v1beta1")
FIELDS = ("applyTo", "templateSource", "generatedGVK", "enforcementAction")
LONGEST_NAME = 63
DEPTH = 30
"""How many generations may come of one object."""

ROLLOUT = Kind("argoproj.io", "v1alpha1", "Rollout")
POD = Kind("", "v1", "Pod")
WORKLOADS: Mapping[Kind, tuple[str, ...]] = {
    Kind("apps", "v1", "Deployment"): ("spec", "template"),
    Kind("apps", "v1", "ReplicaSet"): ("spec", "template"),
    POD._replace(kind="PodTemplate"): ("template",),
}
"""What `spec.workloadRef` of a Rollout may name, and where the Pods' template is in it."""


class Unexpandable(Exception):
    """An object lacks what an expansion is to be made from, so nobody can say what it will make."""

    def __init__(self, expansion: str, message: str) -> None:
        super().__init__(message)
        self.expansion = expansion


@dataclass(frozen=True, slots=True)
class Expansion:
    """What is made of objects of some kinds.

    Args:
        source: where in the object the child is written.
        action: what violations of the child lead to instead of what their constraint says.
        lenient: no child is made where the source is missing.
        refusal: why it cannot be used; then nobody can say what its objects will make.
    """

    name: str
    applies: frozenset[Kind]
    source: tuple[str, ...]
    generated: Kind
    action: Action | None = None
    lenient: bool = False
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Child:
    """A review of something that an object will make, and where in the object it is written."""

    review: Review
    expansion: Expansion
    path: str

    def implied(self, violation: Violation) -> Violation:
        """Say a violation of the child of its parent: what implies it, and where it is written there."""
        return replace(
            violation,
            message=f"[Implied by {self.expansion.name}] {violation.message}",
            action=self.expansion.action or violation.action,
            path=".".join(filter(None, (self.path, violation.path))),
        )


ROLLOUT_PODS = Expansion("rollout-pods", frozenset([ROLLOUT]), ("spec", "template"), POD, lenient=True)


def expansions(subjects: Sequence[Object]) -> tuple[tuple[Expansion, ...], list[Problem]]:
    """Read ExpansionTemplates, and add that Rollouts make Pods unless one of them does.

    One that cannot be used is told as a problem, and refuses the objects that it applies to.
    """
    found: list[Expansion] = []
    problems = []
    for subject in sorted(subjects, key=lambda subject: text_of(metadata_of(subject), "name")):
        try:
            expansion = _expansion(subject)
            if expansion in found:
                continue
            if any(expansion.name == other.name for other in found):
                raise Malformed("metadata.name", f"there are two different ones named {expansion.name}")
            if _goes_round([*found, expansion]):
                raise Malformed("spec.generatedGVK", "this closes a circle: what is made makes itself")
        except Malformed as error:
            problems.append(Problem(subject, error.path, error.message, "error", error.fix))
            expansion = _refusing(subject, f"this expansion cannot be used: {error}")
        found.append(expansion)
    if not any(ROLLOUT in expansion.applies for expansion in found):
        found.append(ROLLOUT_PODS)
    return tuple(found), problems


def children(review: Review, inventory: Inventory, known: Sequence[Expansion]) -> Iterator[Child]:
    """Make the reviews of all that an object will make, and of what that makes; deleting makes nothing.

    Raises:
        Unexpandable: the object lacks what an ExpansionTemplate wants to make something from.
    """
    if known and review.operation != "DELETE" and review.object is not None:
        yield from _children(review, "", namespace_of(review, inventory), inventory, known)


def _children(
    parent: Review,
    path: str,
    namespace: Object | None,
    inventory: Inventory,
    known: Sequence[Expansion],
    depth: int = DEPTH,
) -> Iterator[Child]:
    for expansion in known:
        if parent.kind not in expansion.applies:
            continue
        if expansion.refusal or not depth:
            reason = expansion.refusal or f"this is expanded more than {DEPTH} times over"
            raise Unexpandable(expansion.name, reason)
        made = _made(expansion, parent, inventory)
        if made is None:
            continue
        review = Review(
            kind=expansion.generated,
            object=made,
            name=text_of(metadata_of(made), "name"),
            namespace=text_of(metadata_of(made), "namespace"),
            namespace_object=namespace,
            generated=True,
        )
        where = ".".join(filter(None, (path, *expansion.source)))
        yield Child(review, expansion, where)
        yield from _children(review, where, namespace, inventory, known, depth - 1)


def _made(expansion: Expansion, review: Review, inventory: Inventory) -> Object | None:
    """Cut the child out of its parent."""
    parent = review.subject
    name = text_of(metadata_of(parent), "name") or text_of(metadata_of(parent), "generateName")
    found: Any = _resolved(parent, review.namespace, inventory) if review.kind == ROLLOUT else parent
    where = ".".join(expansion.source)
    for step in expansion.source:
        if not isinstance(found, Mapping) or step not in found:
            if expansion.lenient:
                return None
            message = f'could not find source field "{where}" in resource {name}'
            raise Unexpandable(expansion.name, f"error expanding resource {name}: {message}")
        found = found[step]
    if not isinstance(found, Mapping):
        if expansion.lenient:
            return None
        message = (
            f"error expanding resource {name}: {where} is no object, so what it will make cannot be judged"
        )
        raise Unexpandable(expansion.name, message)
    return _child(found, expansion.generated, name, review)


def _child(made: Object, kind: Kind, name: str, review: Review) -> Object:
    owner = {
        "apiVersion": review.kind.api_version,
        "kind": review.kind.kind,
        "name": name,
        "uid": text_of(metadata_of(review.subject), "uid"),
        "controller": True,
    }
    metadata = {**metadata_of(made), "name": f"{name}-{kind.kind}".lower(), "ownerReferences": [owner]}
    if review.namespace:
        metadata["namespace"] = review.namespace
    return {**made, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _resolved(rollout: Object, namespace: str, inventory: Inventory) -> Object:
    """Put the Pods' template of the workload that a Rollout names into it, if that is known."""
    spec = rollout.get("spec")
    reference = spec.get("workloadRef") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(reference, Mapping):
        return rollout
    kind = Kind.of(reference)
    found: Any = inventory.get(kind, namespace, text_of(reference, "name"))
    for step in WORKLOADS.get(kind, ("",)):
        found = found.get(step) if isinstance(found, Mapping) else None
    return rollout if found is None else {**rollout, "spec": {**spec, "template": found}}


def _expansion(subject: Object) -> Expansion:
    version = text_of(subject, "apiVersion").partition("/")[2]
    if version not in VERSIONS:
        raise Malformed(
            "apiVersion", f"there is no version {version!r} of ExpansionTemplates", f"use {VERSIONS[-1]}"
        )
    name = text_of(metadata_of(subject), "name")
    if not name or len(name) > LONGEST_NAME:
        raise Malformed(
            "metadata.name", f"an ExpansionTemplate needs a name of at most {LONGEST_NAME} characters"
        )
    spec = mapping(subject.get("spec"), "spec", FIELDS)
    source = text(spec.get("templateSource"), "spec.templateSource")
    if not all(source.split(".")):
        raise Malformed("spec.templateSource", f"{source!r} is no path", "write it as spec.template")
    generated = _generated(spec)
    applies = _applies(spec)
    if not applies:
        raise Malformed("spec.applyTo", "nothing is expanded", "name groups, kinds and versions")
    if generated in applies:
        raise Malformed("spec.generatedGVK", f"{generated.kind} would be made of itself")
    action = spec.get("enforcementAction")
    return Expansion(
        name=name,
        applies=applies,
        source=tuple(source.split(".")),
        generated=generated,
        action=None if action in (None, "") else action_of(text(action, _ACTION), _ACTION),
    )


_ACTION = "spec.enforcementAction"


def _refusing(subject: Object, reason: str) -> Expansion:
    """Make an expansion that refuses what it applies to, as far as that can be read."""
    try:
        applies = _applies(mapping(subject.get("spec"), "spec"))
    except Malformed:
        applies = frozenset()
    return Expansion(text_of(metadata_of(subject), "name"), applies, (), POD, refusal=reason)


def _applies(spec: Object) -> frozenset[Kind]:
    return frozenset(
        kind
        for at, entry in enumerate(listed(spec.get("applyTo"), "spec.applyTo"))
        for kind in _kinds(mapping(entry, f"spec.applyTo[{at}]", ("groups", "kinds", "versions")), at)
    )


def _generated(spec: Object) -> Kind:
    path = "spec.generatedGVK"
    known = mapping(spec.get("generatedGVK"), path, ("group", "version", "kind"))
    group, version, kind = (
        text(known.get(name, ""), f"{path}.{name}") for name in ("group", "version", "kind")
    )
    if not version or not kind:
        raise Malformed(path, "what is made needs a version and a kind")
    return Kind(group, version, kind)


def _kinds(entry: Object, at: int) -> Iterator[Kind]:
    groups, versions, kinds = (
        texts(entry.get(name), f"spec.applyTo[{at}].{name}") for name in ("groups", "versions", "kinds")
    )
    return (Kind(group, version, kind) for group in groups for version in versions for kind in kinds)


def _goes_round(known: Sequence[Expansion]) -> bool:
    """Say whether something would make itself, over however many generations."""
    makes: dict[Kind, set[Kind]] = {}
    for expansion in known:
        for kind in () if expansion.refusal else expansion.applies:
            makes.setdefault(kind, set()).add(expansion.generated)
    return any(kind in _descendants(kind, makes) for kind in makes)


def _descendants(kind: Kind, makes: Mapping[Kind, set[Kind]]) -> set[Kind]:
    found: set[Kind] = set()
    ahead = set(makes.get(kind, ()))
    while ahead:
        found |= ahead
        ahead = {after for each in ahead for after in makes.get(each, ())} - found
    return found
