"""What one evaluation is given: the time, and a budget, so that none takes time or memory without bound."""

from davy.analysis.expression.faults import Fault
from davy.analysis.expression.moments import Instant

MAX_DEPTH = 100
"""How deep values may nest; deeper ones come from mistakes or malice, and would exhaust the stack."""

_CHARACTERS_A_STEP = 64


class Meter:
    """Count down steps: one for each node evaluated, element visited or made, and 64 characters of text.

    Args:
        limit: the number of steps.
        now: what `now()` returns, or None where the time is not known.
    """

    __slots__ = ("limit", "now", "remaining")

    def __init__(self, limit: int, now: Instant | None = None) -> None:
        self.limit = limit
        self.remaining = limit
        self.now = now

    def spend(self, steps: int) -> None:
        """Pay before the work is done; raise `Fault` when the budget does not cover it."""
        self.remaining -= steps
        if self.remaining < 0:
            raise Fault(
                f"the limit of {self.limit} steps is reached",
                "narrow the data first, or look at fewer elements in each step",
            )

    def spend_text(self, characters: int) -> None:
        """Pay for reading or making a text of this length."""
        self.spend(1 + characters // _CHARACTERS_A_STEP)

    def descend(self, depth: int) -> int:
        """Return the next depth of nesting, paid for; raise `Fault` where values nest too deeply."""
        self.spend(1)
        if depth >= MAX_DEPTH:
            raise Fault(f"the value nests deeper than {MAX_DEPTH} levels")
        return depth + 1
