"""The one answer of all policies about one object: asked in CI, at admission and by the engine alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from davy.policy.deletion import about_the_deletion
from davy.policy.engine import Point, Policy, Violation
from davy.policy.inventory import Inventory
from davy.policy.parked import not_held_against
from davy.policy.review import Review
from davy.policy.waivers import TERMS, Excused, Terms, Waiver
from davy.policy.waivers import apply as excuse

__all__ = ["Decision", "Excused", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be said of an object.

    `violations` count; `excused` would, were it not for a waiver. `warnings` are about waivers: one that runs
    out within days, one that ran out or was granted for something else.
    """

    violations: tuple[Violation, ...] = ()
    excused: tuple[Excused, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing denies it."""
        return all(violation.action != "deny" for violation in self.violations)


def decide(
    policies: Sequence[Policy],
    review: Review,
    inventory: Inventory,
    *,
    point: Point,
    waivers: Sequence[Waiver] = (),
    now: float = 0.0,
    terms: Terms = TERMS,
) -> Decision:
    """Ask every policy, then take out what waivers excuse; the same arguments give the same answer anywhere.

    A Deployment that only carries a Rollout's template is not refused for being one (`davy.policy.parked`), and
    nothing is kept from going for being what it is (`davy.policy.deletion`).

    Deciding uses no waiver up, a dry run least of all: whoever acts on the answer does that with the change.
    """
    found = _once(violation for policy in policies for violation in policy.judge(review, inventory, point))
    found = not_held_against(found, review, inventory)
    found = about_the_deletion(found, policies, review, inventory, point)
    left = excuse(found, waivers, subject=review.subject, now=now, terms=terms)
    return Decision(left.active, left.excused, left.warnings)


def _once(said: Iterable[Violation]) -> list[Violation]:
    """Leave out what was said before, word for word: a policy may be there as it is and as it will be."""
    found: list[Violation] = []
    for each in said:
        if each not in found:
            found.append(each)
    return found
