"""What Argo Rollouts makes of a Prometheus answer: the numbers that conditions see, and the text people see.

`processResponse` in metricproviders/prometheus/prometheus.go: a scalar is a float; a vector is the list of its
values, labels and times dropped; a matrix is one list of all its values; a string is an error.
"""

import math
from decimal import Decimal
from typing import TypeAlias, assert_never

from davy.analysis.promql.result import Matrix, Result, Scalar, String, Vector
from davy.analysis.provider import ProviderError

Numbers: TypeAlias = float | tuple[float, ...]


def numbers(result: Result) -> Numbers:
    """Take the numbers out of an answer.

    Raises:
        ProviderError: it is a text.
    """
    match result:
        case Scalar(value):
            return value
        case Vector(samples):
            return tuple(sample.value for sample in samples)
        case Matrix(series):
            return tuple(value for points in series for value in points.values)
        case String():
            raise ProviderError("the query gives a text, and a measurement needs numbers")
        case _:
            assert_never(result)


def printed(value: Numbers) -> str:
    """Print a measurement's value as Argo does: `0.99`, `[0.99]`, `[1,NaN]`."""
    if isinstance(value, float):
        return print_float(value)
    return f"[{','.join(map(print_float, value))}]"


def print_float(value: float) -> str:
    """Print a number as Go's `strconv.FormatFloat(value, 'f', -1, 64)`: shortest, without an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return format(Decimal(repr(value)), "f").removesuffix(".0")
