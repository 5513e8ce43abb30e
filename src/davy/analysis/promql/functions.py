"""PromQL's functions by name: those of a value at a time are here, the rest come from the modules beside."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from davy.analysis.promql.arithmetic import (
    INFINITY,
    NAN,
    ceiling,
    divide,
    floor,
    greater,
    largest,
    lesser,
    nan_last,
    smallest,
)
from davy.analysis.promql.dates import DATE_FIELDS
from davy.analysis.promql.histogram import HISTOGRAM_FUNCTIONS
from davy.analysis.promql.labelling import LABEL_FUNCTIONS
from davy.analysis.promql.matching import MatchOperator
from davy.analysis.promql.over_time import OVER_TIME_FUNCTIONS
from davy.analysis.promql.rate import RATE_FUNCTIONS
from davy.analysis.promql.series import EMPTY_LABELS, NAME, Labels
from davy.analysis.promql.syntax import Expression, Selector, Window
from davy.analysis.promql.vector import Element, Function, Value

if TYPE_CHECKING:
    from davy.analysis.promql.evaluation import Evaluation


def _total(function: Callable[[float], float]) -> Callable[[float], float]:
    """Make a function of Python's total: NaN outside its domain, an infinity where it overflows."""

    def extended(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return NAN
        except OverflowError:
            return -INFINITY if function is math.sinh and value < 0 else INFINITY

    return extended


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -INFINITY if value == 0 else _total(function)(value)


def _inverse_tangent_h(value: float) -> float:
    return math.copysign(INFINITY, value) if abs(value) == 1 else _total(math.atanh)(value)


def _sign(value: float) -> float:
    return value if value == 0 or value != value else math.copysign(1.0, value)


MATH: Final[dict[str, Callable[[float], float]]] = {
    "abs": abs,
    "acos": _total(math.acos),
    "acosh": _total(math.acosh),
    "asin": _total(math.asin),
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": _inverse_tangent_h,
    "ceil": ceiling,
    "cos": _total(math.cos),
    "cosh": _total(math.cosh),
    "deg": math.degrees,
    "exp": _total(math.exp),
    "floor": floor,
    "ln": _logarithm(math.log),
    "log10": _logarithm(math.log10),
    "log2": _logarithm(math.log2),
    "rad": math.radians,
    "sgn": _sign,
    "sin": _total(math.sin),
    "sinh": _total(math.sinh),
    "sqrt": _total(math.sqrt),
    "tan": _total(math.tan),
    "tanh": math.tanh,
}


def _map(
    evaluation: "Evaluation", operand: Iterable[Element], compute: Callable[[float], float]
) -> list[Element]:
    renamed = evaluation.settings.renamed
    return [Element(renamed(element.labels), compute(element.value), True) for element in operand]


def _mapped(compute: Callable[[float], float]) -> Function:
    """Make a function of each value; the date functions take the time itself where they are given nothing."""

    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        now = [Element(EMPTY_LABELS, time_ms / 1000)]
        return _map(evaluation, evaluation.vector(arguments[0], time_ms) if arguments else now, compute)

    return function


def _round(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    nearest = evaluation.scalar(arguments[1], time_ms) if len(arguments) > 1 else 1.0
    inverse = divide(1.0, nearest)
    elements = evaluation.vector(arguments[0], time_ms)
    return _map(evaluation, elements, lambda value: divide(floor(value * inverse + 0.5), inverse))


def _clamp(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    elements = evaluation.vector(arguments[0], time_ms)
    lowest, highest = (evaluation.scalar(argument, time_ms) for argument in arguments[1:])
    if lowest > highest:
        return []
    return _map(evaluation, elements, lambda value: greater(lowest, lesser(highest, value)))


def _clamp_one(choose: Callable[[float, float], float]) -> Function:
    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        bound = evaluation.scalar(arguments[1], time_ms)
        return _map(evaluation, evaluation.vector(arguments[0], time_ms), lambda value: choose(bound, value))

    return function


def _timestamp(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    """Give the instants of samples; of a value that was computed that is the time of asking."""
    raw = isinstance(arguments[0], Selector)
    return [
        Element(
            evaluation.settings.renamed(element.labels),
            (element.timestamp_ms if raw and element.timestamp_ms is not None else time_ms) / 1000,
            True,
        )
        for element in evaluation.vector(arguments[0], time_ms)
    ]


def _scalar(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    elements = evaluation.vector(arguments[0], time_ms)
    return elements[0].value if len(elements) == 1 else NAN


def _vector(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    return [Element(EMPTY_LABELS, evaluation.scalar(arguments[0], time_ms))]


def _chosen(choose: Callable[[list[float]], float]) -> Function:
    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        values = [evaluation.scalar(argument, time_ms) for argument in arguments]
        return NAN if any(map(math.isnan, values)) else choose(values)

    return function


def _sorted(*, sign: float) -> Function:
    def function(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
        return sorted(
            evaluation.vector(arguments[0], time_ms), key=lambda element: nan_last(sign * element.value)
        )

    return function


def _absent(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    found = evaluation.vector(arguments[0], time_ms)
    return [] if found else [Element(_absent_labels(arguments[0]), 1.0)]


def _absent_over_time(evaluation: "Evaluation", arguments: tuple[Expression, ...], time_ms: int) -> Value:
    found = evaluation.windows(arguments[0], time_ms).runs
    return [] if found else [Element(_absent_labels(arguments[0]), 1.0)]


def _absent_labels(node: Expression) -> Labels:
    """Give what a missing series must have had: the labels that equality matchers fix, once each."""
    selector = node.selector if isinstance(node, Window) else node
    if not isinstance(selector, Selector) or len(selector.alternatives) > 1:
        return EMPTY_LABELS
    named: dict[str, list[str]] = {}
    for matcher in selector.alternatives[0]:
        fixed = [matcher.value] if matcher.operator is MatchOperator.EQUAL else ["", ""]
        named.setdefault(matcher.name, []).extend(fixed)
    return Labels({name: values[0] for name, values in named.items() if len(values) == 1 and name != NAME})


FUNCTIONS: Final[dict[str, Function]] = {
    **{name: _mapped(compute) for name, compute in MATH.items()},
    **{name: _mapped(compute) for name, compute in DATE_FIELDS.items()},
    **RATE_FUNCTIONS,
    **OVER_TIME_FUNCTIONS,
    **HISTOGRAM_FUNCTIONS,
    **LABEL_FUNCTIONS,
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": _clamp,
    "clamp_max": _clamp_one(lesser),
    "clamp_min": _clamp_one(greater),
    "end": lambda evaluation, arguments, time_ms: evaluation.end_ms / 1000,
    "max_of": _chosen(largest),
    "min_of": _chosen(smallest),
    "pi": lambda evaluation, arguments, time_ms: math.pi,
    "range": lambda evaluation, arguments, time_ms: (evaluation.end_ms - evaluation.start_ms) / 1000,
    "round": _round,
    "scalar": _scalar,
    "sort": _sorted(sign=1.0),
    "sort_desc": _sorted(sign=-1.0),
    "start": lambda evaluation, arguments, time_ms: evaluation.start_ms / 1000,
    "step": lambda evaluation, arguments, time_ms: evaluation.step_ms / 1000,
    "time": lambda evaluation, arguments, time_ms: time_ms / 1000,
    "timestamp": _timestamp,
    "vector": _vector,
}
"""Every function that is answered; the parser knows a few more and refuses them by name."""
