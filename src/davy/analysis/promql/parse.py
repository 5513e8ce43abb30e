"""Text to syntax tree, and every refusal that does not need a sample.

The grammar is `promql_parser`'s. What it does not do is done here: it names no positions, and it lets through
what Prometheus refuses and what this evaluator does not answer. What it does not survive is refused before it
is asked.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import promql_parser as grammar

from davy.analysis.promql.matching import Matcher, MatchOperator, QueryError
from davy.analysis.promql.refusals import OUT_OF_BOUNDS, refuse_by_tokens
from davy.analysis.promql.series import NAME
from davy.analysis.promql.syntax import (
    Aggregation,
    At,
    Binary,
    Call,
    Cardinality,
    Edge,
    Expression,
    Matching,
    Negation,
    Number,
    Operator,
    Selector,
    Subquery,
    Text,
    Window,
)
from davy.analysis.promql.tokens import NESTING_LIMIT, Token, TokenKind, tokenize

UNSUPPORTED_FUNCTIONS: Final = {
    "info": "info() joins labels by conventions of its own and is not supported",
    **{
        name: f"{name}() reads native histograms, which are not supported"
        for name in (
            "histogram_avg",
            "histogram_count",
            "histogram_stddev",
            "histogram_stdvar",
            "histogram_sum",
        )
    },
}
UNSUPPORTED_AGGREGATIONS: Final = {
    "limit_ratio": "limit_ratio samples by a hash of its own and is not supported"
}
_MESSAGE_LIMIT: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@lru_cache(maxsize=512)
def parse(query: str) -> Expression:
    """Read a query.

    Raises:
        QueryError: it is no PromQL, it is too large, or it uses what is not supported; with the position
            where known.
    """
    tokens = tokenize(query)
    refuse_by_tokens(tokens)
    try:
        tree = grammar.parse(query)
    except ValueError as error:
        message = str(error)[:_MESSAGE_LIMIT]
        raise QueryError(message, position=_position(message, tokens)) from error
    return _expression(tree, 0)


def _position(message: str, tokens: Sequence[Token]) -> int | None:
    """Find where the parser's complaint belongs: it quotes names, and the tokens know where these stand.

    A name that stands in several places says nothing about which of them is meant.
    """
    for quoted in re.findall(r"'([^']+)'", message):
        found = [token.start for token in tokens if token.text == quoted and token.kind is TokenKind.WORD]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _expression(node: Any, depth: int) -> Expression:
    """Turn the parser's tree into ours; chains of binary operators are unrolled, since their tree is deep."""
    while isinstance(node, grammar.ParenExpr):
        node = node.expr
    chain = []
    while isinstance(node, grammar.BinaryExpr):
        chain.append(node)
        node = node.lhs
        while isinstance(node, grammar.ParenExpr):
            node = node.expr
    if depth > NESTING_LIMIT:
        raise QueryError(f"more than {NESTING_LIMIT} expressions within each other")
    expression = _CONVERSIONS[type(node)](node, depth + 1)
    for link in reversed(chain):
        expression = _binary(link, expression, _expression(link.rhs, depth + 1))
    return expression


def _number(node: Any, depth: int) -> Expression:
    return Number(float(node.val))


def _text(node: Any, depth: int) -> Expression:
    return Text(node.val)


def _negation(node: Any, depth: int) -> Expression:
    operand = _expression(node.expr, depth)
    return Number(-operand.value) if isinstance(operand, Number) else Negation(operand)


def _selector(node: Any, depth: int) -> Selector:
    found = node.matchers
    name = [Matcher(NAME, MatchOperator.EQUAL, node.name)] if node.name else []
    alternatives = tuple(
        (*name, *(_matcher(matcher) for matcher in group)) for group in (found.or_matchers or [found.matchers])
    )
    names = {
        next((m.value for m in group if m.name == NAME and m.operator is MatchOperator.EQUAL), "")
        for group in alternatives
    }
    metric = names.pop() if len(names) == 1 else ""
    return Selector(metric, alternatives, _offset(node), _at(node))


_MATCH_OPERATORS: Final = (
    (grammar.MatchOp.Equal, MatchOperator.EQUAL),
    (grammar.MatchOp.NotEqual, MatchOperator.NOT_EQUAL),
    (grammar.MatchOp.Re, MatchOperator.MATCHES),
    (grammar.MatchOp.NotRe, MatchOperator.MATCHES_NOT),
)


def _matcher(node: Any) -> Matcher:
    operator = next(ours for theirs, ours in _MATCH_OPERATORS if theirs == node.op)
    matcher = Matcher(node.name, operator, node.value)
    matcher.predicate()  # a pattern that is none is refused now, not when the first series comes
    return matcher


def _window(node: Any, depth: int) -> Expression:
    return Window(_selector(node.vector_selector, depth), _span(node, "range"))


def _subquery(node: Any, depth: int) -> Expression:
    inner = _expression(node.expr, depth)
    step = None if _bounded(node, "step") is None else _span(node, "step")
    return Subquery(inner, _span(node, "range"), step, _offset(node), _at(node))


def _call(node: Any, depth: int) -> Expression:
    name = node.func.name
    if name in UNSUPPORTED_FUNCTIONS:
        raise QueryError(UNSUPPORTED_FUNCTIONS[name])
    return Call(name, tuple(_expression(argument, depth) for argument in node.args))


def _aggregation(node: Any, depth: int) -> Expression:
    operator = str(node.op).lower()
    if operator in UNSUPPORTED_AGGREGATIONS:
        raise QueryError(UNSUPPORTED_AGGREGATIONS[operator])
    parameter = None if node.param is None else _expression(node.param, depth)
    modifier = node.modifier
    labels = tuple(modifier.labels) if modifier is not None else ()
    without = modifier is not None and modifier.type == grammar.AggModifierType.Without
    return Aggregation(operator, _expression(node.expr, depth), parameter, labels, without)


_CONVERSIONS: Final[dict[type, Callable[[Any, int], Expression]]] = {
    grammar.NumberLiteral: _number,
    grammar.StringLiteral: _text,
    grammar.UnaryExpr: _negation,
    grammar.VectorSelector: _selector,
    grammar.MatrixSelector: _window,
    grammar.SubqueryExpr: _subquery,
    grammar.Call: _call,
    grammar.AggregateExpr: _aggregation,
}


def _binary(node: Any, left: Expression, right: Expression) -> Binary:
    modifier = node.modifier
    operator = Operator(str(node.op).lower())
    matching = Matching() if modifier is None else _matching(modifier)
    return Binary(operator, left, right, modifier is not None and modifier.return_bool, matching)


_CARDINALITIES: Final = (
    (grammar.VectorMatchCardinality.OneToOne, Cardinality.ONE_TO_ONE),
    (grammar.VectorMatchCardinality.ManyToOne, Cardinality.MANY_TO_ONE),
    (grammar.VectorMatchCardinality.OneToMany, Cardinality.ONE_TO_MANY),
    (grammar.VectorMatchCardinality.ManyToMany, Cardinality.MANY_TO_MANY),
)


def _matching(modifier: Any) -> Matching:
    labels = modifier.matching
    return Matching(
        cardinality=next(ours for theirs, ours in _CARDINALITIES if theirs == modifier.card),
        on=labels is not None and labels.type == grammar.LabelModifierType.Include,
        labels=() if labels is None else tuple(labels.labels),
        include=tuple(modifier.group_labels or ()),
    )


def _offset(node: Any) -> int:
    offset = _bounded(node, "offset")
    return 0 if offset is None else _milliseconds(offset)


def _span(node: Any, field: str) -> int:
    """Read a time that something goes over: it cannot be nothing."""
    span = _milliseconds(_bounded(node, field))
    if span < 1:
        raise QueryError("duration must be at least a millisecond")
    return span


def _at(node: Any) -> At:
    at = node.at
    if at is None:
        return None
    if at.type == grammar.AtModifierType.Start:
        return Edge.START
    if at.type == grammar.AtModifierType.End:
        return Edge.END
    pinned: datetime = _bounded(at, "at")
    return (pinned - _EPOCH) // _MILLISECOND


def _milliseconds(duration: timedelta) -> int:
    return duration // _MILLISECOND


def _bounded(node: Any, field: str) -> Any:
    """Read a duration or an instant: the parser takes larger ones than Python has."""
    try:
        return getattr(node, field)
    except (OverflowError, ValueError) as error:
        raise QueryError(OUT_OF_BOUNDS) from error
