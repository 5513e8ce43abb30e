"""Durations are Go's."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.model.duration import BadDuration, parse_duration, parse_nanoseconds, pause_seconds

CASES = json.loads((Path(__file__).parent.parent / "cases" / "model" / "durations.json").read_text())["cases"]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_duration_is_read_or_refused_as_go_does(text: str, expected: int | str) -> None:
    if isinstance(expected, int):
        assert parse_nanoseconds(text) == expected
        assert parse_duration(text) == expected / 1e9
    else:
        with pytest.raises(BadDuration) as caught:
            parse_duration(text)
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (120, 120),
        (0, 0),
        (-5, -5),
        ("120", 120),
        ("+5", 5),
        ("2m", 120),
        ("1h30m", 5400),
        ("500ms", 0),
        ("-1500ms", -1),
        ("1d", -1),
        ("", -1),
        ("99999999999", -1),
        ("2562047h", -1),
        ("1_0", -1),
    ],
)
def test_a_pause_is_read_as_argo_does(duration: int | str, seconds: int) -> None:
    assert pause_seconds(duration) == seconds


@given(st.integers(0, 10**15), st.sampled_from(["ns", "us", "µs", "μs", "ms", "s"]))
@settings(max_examples=100)
def test_units_are_multiples_of_each_other(number: int, unit: str) -> None:
    one = parse_nanoseconds(f"1{unit}")
    if number * one < 2**63:
        assert parse_nanoseconds(f"{number}{unit}") == number * one
        assert parse_nanoseconds(f"-{number}{unit}") == -number * one


@given(st.text(alphabet="0123456789.hmsuµn+-d ", max_size=15))
@settings(max_examples=200)
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with suppress(BadDuration):
        assert abs(parse_nanoseconds(text)) <= 2**63
    assert -(2**31) <= pause_seconds(text) < 2**31
