import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.numbers import numbers, print_float, printed
from davy.analysis.promql.result import Matrix, Points, Sample, Scalar, String, Vector
from davy.analysis.promql.series import EMPTY_LABELS
from davy.analysis.provider import ProviderError


def test_conditions_see_the_numbers_and_nothing_else() -> None:
    sample = Sample(EMPTY_LABELS, 0.5, 1)
    assert numbers(Scalar(0.5)) == 0.5
    assert numbers(Vector((sample, sample))) == (0.5, 0.5)
    points = (Points(EMPTY_LABELS, (1, 2), (1.0, 2.0)), Points(EMPTY_LABELS, (1,), (3.0,)))
    assert numbers(Matrix(points)) == (1.0, 2.0, 3.0)


def test_a_text_is_no_measurement() -> None:
    with pytest.raises(ProviderError, match="gives a text"):
        numbers(String("0.5"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.99, "0.99"),
        (100.0, "100"),
        (-0.0, "-0"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Inf"),
        ((), "[]"),
        ((0.99,), "[0.99]"),
        ((1.0, float("nan"), float("inf")), "[1,NaN,+Inf]"),
    ],
)
def test_values_are_printed_as_argo_prints_them(value: float | tuple[float, ...], text: str) -> None:
    assert printed(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_back_as_itself(value: float) -> None:
    assert float(print_float(value)) == value
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", print_float(value))
