"""A place among the tokens: what the parser looks at, demands and complains about."""

from typing import Final

from davy.analysis.expression.faults import ExpressionError
from davy.analysis.expression.tokens import Token, TokenKind, tokenize

# What is meant where one of these stands in the way.
_HINTS: Final = {
    "=": "write == to compare",
    "&": "write and, or &&",
    ":": "a conditional is written test ? yes : no",
    "AND": "write and",
    "OR": "write or",
    "NOT": "write not",
    "IN": "write in",
}


class Cursor:
    """Go through the tokens of a text, from the first on."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenize(source)
        self._at = 0

    @property
    def current(self) -> Token:
        """The token that is next to be read."""
        return self._tokens[self._at]

    @property
    def following(self) -> Token:
        """The token behind the current one, which is not the last."""
        return self._tokens[self._at + 1]

    def advance(self) -> Token:
        """Read the current token."""
        token = self.current
        self._at += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Tell whether the current token is one of these operators or brackets."""
        token = self.current
        return token.kind in (TokenKind.OPERATOR, TokenKind.BRACKET) and token.text in texts

    def skip(self, text: str) -> bool:
        """Read this operator or bracket if it is there, and tell whether it was."""
        if self.sees(text):
            self._at += 1
            return True
        return False

    def expect(self, text: str) -> Token:
        """Read this operator or bracket; raise `ExpressionError` where it is missing."""
        if not self.sees(text):
            raise self.unexpected(f"{text} is missing before {self.current}")
        return self.advance()

    def expect_name(self) -> Token:
        """Read a name; raise `ExpressionError` where there is none."""
        if self.current.kind is not TokenKind.NAME:
            raise self.unexpected(f"a name is missing before {self.current}")
        return self.advance()

    def failure(self, message: str, position: int, hint: str = "") -> ExpressionError:
        """Make the error for this place."""
        return ExpressionError(message, source=self._source, position=position, hint=hint)

    def unexpected(self, message: str = "") -> ExpressionError:
        """Make the error for the current token, with what was probably meant."""
        token = self.current
        return self.failure(message or f"unexpected {token}", token.position, _HINTS.get(token.text, ""))
