"""What a policy has against an object as it stands is no reason to keep the object.

A policy that forbids Deployments forbids them to be made; asked about a deletion, it would forbid to take away
what it forbids. Stock Gatekeeper does not ask about deletions, so most policies never thought of them. One that
did says something of a deletion that it does not say of the object alone, and that counts.
"""

from collections.abc import Sequence
from dataclasses import replace

from davy.policy.engine import Point, Policy, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Review


def about_the_deletion(
    found: Sequence[Violation], policies: Sequence[Policy], review: Review, inventory: Inventory, point: Point
) -> list[Violation]:
    """Leave out of what is found against a deletion whatever is found against the object that stays, too.

    A policy that cannot be evaluated refuses as ever: nobody knows what it would have said.
    """
    if review.operation != "DELETE" or not found:
        return list(found)
    standing = replace(review, operation="", object=review.old_object, old_object=None)
    as_it_is = {_said(each) for policy in policies for each in policy.judge(standing, inventory, point)}
    return [each for each in found if each.broken or _said(each) not in as_it_is]


def _said(violation: Violation) -> tuple[str, str, str]:
    return violation.policy, violation.rule, violation.message
