"""What governs a place: its policies, what is there already, and who is excused.

CI, admission and the engine each make one of these from what they know, and ask it the same question; so they
get the same answer and the same sentence.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from davy.control.analysis_gates import GATE, AnalysisGates
from davy.control.flag_lifetimes import FlagLifetimes
from davy.policy import ruleset
from davy.policy.decision import Decision, decide
from davy.policy.engine import Point, Policy, Violation
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Kind, Object, Review
from davy.policy.waivers import TERMS, Terms, Waiver


@runtime_checkable
class Selective(Protocol):
    """A policy that can say which objects it is about, so that silence is told from consent."""

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether the policy looks at the object at all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """Policies with all that their judgement depends on, time included.

    Asking twice about the same review gives the same answer.

    Args:
        policies: what judges.
        rules: what judges as well, as it was read from manifests.
        documents: those manifests; more may be read beside them.
        inventory: the objects that policies may look at beside the one that is judged.
        waivers: who may pass which rule.
        point: the place of enforcement.
        now: seconds since 1970 UTC, which the life of waivers is measured by.
        terms: what waivers have to keep to.
        settled: policies among manifests judge beside those that are there already, and take no place before
            they are accepted: nobody weakens a policy and makes use of that in one go.
        user: who wants what is judged, where a review does not say.
    """

    policies: Sequence[Policy] = ()
    rules: Sequence[Policy] = ()
    documents: Sequence[Object] = ()
    inventory: Inventory = field(default_factory=Inventory)
    waivers: Sequence[Waiver] = ()
    point: Point = Point.CHECK
    now: float = 0.0
    terms: Terms = TERMS
    settled: bool = False
    user: Object = field(default_factory=dict)

    def reading(self, objects: Sequence[Object]) -> tuple["Governance", tuple[Problem, ...]]:
        """Take in the policies among some objects, too, and say what is wrong with them."""
        found = [each for each in objects if is_policy(Kind.of(each))]
        if not found:
            return self, ()
        documents = _newest((*self.documents, *found))
        read = ruleset.read(documents)
        if self.settled:
            own = tuple(each for each in read.problems if any(each.subject is one for one in found))
            return replace(self, rules=(*self.rules, read)), own
        return replace(self, documents=documents, rules=(read,)), read.problems

    def beside(self, objects: Sequence[Object]) -> "Governance":
        """Let constraints judge beside those whose names they have, by the templates that are there."""
        found = [each for each in objects if is_constraint(Kind.of(each))]
        if not found:
            return self
        templates = [each for each in self.documents if not is_constraint(Kind.of(each))]
        return replace(self, rules=(*self.rules, ruleset.read([*templates, *found])))

    def decide(self, review: Review) -> Decision:
        """Say what the policies have against an object, each thing once."""
        decision = decide(
            (*self.policies, *self.rules),
            review if review.user else replace(review, user=self.user),
            self.inventory,
            point=self.point,
            waivers=self.waivers,
            now=self.now,
            terms=self.terms,
        )
        return replace(decision, violations=told_once(decision.violations))

    def concerns(self, review: Review) -> bool:
        """Say whether any policy is about the object; of one that cannot tell it is assumed."""
        return any(
            not isinstance(policy, Selective) or policy.matches(review, self.inventory, self.point)
            for policy in (*self.policies, *self.rules)
        )


_POLICY_GROUPS = frozenset(
    {
        "config.gatekeeper.sh",
        "constraints.gatekeeper.sh",
        "expansion.gatekeeper.sh",
        "externaldata.gatekeeper.sh",
        "kyverno.io",
        "policies.kyverno.io",
        "templates.gatekeeper.sh",
    }
)
_POLICY_KINDS = frozenset({"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})


def governed(
    documents: Sequence[Object] = (),
    *,
    inventory: Inventory | None = None,
    waivers: Sequence[Waiver] = (),
    point: Point,
    now: float,
) -> tuple[Governance, tuple[Problem, ...]]:
    """Make what governs a place of Davy's gates and of policies as manifests, and say what is wrong there."""
    bare = Governance(
        policies=[AnalysisGates(), FlagLifetimes(now)],
        inventory=inventory or Inventory(),
        waivers=waivers,
        point=point,
        now=now,
    )
    return bare.reading(documents)


def is_policy(kind: Kind) -> bool:
    """Say whether an object says what is allowed, instead of being held to it alone."""
    return kind.group in _POLICY_GROUPS or kind.kind in _POLICY_KINDS


def is_constraint(kind: Kind) -> bool:
    """Say whether an object puts a template to use."""
    return kind.group == "constraints.gatekeeper.sh"


def _newest(documents: Sequence[Object]) -> tuple[Object, ...]:
    """Leave out those whose place a later one takes."""
    named = {}
    for found in documents:
        metadata = found.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        named[
            Kind.of(found)._replace(version=""), str(metadata.get("namespace")), str(metadata.get("name"))
        ] = found
    return tuple(named.values())


_METRIC = re.compile(r"spec\.metrics\[\d+\]")


def told_once(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """Leave out what a gate of Davy's has said already of the same metric.

    The rules of the pack read conditions; the gates run them, and point at the character. Where both hold the
    same rule against one metric, the gate's sentence is the better one.
    """
    gates = {(found.rule, _metric(found)) for found in violations if found.source == GATE}
    return tuple(
        found for found in violations if found.source == GATE or (found.rule, _metric(found)) not in gates
    )


def _metric(violation: Violation) -> str:
    found = _METRIC.match(violation.path)
    return found[0] if found else violation.path
