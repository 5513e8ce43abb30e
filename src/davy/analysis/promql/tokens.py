"""A small lexer for PromQL: where things stand in a query's text.

The grammar is promql-parser's, which tells no positions and overflows the stack on deep nesting. The tokens
give both: a place for messages and for those who splice text, and the measure that has to be taken before the
parser is asked.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from davy.analysis.promql.matching import QueryError

QUERY_LIMIT: Final = 32_768
"""Characters of a query."""

NESTING_LIMIT: Final = 64
"""Brackets within brackets, and expressions within expressions."""

OPERATOR_LIMIT: Final = 250
"""Operators between expressions: a chain of them is a tree as deep as it is long, and slow to take apart."""


class TokenKind(Enum):
    """What a token is."""

    STRING = "string"
    NUMBER = "number"
    WORD = "word"
    OPERATOR = "operator"
    BRACKET = "bracket"
    SEPARATOR = "separator"


class Token(NamedTuple):
    """A piece of a query's text, from `start` up to but not including `end`.

    It stands within `depth` open brackets, `within` being the innermost, or nothing.
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    depth: int
    within: str


_PATTERN: Final = re.compile(
    r"""
    (?P<blank>   [ \t\r\n]+ | \#[^\n]* )
  | (?P<string>  "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` )
  | (?P<number>  (?: 0[xX][0-9a-fA-F]+ | (?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? ) [0-9a-zA-Z_.]* )
  | (?P<word>    [A-Za-z_][A-Za-z0-9_:]* )
  | (?P<operator> == | != | =~ | !~ | >= | <= | >/ | </ | [-+*/%^<>=@] )
  | (?P<bracket> [()\[\]{}] )
  | (?P<separator> [,:] )
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}


def tokenize(query: str) -> tuple[Token, ...]:
    """Cut a query into tokens; a bracket has the depth of what stands around it.

    Raises:
        QueryError: too long, too deep or with too many operators; a character that begins no token, a string
            without
            an end, brackets that do not pair.
    """
    if len(query) > QUERY_LIMIT:
        raise QueryError(f"the query has {len(query)} characters, and {QUERY_LIMIT} are the limit")
    tokens = tuple(_paired(query))
    operators = sum(1 for token in tokens if token.kind is TokenKind.OPERATOR and token.within != "{")
    if operators > OPERATOR_LIMIT:
        raise QueryError(f"the query has {operators} operators, and {OPERATOR_LIMIT} are the limit")
    return tokens


def _paired(query: str) -> Iterator[Token]:
    open_brackets: list[Token] = []
    for kind, text, start in _pieces(query):
        closes = kind is TokenKind.BRACKET and text in _CLOSING
        if closes and (not open_brackets or open_brackets.pop().text != _CLOSING[text]):
            raise QueryError(f"unexpected closing bracket {text!r}", position=start)
        within = open_brackets[-1].text if open_brackets else ""
        token = Token(kind, text, start, start + len(text), len(open_brackets), within)
        if kind is TokenKind.BRACKET and not closes:
            open_brackets.append(token)
            if len(open_brackets) > NESTING_LIMIT:
                raise QueryError(f"more than {NESTING_LIMIT} brackets within each other", position=start)
        yield token
    if open_brackets:
        unclosed = open_brackets[-1]
        raise QueryError(f"unclosed bracket {unclosed.text!r}", position=unclosed.start)


def _pieces(query: str) -> Iterator[tuple[TokenKind, str, int]]:
    position = 0
    while position < len(query):
        match = _PATTERN.match(query, position)
        if match is None:
            character = query[position]
            what = "unterminated string" if character in "\"'`" else f"unexpected character {character!r}"
            raise QueryError(what, position=position)
        if match.lastgroup != "blank":
            yield TokenKind(match.lastgroup), match.group(), position
        position = match.end()
