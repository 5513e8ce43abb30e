"""Plain scalars mean what they mean to the cluster."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.model.scalar import BadScalar, disagreement, is_plain, read

CASES = json.loads((Path(__file__).parent.parent / "cases" / "model" / "scalars.json").read_text())["cases"]


@pytest.mark.parametrize(("text", "value"), CASES)
def test_a_scalar_is_read_as_the_cluster_reads_it(text: str, value: object) -> None:
    result = read(text)
    if isinstance(value, str | bool | None):
        assert (type(result), result) == (type(value), value)
    else:  # JSON knows one sort of number; Go prints large ones rounded
        assert not isinstance(result, bool | str | None)
        assert math.isclose(result, value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", [".nan", "-.inf", "NaN", "Infinity", "-Infinity", "2026-02-30", "0000-01-01", "1e999", "9" * 5000]
)
def test_what_some_reader_breaks_on_is_refused(text: str) -> None:
    with pytest.raises(BadScalar):
        read(text)


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("yes", "a YAML 1.2 reader takes it as text"),
        ("true", ""),
        ("False", ""),
        ("null", ""),
        ("plain", ""),
        ("0x10", ""),
        ("10", ""),
        ("-0.5", ""),
        ("2026-01-31", ""),
        ("012", "a YAML 1.2 reader takes it as 12"),
        ("07", ""),
        ("0o14", "a YAML 1.1 reader takes it as text"),
        ("0b11", "a YAML 1.2 reader takes it as text"),
        ("1_000", "a YAML 1.2 reader takes it as text"),
        ("1e3", "a YAML 1.1 reader takes it as text"),
        ("12:30:00", "a YAML 1.1 reader takes it as a number to the base of 60"),
    ],
)
def test_it_is_said_when_other_readers_see_something_else(text: str, others: str) -> None:
    assert disagreement(text, read(text)) == others


@given(st.text(alphabet="0123456789_xobeE.+-: aTZ", max_size=12))
@settings(max_examples=300)
def test_any_text_is_a_value_or_refused(text: str) -> None:
    try:
        value = read(text)
    except BadScalar:
        return
    json.dumps(value, allow_nan=False)
    disagreement(text, value)


@given(st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=50)
def test_an_integer_is_read_as_itself_by_everyone(number: int) -> None:
    assert read(str(number)) == number
    assert disagreement(str(number), number) == ""


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
@settings(max_examples=50)
def test_a_float_is_read_as_itself(number: float) -> None:
    assert read(repr(number)) == number


def test_a_text_is_plain_where_all_readers_take_it_for_one() -> None:
    for text in ("shop", "checkout.discount-enabled", "2027-03-01"):
        assert is_plain(text), text
    for text in ("on", "off", "12", "1.5", "null", "", "12:30:00", ".nan", "2027-13-01", "true"):
        assert not is_plain(text), text
