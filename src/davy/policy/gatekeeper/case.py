"""One review as all constraints look at it: read once, however many there are."""

from dataclasses import dataclass
from typing import Any

from davy.policy.gatekeeper.candidate import Candidate, candidates, namespace_of
from davy.policy.gatekeeper.document import document
from davy.policy.inventory import Inventory
from davy.policy.review import Review


@dataclass(frozen=True, slots=True)
class Case:
    """A review, what `spec.match` sees of it, and what Rego sees of it."""

    review: Review
    inventory: Inventory
    candidates: tuple[Candidate, ...]
    document: dict[str, Any]


def case(review: Review, inventory: Inventory) -> Case:
    """Read a review for Gatekeeper's policies."""
    namespace = namespace_of(review, inventory)
    return Case(review, inventory, candidates(review, namespace), document(review, namespace))
