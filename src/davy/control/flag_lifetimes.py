"""A flag whose end is past is not let in: the only rule about flags that needs a clock, which no pack has."""

from dataclasses import dataclass

from davy.model.instant import BadInstant, lasting, parse_end
from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Object, Review

RULE = "PD079"

WHY = "a flag that outlives its end becomes code that nobody dares to touch"


@dataclass(frozen=True, slots=True)
class FlagLifetimes:
    """Judges the end of flags as they are to be.

    One that was let in before and keeps its end is only told of: it must still be possible to change it for the
    better, and what users get never depends on a date.

    Args:
        now: seconds since 1970 UTC.
    """

    now: float
    name: str = "davy/flag-lifetimes"

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether it is a flag that is to be served."""
        return (
            (review.kind.group, review.kind.kind) == ("davy.dev", "FeatureFlag")
            and review.operation != "DELETE"
            and not review.sub_resource
            and _spec(review.subject).get("retired") is not True
        )

    def judge(self, review: Review, inventory: Inventory, point: Point) -> tuple[Violation, ...]:
        """Say whether its end is past; what is no end is for other rules."""
        if not self.matches(review, inventory, point):
            return ()
        expiry = _spec(review.subject).get("expiry")
        try:
            end = parse_end(expiry) if isinstance(expiry, str) else self.now + 1
        except BadInstant:
            return ()
        if end > self.now:
            return ()
        known = review.old_object is not None and _spec(review.old_object).get("expiry") == expiry
        late = lasting(self.now - end)
        message = f"{review.name} should have been gone {late} ago ({expiry}): take it out of the code"
        return (
            Violation(
                self.name,
                RULE,
                message,
                action="warn" if known else "deny",
                path="spec.expiry",
                source="FlagLifetimes",
            ),
        )


def _spec(found: Object) -> Object:
    spec = found.get("spec")
    return spec if isinstance(spec, dict) else {}
