"""All policies of a set of documents as one: read once, asked by CI, at admission and by the engine alike."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from davy.policy.engine import Point, Policy, Violation
from davy.policy.gatekeeper import reading as gatekeeper
from davy.policy.gatekeeper.case import case
from davy.policy.gatekeeper.constraint import Constraint
from davy.policy.gatekeeper.expansion import Expansion, Unexpandable, children
from davy.policy.gatekeeper.external import Ask, nothing_recorded, recorded
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Json, Object, Review
from davy.policy.validating import reading as validating
from davy.policy.validating.clusterpolicy import ClusterRule
from davy.policy.validating.kyverno import KyvernoPolicy

EXPANDING = (KyvernoPolicy, ClusterRule)
"""Policies that look at what an object will make by themselves; they are not asked about it a second time."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """What judges, and what is wrong with it. Nothing changes once it is read, so threads may share it.

    Args:
        policies: what judges: constraints in the order of (kind, name), then policies in CEL.
        problems: what is wrong with the documents that it was read from.
        expansions: what objects will make, and so is judged together with them.
        external: answers `external_data`.
        digest: SHA-256 over the canonical JSON of those documents; the order they came in does not count.
    """

    policies: tuple[Policy, ...] = ()
    problems: tuple[Problem, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    digest: str = ""
    external: Ask = nothing_recorded

    @property
    def name(self) -> str:
        """How people call it: by the beginning of its digest."""
        return f"ruleset {self.digest[:12]}"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> tuple[Violation, ...]:
        """Say what all policies have against an object and what it will make, in an order of its own."""
        found = self._of_one(review, inventory, point)
        try:
            for child in children(review, inventory, self.expansions):
                found += map(child.implied, self._of_one(child.review, inventory, point))
        except Unexpandable as error:
            kind = "ExpansionTemplate"
            found.append(Violation(error.expansion, kind, str(error), broken=True, source=kind))
        return collapsed(found)

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether any policy looks at an object or what it will make; one that cannot tell does."""
        try:
            made = [child.review for child in children(review, inventory, self.expansions)]
        except Unexpandable:
            return True
        return any(
            not isinstance(policy, Constraint) or policy.matches(each, inventory, point)
            for each in (review, *made)
            for policy in self.policies
        )

    def _of_one(self, review: Review, inventory: Inventory, point: Point) -> list[Violation]:
        asked = case(review, inventory, self.external)
        found: list[Violation] = []
        for policy in self.policies:
            if isinstance(policy, Constraint):
                found += policy.judge_case(asked, point)
            elif not (review.generated and isinstance(policy, EXPANDING)):
                found += policy.judge(review, inventory, point)
        return found


def read(objects: Sequence[Object], *, data: Json = None) -> Ruleset:
    """Read the policies among some documents; what is no policy is left alone.

    Reading the same again is cheap: code is compiled once for each text.

    Args:
        objects: manifests, policies and others.
        data: recorded answers to `external_data`, by provider and key.
    """
    theirs = [found for found in objects if gatekeeper.is_gatekeepers(found) or validating.is_validating(found)]
    constraints, expansions, problems = gatekeeper.read(filter(gatekeeper.is_gatekeepers, theirs))
    in_cel = validating.read(theirs)
    digest = digest_of([*theirs, *([] if data is None else [{"data": data}])])
    return Ruleset(
        policies=(*constraints, *in_cel.policies),
        problems=(*problems, *in_cel.problems),
        expansions=expansions,
        digest=digest,
        external=recorded(data),
    )


def collapsed(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Put violations in the order of (kind, name, message), and keep one of those that say the same."""
    found = {_key(violation): violation for violation in violations}
    return tuple(found[key] for key in sorted(found))


def digest_of(objects: Iterable[Object]) -> str:
    """Return the SHA-256 of some documents, whatever their order."""
    return hashlib.sha256("\n".join(sorted({canonical(found) for found in objects})).encode()).hexdigest()


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def canonical(value: Json) -> str:
    """Write JSON in the one way that equal values share."""
    return _CANONICAL.encode(value)


def _key(violation: Violation) -> tuple[str, ...]:
    return (
        violation.source,
        violation.policy,
        violation.message,
        violation.rule,
        violation.action,
        violation.path,
        canonical(violation.details) if violation.details else "",
        str(violation.broken),
    )
