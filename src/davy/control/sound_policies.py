"""A policy that cannot be read is not let into a cluster: it would keep every newer one from being read."""

from dataclasses import dataclass

from davy.control.governance import is_policy
from davy.policy import ruleset
from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Object, Review, review_of

RULE = "PD071"

WHY = "a policy that cannot be read keeps those beside it from being read anew, and guards nothing itself"


@dataclass(frozen=True, slots=True)
class SoundPolicies:
    """Judges the writing of policies: templates, constraints, ValidatingAdmissionPolicies.

    Args:
        documents: the policies that are there, which a new one may need: a constraint its template.
    """

    documents: tuple[Object, ...] = ()
    name: str = "davy-sound-policies"

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether a policy is written."""
        return is_policy(review.kind) and review.operation in ("CREATE", "UPDATE") and not review.sub_resource

    def judge(self, review: Review, inventory: Inventory, point: Point) -> tuple[Violation, ...]:
        """Say what keeps a policy from being read."""
        if not self.matches(review, inventory, point):
            return ()
        subject = review.subject
        others = [each for each in self.documents if _named(each) != _named(subject)]
        problems = ruleset.read((*others, subject)).problems
        return tuple(
            Violation(self.name, RULE, each.message, path=each.path, source="SoundPolicies")
            for each in problems
            if each.subject is subject and each.severity == "error"
        )


def _named(found: Object) -> tuple[str, str, str, str]:
    kind, review = Kind.of(found), review_of(found)
    return kind.group, kind.kind, review.namespace, review.name
