"""Static facts about a query, for gates and fixers: what it compares with what, and which series it looks at.

A query that ends in `> 0.02` answers with an empty vector both when all is well and when there is no data, so
the comparison has to be told from what it compares; and a query that selects no canary cannot see one fail.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.parse import parse
from davy.analysis.promql.syntax import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Negation,
    Number,
    Operator,
    Selector,
    Subquery,
    Window,
)
from davy.analysis.promql.tokens import Token, tokenize

__all__ = ["Comparison", "QueryError", "Selector", "comparison", "parse", "selectors"]

_COMPARISON_TEXTS: Final = frozenset(str(operator) for operator in Operator if operator.compares)
_MIRRORED: Final = {
    Operator.GREATER: Operator.LESS,
    Operator.LESS: Operator.GREATER,
    Operator.GREATER_EQUAL: Operator.LESS_EQUAL,
    Operator.LESS_EQUAL: Operator.GREATER_EQUAL,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison with a number that a whole query is.

    Attributes:
        query: the text of the side that is a vector, exactly as in the source.
        operator: as written; `holds` has it the way round in which the vector comes first.
        threshold: the number.
        threshold_text: the number as written.
        number_first: the number stands before the operator.
        start: where the operator and the number begin in the source, in characters from 0.
        end: where they end. Cutting `source[start:end]` out leaves a query for the bare value.
    """

    query: str
    operator: Operator
    threshold: float
    threshold_text: str
    number_first: bool
    start: int
    end: int

    @property
    def holds(self) -> Operator:
        """The operator between the vector and the number, in this order."""
        return _MIRRORED.get(self.operator, self.operator) if self.number_first else self.operator


def comparison(query: str) -> Comparison | None:
    """Find the comparison with a number that makes a filter of a whole query, through parentheses around it.

    Gives None where there is none: the query ends otherwise, compares two vectors, or says `bool` and so has
    a value whatever the outcome.

    Raises:
        QueryError: the query cannot be read.
    """
    expression = parse(query)
    if not isinstance(expression, Binary) or not expression.operator.compares or expression.return_bool:
        return None
    number_first = isinstance(expression.left, Number)
    number = expression.left if number_first else expression.right
    if not isinstance(number, Number):
        return None
    tokens = _without_parentheses(tokenize(query))
    base = tokens[0].depth
    # the operators of one depth bind to the left, so the last of the weakest is the root of the tree
    index = max(i for i, token in enumerate(tokens) if token.depth == base and token.text in _COMPARISON_TEXTS)
    sides = _text(query, tokens[:index]), _text(query, tokens[index + 1 :])
    vector_text, number_text = reversed(sides) if number_first else sides
    parse(vector_text)
    return Comparison(
        query=vector_text,
        operator=Operator(tokens[index].text),
        threshold=number.value,
        threshold_text=number_text,
        number_first=number_first,
        start=tokens[0].start if number_first else tokens[index].start,
        end=tokens[index].end if number_first else tokens[-1].end,
    )


def _without_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    """Take off the parentheses that stand around everything."""
    while tokens[0].text == "(":
        closing = next(i for i, t in enumerate(tokens) if t.text == ")" and t.depth == tokens[0].depth)
        if closing < len(tokens) - 1:
            break
        tokens = tokens[1:-1]
    return tokens


def _text(query: str, tokens: Sequence[Token]) -> str:
    return query[tokens[0].start : tokens[-1].end]


def selectors(query: str) -> tuple[Selector, ...]:
    """Give every selector of a query, in no order that means anything.

    Ask `all(s.requires("track", "canary") for s in selectors(query))` to know whether a query sees only a
    canary.

    Raises:
        QueryError: the query cannot be read.
    """
    return tuple(_selectors(parse(query)))


def _selectors(expression: Expression) -> Iterator[Selector]:
    waiting = [expression]
    while waiting:
        match waiting.pop():
            case Selector() as selector:
                yield selector
            case Window(selector=selector):
                yield selector
            case Subquery(expression=inner) | Negation(operand=inner):
                waiting.append(inner)
            case Call(arguments=arguments):
                waiting.extend(arguments)
            case Aggregation(operand=inner, parameter=parameter):
                waiting.extend([inner] if parameter is None else [inner, parameter])
            case Binary(left=left, right=right):
                waiting.extend((left, right))
            case _:
                pass
