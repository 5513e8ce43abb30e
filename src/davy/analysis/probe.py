"""Try conditions out before they count: on good and bad results, and on none.

A condition is a small program, and whether it can say no is best found out by running it. The results that
are tried are those that the provider could give: Prometheus and its kin give numbers and lists of numbers, so
that some telling ones are as good as all of them. What JSON an HTTP endpoint gives is anybody's guess; there
only what holds for every result is concluded.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from davy.analysis.condition import read
from davy.analysis.expression import Expression, ExpressionError
from davy.analysis.expression.syntax import Constant, walk
from davy.analysis.phase import Phase
from davy.analysis.promql.matching import QueryError
from davy.analysis.promql.parse import parse
from davy.analysis.promql.syntax import Binary, Call, Negation, Number
from davy.analysis.promql.syntax import Expression as Query
from davy.analysis.word import PHASES, assessed
from davy.model.analysis import Metric, MetricProvider
from davy.model.judge import PLUGIN
from davy.model.providers import PLUGINS

Vector = tuple[float, ...]

_ANY = (-1e9, -1.0, 0.0, 0.5, 1.0, 2.0, 100.0, 1e9, math.inf, -math.inf, math.nan)
_MOST_CONSTANTS = 12
#: The work that a condition may take on one result: plenty for a few numbers, and hundreds of them are tried.
_STEPS = 5_000
_MOST_ELEMENTS = 300
_SCALAR_FUNCTIONS = frozenset({"scalar", "time", "pi"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the conditions make of one result; `words` name the result for people."""

    words: str
    phase: Phase
    message: str


def decides_itself(provider: MetricProvider) -> bool:
    """Say whether a provider gives verdicts instead of results, so that conditions are not looked at."""
    return bool(provider.job or provider.kayenta or provider.plugin.keys() - PLUGINS.keys())


def gives_numbers(provider: MetricProvider) -> bool:
    """Say whether all that a provider can answer is a number, a list of numbers, or nothing."""
    return bool(
        provider.prometheus
        or provider.datadog
        or provider.wavefront
        or provider.graphite
        or provider.influxdb
        or provider.plugin.keys() & (PLUGINS.keys() - {PLUGIN})
    )


def gives_words(provider: MetricProvider) -> bool:
    """Say whether all that a provider can answer is the word of a judge."""
    return PLUGIN in provider.plugin


def on_data(metric: Metric) -> Iterator[Outcome]:
    """Try the conditions of a metric on numbers of all sorts, those around its own thresholds among them.

    Those of a metric that asks a judge are tried on all of its words.
    """
    if gives_words(metric.provider):
        yield from (_try(metric, _verdict(word), word) for word in PHASES)
        return
    around = tuple(_around(metric))
    numbers = tuple(dict.fromkeys((*_ANY, *around)))
    answer = answers(metric)
    if answer != "vector":
        yield from (_try(metric, number, f"{number:g}") for number in numbers)
    if answer != "scalar":
        yield from (_try(metric, vector, _words(vector)) for vector in _vectors(numbers, around))


def on_nothing(metric: Metric) -> Iterator[Outcome]:
    """Try the conditions of a metric on every way in which its provider can have no data."""
    if gives_words(metric.provider):
        yield _try(metric, _verdict("hold", "no_data"), "a judge without data")
        yield _try(metric, _verdict("hold", "stale"), "a judge with stale data")
        return
    yield _try(metric, None, "nil")
    yield _try(metric, (), "an empty result")
    if not gives_numbers(metric.provider):
        yield _try(metric, {}, "an empty object")
        yield _try(metric, "", "an empty text")
        return
    if answers(metric) != "vector":
        yield _try(metric, math.nan, "NaN")
    if answers(metric) != "scalar":
        yield _try(metric, (math.nan,), "[NaN]")
        yield _try(metric, (math.nan, math.nan), "[NaN NaN]")


def answers(metric: Metric) -> str:
    """Say what a query answers: `scalar`, `vector`, or nothing where that is not certain."""
    prometheus = metric.provider.prometheus
    if not prometheus:
        return ""
    try:
        scalar = _is_scalar(parse(prometheus.query))
    except QueryError:
        return ""
    return "vector" if prometheus.range_query or not scalar else "scalar"


def looks_at_result(condition: str) -> bool:
    """Say whether a condition depends on what was measured; one that cannot be read does not."""
    expression = _expression(condition)
    if expression is None:
        return False
    return "result" in expression.names() or any(
        call.name in ("isNil", "default") for call in expression.calls()
    )


def constants(condition: str) -> list[float]:
    """Collect the numbers in a condition, in the order in which they stand there."""
    expression = _expression(condition)
    if expression is None:
        return []
    nodes = sorted((node.position, node) for node, _ in walk(expression.tree) if isinstance(node, Constant))
    return [
        float(node.value)
        for _, node in nodes
        if isinstance(node.value, (int, float)) and node.value is not True
    ]


def _verdict(word: str, data: str = "ok") -> dict[str, object]:
    """Return what a judge says, as conditions see it (docs/reference/judge.md)."""
    return {
        "verdict": word,
        "weight": 5.0,
        "next_weight": 25.0,
        "reason": "",
        "evidence": {"log10": 0.0, "abort_at": 2.0, "driver": "error_ratio", "ratio": 1.0},
        "assurance": {"excess_upper": 1.0, "beta": 0.05, "risk_next": 50.0, "budget": 20.0},
        "metrics": {},
        "data": {"age_s": 1.0, "windows": 1.0, "state": data},
    }


@lru_cache(maxsize=256)
def _expression(condition: str) -> Expression | None:
    try:
        return read(condition)
    except ExpressionError:
        return None


def _try(metric: Metric, result: object, words: str) -> Outcome:
    assessment = assessed(metric, result, now=0.0, steps=_STEPS)
    return Outcome(words, assessment.phase, assessment.message)


def _around(metric: Metric) -> Iterator[float]:
    """Give the numbers in the conditions, and others that lie just beside them."""
    found = constants(metric.success_condition) + constants(metric.failure_condition)
    for number in dict.fromkeys(found[:_MOST_CONSTANTS]):
        beside = max(abs(number) * 1e-6, 1e-9)
        yield from (number, -number, number - beside, number + beside, number - 1.0, number + 1.0, number * 2.0)


def _vectors(numbers: tuple[float, ...], around: tuple[float, ...]) -> Iterator[Vector]:
    """Give lists of one and of two numbers, and longer ones where a condition may ask for a length."""
    yield from ((number,) for number in numbers)
    yield ()
    yield from product(_ANY, repeat=2)
    yield from product(numbers, (0.0, math.inf))
    lengths = {3, *(int(number) + more for number in around for more in (0, 1) if 2 < number < _MOST_ELEMENTS)}
    yield from ((number,) * length for length in sorted(lengths) for number in (-1.0, 0.5, 1e9))


def _words(vector: Vector) -> str:
    return "[" + " ".join(f"{number:g}" for number in vector) + "]"


def _is_scalar(query: Query) -> bool:
    match query:
        case Number():
            return True
        case Negation():
            return _is_scalar(query.operand)
        case Binary():
            return _is_scalar(query.left) and _is_scalar(query.right)
        case Call():
            return query.function in _SCALAR_FUNCTIONS
        case _:
            return False
