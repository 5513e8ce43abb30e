"""What can be wrong with an expression: it does not read, or it cannot be evaluated on these values."""

from typing import Self

from davy.errors import Undecided, UsageError

_WIDTH = 100


def _snippet(source: str, position: int) -> tuple[int, int, str]:
    """Line and column (both from 1) of an offset, and the line, or what of a long one is near, with a caret."""
    line = source.count("\n", 0, position) + 1
    start = source.rfind("\n", 0, position) + 1
    before = source[start:position][-_WIDTH:]
    after = source[position : position + _WIDTH].split("\n", 1)[0]
    # A tab before the caret is copied, so that the caret stands where the reader sees the character.
    indent = "".join("\t" if character == "\t" else " " for character in before)
    return line, position - start + 1, f" | {before}{after}\n | {indent}^"


class ExpressionError(UsageError):
    """The text is not an expression.

    Args:
        message: what is wrong, in one sentence.
        source: the whole expression.
        position: offset from 0 of the character at which reading stopped.
        hint: what to write instead, or an empty string.
    """

    code = "expression"

    def __init__(self, message: str, *, source: str, position: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.source = source
        self.position = position
        self.line, self.column, self.snippet = _snippet(source, position)

    def __str__(self) -> str:
        return f"{self.message} ({self.line}:{self.column})\n{self.snippet}"


class EvaluationError(Undecided):
    """The expression reads well and has no value here: wrong types, a missing name, or too much work.

    Args:
        message: what is wrong, in the words of expr-lang where it has words for it.
        source: the whole expression.
        position: offset from 0 of the operator, name or call that failed.
        hint: how to mend it, or an empty string.
    """

    code = "evaluation"

    def __init__(self, message: str, *, source: str, position: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.source = source
        self.position = position
        self.line, self.column, self.snippet = _snippet(source, position)

    def __str__(self) -> str:
        return f"{self.message} ({self.line}:{self.column})\n{self.snippet}"


class Fault(Exception):
    """A failure below the level that knows places; whoever knows one adds it on the way up.

    Functions given to an expression raise it too. It never leaves `Expression.evaluate`.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.position: int | None = None

    def at(self, position: int) -> Self:
        """Take this place, unless a place nearer to the cause is known already."""
        if self.position is None:
            self.position = position
        return self
