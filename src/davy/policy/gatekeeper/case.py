"""One review as all constraints look at it: read once, however many there are."""

from dataclasses import dataclass
from typing import Any

from davy.policy.gatekeeper.candidate import Candidate, candidates, namespace_of
from davy.policy.gatekeeper.document import document
from davy.policy.gatekeeper.external import Ask, nothing_recorded
from davy.policy.gatekeeper.numbers import as_float64
from davy.policy.inventory import Inventory
from davy.policy.rego.builtin import Context
from davy.policy.review import Review


@dataclass(frozen=True, slots=True)
class Case:
    """A review, what `spec.match` sees of it, and what Rego sees of it: a document, data, and a context.

    It belongs to whoever asks: the context is handed from one evaluation to the next.
    """

    review: Review
    inventory: Inventory
    candidates: tuple[Candidate, ...]
    document: dict[str, Any]
    data: dict[str, Any]
    context: Context


def case(review: Review, inventory: Inventory, external: Ask = nothing_recorded) -> Case:
    """Read a review for Gatekeeper's policies."""
    namespace = namespace_of(review, inventory)
    return Case(
        review=review,
        inventory=inventory,
        candidates=candidates(review, namespace),
        document=as_float64(document(review, namespace)),
        data={"inventory": inventory.document},
        context=Context(external_data=external),
    )
