"""What is refused before the parser is asked: it would call it a syntax error, or panic.

Native histograms, duration expressions and the modifiers of experiments are refused by name, never answered
wrong.
"""

from collections.abc import Sequence
from typing import Final

from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.tokens import Token, TokenKind

OUT_OF_BOUNDS: Final = "a duration or an instant is out of bounds"
DURATION_LIMIT_S: Final = 1e12
"""Seconds of a duration written as a plain number: the parser panics on much larger ones, and on NaN."""

_FILLS: Final = frozenset({"fill", "fill_left", "fill_right"})


def refuse_by_tokens(tokens: Sequence[Token]) -> None:
    """Refuse what the parser would not name, or not survive.

    Raises:
        QueryError: with the position of the token that cannot stand where it does.
    """
    for index, token in enumerate(tokens):
        reason = "" if token.within == "{" else _refusal(tokens, index)
        if reason:
            raise QueryError(reason, position=token.start)


def _refusal(tokens: Sequence[Token], index: int) -> str:
    """Say why a token cannot stand where it does, if the parser would not name it, or not survive it."""
    text = tokens[index].text
    before = tokens[index - 1].text if index else ""
    follows = tokens[index + 1].text if index + 1 < len(tokens) else ""
    if text in (">/", "</"):
        return "trimming native histograms is not supported"
    if text in ("anchored", "smoothed") and before == "]":
        return f"the modifier {text!r} is not supported"
    if text == "-" and before == "@":
        return "an instant before 1970 is not supported"
    if text in _FILLS and follows == "(":
        return f"the modifier {text!r} is not supported"
    if text == "holt_winters" and follows == "(":
        return "unknown function with name 'holt_winters': it is double_exponential_smoothing by now"
    if _calculates(tokens, index, follows):
        return "duration expressions are not supported"
    return OUT_OF_BOUNDS if _endless(tokens, index) else ""


def _calculates(tokens: Sequence[Token], index: int, follows: str) -> bool:
    """Tell whether something other than a plain duration stands in brackets or after `offset`."""
    token = tokens[index]
    calls = token.text == "(" or (token.kind is TokenKind.WORD and follows == "(")
    if index and tokens[index - 1].text.lower() == "offset":
        return calls
    return token.within == "[" and (calls or token.kind is TokenKind.OPERATOR)


def _endless(tokens: Sequence[Token], index: int) -> bool:
    """Tell whether a plain number stands for a duration, and is none that anybody could mean."""
    before = [token.text.lower() for token in tokens[max(0, index - 2) : index]]
    shifts = before[-1:] == ["offset"] or (before[:1] == ["offset"] and before[-1] in ("+", "-"))
    try:
        seconds = float(tokens[index].text) if shifts or tokens[index].within == "[" else 0.0
    except ValueError:
        return False
    return not seconds < DURATION_LIMIT_S
