"""What goes wrong with an expression, and where in it."""

from davy.errors import DavyError


class CelError(DavyError):
    """An expression cannot be compiled, or its evaluation ends in an error.

    Args:
        message: what is wrong, in the words of the API server where it has words.
        offset: where in the expression, in characters from its start; None as long as nobody knows.
    """

    code = "cel"
    exit_code = 2

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.expression = ""

    def within(self, expression: str) -> "CelError":
        """Say which expression it is about; what was said first stays."""
        if not self.expression:
            self.expression = expression
        return self

    @property
    def position(self) -> tuple[int, int]:
        """The line, from 1, and the column, from 0, as the API server counts; (1, 0) where nobody knows."""
        before = self.expression[: self.offset or 0]
        return before.count("\n") + 1, len(before) - before.rfind("\n") - 1

    def __str__(self) -> str:
        """Draw it as the API server does: the message, the line, and a mark under the place."""
        line, column = self.position
        lines = self.expression.split("\n")
        return f"ERROR: <input>:{line}:{column + 1}: {self.message}\n | {lines[line - 1]}\n | {'.' * column}^"


class OutOfBudget(CelError):
    """An evaluation took more work than it may; no `||` absorbs that."""

    code = "cel-budget"
    exit_code = 3
