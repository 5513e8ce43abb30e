"""How much work an evaluation may take, so that no expression holds up a decision."""

from davy.policy.cel.errors import OutOfBudget

EXPRESSION_STEPS = 1_000_000
"""What one expression may take, as at the API server."""


class Budget:
    """Steps that are left: one for each turn of a loop, each element looked at or copied, each ten characters.

    What an evaluation makes costs what it is long, so the steps bound its memory too. Several expressions
    of one policy may share one.
    """

    __slots__ = ("left",)

    def __init__(self, steps: int = EXPRESSION_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take steps out of it.

        Raises:
            OutOfBudget: there are not as many left.
        """
        self.left -= steps
        if self.left < 0:
            raise OutOfBudget("operation cancelled: actual cost limit exceeded")
