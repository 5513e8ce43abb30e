"""The queries of a Judge for one version: placeholders filled in, and which of them only add up series.

A word that fills a placeholder comes from a URL that anybody may have written. It is of a few characters, none
of which ends a string, a selector or a query, so it can change what a label is compared with and nothing else.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.parse import parse
from davy.analysis.promql.syntax import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Negation,
    Selector,
    Subquery,
    Window,
)
from davy.analysis.provider import ProviderError
from davy.model.judge import Judge

REQUESTS: Final = (
    'http_requests_total{namespace="{{namespace}}",app="{{service}}",rollouts_pod_template_hash="{{version}}"}'
)
ERRORS: Final = (
    'http_requests_total{namespace="{{namespace}}",app="{{service}}",'
    'rollouts_pod_template_hash="{{version}}",status=~"5.."}'
)
LATENCY: Final = (
    'http_request_duration_seconds_bucket{namespace="{{namespace}}",app="{{service}}",'
    'rollouts_pod_template_hash="{{version}}"}'
)
"""What is asked where a Judge does not say: what applications count of themselves, and labels of their pods."""

_WORD: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,253}", re.ASCII)
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}", re.ASCII)


class Queries(msgspec.Struct, frozen=True):
    """What is asked of a store about one version; `latency` is empty where no metric is one."""

    requests: str
    errors: str
    latency: str = ""
    events: dict[str, tuple[str, str]] = {}

    def filled(self, words: Mapping[str, str]) -> "Queries":
        """Return them with every placeholder filled in.

        Raises:
            ProviderError: one of them stands for nothing that is known, or for what may not stand in a query.
        """
        return Queries(
            fill(self.requests, words),
            fill(self.errors, words),
            fill(self.latency, words),
            {name: (fill(one, words), fill(other, words)) for name, (one, other) in self.events.items()},
        )


def queries_of(judge: Judge) -> Queries:
    """Return what a Judge asks its Prometheus, the defaults where it does not say."""
    asked = judge.spec.prometheus
    assert asked is not None, "whoever has no Prometheus is not asked"
    metrics = judge.spec.metrics
    timed = not metrics or any(metric.kind == "latency" for metric in metrics)
    counters = {metric.called: metric.counter for metric in metrics if metric.counter is not None}
    return Queries(
        asked.requests or REQUESTS,
        asked.errors or ERRORS,
        (asked.latency or LATENCY) if timed else "",
        {name: (counter.tried, counter.happened) for name, counter in counters.items()},
    )


def placeholders(*queries: str) -> frozenset[str]:
    """Return the names of all placeholders."""
    return frozenset(name for query in queries for name in _PLACEHOLDER.findall(query))


def fill(query: str, words: Mapping[str, str]) -> str:
    """Fill in the placeholders of a query.

    Raises:
        ProviderError: one of them stands for nothing that is known, or for what may not stand in a query.
    """

    def word(found: re.Match[str]) -> str:
        name = found[1]
        if name not in words:
            raise ProviderError(
                f"nobody says what {{{{{name}}}}} of the Judge's queries is",
                hint=f"add {name}=… to the address of the verdict",
            )
        if not is_word(words[name]):
            raise ProviderError(
                f"{name} may only have letters, digits and _ . : / -, and not {words[name][:80]!r}"
            )
        return words[name]

    return _PLACEHOLDER.sub(word, query)


def is_word(text: str) -> bool:
    """Say whether a text may stand for a placeholder."""
    return _WORD.fullmatch(text) is not None


def each_series(query: str) -> str | None:
    """Return the selector whose series a query only adds up, None where it does more, or cannot be read."""
    expression = _read(query)
    if isinstance(expression, Aggregation) and expression.operator == "sum":
        expression = expression.operand
    if not isinstance(expression, Selector) or expression.offset_ms or expression.at is not None:
        return None
    written = _written(expression)
    return written[0] if len(written) == 1 else None


def selectors(query: str) -> tuple[str, ...]:
    """Return the selectors that a query rests on; none where it cannot be read."""
    expression = _read(query)
    found = [] if expression is None else _within(expression)
    return tuple(dict.fromkeys(text for selector in found for text in _written(selector)))


def _read(query: str) -> Expression | None:
    try:
        return parse(query)
    except QueryError:
        return None  # Prometheus may know more than we do, and has the last word


def _within(expression: Expression) -> list[Selector]:
    match expression:
        case Selector():
            return [expression]
        case Window(selector=selector):
            return [selector]
        case Subquery(expression=inner) | Negation(operand=inner) | Aggregation(operand=inner):
            return _within(inner)
        case Call(arguments=arguments):
            return [found for argument in arguments for found in _within(argument)]
        case Binary(left=left, right=right):
            return [*_within(left), *_within(right)]
        case _:
            return []


def _written(selector: Selector) -> list[str]:
    """Write a selector, each of its alternatives alone: only the newest Prometheus knows `or` in braces."""
    return [f"{{{','.join(map(str, matchers))}}}" for matchers in selector.alternatives]
